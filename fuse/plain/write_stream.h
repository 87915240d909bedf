/* A file that is being written through this mount, front to back.
 *
 * One stream per inode, shared by all its open handles and guarded by inode->lock. Bytes go straight into the block
 * pipeline; a write that does not start where the last one ended is refused. The stream ends (the file is complete,
 * other readers see all of it) when a handle is closed, and comes back by append when more is written.
 *
 *   NONE --create/first write--> WRITING --close/fsync error--> NONE      WRITING --append later--> WRITING */
#ifndef CAIRN_FUSE_PLAIN_WRITE_STREAM_H
#define CAIRN_FUSE_PLAIN_WRITE_STREAM_H

#include "client/lib/dfs.h"
#include "fuse/plain/inode_table.h"

struct write_stream {
    struct dfs *fs;             /* reference; the user that opened it */
    struct file_writer *writer; /* never NULL */
    int64_t start_length;       /* of the file when the writer was opened */
    bool dirty;                 /* bytes were written since it was opened */
    bool pushed;                /* and they have all reached the datanodes */
    uint32_t writers;           /* open handles that may write */
};

/* All are called with inode->lock held; path is where the inode is now. */

/* The file was just created by `writer` (taken over). */
void stream_begin(struct inode *inode, struct dfs *fs, struct file_writer *writer, int64_t length);
/* Length as this mount knows it, or -1 without a stream. */
int64_t stream_length(const struct inode *inode);
/* Makes sure a stream is there, by append; ERR_UNSUPPORTED if offset is not the end of the file. -1 means the end,
 * wherever it is: the kernel's idea of it is old when another client has appended. ERR_STALE: the file's name is
 * another's now. */
int stream_at(struct inode *inode, struct dfs *fs, const char *path, int64_t offset, struct err *reterr) MUST_CHECK;
/* What was written can be read back by anyone. */
int stream_push(struct inode *inode, struct err *reterr) MUST_CHECK;
int stream_write(struct inode *inode, const void *bytes, size_t len, struct err *reterr) MUST_CHECK;
/* Completes the file; no stream is fine. The stream is gone whatever happens. */
int stream_finish(struct inode *inode, struct err *reterr) MUST_CHECK;
/* Shorter, or longer by zeros (at most extend_max_bytes, else ERR_TOO_LARGE). ERR_STALE: as above. */
int stream_truncate(struct inode *inode, struct dfs *fs, const char *path, int64_t length, int64_t extend_max_bytes,
                    struct err *reterr) MUST_CHECK;

#endif
