/* Tells the namenode which files are open here, so that it keeps what others remove meanwhile: an open says so itself,
 * and what is closed is told with the next open, or with the next wait for changes. Any thread.
 *
 * A file may be opened while its close is being told. So an opening counts from before its number is given out
 * (passages.h) until it has a handle, and what is told as closed was not open after the number that is told with it. */
#ifndef CAIRN_FUSE_POSIX_OPENS_H
#define CAIRN_FUSE_POSIX_OPENS_H

#include "fuse/posix/posix_mount.h"

#define OPENS_CLOSED_MAX 64

struct opens_told;
struct opens_told *opens_told_new(void);
void opens_told_free(struct opens_told *o); /* NULL is fine */

struct opens_telling {
    struct posix_handles handles;
    uint64_t closed[OPENS_CLOSED_MAX];
    struct opens_telling *next; /* of those that open something */
};
/* What the call of an open (opens: its file is inside a passage, or just being made) or another one says beside: into
 * *t. One that opens ends with opens_tell_end: the file has a handle then, or none. */
const struct posix_handles *opens_tell(struct posix_mount *m, bool opens, struct opens_telling *t);
void opens_tell_end(struct posix_mount *m, struct opens_telling *t);
void opens_tell_closed(struct posix_mount *m); /* by a call of its own, if there is something to tell */
/* It has one handle less, or did not get one. */
void opens_closed(struct posix_mount *m, uint64_t inode);

/* All that is open, for a new session or one that goes on: of what is just being made it does not speak. Then
 * opens_listed, which frees it. */
void opens_list(struct posix_mount *m, struct posix_opened *ret);
void opens_listed(struct posix_mount *m, struct posix_opened *opened);

#endif
