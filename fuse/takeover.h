/* The serving process of a mount as what is in the program's file now: for upgrades while it is mounted. The keeper
 * stays what it is; it executes the file with the command line it had itself, and two descriptors. */
#ifndef CAIRN_FUSE_TAKEOVER_H
#define CAIRN_FUSE_TAKEOVER_H

#include "common/err.h"

struct program { /* this one, and where it was started: "" = not known */
    char path[4096], folder[4096];
};
void program_find(struct program *ret); /* before anything changes the folder */
/* The descriptors are inherited. Returns only if it cannot be executed. */
void takeover_execute(const struct program *p, int kernel_fd, int memory_fd);
/* In the process that was executed: what takeover_execute said. */
int takeover_fds(const char *text, int *ret_kernel, int *ret_memory, struct err *reterr) MUST_CHECK;

/* `cairn mount --reload`: asks the keeper of what is mounted there, and waits for the next process. Returns the exit
 * code. */
int mount_reload(const char *target);

#endif
