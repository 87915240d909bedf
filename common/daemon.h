/* What every daemon's main does: its command line, one clean end, and telling who started it that it is ready.
 *
 *   struct daemon d;
 *   if (daemon_begin(&d, &argc, argv, &config, &err) < 0) ...    before any thread is started
 *   ... start ...
 *   daemon_ready(&d);                                            serving now
 *   daemon_wait(&d);                                             returns at SIGTERM or SIGINT
 *   ... stop in reverse order ...                                */
#ifndef CAIRN_COMMON_DAEMON_H
#define CAIRN_COMMON_DAEMON_H

#include "common/config.h"

struct daemon {
    const char *name;
    int ready_fd;       /* -1 = nobody asked */
    uint64_t files_max; /* how many files the process could open when it was started: what its children should */
};

/* Loads the settings (cli_load_settings), takes --ready-fd N, blocks SIGTERM/SIGINT/SIGHUP for this and later threads,
 * and lets the process have as many files as it may. Words left in argv are the daemon's own. */
int daemon_begin(struct daemon *d, int *argc, char **argv, struct config **ret_config, struct err *reterr) MUST_CHECK;
void daemon_ready(struct daemon *d); /* writes one byte to the descriptor and closes it */
void daemon_wait(struct daemon *d);  /* logs which signal it was */
/* For a start that failed: prints "cairn NAME: text" and returns the exit code 1. */
int daemon_fail(const char *name, const struct err *why);

#endif
