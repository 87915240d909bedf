/* `cairn up`: starts a cluster's daemons in order, says when it is ready, stays as their supervisor, stops them in
 * reverse order. A daemon that dies is reported and started again (--no-restart: left dead); when none is left the
 * supervisor ends too. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/lib/dfs.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "main/cluster.h"
#include "main/commands.h"

#define UP_READY_TIMEOUT_MS 60000
#define UP_STOP_GRACE_MS    10000
#define UP_POLL_MS          20
#define UP_NODES_DEFAULT    3
#define UP_DIR_DEFAULT      "cairn-cluster"

static const char up_usage[] =
    "Usage: cairn up [--dir DIR] [--nodes N] [--port-base P] [--mount M] [--detach] [--no-restart] [-D name=value "
    "...]\n"
    "  --dir DIR      folder of all its state and logs (default ./" UP_DIR_DEFAULT ")\n"
    "  --nodes N      datanodes and workers, each on an address of its own: 127.0.0.1 to 127.0.0.N (default 3)\n"
    "  --port-base P  ports from P on (default: the well-known ones, 8020, 9870, 9866, ...)\n"
    "  --mount M      mount the file system at M\n"
    "  --detach       return when the cluster is ready; `cairn down --dir DIR` stops it\n"
    "  --no-restart   a daemon that dies stays dead; else it is started again, after a pause that grows\n";

struct up_options {
    struct cluster_options cluster;
    bool detach, no_restart;
    char *dir, *mount; /* owned */
};

static int up_number(const char *flag, const char *text, int min, int max, int *ret, struct err *reterr)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < min || n > max)
        return err_set(reterr, ERR_CONFIG, "%s %s: want a number from %d to %d", flag, text, min, max);
    *ret = (int)n;
    return 0;
}

static int up_absolute(const char *flag, const char *path, char **ret, struct err *reterr)
{
    int rc = file_mkdirs(path, 0755, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "%s", flag);
    *ret = realpath(path, NULL);
    return *ret ? 0 : err_errno(reterr, errno, "%s '%s'", flag, path);
}

static int up_parse(int argc, char **argv, struct up_options *o, struct err *reterr)
{
    const char *dir = UP_DIR_DEFAULT, *mount = NULL;
    int rc = 0;
    o->cluster.nodes = UP_NODES_DEFAULT;
    for (int i = 1; rc == 0 && i < argc; i++) {
        const char *flag = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(flag, "--detach") == 0) {
            o->detach = true;
            continue;
        }
        if (strcmp(flag, "--no-restart") == 0) {
            o->no_restart = true;
            continue;
        }
        bool known = !strcmp(flag, "--dir") || !strcmp(flag, "--nodes") || !strcmp(flag, "--port-base") ||
                     !strcmp(flag, "--mount");
        if (!known)
            return err_set(reterr, ERR_CONFIG, "unknown option '%s'\n%s", flag, up_usage);
        if (!value)
            return err_set(reterr, ERR_CONFIG, "option %s needs a value", flag);
        i++;
        if (strcmp(flag, "--dir") == 0)
            dir = value;
        else if (strcmp(flag, "--mount") == 0)
            mount = value;
        else if (strcmp(flag, "--nodes") == 0)
            rc = up_number(flag, value, 1, CLUSTER_NODES_MAX, &o->cluster.nodes, reterr);
        else
            rc = up_number(flag, value, 1, 65527, &o->cluster.port_base, reterr);
    }
    if (rc == 0)
        rc = up_absolute("--dir", dir, &o->dir, reterr);
    /* A mount point left dead by kill -9 cannot be resolved: the mount command repairs it. */
    if (rc == 0 && mount && up_absolute("--mount", mount, &o->mount, NULL) < 0)
        o->mount = mount[0] == '/' ? mem_strdup(mount) : mem_printf("%s/%s", o->dir, mount);
    o->cluster.dir = o->dir;
    o->cluster.mount = o->mount;
    return rc;
}

/* ---- ready: every datanode has registered and safe mode is off ---- */

static int up_is_ready(struct dfs *fs, int nodes, bool *ret, struct err *reterr)
{
    struct arena a;
    struct dfs_datanode *live;
    size_t count = 0;
    bool safe = true;
    arena_init(&a, 16 << 20);
    int rc = dfs_datanode_report(fs, DFS_REPORT_LIVE, &a, &live, &count, reterr);
    if (rc == 0)
        rc = dfs_safemode(fs, DFS_SAFEMODE_GET, &safe, reterr);
    arena_free(&a);
    *ret = rc == 0 && count >= (size_t)nodes && !safe;
    return rc;
}

static int up_wait_file_system(const struct cluster *c, struct err *reterr)
{
    struct dfs *fs;
    int rc = dfs_connect(c->options.config, c->fs_uri, NULL, &fs, reterr);
    bool ready = false;
    for (int64_t deadline = clock_mono_ms() + UP_READY_TIMEOUT_MS; rc == 0 && !ready;) {
        rc = up_is_ready(fs, c->options.nodes, &ready, reterr);
        if (rc == 0 && !ready && clock_mono_ms() > deadline)
            rc = err_set(reterr, ERR_TIMEOUT,
                         "the file system did not leave safe mode within %d s; see the logs in %s/logs",
                         UP_READY_TIMEOUT_MS / 1000, c->options.dir);
        if (rc == 0 && !ready)
            clock_sleep_ms(UP_POLL_MS);
    }
    dfs_unref(fs);
    return rc;
}

/* The namenode first; then all of one kind at once; the mount when the file system answers. */
static int up_start(struct cluster *c, struct err *reterr)
{
    size_t first_client = 1 + (size_t)c->options.nodes; /* of the file system */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->child_count; i++) {
        if (i == first_client)
            rc = up_wait_file_system(c, reterr);
        if (rc == 0)
            rc = child_start(&c->children[i], reterr);
        bool others_need_it = strchr(c->children[i].name, '-') == NULL;
        if (rc == 0 && others_need_it)
            rc = child_wait_ready(&c->children[i], UP_READY_TIMEOUT_MS, reterr);
    }
    for (size_t i = 0; rc == 0 && i < c->child_count; i++)
        if (c->children[i].ready_fd >= 0)
            rc = child_wait_ready(&c->children[i], UP_READY_TIMEOUT_MS, reterr);
    return rc == 0 ? cluster_write_json(c, reterr) : rc;
}

static void up_stop(struct cluster *c)
{
    cluster_remove_json(c);
    for (size_t i = c->child_count; i-- > 0;)
        child_stop(&c->children[i], UP_STOP_GRACE_MS);
}

/* A daemon that died is started again after a pause, unless that is not wanted or it was told to end. */
static void up_note_end(struct child *child, int status, bool restarts)
{
    char end[64];
    child->pid = 0;
    child->exit_status = status;
    if (!restarts || !restart_is_wanted(status)) {
        log_error("up", "daemon=%s %s action=none log=%s", child->name, child_end_text(status, end), child->log);
        return;
    }
    int64_t now_ms = clock_mono_ms(), delay_ms = restart_delay_ms(&child->restart, now_ms);
    child->start_at_ms = now_ms + delay_ms;
    log_error("up", "daemon=%s %s action=start-again in_ms=%" PRId64 " log=%s", child->name,
              child_end_text(status, end), delay_ms, child->log);
}

static void up_start_again(struct cluster *c, struct child *child)
{
    struct err why;
    if (child_start(child, &why) < 0 || cluster_write_json(c, &why) < 0)
        log_error("up", "daemon=%s err='%s'", child->name, why.text);
    else
        log_info("up", "daemon=%s pid=%d started again", child->name, (int)child->pid);
    if (!child->pid)
        child->start_at_ms = clock_mono_ms() + restart_delay_ms(&child->restart, clock_mono_ms());
}

/* When the next one is to be started, in ms from now; -1: none is. */
static int64_t up_look_after(struct cluster *c, bool restarts, size_t *ret_running)
{
    int64_t next_ms = -1;
    *ret_running = 0;
    for (size_t i = 0; i < c->child_count; i++) {
        struct child *child = &c->children[i];
        int status;
        if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid)
            up_note_end(child, status, restarts);
        if (child->start_at_ms && clock_mono_ms() >= child->start_at_ms)
            up_start_again(c, child);
        int64_t left_ms = child->start_at_ms ? child->start_at_ms - clock_mono_ms() : -1;
        if (child->start_at_ms && (next_ms < 0 || left_ms < next_ms))
            next_ms = left_ms > 0 ? left_ms : 0;
        *ret_running += child->pid || child->start_at_ms;
    }
    return next_ms;
}

/* Until SIGINT or SIGTERM, or until no daemon is left. Returns the exit code. */
static int up_supervise(struct cluster *c, bool restarts)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    for (;;) {
        size_t running;
        int64_t wait_ms = up_look_after(c, restarts, &running);
        if (running == 0)
            return 1;
        struct timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1000000};
        int got = sigtimedwait(&set, NULL, wait_ms < 0 ? NULL : &wait);
        if (got == SIGINT || got == SIGTERM)
            return 0;
    }
}

static void up_print_summary(const struct cluster *c, bool detached)
{
    printf("cluster of %d nodes is ready in %s\n  files      %s\n  namenode   http://%s/\n", c->options.nodes,
           c->options.dir, c->fs_uri, c->namenode_http);
    printf("  httpfs     http://%s/webhdfs/v1/\n  scheduler  %s  http://%s/\n", c->httpfs, c->scheduler,
           c->scheduler_http);
    if (c->options.mount)
        printf("  mount      %s\n", c->options.mount);
    printf("  settings   export HADOOP_CONF_DIR=%s/conf\n", c->options.dir);
    if (detached)
        printf("`cairn down --dir %s` stops it\n", c->options.dir);
    else
        printf("Ctrl-C stops it\n");
    fflush(stdout);
}

/* Goes to the background before any daemon starts. Returns in the child with the descriptor that tells the waiting
 * parent how it went; the parent never returns. */
static int up_detach(const char *dir)
{
    int fds[2];
    char outcome[2048];
    close_range(3, ~0U, 0); /* what the caller had open (a lock, a pipe) is not ours to keep */
    AUTO(mem_freep) char *log = mem_printf("%s/logs/up.log", dir);
    AUTO(mem_freep) char *logs = mem_printf("%s/logs", dir);
    if (file_mkdirs(logs, 0755, NULL) < 0 || pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid > 0) {
        size_t used = 0;
        close(fds[1]);
        for (ssize_t n; used < sizeof outcome - 1 && (n = read(fds[0], outcome + used, sizeof outcome - 1 - used)) > 0;)
            used += (size_t)n;
        outcome[used] = 0;
        if (strcmp(outcome, "ok") == 0)
            exit(0);
        fprintf(stderr, "cairn up: %s\n", used ? outcome : "the supervisor died; see up.log");
        exit(1);
    }
    if (pid < 0)
        return -1;
    close(fds[0]);
    setsid();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC),
        out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (null >= 0)
        dup2(null, 0);
    if (out >= 0)
        dup2(out, 2);
    return fds[1];
}

static int up_run(struct up_options *o)
{
    struct err err = {0};
    struct cluster c = {0};
    int socket_fd = -1, outcome_fd = -1, code = 1;
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (o->detach && (outcome_fd = up_detach(o->dir)) < 0) {
        fprintf(stderr, "cairn up: cannot go to the background: %s\n", strerror(errno));
        return 1;
    }
    int rc = cluster_hold_socket(o->dir, &socket_fd, &err);
    if (rc == 0)
        rc = cluster_plan(&o->cluster, &c, &err);
    if (rc == 0)
        rc = up_start(&c, &err);
    if (rc < 0) {
        if (o->detach)
            dprintf(outcome_fd, "%s", err.text);
        else
            fprintf(stderr, "cairn up: %s\n", err.text);
        log_error("up", "start failed: err=%s", err.text);
    } else {
        up_print_summary(&c, o->detach);
        if (o->detach) {
            dprintf(outcome_fd, "ok");
            close(outcome_fd);
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            if (null >= 0)
                dup2(null, 1);
        }
        code = up_supervise(&c, !o->no_restart);
    }
    if (c.children)
        up_stop(&c);
    cluster_free(&c);
    net_closep(&socket_fd);
    return code;
}

int up_main(int argc, char **argv)
{
    struct err err = {0};
    struct config *config = NULL;
    struct up_options o = {0};
    if (argc == 2 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return fputs(up_usage, stdout) < 0;
    int rc = cli_load_settings(&argc, argv, &config, &err), code = 1;
    o.cluster.config = config;
    if (rc == 0)
        rc = up_parse(argc, argv, &o, &err);
    if (rc < 0)
        fprintf(stderr, "cairn up: %s\n", err.text);
    else
        code = up_run(&o);
    config_free(config);
    free(o.dir);
    free(o.mount);
    return code;
}
