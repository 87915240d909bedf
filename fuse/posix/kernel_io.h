/* How a serving process reads the kernel's requests and answers them, so that another one can take over. */
#ifndef CAIRN_FUSE_POSIX_KERNEL_IO_H
#define CAIRN_FUSE_POSIX_KERNEL_IO_H

#include <fuse_lowlevel.h>

#include "fuse/posix/keeper_memory.h"

/* fd: of /dev/fuse, mounted; the session closes it. One session per process. After another process served the mount,
 * the kernel is asked to send again what that one took and did not answer. Returns 0 or -errno. */
int kernel_io_attach(struct fuse_session *session, int fd, struct keeper_memory *k);

#endif
