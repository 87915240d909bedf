/* What a program gets from its file beyond what its user may: the set-id bits, and a capability (the extended attribute
 * security.capability). Whoever writes into the file takes them from it, and whoever gives it to another owner; but who
 * has CAP_FSETID and writes leaves the bits.
 *
 * The kernel leaves the bits to us, and in return does not ask before each write whether there is a capability
 * (FUSE_HANDLE_KILLPRIV_V2): once it was told that there is none, it believes that until it is told the file's
 * attributes again. One that it was not told of is taken here, too.
 *
 * A node knows what its file may have (may_be_setid, may_be_capable): most have nothing, and then nothing is asked.
 * Noted is what answers say, and that others have changed the file; and it is looked at when somebody writes. */
#ifndef CAIRN_FUSE_POSIX_PRIVILEGES_H
#define CAIRN_FUSE_POSIX_PRIVILEGES_H

#include "fuse/posix/posix_mount.h"

/* The file's bytes are about to be changed. What is taken is gone in the cluster when this returns, or goes with the
 * file's first bytes (new_attributes.h). */
int privileges_drop(struct request *op, struct node *n) MUST_CHECK;
/* Its owner is: then the mode is set with it, if there is something to take. n NULL: the inode is not in use. */
int privileges_drop_with(struct request *op, uint64_t inode, struct node *n, struct stat *attr, int *to_set) MUST_CHECK;

#endif
