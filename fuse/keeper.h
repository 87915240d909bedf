/* The keeper of a mount: a small process that holds the kernel's descriptor of it, and starts the process that serves.
 * If that one dies, the next goes on: programs that use the mount only wait. */
#ifndef CAIRN_FUSE_KEEPER_H
#define CAIRN_FUSE_KEEPER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#define KEEPER_RELOAD_SIGNAL SIGUSR1

struct keeper {
    /* Serves, in a child process; returns its exit code. */
    int (*serve)(void *arg);
    /* The same by what is in the program's file now: executes that, and returns if it cannot. NULL: there is no such
     * way, and nothing is reloaded. */
    void (*serve_by_file)(void *arg);
    /* How many processes have begun to serve so far: one that never did has not taken over. */
    unsigned (*begun)(void *arg);
    _Atomic bool *hands_over; /* told to the child: when it is ended now, another one goes on */
    void *arg;
};
/* Serves in a child process, and in another one when that is killed, until one ends by itself or SIGTERM, SIGINT or
 * SIGHUP tells to (which is passed on). At KEEPER_RELOAD_SIGNAL the child is to end, and the next ones are of the
 * program's file; if they do not begin to serve, of what was started here. Call it without any thread. Returns the last
 * one's exit code. Those that die at once are followed by others ever more slowly, but for as long as it takes. */
int keeper_run(const struct keeper *k);

#endif
