/* ClientProtocol: lists for operators. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "namenode/name_folder.h"
#include "namenode/namespace/keys.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

#define METASAVE_LINES_MAX 100000
#define METASAVE_NAME_MAX  200 /* while it is written there is more behind it */

/* Into the namenode's log folder in HDFS; here beside the metadata, under a plain name. */
void client_meta_save(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__MetaSaveRequestProto *q = (const void *)message;
    struct namenode *nn = context;
    struct op op;
    AUTO(buf_free) struct buf text = {0};
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__meta_save_response_proto, Hdfs__MetaSaveResponseProto);
    int rc = op_check_super(&op);
    if (!rc && (strchr(q->filename, '/') || !*q->filename || q->filename[0] == '.' ||
                strlen(q->filename) > METASAVE_NAME_MAX || name_folder_needs(q->filename)))
        rc = err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "metasave: '%.100s' is not the name of a new plain file",
                     q->filename);
    if (!rc) {
        buf_printf(
            &text, "%" PRIu64 " files and directories, %" PRIu64 " blocks = %" PRIu64 " total filesystem objects\n",
            nn->dir->counters.inodes, nn->dir->counters.blocks, nn->dir->counters.inodes + nn->dir->counters.blocks);
        blocks_metasave(nn->blocks, op.file.now_ms, METASAVE_LINES_MAX, &text);
    }
    namenode_unlock(nn);
    if (!rc) {
        const char *path = arena_printf(op.arena, "%s/../%s", store_folder(nn->store), q->filename);
        rc = file_write_atomic(path, text.base, text.len, 0644, &op.err);
    }
    namenode_lock(nn);
    op_end_read(&op, rc, &response->base);
}

/* Is it that path, or in that directory? */
static bool is_below(const char *path, const char *parent)
{
    size_t len = strlen(parent);
    while (len && parent[len - 1] == '/')
        len--;
    return !strncmp(path, parent, len) && (!path[len] || path[len] == '/');
}

/* ---- files of lost blocks ---- */

#define LOST_PER_ANSWER 100
#define BLOCKS_PER_STEP 1024

/* The next complete blocks; 0: that was all. */
static size_t next_blocks(struct store_iter *it, uint64_t ids[BLOCKS_PER_STEP])
{
    size_t count = 0;
    for (; count < BLOCKS_PER_STEP && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        struct block_record record;
        if (key.len != 9 || key.base[0] != 'b')
            break;
        if (!block_record_decode(be64_get(key.base + 1), store_iter_value(it), &record, NULL) &&
            record.state == BLOCK_COMPLETE)
            ids[count++] = record.block_id;
    }
    return count;
}

static size_t keep_lost(struct namenode *nn, uint64_t *ids, size_t count)
{
    size_t kept = 0;
    namenode_lock(nn);
    for (size_t i = 0; i < count; i++)
        if (blocks_is_lost(nn->blocks, ids[i]))
            ids[kept++] = ids[i];
    namenode_unlock(nn);
    return kept;
}

static bool any_is_missing(struct namenode *nn)
{
    struct blocks_stats stats;
    namenode_lock(nn);
    blocks_stats(nn->blocks, &stats);
    namenode_unlock(nn);
    return stats.missing;
}

/* NULL: only snapshots have it, or it is gone. */
static const char *path_of_block(struct op *op, uint64_t id)
{
    struct block_record record;
    struct inode *n = NULL;
    const char *path = NULL;
    txn_reset(&op->t);
    return txn_block(&op->t, id, &record, NULL) || txn_inode(&op->t, record.inode_id, &n, NULL) ||
                   txn_path(&op->t, n, &path, NULL)
               ? NULL
               : path;
}

/* By the store, since what no datanode has reported since the start is lost, too. The answer is full, or all blocks
 * were looked at: clients stop at one that is empty. */
static int list_lost(struct op *op, const char *parent, uint64_t *cursor, Hdfs__CorruptFileBlocksProto *ret)
{
    uint64_t ids[BLOCKS_PER_STEP];
    size_t count;
    struct key from;
    struct store_iter *it = store_iter_new(op->nn->store, op->t.snapshot, false);
    key_of(&from, 'b', *cursor + 1);
    store_iter_seek(it, from.bytes, from.len);
    ret->files = arena_array(op->arena, char *, LOST_PER_ANSWER);
    while (ret->n_files < LOST_PER_ANSWER && (count = next_blocks(it, ids))) {
        uint64_t last = ids[count - 1];
        count = keep_lost(op->nn, ids, count);
        for (size_t i = 0; i < count && ret->n_files < LOST_PER_ANSWER; i++) {
            const char *path = path_of_block(op, ids[i]);
            if (path && is_below(path, parent))
                ret->files[ret->n_files++] = arena_strdup(op->arena, path);
            *cursor = ids[i];
        }
        if (ret->n_files < LOST_PER_ANSWER)
            *cursor = last;
    }
    int rc = store_iter_status(it, &op->err);
    store_iter_free(it);
    return rc;
}

void client_list_corrupt_file_blocks(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ListCorruptFileBlocksRequestProto *q = (const void *)message;
    struct op op;
    uint64_t cursor = q->cookie ? strtoull(q->cookie, NULL, 10) : 0;
    op_begin_walk(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_corrupt_file_blocks_response_proto, Hdfs__ListCorruptFileBlocksResponseProto);
    Hdfs__CorruptFileBlocksProto corrupt = HDFS__CORRUPT_FILE_BLOCKS_PROTO__INIT;
    int rc = op_check_super(&op);
    if (!rc && any_is_missing(op.nn))
        rc = list_lost(&op, q->path, &cursor, &corrupt);
    corrupt.cookie = arena_printf(op.arena, "%" PRIu64, cursor);
    response->corrupt = &corrupt;
    op_end_walk(&op, rc, &response->base);
}

/* ---- open files ---- */

/* A block of the file is being written on a datanode that is on its way out. */
static bool blocks_are_leaving(struct blocks *blocks, const struct inode *n)
{
    struct block_location places[BLOCK_LOCATIONS_MAX];
    for (size_t i = 0; i < n->block_count; i++) {
        size_t count = n->blocks[i].state == BLOCK_COMPLETE
                           ? 0
                           : blocks_locations(blocks, n->blocks[i].id, NULL, places, BLOCK_LOCATIONS_MAX);
        for (size_t j = 0; j < count; j++)
            if (places[j].node->admin == DATANODE_DECOMMISSION_IN_PROGRESS ||
                places[j].node->admin == DATANODE_ENTERING_MAINTENANCE)
                return true;
    }
    return false;
}

void client_list_open_files(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ListOpenFilesRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_open_files_response_proto, Hdfs__ListOpenFilesResponseProto);
    bool all = !q->n_types;
    for (size_t i = 0; i < q->n_types; i++)
        all |= q->types[i] == HDFS__OPEN_FILES_TYPE_PROTO__ALL_OPEN_FILES;
    int rc = op_check_super(&op);
    if (!rc && q->path && *q->path && q->path[0] != '/')
        rc = err_set(&op.err, ERR_ASSERTION, "Absolute path required, but got '%.300s'", q->path);
    size_t page = (size_t)config_int(op.nn->config, "dfs.namenode.list.openfiles.num.responses");
    response->entries = arena_array(op.arena, Hdfs__OpenFilesBatchResponseProto *, page);
    struct store_iter *it = store_iter_new(op.nn->store, NULL, true);
    struct key from;
    key_of(&from, 'o', (uint64_t)(q->id < 0 ? 0 : q->id) + 1);
    for (store_iter_seek(it, from.bytes, from.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len != 9 || key.base[0] != 'o')
            break;
        if (response->n_entries == page) {
            response->hasmore = 1;
            break;
        }
        struct inode *n = NULL;
        const char *path = NULL;
        txn_reset(&op.t); /* there may be many: what goes into the answer is copied */
        if (txn_peek(&op.t, be64_get(key.base + 1), &n, NULL) || txn_path(&op.t, n, &path, NULL) ||
            !is_below(path, q->path ? q->path : "") || !(all || blocks_are_leaving(op.nn->blocks, n)))
            continue;
        Hdfs__OpenFilesBatchResponseProto *e = arena_new(op.arena, Hdfs__OpenFilesBatchResponseProto);
        hdfs__open_files_batch_response_proto__init(e);
        e->id = (int64_t)n->id;
        e->path = arena_strdup(op.arena, path);
        e->clientname = arena_strdup(op.arena, n->client_name);
        e->clientmachine = arena_strdup(op.arena, n->client_machine);
        response->entries[response->n_entries++] = e;
    }
    store_iter_free(it);
    response->n_types = q->n_types;
    response->types = q->types;
    op_end_read(&op, rc, &response->base);
}
