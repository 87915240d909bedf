#include "scheduler/worker/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "scheduler/engine/job_conf.h"

#define ROOT         "/sys/fs/cgroup"
#define PATH_BYTES   512
#define END_TRIES    50
#define END_PAUSE_MS 2
#define CPU_SHARES   1024 /* v1's cpu.shares of one core */
#define CPU_WEIGHT   100  /* v2's cpu.weight */
#define PIDS_OF_TASK 32   /* threads of `cairn task` itself, on top of what the job may start */

/* v1 has a tree for each; v2 one for all. */
static const char *const trees[] = {"memory", "cpu", "pids"};

static bool is_v2(void)
{
    return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

static size_t tree_count(void)
{
    return is_v2() ? 1 : sizeof trees / sizeof trees[0];
}

/* ROOT[/tree]/cairn-NAME[/attempt][/file] */
static void group_path(size_t tree, const char *name, const char *attempt, const char *file, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, ROOT "%s%s/cairn-%s%s%s%s%s", is_v2() ? "" : "/", is_v2() ? "" : trees[tree], name,
             attempt ? "/" : "", attempt ? attempt : "", file ? "/" : "", file ? file : "");
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

static void write_number(size_t tree, const char *name, const char *attempt, const char *file, int64_t value)
{
    char path[PATH_BYTES], text[32];
    group_path(tree, name, attempt, file, path);
    snprintf(text, sizeof text, "%lld", (long long)value);
    (void)write_text(path, text); /* a controller that is not there bounds nothing */
}

static const char *memory_file(void)
{
    return is_v2() ? "memory.max" : "memory.limit_in_bytes";
}

void confine_make(const char *name, const char *attempt, const struct confine_limits *limits)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < tree_count(); i++) {
        group_path(i, name, attempt, NULL, path);
        if (mkdir(path, 0755) < 0)
            continue;
    }
    if (limits->memory_mb)
        write_number(0, name, attempt, memory_file(), limits->memory_mb << 20);
    if (limits->memory_mb)
        write_number(0, name, attempt, is_v2() ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                     is_v2() ? 0 : limits->memory_mb << 20);
    if (limits->vcores)
        write_number(is_v2() ? 0 : 1, name, attempt, is_v2() ? "cpu.weight" : "cpu.shares",
                     limits->vcores * (is_v2() ? CPU_WEIGHT : CPU_SHARES));
    if (limits->processes)
        write_number(is_v2() ? 0 : 2, name, attempt, "pids.max", limits->processes + PIDS_OF_TASK);
}

struct confine_held confine_enter(const char *name, const char *attempt)
{
    char path[PATH_BYTES];
    struct confine_held held = {false, false};
    for (size_t i = 0; i < tree_count(); i++) {
        group_path(i, name, attempt, "cgroup.procs", path);
        if (!write_text(path, "0"))
            continue;
        group_path(i, name, attempt, memory_file(), path);
        held.memory |= access(path, F_OK) == 0;
        group_path(i, name, attempt, "pids.max", path);
        held.processes |= access(path, F_OK) == 0;
    }
    return held;
}

bool confine_was_out_of_memory(const char *name, const char *attempt)
{
    char path[PATH_BYTES];
    struct buf b = {0};
    group_path(0, name, attempt, is_v2() ? "memory.events" : "memory.oom_control", path);
    bool killed = false;
    if (file_read(path, 4096, &b, NULL) == 0) {
        buf_append(&b, "", 1);
        const char *at = strstr((const char *)b.base, "oom_kill ");
        killed = at && strtoll(at + strlen("oom_kill "), NULL, 10) > 0;
    }
    buf_free(&b);
    return killed;
}

static void kill_all(const char *procs_path)
{
    struct buf b = {0};
    if (file_read(procs_path, 1 << 20, &b, NULL) == 0) {
        buf_append(&b, "", 1);
        for (char *at = (char *)b.base, *end; *at; at = end + (*end == '\n')) {
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            kill((pid_t)pid, SIGKILL);
        }
    }
    buf_free(&b);
}

void confine_end(const char *name, const char *attempt)
{
    char path[PATH_BYTES], procs[PATH_BYTES];
    for (size_t i = 0; i < tree_count(); i++) {
        group_path(i, name, attempt, NULL, path);
        group_path(i, name, attempt, "cgroup.procs", procs);
        for (int tries = 0; rmdir(path) < 0 && errno == EBUSY && tries < END_TRIES; tries++) {
            kill_all(procs);
            clock_sleep_ms(END_PAUSE_MS);
        }
    }
}

static void end_leftovers(const char *name)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < tree_count(); i++) {
        group_path(i, name, NULL, NULL, path);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));)
            if (!strncmp(e->d_name, "attempt_", 8))
                confine_end(name, e->d_name);
        if (dir)
            closedir(dir);
    }
}

bool confine_open(const char *name)
{
    bool any = false;
    char path[PATH_BYTES];
    for (size_t i = 0; i < tree_count(); i++) {
        group_path(i, name, NULL, NULL, path);
        any |= mkdir(path, 0755) == 0 || (errno == EEXIST && access(path, W_OK) == 0);
    }
    if (any && is_v2()) {
        group_path(0, name, NULL, "cgroup.subtree_control", path);
        any = write_text(path, "+memory +cpu +pids") || write_text(path, "+memory +pids") || write_text(path, "+pids");
    }
    if (any)
        end_leftovers(name);
    return any;
}

void confine_close(const char *name)
{
    char path[PATH_BYTES];
    end_leftovers(name);
    for (size_t i = 0; i < tree_count(); i++) {
        group_path(i, name, NULL, NULL, path);
        (void)rmdir(path);
    }
}

/* ---- limits ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a <= 0 ? b : b <= 0 || a < b ? a : b;
}

void confine_limits_of(const struct config *node, const Cairn__TaskSpecProto *spec, struct confine_limits *ret)
{
    const Cairn__JobSpecProto *job = spec->job;
    struct {
        const char *name;
        int64_t *value;
    } both[] = {{"cairn.task.max-cpu-seconds", &ret->cpu_seconds},
                {"cairn.task.max-file-mb", &ret->file_mb},
                {"cairn.task.max-processes", &ret->processes},
                {"cairn.task.max-seconds", &ret->seconds}};
    *ret = (struct confine_limits){
        .memory_mb = job_conf_int(job, spec->map ? "mapreduce.map.memory.mb" : "mapreduce.reduce.memory.mb", 0),
        .vcores = job_conf_int(job, spec->map ? "mapreduce.map.cpu.vcores" : "mapreduce.reduce.cpu.vcores", 0)};
    ret->memory_mb = ret->memory_mb < 0 || ret->memory_mb > 1 << 24 ? 0 : ret->memory_mb;
    ret->vcores = ret->vcores < 0 || ret->vcores > 64 ? 0 : ret->vcores;
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        int64_t value = smaller(job_conf_int(job, both[i].name, 0), config_int(node, both[i].name));
        *both[i].value = value < 0 || value > INT32_MAX ? 0 : value;
    }
}

static void limit(int what, int64_t soft, int64_t hard)
{
    struct rlimit r = {(rlim_t)soft, (rlim_t)hard};
    (void)setrlimit(what, &r); /* lower than a limit of ours that is lower still: that one holds */
}

void confine_self(const struct confine_limits *limits, struct confine_held held)
{
    limit(RLIMIT_CORE, 0, 0);
    if (limits->cpu_seconds)
        limit(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + 5); /* SIGXCPU, then SIGKILL */
    if (limits->file_mb)
        limit(RLIMIT_FSIZE, limits->file_mb << 20, limits->file_mb << 20);
    if (limits->memory_mb && !held.memory)
        limit(RLIMIT_DATA, limits->memory_mb << 20, limits->memory_mb << 20);
    if (limits->processes && !held.processes) /* of the user, in all: what there is without groups; root has no bound */
        limit(RLIMIT_NPROC, limits->processes + PIDS_OF_TASK, limits->processes + PIDS_OF_TASK);
}
