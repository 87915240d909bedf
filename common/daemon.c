#include "common/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/log.h"

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

static int take_ready_fd(struct daemon *d, int *argc, char **argv, struct err *reterr)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--ready-fd") != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        char *end = NULL;
        long fd = i + 1 < *argc ? strtol(argv[++i], &end, 10) : -1;
        if (!end || *end || fd < 0 || fd > 65535)
            return err_set(reterr, ERR_CONFIG, "--ready-fd wants the number of an open descriptor");
        d->ready_fd = (int)fd;
    }
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

/* Most systems let a process have a thousand unless it asks for more, as Java's do: each client is one. */
static void raise_files(struct daemon *d)
{
    struct rlimit files = {RLIM_INFINITY, RLIM_INFINITY};
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0;
    d->files_max = files.rlim_cur;
    if (known && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* then fewer must do */
    }
}

int daemon_begin(struct daemon *d, int *argc, char **argv, struct config **ret_config, struct err *reterr)
{
    *d = (struct daemon){.name = argv[0], .ready_fd = -1};
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise_files(d);
    int rc = take_ready_fd(d, argc, argv, reterr);
    return rc < 0 ? rc : cli_load_settings(argc, argv, ret_config, reterr);
}

void daemon_ready(struct daemon *d)
{
    if (d->ready_fd < 0)
        return;
    ssize_t n = write(d->ready_fd, "", 1);
    if (n < 0)
        log_warn(d->name, "nobody waits for ready: err=%s", strerror(errno));
    close(d->ready_fd);
    d->ready_fd = -1;
}

void daemon_wait(struct daemon *d)
{
    sigset_t set;
    int got = 0;
    stop_signals(&set);
    while (sigwait(&set, &got) != 0)
        ;
    log_info(d->name, "stopping signal=%s", got == SIGINT ? "SIGINT" : "SIGTERM");
}

int daemon_fail(const char *name, const struct err *why)
{
    fprintf(stderr, "cairn %s: %s\n", name, why->text);
    return 1;
}
