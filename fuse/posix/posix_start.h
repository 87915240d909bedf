/* For fuse/mount.c: the life of a mount of a Cairn namenode. */
#ifndef CAIRN_FUSE_POSIX_POSIX_START_H
#define CAIRN_FUSE_POSIX_POSIX_START_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/config.h"
#include "common/daemon.h"
#include "fuse/users.h"

struct posix_mount;

struct posix_mount_options { /* all borrowed for the life of the mount */
    const struct config *config;
    const char *uri;     /* NULL = fs.defaultFS */
    uint64_t root;       /* of posix_mount_probe, */
    const char *cluster; /* and this, too: no other one is written to, should it get the same address */
    double cache_timeout_s;
    size_t names_max_bytes; /* of memory, for names that were fetched ahead of their being asked for */
    struct users_how users;
    const char *staging_folder; /* where this mount's own one is made */
    const char *name;           /* of the mount: what a killed one staged is taken up by the next of that name */
    int64_t staging_max_bytes;
    bool passthrough; /* backing.h; the mount is read-only */
};

struct posix_mount_place {
    uint64_t root;    /* the inode */
    char cluster[64]; /* .. in this one */
};
/* Is it a Cairn namenode, whose superuser we are? *ret: where path is; root 0: no, then the mount is of the other kind,
 * as one of a snapshot is. Leaves no thread behind. */
int posix_mount_probe(const struct config *config, const char *uri, const char *path, struct posix_mount_place *ret,
                      struct err *reterr) MUST_CHECK;
/* What outlives the processes that serve; without threads. */
int posix_mount_new(const struct posix_mount_options *o, struct daemon *d, struct posix_mount **ret,
                    struct err *reterr) MUST_CHECK;
/* An extended attribute of the mount point: how many files could not be saved when they were closed, in decimal. */
#define POSIX_MOUNT_UNSAVED "system.cairn.unsaved"
/* In a process that the keeper executed: another file of the program, maybe, goes on with the mount. fd: of the memory,
 * inherited; of the options, root and cluster are what it says. ERR_UNSUPPORTED: the other program is too different. */
int posix_mount_taken(const struct posix_mount_options *o, int fd, struct daemon *d, struct posix_mount **ret,
                      struct err *reterr) MUST_CHECK;
int posix_mount_memory_fd(const struct posix_mount *m);
_Atomic bool *posix_mount_hands_over(struct posix_mount *m); /* set before the process that serves is told to end */
unsigned posix_mount_processes(const struct posix_mount *m); /* that have begun to serve */
/* An extended attribute of the mount point: "KEEPER SERVING", the pids of both. */
#define POSIX_MOUNT_PROCESSES "system.cairn.processes"
/* In a process of its own: serves the mount behind fuse_fd (which it closes) until it is unmounted or a signal ends it.
 * Returns the exit code: 1 if something could not be saved. */
int posix_mount_serve(struct posix_mount *m, int fuse_fd, int threads);
void posix_mount_free(struct posix_mount *m); /* NULL is fine */

#endif
