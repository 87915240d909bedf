/* How a serving process reads the kernel's requests and answers them, so that another one can take over. */
#ifndef CAIRN_FUSE_POSIX_KERNEL_IO_H
#define CAIRN_FUSE_POSIX_KERNEL_IO_H

#include <fuse_lowlevel.h>

#include "fuse/posix/keeper_memory.h"

/* The request that a thread of libfuse's has taken last, and works on. */
struct kernel_request {
    uint64_t unique;                /* the kernel's number of it, the same when it is sent again */
    bool is_again;                  /* a process that died may have done some of it, or all but the answer */
    bool drops_setid;               /* who asks may not leave set-id bits to a file that is changed: privileges.h */
    struct keeper_request *noted;   /* what that one said about it, and this one says: .done */
    struct keeper_request no_place; /* .. if the keeper has no room */
};
struct kernel_request *kernel_io_request(void);

/* fd: of /dev/fuse, mounted; the session closes it. One session per process. After another process served the mount,
 * the kernel is asked to send again what that one took and did not answer. passes_through: it is told that we want what
 * backing.h does. Returns 0 or -errno. */
int kernel_io_attach(struct fuse_session *session, int fd, struct keeper_memory *k, bool passes_through);
/* The kernel asks again about every name before it believes it, whatever it was told. false: this one cannot (it is
 * older than Linux 6.16, or has not said hello yet). */
bool kernel_io_forget_names(void);
int kernel_io_fd(void); /* of /dev/fuse; borrowed */

#endif
