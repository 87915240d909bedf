/* A daemon that `cairn up` started: its process, its log, whether it is ready. Owned by the supervisor's one thread. */
#ifndef CAIRN_MAIN_CHILD_H
#define CAIRN_MAIN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "main/restart.h"

#define CHILD_ARGS_MAX 32

struct child {
    char name[64];              /* "datanode-2" */
    char address[280];          /* where it listens, for people and cluster.json */
    char log[4096];             /* stdout and stderr are appended here */
    char *args[CHILD_ARGS_MAX]; /* after the executable, args[0] the subcommand; owned */
    int arg_count;
    pid_t pid;       /* 0 = not running */
    int ready_fd;    /* read end; -1 once it is ready */
    int exit_status; /* as waitpid gave it, once it ended */
    struct restart restart;
    int64_t start_at_ms; /* it died and is started again then; 0 = no */
};

void child_add_arg(struct child *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* Runs this very executable; the child dies (SIGTERM) with the supervisor. */
int child_start(struct child *c, struct err *reterr) MUST_CHECK;
/* Waits until it says it is ready. If it ended instead: ERR_BAD_STATE with the last line of its log. ERR_TIMEOUT. */
int child_wait_ready(struct child *c, int timeout_ms, struct err *reterr) MUST_CHECK;
/* SIGTERM, then SIGKILL when grace_ms is over. */
void child_stop(struct child *c, int grace_ms);
void child_free(struct child *c);
/* "was killed by signal 9", "exited with status 1" */
const char *child_end_text(int exit_status, char out[64]);

#endif
