/* FUSE passthrough: the kernel reads an open file by itself, from the file in which a datanode of this host keeps its
 * one block. Only where it was asked for (-o passthrough), which read-only mounts may:
 *
 *   - while a file is open so, the kernel lets nobody open it in the ordinary way, so nobody could write it;
 *   - nobody verifies what is read against its checksums (the datanode does, now and then);
 *   - what is open stays as it was when others change the file, and whoever opens it beside that sees the same.
 *
 * All handles of a file are of one kind, that of the first one. Which kind that is stands in the keeper's memory, for
 * the process that takes over. Protocol: linux/fuse.h of Linux 6.9. Any thread. */
#ifndef CAIRN_FUSE_POSIX_BACKING_H
#define CAIRN_FUSE_POSIX_BACKING_H

#include "fuse/posix/posix_mount.h"

#define BACKING_MIN_BYTES (128 << 10) /* what is shorter is read sooner than its block's file is passed */

/* The kernel's first request and libfuse's answer to it, to which what libfuse does not know is added. False: this
 * kernel has no such thing. */
bool backing_agree(const void *request, size_t request_bytes, void *answer, size_t answer_bytes);

/* May be asked before backing_begin, without a lock: a file for the kernel to read n from, the caller's; or -1. */
int backing_fetch(struct request *op, struct node *n, const struct posix_attr *attr, const struct fuse_file_info *fi);
/* Between these two the file gets a handle more, or one less. */
void backing_begin(struct posix_mount *m);
void backing_end(struct posix_mount *m);
/* The file has one handle more. *ret: what its open is answered with, 0 as usual; fd: of backing_fetch. ERR_BUSY: it is
 * to be written. */
int backing_opened(struct posix_mount *m, struct node *n, const struct fuse_file_info *fi, int fd, int32_t *ret,
                   struct err *reterr) MUST_CHECK;
void backing_released(struct posix_mount *m, struct node *n); /* it has one less */
int backing_reply(fuse_req_t req, const struct fuse_file_info *fi, int32_t backing);

#endif
