/* The folder that a mount stages in: one for each mount by its name, held by a lock as long as one of its processes
 * lives, so that what a mount left that was killed as a whole is found by the next one. */
#ifndef CAIRN_FUSE_POSIX_STAGING_FOLDER_H
#define CAIRN_FUSE_POSIX_STAGING_FOLDER_H

#include <stddef.h>

#include "common/err.h"

/* Makes or takes over PARENT/cairn-mount-HASH; ERR_BUSY: another mount of that name is alive, and has not ended for
 * some seconds. */
int staging_folder_claim(const char *parent, const char *name, char *ret, size_t size, int *ret_lock_fd,
                         struct err *reterr) MUST_CHECK;
/* Removes it, unless something is left in it: then that is logged. */
void staging_folder_give_up(const char *folder, int lock_fd);

#endif
