/* Starts C programs fast: loading and linking `cairn` anew for each would cost more than a small task does. A process
 * that the task forks while it has no other thread waits for requests and forks a program's process for each; that is
 * the task's own child (CLONE_PARENT), as if it had started it. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_PROGRAM_FORKER_H
#define CAIRN_SCHEDULER_ENGINE_PROGRAM_FORKER_H

#include <sys/types.h>

#include "common/err.h"
#include "scheduler/engine/program.h"

#define PROGRAM_FORKER_FDS 5 /* that a program gets: program_host_main */

struct program_forker;
/* Neither it nor what it starts counts when one waits for any child: see waitpid(2), __WALL. */
int program_forker_start(struct program_forker **ret, struct err *reterr) MUST_CHECK;
void program_forker_stop(struct program_forker *f); /* NULL is fine */
/* args: of program_host_main. err_fd becomes its stdout and stderr. */
int program_forker_run(struct program_forker *f, char *const args[PROGRAM_HOST_ARGS], char *const environment[],
                       const int fds[PROGRAM_FORKER_FDS], int err_fd, pid_t *ret_pid, struct err *reterr) MUST_CHECK;

#endif
