/* For fuse/mount.c: the life of a mount of a Cairn namenode. */
#ifndef CAIRN_FUSE_POSIX_POSIX_START_H
#define CAIRN_FUSE_POSIX_POSIX_START_H

#include <fuse_lowlevel.h>

#include "common/config.h"
#include "common/daemon.h"

struct posix_mount;

struct posix_mount_options { /* all borrowed for the life of the mount */
    const struct config *config;
    const char *uri; /* NULL = fs.defaultFS */
    uint64_t root;   /* of posix_mount_probe */
    double cache_timeout_s;
    const char *staging_folder;
    int64_t staging_max_bytes;
};

extern const struct fuse_lowlevel_ops posix_operations; /* their userdata is the posix_mount */

/* Is it a Cairn namenode, whose superuser we are? *ret_root: the inode of path there; 0: no, then the mount is of the
 * other kind. Leaves no thread behind. */
int posix_mount_probe(const struct config *config, const char *uri, const char *path, uint64_t *ret_root,
                      struct err *reterr) MUST_CHECK;
int posix_mount_new(const struct posix_mount_options *o, struct daemon *d, struct posix_mount **ret,
                    struct err *reterr) MUST_CHECK;
/* Connects; in the process that will serve (threads do not survive a fork). */
int posix_mount_begin(struct posix_mount *m, struct fuse_session *fuse, struct err *reterr) MUST_CHECK;
/* After the last request: saves what is open. Returns how many files could not be saved. */
size_t posix_mount_end(struct posix_mount *m);
void posix_mount_free(struct posix_mount *m); /* NULL is fine */

#endif
