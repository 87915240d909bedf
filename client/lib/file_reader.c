/* Reading files: which replica to read from, and what to do when that fails.
 *
 * A read in sequence asks one datanode for the rest of the block and takes the bytes as they come; a read at an offset
 * asks for just its range. A node that fails is avoided from then on; when all nodes of a block failed, the namenode is
 * asked again, all get another chance, and only after some rounds of this the reader gives up with the last error. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/lib/block_map.h"
#include "client/lib/block_reader.h"
#include "client/lib/datanode.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/hedged_read.h"
#include "client/lib/short_circuit.h"
#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"

#define ROUND_WAIT_MAX_MS 15000
#define DEAD_MAX          256
#define SKIP_MAX_BYTES    (256 << 10) /* a seek this far ahead reads over the gap instead of starting anew */

/* A place in the file being read from some replica. */
struct cursor {
    struct block_reader *reader;
    struct block_window *window; /* keeps block alive */
    const struct dfs_block *block;
    size_t node;
    int64_t pos; /* in the file */
    bool local;
};

struct file_reader {
    struct dfs *fs;
    char *path;
    struct block_map *map;
    int64_t pos;          /* of sequential reading */
    struct cursor cursor; /* ditto */
    bool is_hasty;
    pthread_mutex_t lock; /* of the dead */
    char (*dead)[64];     /* uuids of nodes that failed */
    size_t dead_count;
    atomic_llong bytes_read, bytes_local, bytes_short_circuit, bytes_mapped, checksum_failures, replica_failovers;
};

/* ---- nodes that failed ---- */

static bool is_dead(struct file_reader *r, const struct dfs_datanode *d)
{
    bool dead = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->dead_count && !dead; i++)
        dead = strncmp(r->dead[i], d->uuid, sizeof r->dead[i] - 1) == 0;
    pthread_mutex_unlock(&r->lock);
    return dead;
}

static void mark_dead(struct file_reader *r, const struct dfs_datanode *d)
{
    if (is_dead(r, d))
        return;
    pthread_mutex_lock(&r->lock);
    if (r->dead_count == DEAD_MAX)
        r->dead_count = 0;
    r->dead = mem_realloc_array(r->dead, r->dead_count + 1, sizeof *r->dead);
    memset(r->dead[r->dead_count], 0, sizeof *r->dead);
    memcpy(r->dead[r->dead_count++], d->uuid, strnlen(d->uuid, sizeof *r->dead - 1));
    pthread_mutex_unlock(&r->lock);
}

static void forget_dead(struct file_reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->dead_count = 0;
    pthread_mutex_unlock(&r->lock);
}

/* The namenode's order, but a replica of our own host first: the namenode may not know where we are. without: bits of
 * nodes that are not wanted. */
static bool choose_node(struct file_reader *r, const struct dfs_block *b, uint64_t without, size_t *ret)
{
    bool found = false;
    for (size_t i = 0; i < b->node_count; i++) {
        if (is_dead(r, &b->nodes[i]) || (i < 64 && (without >> i & 1)))
            continue;
        if (!found || datanode_is_local(r->fs, &b->nodes[i])) {
            *ret = i;
            found = true;
        }
        if (datanode_is_local(r->fs, &b->nodes[i]))
            break;
    }
    return found;
}

static void count_read(struct file_reader *r, size_t bytes, bool local, bool short_circuit)
{
    atomic_fetch_add_explicit(&r->bytes_read, (long long)bytes, memory_order_relaxed);
    if (local)
        atomic_fetch_add_explicit(&r->bytes_local, (long long)bytes, memory_order_relaxed);
    if (short_circuit)
        atomic_fetch_add_explicit(&r->bytes_short_circuit, (long long)bytes, memory_order_relaxed);
}

static void report_corrupt(struct file_reader *r, const struct dfs_block *b, size_t node)
{
    atomic_fetch_add(&r->checksum_failures, 1);
    AUTO_ARENA(a, 1u << 20);
    Hdfs__LocatedBlockProto *located = proto_of_located_block(b, &b->nodes[node], b->storage_ids[node], &a);
    Hdfs__ReportBadBlocksRequestProto request = HDFS__REPORT_BAD_BLOCKS_REQUEST_PROTO__INIT;
    request.n_blocks = 1;
    request.blocks = &located;
    ProtobufCMessage *answer;
    /* Help for others; our own read goes on elsewhere whether or not the namenode hears it. */
    (void)!dfs_call(r->fs, "reportBadBlocks", &request.base, &hdfs__report_bad_blocks_response_proto__descriptor, &a,
                    &answer, NULL);
}

static void on_failure(struct file_reader *r, const struct dfs_block *b, size_t node, int code)
{
    if (code == ERR_CHECKSUM)
        report_corrupt(r, b, node);
    mark_dead(r, &b->nodes[node]);
    atomic_fetch_add(&r->replica_failovers, 1);
}

/* ---- cursors ---- */

static void cursor_close(struct cursor *c)
{
    block_reader_close(c->reader);
    block_window_unref(c->window);
    *c = (struct cursor){0};
}

/* Opens at c->pos a replica that is not known as bad. want: bytes wanted from there on, within the block or past its
 * end. */
static int cursor_open(struct file_reader *r, struct cursor *c, int64_t want, struct err *reterr)
{
    int rc = block_map_find(r->map, c->pos, &c->block, &c->window, reterr);
    if (rc < 0)
        return rc;
    const struct dfs_block *b = c->block;
    int64_t from = c->pos - b->offset, left = b->bytes - from;
    if (is_hole(b)) {
        c->local = true;
        return block_reader_open(r->fs, b, NULL, from, want < left ? want : left, &c->reader, reterr);
    }
    if (!choose_node(r, b, 0, &c->node))
        return err_set(reterr, ERR_IO, "Could not obtain block: %s:blk_%" PRIu64 "_%" PRIu64 " file=%s: %s", b->pool_id,
                       b->block_id, b->gen_stamp, r->path,
                       b->node_count ? "all its datanodes failed" : "no datanode has it");
    c->local = datanode_is_local(r->fs, &b->nodes[c->node]);
    return block_reader_open(r->fs, b, &b->nodes[c->node], from, want < left ? want : left, &c->reader, reterr);
}

/* Waits, forgets who failed, and asks the namenode again: as Hadoop's clients do, for a random part of a window that
 * grows from round to round, so that many who lost the same node do not come back at the same instant. Gives up after
 * dfs.client.max.block.acquire.failures rounds, or, for a client that rather waits, when the time for that is over. */
static int next_round(struct file_reader *r, int64_t pos, int rounds, int64_t since_ms, const struct err *why,
                      struct err *reterr)
{
    const struct config *config = r->fs->config;
    bool patient = !r->is_hasty && clock_mono_ms() - since_ms < config_ms(config, "cairn.client.retry-for");
    int64_t rounds_max = r->is_hasty ? 1 : 1 + config_int(config, "dfs.client.max.block.acquire.failures");
    if (rounds > rounds_max && !patient)
        return err_set(reterr, why->code, "%s: could not be read at offset %" PRId64 ": %s", r->path, pos, why->text);
    int64_t window_ms = config_ms(config, "dfs.client.retry.window.base");
    if (rounds > 1) { /* at first, what we knew may just have been old */
        int64_t wait_ms = window_ms * (rounds - 2) + (int64_t)(random() % (window_ms * (rounds - 1)));
        clock_sleep_ms(wait_ms < ROUND_WAIT_MAX_MS ? wait_ms : ROUND_WAIT_MAX_MS);
    }
    forget_dead(r);
    return block_map_refetch(r->map, pos, reterr);
}

/* Some bytes at c->pos, which is below the length. Tries until it has some or everything failed. */
static int cursor_read(struct file_reader *r, struct cursor *c, void *bytes, size_t len, int64_t want, size_t *ret_read,
                       struct err *reterr)
{
    struct err why = {0}, last = {0};
    int64_t since_ms = 0;
    for (int rounds = 0;;) {
        int64_t pos = c->pos;
        int rc = 0;
        if (c->reader && block_reader_left(c->reader) == 0)
            cursor_close(c);
        c->pos = pos;
        if (!c->reader)
            rc = cursor_open(r, c, want, &why);
        if (rc == 0)
            rc = block_reader_read(c->reader, bytes, len, ret_read, &why);
        if (rc == 0) {
            c->pos += (int64_t)*ret_read;
            count_read(r, *ret_read, c->local, block_reader_is_short_circuit(c->reader));
            return 0;
        }
        bool had_node = c->block && c->node < c->block->node_count && !is_dead(r, &c->block->nodes[c->node]);
        bool had_block = c->block != NULL;
        if (had_node) {
            last = why;
            on_failure(r, c->block, c->node, rc);
        }
        cursor_close(c);
        c->pos = pos;
        if (!had_block) { /* the namenode could not say, which is final */
            if (reterr)
                *reterr = why;
            return rc;
        }
        if (!had_node) {
            if (!rounds)
                since_ms = clock_mono_ms();
            rc = next_round(r, pos, ++rounds, since_ms, last.code ? &last : &why, reterr);
            if (rc < 0)
                return rc;
        }
    }
}

/* ---- the file ---- */

static int reader_open(struct dfs *fs, const char *path, bool at_once, struct file_reader **ret, struct err *reterr)
{
    struct block_map *map;
    AUTO_ARENA(a, DFS_PATH_BYTES);
    int rc = dfs_of_path(fs, "open", &a, &path, &fs, reterr);
    rc = rc < 0 ? rc : block_map_open(fs, path, at_once, &map, reterr);
    if (rc < 0)
        return rc;
    struct file_reader *r = mem_new(struct file_reader);
    r->fs = dfs_ref(fs);
    r->path = mem_strdup(path);
    r->map = map;
    pthread_mutex_init(&r->lock, NULL);
    *ret = r;
    return 0;
}

int file_reader_open(struct dfs *fs, const char *path, struct file_reader **ret, struct err *reterr)
{
    return reader_open(fs, path, false, ret, reterr);
}

int file_reader_open_at_once(struct dfs *fs, const char *path, struct file_reader **ret, struct err *reterr)
{
    return reader_open(fs, path, true, ret, reterr);
}

void file_reader_close(struct file_reader *r)
{
    if (!r)
        return;
    cursor_close(&r->cursor);
    block_map_free(r->map);
    pthread_mutex_destroy(&r->lock);
    free(r->dead);
    free(r->path);
    dfs_unref(r->fs);
    free(r);
}

int64_t file_reader_length(const struct file_reader *r)
{
    return block_map_length(r->map);
}

int file_reader_read(struct file_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    int64_t length = block_map_length(r->map);
    *ret_read = 0;
    if (r->pos >= length || len == 0)
        return 0;
    if (r->cursor.reader && r->cursor.pos != r->pos)
        cursor_close(&r->cursor);
    r->cursor.pos = r->pos;
    size_t done = 0;
    while (done < len && r->pos < length) {
        size_t n;
        int rc = cursor_read(r, &r->cursor, (char *)bytes + done, len - done, INT64_MAX, &n, reterr);
        if (rc < 0 && done)
            break; /* what is there is good; the next read will say what is wrong */
        if (rc < 0)
            return rc;
        done += n;
        r->pos += (int64_t)n;
    }
    *ret_read = done;
    return 0;
}

/* Reads over a short gap, which costs less than a new request. */
static void skip_to(struct file_reader *r, int64_t offset)
{
    char dump[16384];
    struct cursor *c = &r->cursor;
    while (c->reader && c->pos < offset) {
        int64_t gap = offset - c->pos;
        size_t n;
        if (gap > block_reader_left(c->reader) ||
            block_reader_read(c->reader, dump, gap < (int64_t)sizeof dump ? (size_t)gap : sizeof dump, &n, NULL) < 0)
            cursor_close(c);
        else
            c->pos += (int64_t)n;
    }
}

int file_reader_seek(struct file_reader *r, int64_t offset, struct err *reterr)
{
    int64_t length = block_map_length(r->map);
    if (offset < 0 || offset > length)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: cannot seek to %" PRId64 ", its length is %" PRId64, r->path,
                       offset, length);
    int64_t ahead = offset - r->cursor.pos;
    if (r->cursor.reader && ahead > 0 && ahead <= SKIP_MAX_BYTES)
        skip_to(r, offset);
    r->pos = offset;
    return 0;
}

int64_t file_reader_tell(const struct file_reader *r)
{
    return r->pos;
}

/* ---- reading ahead of slow nodes ---- */

/* The first attempt that succeeds, another one being begun whenever one failed or, once, when the first is silent for
 * too long. ERR_IO: nobody is left to ask. */
static int hedge_run(struct file_reader *r, struct hedge *h, const struct dfs_block *b, int64_t offset, int *ret_winner)
{
    struct hedged_reads *all = &r->fs->hedged;
    size_t nodes[HEDGE_ATTEMPTS_MAX], node;
    uint64_t used = 0;
    int count = 0, running = 0;
    bool want = true, hedged = false;
    for (;;) {
        if (want && count < HEDGE_ATTEMPTS_MAX && choose_node(r, b, used, &node) && node < 64) {
            const struct dfs_block *same;
            struct block_window *window;
            if (block_map_find(r->map, offset, &same, &window, NULL) < 0)
                return ERR_IO;
            if (same != b) { /* locations were fetched anew meanwhile */
                block_window_unref(window);
                return ERR_IO;
            }
            nodes[count++] = node;
            used |= UINT64_C(1) << node;
            running++;
            hedge_start(h, b, window, node);
        } else if (running == 0) {
            return ERR_IO;
        }
        want = false;
        int done = hedge_wait(h, count == 1 && !hedged ? all->threshold_ms : -1);
        if (done < 0) { /* the first is slow */
            hedged = want = true;
            atomic_fetch_add(&all->ops, 1);
            continue;
        }
        running--;
        struct hedge_result result;
        hedge_result(h, done, &result);
        if (result.rc == 0) {
            if (hedged && done > 0) {
                atomic_fetch_add(&all->wins, 1);
                mark_dead(r, &b->nodes[nodes[0]]); /* not to wait for it again and again; it may come back later */
            }
            *ret_winner = done;
            return 0;
        }
        on_failure(r, b, nodes[done], result.rc);
        want = true;
    }
}

/* As much of [offset, offset + len) as is in one block. Any error means: read it the usual way, which tells why. */
static int hedged_read(struct file_reader *r, void *bytes, size_t len, int64_t offset, size_t *ret_read)
{
    const struct dfs_block *b;
    struct block_window *window;
    if (block_map_find(r->map, offset, &b, &window, NULL) < 0)
        return ERR_IO;
    if (is_hole(b)) { /* nobody is slow there */
        block_window_unref(window);
        return ERR_UNSUPPORTED;
    }
    int64_t left = b->offset + b->bytes - offset;
    size_t want = (int64_t)len < left ? len : (size_t)left;
    struct hedge *h = hedge_new(r->fs, offset, want);
    int winner = 0;
    int rc = hedge_run(r, h, b, offset, &winner);
    if (rc == 0) {
        struct hedge_result result;
        hedge_result(h, winner, &result);
        memcpy(bytes, result.bytes, want);
        count_read(r, want, result.local, result.short_circuit);
        *ret_read = want;
    }
    hedge_unref(h);
    block_window_unref(window);
    return rc;
}

int file_reader_pread(struct file_reader *r, void *bytes, size_t len, int64_t offset, size_t *ret_read,
                      struct err *reterr)
{
    int64_t length = block_map_length(r->map);
    if (offset < 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: negative offset", r->path);
    if (offset >= length)
        len = 0;
    else if (len > (uint64_t)(length - offset))
        len = (size_t)(length - offset);
    struct cursor c = {.pos = offset};
    size_t done = 0;
    while (done < len) {
        size_t n;
        if (r->fs->hedged.threads_max &&
            hedged_read(r, (char *)bytes + done, len - done, offset + (int64_t)done, &n) == 0) {
            done += n;
            continue;
        }
        if (c.pos != offset + (int64_t)done) {
            cursor_close(&c);
            c.pos = offset + (int64_t)done;
        }
        int rc = cursor_read(r, &c, (char *)bytes + done, len - done, (int64_t)(len - done), &n, reterr);
        if (rc < 0)
            return rc; /* the cursor is closed */
        done += n;
    }
    cursor_close(&c);
    *ret_read = done;
    return 0;
}

/* ---- mapping ---- */

struct file_mapping {
    struct cursor cursor;
};

int file_reader_map(struct file_reader *r, size_t len, const void **ret, size_t *ret_bytes,
                    struct file_mapping **ret_mapping, struct err *reterr)
{
    struct cursor c = {.pos = r->pos};
    if (r->pos >= block_map_length(r->map) || len == 0)
        return err_set(reterr, ERR_UNSUPPORTED, "there is nothing to map at %" PRId64, r->pos);
    int rc = cursor_open(r, &c, len < SSIZE_MAX ? (int64_t)len : SSIZE_MAX, reterr);
    if (rc == 0)
        rc = block_reader_map(c.reader, len, ret, ret_bytes, reterr);
    if (rc < 0) {
        cursor_close(&c);
        return rc;
    }
    r->pos += (int64_t)*ret_bytes;
    count_read(r, *ret_bytes, true, true);
    atomic_fetch_add_explicit(&r->bytes_mapped, (long long)*ret_bytes, memory_order_relaxed);
    *ret_mapping = mem_new(struct file_mapping);
    (*ret_mapping)->cursor = c;
    return 0;
}

void file_mapping_free(struct file_mapping *m)
{
    if (!m)
        return;
    cursor_close(&m->cursor);
    free(m);
}

static int local_file_of(struct file_reader *r, const struct dfs_block *b, int *ret_fd, struct err *reterr)
{
    struct local_replica *replica;
    struct stat st;
    size_t node;
    if (is_hole(b) || b->bytes != block_map_length(r->map) || !choose_node(r, b, 0, &node) ||
        !datanode_is_local(r->fs, &b->nodes[node]))
        return err_set(reterr, ERR_UNSUPPORTED, "%s is not one block on this machine", r->path);
    int rc = short_circuit_open(r->fs->files, b, &b->nodes[node], &replica, reterr);
    if (rc < 0)
        return rc;
    *ret_fd = fcntl(replica->data_fd, F_DUPFD_CLOEXEC, 0);
    if (*ret_fd < 0)
        rc = err_errno(reterr, errno, "fcntl");
    short_circuit_close(r->fs->files, replica);
    if (rc == 0 && (fstat(*ret_fd, &st) < 0 || st.st_size != b->bytes)) {
        net_closep(ret_fd);
        rc = err_set(reterr, ERR_UNSUPPORTED, "%s: its block is changing", r->path);
    }
    return rc;
}

int file_reader_local_file(struct file_reader *r, int *ret_fd, struct err *reterr)
{
    const struct dfs_block *b;
    struct block_window *window;
    if (block_map_length(r->map) == 0)
        return err_set(reterr, ERR_UNSUPPORTED, "%s is empty", r->path);
    int rc = block_map_find(r->map, 0, &b, &window, reterr);
    if (rc < 0)
        return rc;
    rc = local_file_of(r, b, ret_fd, reterr);
    block_window_unref(window);
    return rc;
}

int file_reader_refresh(struct file_reader *r, struct err *reterr)
{
    int rc = block_map_refresh(r->map, reterr);
    if (rc == 0)
        cursor_close(&r->cursor);
    return rc;
}

void file_reader_set_hasty(struct file_reader *r, bool is_hasty)
{
    r->is_hasty = is_hasty;
}

void file_reader_unbuffer(struct file_reader *r)
{
    cursor_close(&r->cursor);
}

void file_reader_stats(const struct file_reader *r, struct file_reader_stats *ret)
{
    *ret = (struct file_reader_stats){
        .bytes_read = atomic_load(&r->bytes_read),
        .bytes_local = atomic_load(&r->bytes_local),
        .bytes_short_circuit = atomic_load(&r->bytes_short_circuit),
        .bytes_mapped = atomic_load(&r->bytes_mapped),
        .checksum_failures = atomic_load(&r->checksum_failures),
        .replica_failovers = atomic_load(&r->replica_failovers),
    };
}
