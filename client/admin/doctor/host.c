/* This machine and its settings: what can be seen without asking anyone. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/admin/doctor/doctor.h"
#include "common/mem.h"

#define NOFILE_WANTED  4096
#define DISK_LOW_BYTES ((int64_t)1 << 30)
#define DISK_LOW_SHARE 50 /* 1/50 = 2 % */

/* ---- settings ---- */

static void check_uri(struct doctor *d)
{
    if (strncmp(d->uri, "hdfs://", 7) == 0 || strncmp(d->uri, "viewfs://", 9) == 0)
        return;
    doctor_say(d, SEVERITY_ERROR, "default-fs",
               "set fs.defaultFS to hdfs://HOST:PORT in core-site.xml, or give it: -fs hdfs://HOST:PORT",
               "fs.defaultFS is '%s', which is no HDFS", d->uri);
}

static void check_folder(struct doctor *d)
{
    static const char *const files[] = {"core-site.xml", "hdfs-site.xml"};
    const char *dir = getenv("HADOOP_CONF_DIR");
    if (!dir || !*dir) {
        if (!config_is_set(d->config, "fs.defaultFS"))
            doctor_say(d, SEVERITY_WARNING, "conf-dir",
                       "export HADOOP_CONF_DIR=FOLDER with core-site.xml and hdfs-site.xml, or give -fs",
                       "HADOOP_CONF_DIR is not set and no file system is named: the default %s is meant", d->uri);
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        AUTO(mem_freep) char *path = mem_printf("%s/%s", dir, files[i]);
        bool is_needed = i == 0; /* core-site.xml may say it all, as `cairn up` has it */
        if (access(path, R_OK) < 0 && (is_needed || errno != ENOENT))
            doctor_say(d, SEVERITY_WARNING, "conf-dir", "put the cluster's files there, or correct HADOOP_CONF_DIR",
                       "HADOOP_CONF_DIR: %s: %s", path, strerror(errno));
    }
}

static void check_sizes(struct doctor *d)
{
    int64_t block = config_size(d->config, "dfs.blocksize"), chunk = config_int(d->config, "dfs.bytes-per-checksum");
    int64_t least = config_size(d->config, "dfs.namenode.fs-limits.min-block-size");
    if (block % chunk)
        doctor_say(d, SEVERITY_ERROR, "block-size", "set dfs.blocksize to a multiple of dfs.bytes-per-checksum",
                   "dfs.blocksize %" PRId64 " is no multiple of dfs.bytes-per-checksum %" PRId64 ": every create fails",
                   block, chunk);
    else if (block < least)
        doctor_say(d, SEVERITY_ERROR, "block-size",
                   "raise dfs.blocksize, or lower dfs.namenode.fs-limits.min-block-size on the namenode",
                   "dfs.blocksize %" PRId64 " is less than dfs.namenode.fs-limits.min-block-size %" PRId64
                   ": every create fails",
                   block, least);
}

static void check_nameservice(struct doctor *d)
{
    const char *services = config_get(d->config, "dfs.nameservices");
    size_t len = strcspn(d->uri + (strstr(d->uri, "://") ? strcspn(d->uri, ":") + 3 : 0), "/");
    const char *authority = strstr(d->uri, "://") ? strstr(d->uri, "://") + 3 : d->uri;
    if (strncmp(d->uri, "hdfs://", 7) != 0 || memchr(authority, ':', len) || memchr(authority, '.', len) || !len)
        return;
    AUTO(mem_freep) char *name = mem_strndup(authority, len);
    AUTO(mem_freep) char *key = mem_printf("dfs.ha.namenodes.%s", name);
    const char *namenodes = config_get(d->config, key);
    if (namenodes && !(services && strstr(services, name)))
        doctor_say(d, SEVERITY_ERROR, "nameservice", "add it to dfs.nameservices",
                   "%s is set, but dfs.nameservices does not name '%s'", key, name);
}

void doctor_check_settings(struct doctor *d)
{
    check_uri(d);
    check_folder(d);
    check_sizes(d);
    check_nameservice(d);
}

/* ---- the machine ---- */

static void check_socket(struct doctor *d)
{
    const char *path = config_str(d->config, "dfs.domain.socket.path");
    if (!config_bool(d->config, "dfs.client.read.shortcircuit"))
        return;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *remedy =
        "set dfs.domain.socket.path here and on this machine's datanode to the same path, in a folder that only "
        "trusted users can write; or set dfs.client.read.shortcircuit=false";
    if (!*path || strstr(path, "_PORT")) {
        if (!*path &&
            config_is_set(d->config, "dfs.client.read.shortcircuit")) /* else Cairn's datanodes are found without */
            doctor_say(d, SEVERITY_WARNING, "domain-socket", remedy,
                       "dfs.client.read.shortcircuit is on without dfs.domain.socket.path");
        return; /* with _PORT there is one for each local datanode */
    }
    if (strlen(path) >= sizeof a.sun_path) {
        doctor_say(d, SEVERITY_ERROR, "domain-socket", "choose a shorter path",
                   "dfs.domain.socket.path '%s' is longer than %zu bytes", path, sizeof a.sun_path - 1);
        return;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    AUTO(net_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        doctor_say(d, SEVERITY_WARNING, "domain-socket", remedy,
                   "no datanode answers at dfs.domain.socket.path '%s' (%s): local reads go through TCP", path,
                   strerror(errno));
}

static void check_limits(struct doctor *d)
{
    struct rlimit files, locked;
    const char *wanted = config_get(d->config, "dfs.datanode.max.locked.memory");
    int64_t bytes = 0;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < NOFILE_WANTED)
        doctor_say(d, SEVERITY_WARNING, "open-files",
                   "raise it where daemons are started: `ulimit -n 65536`, LimitNOFILE= of a systemd unit",
                   "processes started here may open %" PRIu64 " files only; datanodes and mounts want %d or more",
                   (uint64_t)files.rlim_cur, NOFILE_WANTED);
    if (wanted && config_parse_size(wanted, &bytes) == 0 && bytes > 0 && getrlimit(RLIMIT_MEMLOCK, &locked) == 0 &&
        locked.rlim_cur != RLIM_INFINITY && (int64_t)locked.rlim_cur < bytes)
        doctor_say(d, SEVERITY_ERROR, "locked-memory",
                   "raise it (`ulimit -l`, LimitMEMLOCK=), or lower dfs.datanode.max.locked.memory",
                   "dfs.datanode.max.locked.memory is %" PRId64 " and processes started here may lock %" PRIu64
                   " bytes",
                   bytes, (uint64_t)locked.rlim_cur);
}

/* Folders of daemons on this machine, if they are here at all. */
static void check_disk(struct doctor *d, const char *key)
{
    AUTO(mem_freep) char *list = mem_strdup(config_str(d->config, key));
    char *rest = list;
    for (char *dir; (dir = strtok_r(rest, ", ", &rest));) {
        struct statvfs v;
        if (*dir == '[' && strchr(dir, ']'))
            dir = strchr(dir, ']') + 1;
        if (!strncmp(dir, "file://", 7))
            dir += 7;
        if (statvfs(dir, &v) < 0)
            continue;
        int64_t left = (int64_t)v.f_bavail * (int64_t)v.f_frsize, all = (int64_t)v.f_blocks * (int64_t)v.f_frsize;
        if (left < DISK_LOW_BYTES && left < all / DISK_LOW_SHARE)
            doctor_say(d, SEVERITY_WARNING, "disk-full", "free space on that disk",
                       "%s '%s': %" PRId64 " MiB left of %" PRId64 " MiB", key, dir, left >> 20, all >> 20);
        if (v.f_favail == 0 && v.f_files)
            doctor_say(d, SEVERITY_ERROR, "disk-inodes", "free inodes: delete small files on that disk",
                       "%s '%s' has no inodes left", key, dir);
    }
}

void doctor_check_host(struct doctor *d)
{
    check_socket(d);
    check_limits(d);
    check_disk(d, "dfs.namenode.name.dir");
    check_disk(d, "dfs.datanode.data.dir");
}
