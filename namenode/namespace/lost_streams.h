/* How far streams of mounts came that others ended: the mount's process was killed, or the datanodes died under it, and
 * somebody wanted the file, the mount's next process among them. That mount has staged what it wrote. What it appended
 * goes behind the file's end, wherever that is by then, but not the part of it that has got here; and once, though the
 * mount may be killed again before it hears that it is done.
 *
 * Each session has one stream into a file, the last one. On inodes of a txn; they take effect with its commit. */
#ifndef CAIRN_NAMENODE_NAMESPACE_LOST_STREAMS_H
#define CAIRN_NAMENODE_NAMESPACE_LOST_STREAMS_H

#include "namenode/namespace/txn.h"

#define LOST_STREAMS_MAX 16 /* of one file: of more, the oldest are forgotten */

/* The session begins another stream into the file: it has done what there was to do. */
void lost_stream_forget(struct inode *n, uint64_t session);
/* The file has been closed for it, and is so long. */
void lost_stream_add(struct txn *t, struct inode *n, uint64_t session, uint64_t length_bytes);
/* What it had not brought is in the file now. */
void lost_stream_saved(struct inode *n, uint64_t session);
const struct lost_stream *lost_stream_of(const struct inode *n, uint64_t session); /* NULL: none is known */

#endif
