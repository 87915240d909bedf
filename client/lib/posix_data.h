/* The bytes of a file that is edited in place: which pieces it is made of, new blocks beside it, and the swap of old
 * pieces for new ones. Cairn namenodes only, and their superuser (proto/cairn/posix.proto).
 *
 *     posix_read_pieces     what the file is made of now
 *     posix_write_block     uploads bytes as a new block that belongs to no file yet
 *     posix_clone_blocks    .. or has such ones that share the bytes of another file's
 *     posix_edit            swaps pieces, all spans or none; ERR_STALE: somebody was first, look again
 *     posix_end_stream      ends what was written front to back, and failed
 *     posix_drop_blocks     for blocks that will not be needed after all
 *
 * Any thread may call; results live in the caller's arena. A block that was written and is not edited into its file is
 * gone with the session, or when the namenode is started again: then posix_edit says ERR_REPLICA_NOT_FOUND and the
 * bytes have to be uploaded anew. */
#ifndef CAIRN_CLIENT_LIB_POSIX_DATA_H
#define CAIRN_CLIENT_LIB_POSIX_DATA_H

#include "client/lib/posix.h"

struct posix_piece {
    uint64_t length;
    uint64_t block_id; /* 0: a hole */
    uint64_t stamp;
};

struct posix_pieces {
    uint64_t index; /* of the first one, in the file */
    uint64_t start; /* its offset */
    struct posix_piece *list;
    size_t count;
};

#define POSIX_TO_END UINT64_MAX

/* Those that overlap [offset, offset + length); none if the offset is at the end or past it (index and start are those
 * of a piece that would be appended). */
int posix_read_pieces(struct dfs *fs, uint64_t file_id, uint64_t offset, uint64_t length, struct arena *a,
                      struct posix_attr *ret_attr, struct posix_pieces *ret, struct err *reterr) MUST_CHECK;

/* As many blocks as lengths, each with datanodes to write it to. excluded: uuids. like: NULL, or for each the block in
 * whose places it shall be. */
int posix_new_blocks(struct dfs *fs, uint64_t session, uint64_t file_id, const uint64_t *lengths, const uint64_t *like,
                     size_t count, const char *const *excluded, size_t excluded_count, struct arena *a,
                     struct dfs_block **ret, struct err *reterr) MUST_CHECK;

/* Blocks that are not this session's, or are gone already, do not matter. */
int posix_drop_blocks(struct dfs *fs, uint64_t session, const uint64_t *block_ids, size_t count,
                      struct err *reterr) MUST_CHECK;

/* Where the bytes of a block come from: asked for in rising order, and after a failure again from the beginning. */
struct posix_source {
    int (*read)(void *context, uint64_t offset, void *to, size_t len, struct err *reterr);
    void *context;
};

struct posix_block_write {
    uint64_t file_id;
    uint64_t length; /* > 0 */
    struct posix_source source;
    const struct dfs_block *block; /* of posix_new_blocks, with room for `length`; NULL: one is asked for */
    uint32_t replication;          /* the file's: when to take another datanode in for a lost one */
    bool sync;                     /* the datanodes put it onto their disks before they say that it is done */
};
/* Uploads through the pipeline, repairing that as any writer does; *ret is what to give to posix_edit. If its datanodes
 * cannot be reached at the beginning, the block is dropped and others are asked for. After a failure the block is
 * dropped, too. */
int posix_write_block(struct dfs *fs, uint64_t session, const struct posix_block_write *what, struct posix_piece *ret,
                      struct err *reterr) MUST_CHECK;

/* New blocks for a file with the bytes of others, which the datanodes do not copy but share. *ret_count: how many of
 * the first ones enough datanodes could do that with, maybe none; ret, with room for all, is what to give to
 * posix_edit. A hole stays one. ERR_ILLEGAL_ARGUMENT: one is longer than the file's blocks may be. */
int posix_clone_blocks(struct dfs *fs, uint64_t session, uint64_t file_id, const struct posix_piece *sources,
                       size_t count, struct posix_piece *ret, size_t *ret_count, struct err *reterr) MUST_CHECK;

struct posix_span {
    uint64_t index, start; /* of the first piece to go, in the file as it is before the call; and its offset */
    bool at_end;           /* nothing is behind the old pieces */
    const struct posix_piece *old_pieces;
    size_t old_count;
    const struct posix_piece *new_pieces;
    size_t new_count;
};
struct posix_edit {
    const struct posix_span *spans; /* in rising order, not overlapping; pieces of the file that are not named stay */
    size_t count;
    uint64_t mtime_ns; /* 0: now */
    uint64_t stream;   /* 0, or the session whose lost stream this makes whole, see below */
    uint64_t stream_end;
    const struct posix_set *set; /* with spans: attributes that are set by the same change; NULL: none */
};
/* ERR_STALE: the old pieces are not there as named, or the file is gone, or the stream lacks nothing any more;
 * ERR_ALREADY_BEING_CREATED: somebody writes it as HDFS clients do; ERR_RECOVERY_IN_PROGRESS: ask again, its writer was
 * gone and it is being closed, or another edit goes first; ERR_REPLICA_NOT_FOUND: a new block is not known (any more);
 * quota errors. */
int posix_edit(struct dfs *fs, uint64_t session, uint64_t file_id, const struct posix_edit *what, struct arena *a,
               struct posix_attr *ret_attr, struct err *reterr) MUST_CHECK;

/* What became of a stream into a file that failed, or whose process is gone. */
struct posix_lost_stream {
    bool is_known;   /* else it was ended as streams are, or nobody knows of it any more */
    bool is_saved;   /* what it had not brought was put in since */
    uint64_t length; /* the file's when the stream was ended */
};
/* Ends the stream of a writer that is gone, or of this client's own that failed. stream: the session that it was of,
 * this one or one before it. end: so long it was to make the file; if it did not, others wait a moment with appending.
 * Errors as above. */
int posix_end_stream(struct dfs *fs, uint64_t session, uint64_t file_id, uint64_t stream, uint64_t end,
                     struct posix_lost_stream *ret, struct err *reterr) MUST_CHECK;

#endif
