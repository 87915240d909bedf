/* Writing files: bytes into packets, packets into blocks, blocks into the file.
 *
 * The caller's bytes are copied once, into the packet that will be sent, and checksummed there. A packet starts at a
 * chunk boundary; if a flush sends one that ends inside a chunk, the next one begins with that chunk again, so that its
 * checksum covers the whole chunk. Only the first packet of an append may start inside a chunk, and then ends with it.
 *
 * A block is asked for when its first packet is to be sent. If that is the only one, all of the block is known by then,
 * and it goes to all datanodes at once (block_fan.h). */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/block_fan.h"
#include "client/lib/block_sync.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/file_writer_internal.h"
#include "client/lib/lease_renewer.h"
#include "common/mem.h"

#define ANSWER_MAX_BYTES (4u << 20)
#define ENDED_MAX_BYTES  (1u << 30) /* millions of blocks */

struct file_writer {
    struct open_file file;
    pthread_mutex_t lock; /* the caller's thread against the heartbeat */
    struct packet_pool pool;
    struct lost_nodes lost;
    int64_t block_bytes;
    uint32_t replication;
    struct err failure; /* the first one; code 0 = none */

    struct arena arena; /* of previous */
    bool has_previous;
    struct dfs_block previous;  /* the block before the open one, or the last one */
    struct block_writer *block; /* the open one, or NULL */
    bool flushed;               /* ever */
    bool persisted;             /* the namenode was told of it by fsync */
    int64_t block_start;        /* in the file */
    int64_t block_pos;          /* bytes written to the block by the caller */
    int64_t resumed_at;         /* block_pos when the block was opened for append */
    int64_t flushed_pos;
    struct write_packet *packet; /* being filled, or NULL */
    int64_t seqno;
    struct arena ended_arena; /* of: */
    struct dfs_block *ended;  /* blocks that may not be on the datanodes' disks yet, though they are whole */
    size_t ended_count, ended_capacity;
    struct block_sync sync;
    uint64_t written_ns; /* what the file's modification time is to be; 0: when it is closed */
};

/* ---- opening and closing ---- */

static int writer_new(struct dfs *fs, const struct create_answer *answer, struct file_writer **ret, struct err *reterr)
{
    uint32_t chunk_bytes;
    enum checksum_type type;
    int rc = packet_checksum_choose(fs->config, 0, &chunk_bytes, &type,
                                    reterr); /* a file that exists may have any block size */
    if (rc < 0)
        return rc;
    struct file_writer *w = mem_new(struct file_writer);
    w->file = (struct open_file){dfs_ref(fs), mem_strdup(answer->path), answer->file_id};
    pthread_mutex_init(&w->lock, NULL);
    packet_pool_init(&w->pool, packet_bytes_for(fs->config, UINT64_MAX), chunk_bytes, type);
    w->block_bytes = answer->block_bytes;
    w->replication = answer->replication;
    arena_init(&w->arena, ANSWER_MAX_BYTES);
    arena_init(&w->ended_arena, ENDED_MAX_BYTES);
    *ret = w;
    return 0;
}

static void writer_free(struct file_writer *w)
{
    block_writer_free(w->block);
    if (w->packet)
        packet_give_back(&w->pool, w->packet);
    packet_pool_free(&w->pool);
    lost_nodes_clear(&w->lost);
    arena_free(&w->arena);
    arena_free(&w->ended_arena);
    free(w->ended);
    pthread_mutex_destroy(&w->lock);
    free(w->file.path);
    dfs_unref(w->file.fs);
    free(w);
}

static struct block_writer_options block_options(struct file_writer *w)
{
    return (struct block_writer_options){&w->file, &w->pool, &w->lost, w->replication, w->block_bytes, w->flushed};
}

static void remember_previous(struct file_writer *w, const struct dfs_block *b)
{
    struct arena fresh;
    arena_init(&fresh, ANSWER_MAX_BYTES);
    struct dfs_block only = *b; /* its nodes do not matter any more */
    only.node_count = 0;
    copy_block(&only, &fresh, &w->previous);
    arena_free(&w->arena);
    w->arena = fresh;
    w->has_previous = true;
}

/* What this client was told, else what the cluster was told. */
static int fill_defaults(struct dfs *fs, struct file_create *how, struct err *reterr)
{
    struct dfs_server_defaults server;
    bool ask = (!how->replication && !config_is_set(fs->config, "dfs.replication")) ||
               (!how->block_bytes && !config_is_set(fs->config, "dfs.blocksize"));
    int rc = ask ? dfs_get_server_defaults(fs, &server, reterr) : 0;
    if (rc < 0)
        return rc;
    if (!how->replication)
        how->replication = config_is_set(fs->config, "dfs.replication")
                               ? (uint32_t)config_int(fs->config, "dfs.replication")
                               : server.replication;
    if (!how->block_bytes)
        how->block_bytes =
            config_is_set(fs->config, "dfs.blocksize") ? config_size(fs->config, "dfs.blocksize") : server.block_bytes;
    return 0;
}

int file_writer_create(struct dfs *fs, const char *path, const struct file_create *how, struct file_writer **ret,
                       struct err *reterr)
{
    struct file_create full = *how;
    AUTO_ARENA(a, ANSWER_MAX_BYTES);
    int rc = dfs_of_path(fs, "create", &a, &path, &fs, reterr);
    rc = rc < 0 ? rc : fill_defaults(fs, &full, reterr);
    if (rc < 0)
        return rc;
    uint32_t chunk_bytes;
    enum checksum_type type;
    rc = packet_checksum_choose(fs->config, full.block_bytes, &chunk_bytes, &type, reterr); /* before there is a file */
    if (rc < 0)
        return rc;
    struct create_answer answer;
    rc = call_create(fs, path, &full, &a, &answer, reterr);
    if (rc == 0)
        rc = writer_new(fs, &answer, ret, reterr);
    if (rc == 0)
        lease_renewer_add(fs->leases, *ret);
    return rc;
}

int file_writer_append(struct dfs *fs, const char *path, bool new_block, struct file_writer **ret, struct err *reterr)
{
    AUTO_ARENA(a, ANSWER_MAX_BYTES);
    struct create_answer answer;
    uint32_t chunk_bytes;
    enum checksum_type type;
    int rc = dfs_of_path(fs, "append", &a, &path, &fs, reterr);
    rc = rc < 0 ? rc : packet_checksum_choose(fs->config, 0, &chunk_bytes, &type, reterr); /* before it is open */
    rc = rc < 0 ? rc : call_append(fs, path, new_block, &a, &answer, reterr);
    if (rc < 0)
        return rc;
    struct file_writer *w;
    rc = writer_new(fs, &answer, &w, reterr);
    if (rc < 0)
        return rc;
    w->block_start = answer.length;
    if (answer.has_block && (new_block || answer.block.bytes >= w->block_bytes)) {
        remember_previous(w, &answer.block);
    } else if (answer.has_block) {
        struct block_writer_options options = block_options(w);
        rc = block_writer_append(&options, &answer.block, &w->block, reterr);
        if (rc < 0) { /* the namenode thinks that we write it, and would let nobody else, nor us, for long */
            bool closed;
            (void)!dfs_recover_lease(fs, answer.path, &closed, NULL);
            writer_free(w);
            return rc;
        }
        w->block_start = answer.length - answer.block.bytes;
        w->block_pos = w->resumed_at = w->flushed_pos = answer.block.bytes;
    }
    lease_renewer_add(fs->leases, w);
    *ret = w;
    return 0;
}

/* ---- packets and blocks ---- */

static int64_t chunk_start(const struct file_writer *w, int64_t pos)
{
    int64_t start = pos - pos % w->pool.bytes_per_checksum;
    return start > w->resumed_at ? start : w->resumed_at;
}

static void packet_begin(struct file_writer *w, int64_t offset)
{
    struct write_packet *p = packet_take(&w->pool, offset);
    int64_t in_chunk = offset % w->pool.bytes_per_checksum;
    int64_t room = in_chunk ? w->pool.bytes_per_checksum - in_chunk : w->block_bytes - offset;
    uint32_t ahead = (uint32_t)(offset % w->pool.data_max); /* after a flush: to where it would have ended without it */
    p->capacity = room < p->capacity - ahead ? (uint32_t)room : p->capacity - ahead;
    w->packet = p;
}

static int packet_send(struct file_writer *w, bool sync, struct err *reterr)
{
    struct write_packet *p = w->packet;
    w->packet = NULL;
    p->sync = sync;
    packet_seal(&w->pool, p, w->seqno++);
    return block_writer_send(w->block, p, reterr);
}

static int block_need(struct file_writer *w, struct err *reterr)
{
    struct block_writer_options options = block_options(w);
    if (w->block)
        return 0;
    w->seqno = 0;
    w->persisted = false;
    return block_writer_create(&options, w->has_previous ? &w->previous : NULL, &w->block, reterr);
}

/* Does the packet being filled hold anything that was not sent before? */
static bool has_news(const struct file_writer *w)
{
    return w->packet && w->block_pos > w->flushed_pos && w->packet->data_bytes > 0;
}

/* One that is full; what comes last has its own flush, or is closed. */
static void remember_ended(struct file_writer *w, const struct dfs_block *b)
{
    if (w->ended_count == w->ended_capacity) {
        w->ended_capacity = w->ended_capacity ? w->ended_capacity * 2 : 8;
        w->ended = mem_realloc_array(w->ended, w->ended_capacity, sizeof *w->ended);
    }
    copy_block(b, &w->ended_arena, &w->ended[w->ended_count++]);
}

static void block_done(struct file_writer *w, const struct dfs_block *b)
{
    remember_previous(w, b);
    if (w->block_pos == w->block_bytes && !w->sync.knows_none)
        remember_ended(w, b);
    block_writer_free(w->block);
    packet_pool_trim(&w->pool);
    w->block = NULL;
    w->block_start += w->block_pos;
    w->block_pos = w->resumed_at = w->flushed_pos = 0;
}

/* The packet is all of the block. If that does not work it is still there, to be sent the careful way. */
static int block_at_once(struct file_writer *w, struct err *reterr)
{
    AUTO_ARENA(a, ANSWER_MAX_BYTES);
    struct block_writer_options options = block_options(w);
    struct write_packet *only = w->packet, *last = packet_take(&w->pool, w->block_pos);
    struct dfs_block b;
    last->last = true;
    packet_seal(&w->pool, only, 0);
    packet_seal(&w->pool, last, 1);
    only->next = last;
    int rc = block_fan_create(&options, w->has_previous ? &w->previous : NULL, only, &a, &b, reterr);
    only->next = NULL;
    packet_give_back(&w->pool, last);
    if (rc < 0)
        return rc;
    packet_give_back(&w->pool, only);
    w->packet = NULL;
    block_done(w, &b);
    return 0;
}

static int block_end(struct file_writer *w, struct err *reterr)
{
    if (!w->block && block_fan_suits(w->file.fs, &w->pool, w->block_pos) && block_at_once(w, reterr) == 0)
        return 0;
    int rc = block_need(w, reterr);
    if (rc == 0 && has_news(w))
        rc = packet_send(w, false, reterr);
    if (rc < 0)
        return rc;
    if (!w->packet)
        packet_begin(w, w->block_pos);
    struct write_packet *last = w->packet;
    w->packet = NULL;
    last->offset = w->block_pos;
    last->data_bytes = 0;
    last->last = true;
    packet_seal(&w->pool, last, w->seqno++);
    rc = block_writer_end(w->block, last, reterr);
    if (rc < 0)
        return rc;
    const struct dfs_block *b = block_writer_block(w->block);
    if (b->bytes != w->block_pos)
        return err_set(reterr, ERR_BAD_STATE,
                       "%s: block %" PRIu64 ": %" PRId64 " bytes written, %" PRId64 " acknowledged", w->file.path,
                       b->block_id, w->block_pos, b->bytes);
    block_done(w, b);
    return 0;
}

static bool is_full(const struct write_packet *p)
{
    return p && p->data_bytes == p->capacity;
}

static int write_some(struct file_writer *w, const uint8_t **bytes, size_t *len, struct err *reterr)
{
    int rc = is_full(w->packet) ? block_need(w, reterr) : 0; /* it waited for what would come */
    if (rc == 0 && is_full(w->packet))
        rc = packet_send(w, false, reterr);
    if (rc < 0)
        return rc;
    if (!w->packet)
        packet_begin(w, w->block_pos);
    struct write_packet *p = w->packet;
    size_t n = p->capacity - p->data_bytes;
    if (n > *len)
        n = *len;
    memcpy(p->data + p->data_bytes, *bytes, n);
    p->data_bytes += (uint32_t)n;
    w->block_pos += (int64_t)n;
    *bytes += n;
    *len -= n;
    if (w->block_pos == w->block_bytes)
        return block_end(w, reterr);
    return w->block && is_full(p) ? packet_send(w, false, reterr) : 0;
}

static int sync_ended(struct file_writer *w, struct err *reterr)
{
    int rc = 0;
    for (size_t i = 0; i < w->ended_count && rc == 0; i++)
        rc = block_sync_one(&w->sync, w->file.fs, w->file.path, &w->ended[i], reterr);
    block_sync_end(&w->sync);
    if (rc < 0)
        return rc;
    w->ended_count = 0;
    arena_reset(&w->ended_arena);
    return 0;
}

static int flush(struct file_writer *w, bool sync, struct err *reterr)
{
    if (!w->block && !w->packet) /* nothing written, or the block just ended: everything is acknowledged */
        return sync ? sync_ended(w, reterr) : 0;
    int rc = block_need(w, reterr);
    if (rc < 0)
        return rc;
    if (has_news(w)) {
        int64_t start = chunk_start(w, w->block_pos);
        size_t keep = (size_t)(w->block_pos - start);
        struct write_packet *full = w->packet;
        if (keep && w->block_pos % w->pool.bytes_per_checksum) {
            packet_begin(w, start);
            memcpy(w->packet->data, full->data + full->data_bytes - keep, keep);
            w->packet->data_bytes = (uint32_t)keep;
        } else {
            w->packet = NULL;
        }
        struct write_packet *next = w->packet;
        w->packet = full;
        rc = packet_send(w, sync, reterr);
        w->packet = next;
    } else if (sync) { /* everything is sent, but not asked onto the disks */
        struct write_packet *next = w->packet;
        packet_begin(w, w->block_pos);
        rc = packet_send(w, true, reterr);
        w->packet = next;
    }
    w->flushed_pos = w->block_pos;
    if (rc == 0)
        rc = block_writer_wait(w->block, reterr);
    if (rc == 0) {
        block_writer_flushed(w->block);
        packet_pool_trim(&w->pool);
        w->flushed = true;
    }
    if (rc == 0 && !w->persisted) {
        rc = call_fsync(&w->file, -1, reterr);
        w->persisted = rc == 0;
    }
    return rc == 0 && sync ? sync_ended(w, reterr) : rc;
}

/* ---- for the caller ---- */

static int writer_lock(struct file_writer *w, struct err *reterr)
{
    pthread_mutex_lock(&w->lock);
    int rc = w->failure.code;
    if (rc && reterr)
        *reterr = w->failure;
    if (rc)
        pthread_mutex_unlock(&w->lock);
    return rc;
}

static int writer_unlock(struct file_writer *w, int rc, struct err *why, struct err *reterr)
{
    if (rc < 0) {
        w->failure = *why;
        w->failure.code = rc;
        if (reterr)
            *reterr = w->failure;
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int file_writer_write(struct file_writer *w, const void *bytes, size_t len, struct err *reterr)
{
    int rc = writer_lock(w, reterr);
    if (rc < 0)
        return rc;
    struct err why = {0};
    const uint8_t *at = bytes;
    const int64_t before = file_writer_tell(w);
    while (len && rc == 0)
        rc = write_some(w, &at, &len, &why);
    if (rc < 0 && !w->block) /* there is none to be had: what came now has got nowhere */
        w->block_pos = before > w->block_start ? before - w->block_start : 0;
    return writer_unlock(w, rc, &why, reterr);
}

int64_t file_writer_tell(const struct file_writer *w)
{
    return w->block_start + w->block_pos;
}

int64_t file_writer_acked(const struct file_writer *w)
{
    return w->block_start + (w->block ? block_writer_block(w->block)->bytes : 0);
}

uint64_t file_writer_file_id(const struct file_writer *w)
{
    return w->file.file_id;
}

static int writer_flush(struct file_writer *w, bool sync, struct err *reterr)
{
    int rc = writer_lock(w, reterr);
    if (rc < 0)
        return rc;
    struct err why = {0};
    rc = flush(w, sync, &why);
    return writer_unlock(w, rc, &why, reterr);
}

int file_writer_hflush(struct file_writer *w, struct err *reterr)
{
    return writer_flush(w, false, reterr);
}

int file_writer_hsync(struct file_writer *w, struct err *reterr)
{
    return writer_flush(w, true, reterr);
}

void file_writer_set_time(struct file_writer *w, uint64_t mtime_ns)
{
    w->written_ns = mtime_ns;
}

static int writer_close(struct file_writer *w, struct err *reterr)
{
    int rc = writer_lock(w, reterr);
    if (rc == 0) {
        struct err why = {0};
        rc = w->block || w->packet ? block_end(w, &why) : 0;
        rc = writer_unlock(w, rc, &why, reterr);
    }
    return rc < 0 ? rc : call_complete(&w->file, w->has_previous ? &w->previous : NULL, w->written_ns, reterr);
}

int file_writer_close(struct file_writer *w, struct err *reterr)
{
    int rc = writer_close(w, reterr);
    file_writer_abort(w);
    return rc;
}

/* Whose lease it is only a call under that lease can tell; and by its path it may be another file by now. */
static void writer_recover(struct file_writer *w)
{
    AUTO_ARENA(a, ANSWER_MAX_BYTES);
    struct dfs_status there;
    bool closed;
    if (call_fsync(&w->file, -1, NULL) == 0 && dfs_lstat(w->file.fs, w->file.path, &a, &there, NULL) == 0 &&
        there.file_id == w->file.file_id)
        (void)!dfs_recover_lease(w->file.fs, w->file.path, &closed, NULL);
}

int file_writer_close_or_recover(struct file_writer *w, struct err *reterr)
{
    int rc = writer_close(w, reterr);
    bool is_gone = rc == ERR_LEASE_EXPIRED || rc == ERR_NOT_FOUND, is_alone = rc == ERR_CONNECT || rc == ERR_TIMEOUT;
    if (rc < 0 && !is_gone && !is_alone)
        writer_recover(w);
    file_writer_abort(w);
    return rc;
}

void file_writer_abort(struct file_writer *w)
{
    if (!w)
        return;
    lease_renewer_remove(w->file.fs->leases, w);
    writer_free(w);
}

void file_writer_heartbeat(struct file_writer *w)
{
    if (pthread_mutex_trylock(&w->lock) != 0)
        return; /* it is being used, so it is not idle */
    if (w->block)
        block_writer_idle(w->block);
    pthread_mutex_unlock(&w->lock);
}
