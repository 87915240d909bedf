/* The keeper of a mount: a small process that holds the kernel's descriptor of it, and starts the process that serves.
 * If that one dies, the next goes on: programs that use the mount only wait. */
#ifndef CAIRN_FUSE_KEEPER_H
#define CAIRN_FUSE_KEEPER_H

#include <sys/types.h>

/* Serves in a child process, and in another one when that is killed, until one ends by itself or SIGTERM, SIGINT or
 * SIGHUP tells to (which is passed on). Call it without any thread; serve runs in the child and returns its exit code.
 * Returns the last one's. Those that die at once are followed by others ever more slowly, but for as long as it takes.
 */
int keeper_run(int (*serve)(void *arg), void *arg);

#endif
