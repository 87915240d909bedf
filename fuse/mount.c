/* `cairn mount`: start, and a clean end that loses nothing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/dfs_path.h"
#include "common/cli.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/keeper.h"
#include "fuse/mount_options.h"
#include "fuse/mount_status.h"
#include "fuse/plain/plain_mount.h"
#include "fuse/posix/posix_start.h"
#include "fuse/takeover.h"
#include "main/commands.h"

#define MOUNT_THREADS_MAX      16
#define MOUNT_READAHEAD_KB     1024
#define MOUNT_CACHE_S          1.0
#define MOUNT_CACHE_POSIX_S    30.0 /* there, the namenode says what others change */
#define MOUNT_EXTEND_MAX_BYTES ((int64_t)1 << 30)
#define MOUNT_STAGING_BYTES    ((int64_t)1 << 30)

/* ---- before and after the loop ---- */

/* Who is not root unmounts through FUSE's own helper. */
static bool fusermount_detach(const char *target)
{
    char *argv[] = {"fusermount3", "-u", "-z", "--", (char *)target, NULL};
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int open_target(void *arg)
{
    int fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* asks; stat may be answered from the kernel's memory */
    return fd >= 0 ? 0 : errno < 256 ? errno : EIO;
}

/* A mount point whose process was killed says ENOTCONN until it is unmounted. */
static int mount_repair_target(const char *target, struct err *reterr)
{
    int errnum = mount_ask(open_target, (char *)target);
    if (errnum == 0)
        return 0;
    if (errnum == ETIMEDOUT)
        return err_set(
            reterr, ERR_TIMEOUT,
            "what is mounted on '%s' does not answer: wait for its servers, or unmount it with: umount -l %s", target,
            target);
    if (errnum != ENOTCONN)
        return err_errno(reterr, errnum, "mount point '%s'", target);
    log_info("mount", "repairing a dead mount: target=%s", target);
    if (umount2(target, MNT_DETACH) < 0 && !fusermount_detach(target))
        return err_errno(reterr, errno, "'%s' is a dead mount; unmount it with: fusermount3 -uz %s", target, target);
    return 0;
}

/* The folder must be there now: a mount of nothing helps nobody. On a connection of its own, which is gone before the
 * mount forks into the background: threads and locks of the client do not survive that. */
static int mount_check_root(struct mount *m, const struct config *config, const char *uri, struct err *reterr)
{
    struct dfs *fs;
    struct arena a;
    struct dfs_status status;
    const char *path = m->root[0] ? m->root : "/";
    int rc = dfs_connect(config, uri, NULL, &fs, reterr);
    if (rc < 0)
        return rc;
    arena_init(&a, 1 << 20);
    rc = dfs_stat(fs, path, &a, &status, reterr);
    m->names_are_text = rc == 0 && !status.ctime_ns; /* ours takes them as bytes */
    if (rc == 0 && status.type != DFS_DIR)
        rc = err_set(reterr, ERR_NOT_DIR, "%s%s is not a directory", dfs_uri(fs), path);
    else if (rc == ERR_NOT_FOUND)
        rc = err_set(reterr, rc, "%s%s does not exist; make it with: cairn fs -mkdir -p %s", dfs_uri(fs), path, path);
    arena_free(&a);
    dfs_unref(fs);
    return rc;
}

/* The kernel's default read-ahead of 128 KiB halves the speed of sequential reads; best effort, root only. */
static void mount_raise_readahead(const char *target)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    AUTO(mem_freep) char *real = realpath(target, NULL);
    char *line = NULL, point[4096], setting[64], value[16];
    size_t capacity = 0;
    unsigned major_number, minor_number;
    setting[0] = 0;
    while (f && real && getline(&line, &capacity, f) > 0)
        if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major_number, &minor_number, point) == 3 &&
            strcmp(point, real) == 0)
            snprintf(setting, sizeof setting, "/sys/class/bdi/%u:%u/read_ahead_kb", major_number, minor_number);
    free(line);
    if (f)
        fclose(f);
    f = setting[0] ? fopen(setting, "we") : NULL;
    if (!f)
        return;
    snprintf(value, sizeof value, "%d", MOUNT_READAHEAD_KB);
    if (fputs(value, f) < 0)
        log_debug("mount", "read-ahead stays at the kernel's default");
    fclose(f);
}

/* ---- the two kinds: of a Cairn namenode, and of any other HDFS ---- */

struct mount_kind {
    struct mount plain;
    struct posix_mount *posix; /* NULL: it is the plain one */
    char *name;                /* of the posix one; owned */
    char cluster[64];
    const char *target, *uri;
    struct program program;       /* what the next process is of, after a reload */
    struct fuse_session *session; /* holds the mount; of the posix kind, the keeper's */
};

static int posix_serve_on(struct mount_kind *k, int kernel_fd)
{
    pid_t keeper = getppid();
    int code = posix_mount_serve(k->posix, kernel_fd, MOUNT_THREADS_MAX);
    if (getppid() != keeper && umount2(k->target, MNT_DETACH) < 0) /* nobody else is left who would */
        fusermount_detach(k->target);
    return code;
}

static int posix_serve(void *arg)
{
    struct mount_kind *k = arg;
    return posix_serve_on(k, fcntl(fuse_session_fd(k->session), F_DUPFD_CLOEXEC, 0));
}

static void posix_serve_by_file(void *arg)
{
    struct mount_kind *k = arg;
    takeover_execute(&k->program, fcntl(fuse_session_fd(k->session), F_DUPFD, 0),
                     fcntl(posix_mount_memory_fd(k->posix), F_DUPFD, 0));
}

static unsigned posix_processes(void *arg)
{
    return posix_mount_processes(((struct mount_kind *)arg)->posix);
}

static int posix_keep(struct mount_kind *k)
{
    struct keeper keeper = {.serve = posix_serve,
                            .serve_by_file = k->program.path[0] ? posix_serve_by_file : NULL,
                            .begun = posix_processes,
                            .hands_over = posix_mount_hands_over(k->posix),
                            .arg = k};
    return keeper_run(&keeper);
}

static int mount_serve(struct mount_kind *k, const struct mount_options *o)
{
    if (!o->foreground)
        log_to_syslog("cairn-mount");
    int code = k->posix ? posix_keep(k) : plain_mount_serve(&k->plain, k->session, MOUNT_THREADS_MAX);
    log_info("mount", "unmounted target=%s", o->target);
    return code;
}

/* For libfuse, which takes an option's end for granted at a comma. */
static char *escaped(const char *text)
{
    struct buf b = {0};
    for (; *text; text++)
        buf_printf(&b, *text == ',' || *text == '\\' ? "\\%c" : "%c", *text);
    return buf_detach(&b);
}

static int mount_run(struct mount_kind *k, const struct mount_options *o)
{
    AUTO(mem_freep) char *root = escaped(k->plain.root);
    AUTO(mem_freep)
    char *list = mem_printf("fsname=%s%s,subtype=cairn%s%s%s%s", k->uri, root, o->allow_other ? ",allow_other" : "",
                            k->posix ? ",default_permissions" : "", k->posix && geteuid() == 0 ? ",dev,suid" : "",
                            o->fuse.len ? (char *)o->fuse.base : "");
    char *argv[] = {"cairn", "-o", list, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    int code = 1;
    k->session = fuse_session_new(&args, &mount_operations, sizeof mount_operations, &k->plain);
    if (!k->session)
        return 1; /* libfuse said what it did not like */
    if (fuse_set_signal_handlers(k->session) == 0) {
        if (fuse_session_mount(k->session, o->target) == 0) {
            mount_raise_readahead(o->target);
            if (o->foreground || fuse_daemonize(0) == 0)
                code = mount_serve(k, o);
            fuse_session_unmount(k->session);
        }
        fuse_remove_signal_handlers(k->session);
    }
    fuse_session_destroy(k->session);
    fuse_opt_free_args(&args);
    return code;
}

static double cache_seconds(const struct mount_options *o, double unless_said)
{
    return o->cache_timeout_s < 0 ? unless_said : o->cache_timeout_s;
}

static struct posix_mount_options posix_options(const struct config *config, const struct mount_options *o)
{
    return (struct posix_mount_options){.config = config,
                                        .uri = o->uri,
                                        .cache_timeout_s = cache_seconds(o, MOUNT_CACHE_POSIX_S),
                                        .names_max_bytes = o->names_max_bytes,
                                        .users = o->users,
                                        .passthrough = o->passthrough,
                                        .staging_folder = o->staging,
                                        .staging_max_bytes = MOUNT_STAGING_BYTES};
}

/* as relatime says, and not as coarsely as HDFS does it */
static int set_posix_defaults(struct config *config, struct err *reterr)
{
    return config_set(config, "cairn.client.access-times", "false", "mount", reterr);
}

static int kind_choose(struct mount_kind *k, struct config *config, const struct mount_options *o, struct err *reterr)
{
    AUTO(mem_freep) char *real = realpath(o->target, NULL);
    struct posix_mount_place place;
    int rc = posix_mount_probe(config, o->uri, k->plain.root[0] ? k->plain.root : "/", &place, reterr);
    if (rc == 0 && place.root)
        rc = set_posix_defaults(config, reterr);
    if (rc < 0 || !place.root)
        return rc;
    memcpy(k->cluster, place.cluster, sizeof k->cluster);
    k->name = mem_printf("%s%s of %s on %s", k->uri, k->plain.root, place.cluster, real ? real : o->target);
    struct posix_mount_options posix = posix_options(config, o);
    posix.root = place.root;
    posix.cluster = k->cluster;
    posix.name = k->name;
    return posix_mount_new(&posix, k->plain.daemon, &k->posix, reterr);
}

static int set_defaults(struct config *config, struct err *reterr)
{
    if (!config_is_set(config, "cairn.client.retry-for"))
        return config_set(config, "cairn.client.retry-for", MOUNT_RETRY_DEFAULT, "mount", reterr);
    return 0;
}

/* What a keeper executes after a reload. */
static int mount_take_over(struct daemon *d, struct config *config, const struct mount_options *o, struct err *reterr,
                           int *ret_code)
{
    struct mount_kind k = {.target = o->target};
    struct posix_mount_options posix = posix_options(config, o);
    int kernel_fd, memory_fd;
    int rc = takeover_fds(o->takes_over, &kernel_fd, &memory_fd, reterr);
    rc = rc == 0 ? set_defaults(config, reterr) : rc;
    rc = rc == 0 ? set_posix_defaults(config, reterr) : rc;
    rc = rc == 0 ? posix_mount_taken(&posix, memory_fd, d, &k.posix, reterr) : rc;
    if (rc < 0)
        return rc;
    if (!o->foreground) {
        log_to_syslog("cairn-mount");
        if (chdir("/") < 0)
            log_debug("mount", "the folder it was started in stays in use");
    }
    *ret_code = posix_serve_on(&k, kernel_fd);
    posix_mount_free(k.posix);
    return 0;
}

static int mount_start(struct daemon *d, struct config *config, struct mount_options *o, struct program *program,
                       struct err *reterr, int *ret_code)
{
    struct arena a;
    const char *root = "/", *authority;
    arena_init(&a, 1 << 20);
    int rc = set_defaults(config, reterr);
    if (rc == 0 && o->path)
        rc = dfs_path_resolve(o->path[0] ? o->path : "/", "/user/root", &a, &root, &authority, reterr);
    struct mount_kind k = {.target = o->target,
                           .uri = o->uri ? o->uri : config_str(config, "fs.defaultFS"),
                           .program = *program,
                           .plain = {.daemon = d,
                                     .cache_timeout_s = cache_seconds(o, MOUNT_CACHE_S),
                                     .extend_max_bytes = MOUNT_EXTEND_MAX_BYTES}};
    pthread_mutex_init(&k.plain.handles.lock, NULL);
    replacing_init(&k.plain.replacing);
    k.plain.root = mem_strdup(strcmp(root, "/") == 0 ? "" : root);
    k.plain.users = users_new(config, o->uri, &o->users);
    k.plain.inodes = inode_table_new();
    if (rc == 0)
        rc = mount_repair_target(o->target, reterr);
    if (rc == 0)
        rc = mount_check_root(&k.plain, config, o->uri, reterr);
    if (rc == 0)
        rc = kind_choose(&k, config, o, reterr);
    if (rc == 0)
        *ret_code = mount_run(&k, o);
    posix_mount_free(k.posix);
    inode_table_free(k.plain.inodes);
    users_free(k.plain.users);
    free(k.plain.root);
    free(k.name);
    pthread_mutex_destroy(&k.plain.handles.lock);
    replacing_destroy(&k.plain.replacing);
    arena_free(&a);
    return rc;
}

int mount_main(int argc, char **argv)
{
    struct daemon d;
    struct err err = {0};
    struct config *config = NULL;
    struct mount_options o = {0};
    struct program program;
    int code = 1;
    program_find(&program);
    if (argc == 2 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return fputs(mount_usage, stdout) < 0;
    int rc = daemon_begin(&d, &argc, argv, &config, &err);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL); /* libfuse ends its loop from a handler */
    if (rc == 0)
        rc = mount_options_parse(argc, argv, config, &o, &err);
    if (rc == 0 && !o.status && !o.reload && !o.uri && !config_is_set(config, "fs.defaultFS"))
        rc = cli_find_cluster(config, &err);
    if (rc == 0 && o.status)
        code = mount_status(o.target);
    else if (rc == 0 && o.reload)
        code = mount_reload(o.target);
    else if (rc == 0 && o.pretend)
        code = 0;
    else if (rc == 0 && o.takes_over)
        rc = mount_take_over(&d, config, &o, &err, &code);
    else if (rc == 0)
        rc = mount_start(&d, config, &o, &program, &err, &code);
    if (rc < 0)
        code = daemon_fail("mount", &err);
    mount_options_free(&o);
    config_free(config);
    return code;
}
