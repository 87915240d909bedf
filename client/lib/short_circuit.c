#include "client/lib/short_circuit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/shm_client.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/op_header.h"
#include "rpc/fd_passing.h"

#define DISABLED_MS            (10 * 60 * 1000) /* as Hadoop's clients do when a datanode will not */
#define SWEEP_MS               3000
#define BYTES_PER_CHECKSUM_MAX (1u << 20)

struct held {                     /* what is behind a struct local_replica */
    struct local_replica replica; /* first */
    struct held *next;
    uint64_t block_id, gen_stamp;
    struct shm_node *node;
    struct shm_segment *segment; /* NULL: no slot, not kept */
    unsigned slot;
    /* guarded by lock */
    int refs;
    bool listed;
    int64_t unused_since_ms;
    void *map; /* once made it stays */
    size_t map_bytes;
};
struct short_circuit {
    struct dfs *fs; /* borrowed: it owns us */
    bool enabled, skip_checksums;
    size_t kept_max;
    int64_t kept_ms;
    pthread_mutex_t lock;
    struct shm_node *nodes;
    struct held *held; /* newest first; at most one reference-less per block */
    size_t held_count;
    pthread_t sweeper;
    pthread_cond_t stop;
    bool sweeper_made, sweeper_runs, stopping;
};

struct short_circuit *short_circuit_new(struct dfs *fs)
{
    struct short_circuit *s = mem_new(struct short_circuit);
    const struct config *config = fs->config;
    s->fs = fs;
    s->enabled = config_bool(config, "dfs.client.read.shortcircuit");
    s->skip_checksums = config_bool(config, "dfs.client.read.shortcircuit.skip.checksum");
    s->kept_max = (size_t)config_int(config, "dfs.client.read.shortcircuit.streams.cache.size");
    s->kept_ms = config_ms(config, "dfs.client.read.shortcircuit.streams.cache.expiry.ms");
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stop, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

bool short_circuit_skips_checksums(const struct short_circuit *s)
{
    return s->skip_checksums;
}

/* ---- what is held ---- */

bool short_circuit_is_valid(const struct local_replica *r)
{
    const struct held *h = (const struct held *)r;
    return !h->segment || shm_slot_is_valid(h->segment->base, h->slot);
}

static void unlist_locked(struct short_circuit *s, struct held *h)
{
    struct held **at = &s->held;
    while (*at && *at != h)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = h->next;
    s->held_count--;
    h->listed = false;
}

/* Nobody uses it and it is in no list; the lock is not held. */
static void held_free(struct short_circuit *s, struct held *h)
{
    if (h->map)
        munmap(h->map, h->map_bytes);
    bool registered = h->replica.data_fd >= 0;
    net_closep(&h->replica.data_fd);
    net_closep(&h->replica.meta_fd);
    if (h->segment) {
        pthread_mutex_lock(&s->lock);
        registered = registered && !h->segment->dead;
        pthread_mutex_unlock(&s->lock);
        if (registered)
            shm_slot_release(s->fs, h->node->uuid, h->segment, h->slot);
        pthread_mutex_lock(&s->lock);
        shm_slot_give_back(h->node, h->segment, h->slot);
        pthread_mutex_unlock(&s->lock);
    }
    free(h);
}

/* Takes those out of the list that are of no use any more; returns them chained. */
static struct held *sweep_locked(struct short_circuit *s, size_t keep, int64_t now_ms)
{
    struct held *out = NULL;
    for (struct held **at = &s->held, *h; (h = *at) != NULL;) {
        bool over = s->held_count > keep && !h->next; /* the oldest */
        bool useless = now_ms - h->unused_since_ms >= s->kept_ms || !short_circuit_is_valid(&h->replica) ||
                       !shm_segment_is_alive(h->segment);
        if (h->refs || (!useless && !over)) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        h->listed = false;
        s->held_count--;
        h->next = out;
        out = h;
    }
    return out;
}

static void free_chain(struct short_circuit *s, struct held *h)
{
    for (struct held *next; h; h = next) {
        next = h->next;
        held_free(s, h);
    }
}

/* Lets go of files that were deleted, and of those that nobody asks for again, for as long as there are any. */
static void *sweeper_run(void *arg)
{
    struct short_circuit *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && s->held) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += SWEEP_MS / 1000;
        pthread_cond_timedwait(&s->stop, &s->lock, &until);
        struct held *out = s->stopping ? NULL : sweep_locked(s, s->kept_max, clock_mono_ms());
        pthread_mutex_unlock(&s->lock);
        free_chain(s, out);
        pthread_mutex_lock(&s->lock);
    }
    s->sweeper_runs = false;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void need_sweeper_locked(struct short_circuit *s)
{
    if (s->sweeper_runs)
        return;
    if (s->sweeper_made) /* it has ended, or is about to: it touches nothing any more */
        pthread_join(s->sweeper, NULL);
    s->sweeper_made = s->sweeper_runs = pthread_create(&s->sweeper, NULL, sweeper_run, s) == 0;
}

void short_circuit_free(struct short_circuit *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->stop);
    pthread_mutex_unlock(&s->lock);
    if (s->sweeper_made)
        pthread_join(s->sweeper, NULL);
    for (struct shm_node *n = s->nodes; n; n = n->next)
        for (struct shm_segment *g = n->segments; g; g = g->next)
            g->dead = true; /* their connections end now: no need to release slot by slot */
    struct held *held = s->held;
    s->held = NULL;
    free_chain(s, held);
    for (struct shm_node *n = s->nodes, *next; n; n = next) {
        next = n->next;
        for (struct shm_segment *g = n->segments, *after; g; g = after) {
            after = g->next;
            shm_segment_free(g);
        }
        free(n);
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->stop);
    free(s);
}

/* ---- opening ---- */

static struct shm_node *node_locked(struct short_circuit *s, const char *uuid)
{
    struct shm_node *n = s->nodes;
    while (n && strncmp(n->uuid, uuid, sizeof n->uuid - 1) != 0)
        n = n->next;
    if (!n) {
        n = mem_new(struct shm_node);
        memcpy(n->uuid, uuid, strnlen(uuid, sizeof n->uuid - 1));
        n->next = s->nodes;
        s->nodes = n;
    }
    return n;
}

static struct held *find_locked(struct short_circuit *s, const struct shm_node *n, const struct dfs_block *b)
{
    for (struct held *h = s->held; h; h = h->next)
        if (h->block_id == b->block_id && h->gen_stamp == b->gen_stamp && h->node == n &&
            short_circuit_is_valid(&h->replica) && shm_segment_is_alive(h->segment))
            return h;
    return NULL;
}

static void disable(struct short_circuit *s, struct shm_node *n)
{
    pthread_mutex_lock(&s->lock);
    n->disabled_until_ms = clock_mono_ms() + DISABLED_MS;
    pthread_mutex_unlock(&s->lock);
}

static int take_slot(struct short_circuit *s, const struct dfs_datanode *d, struct held *h, struct err *reterr)
{
    pthread_mutex_lock(&s->lock);
    bool has = h->node->has_no_shm || shm_slot_take(h->node, &h->segment, &h->slot);
    pthread_mutex_unlock(&s->lock);
    if (has)
        return 0;
    struct shm_segment *fresh;
    struct err why;
    int rc = shm_segment_request(s->fs, d, &fresh, &why);
    pthread_mutex_lock(&s->lock);
    if (rc == 0) {
        fresh->next = h->node->segments;
        h->node->segments = fresh;
        (void)shm_slot_take(h->node, &h->segment, &h->slot);
    }
    h->node->has_no_shm |= rc == ERR_UNSUPPORTED;
    pthread_mutex_unlock(&s->lock);
    if (rc < 0 && rc != ERR_UNSUPPORTED && reterr)
        *reterr = why;
    return rc == ERR_UNSUPPORTED ? 0 : rc;
}

static int send_request(int fd, const struct dfs_block *b, const struct held *h, struct err *reterr)
{
    AUTO_ARENA(a, 1u << 20);
    Hdfs__OpRequestShortCircuitAccessProto request = HDFS__OP_REQUEST_SHORT_CIRCUIT_ACCESS_PROTO__INIT;
    Hdfs__BaseHeaderProto base = HDFS__BASE_HEADER_PROTO__INIT;
    Hdfs__ShortCircuitShmSlotProto slot = HDFS__SHORT_CIRCUIT_SHM_SLOT_PROTO__INIT;
    Hdfs__ShortCircuitShmIdProto id = HDFS__SHORT_CIRCUIT_SHM_ID_PROTO__INIT;
    base.block = proto_of_block(b, &a);
    base.token = proto_of_token(&b->token, &a);
    request.header = &base;
    request.maxversion = 1;
    request.has_supportsreceiptverification = 1;
    request.supportsreceiptverification = 1;
    if (h->segment) {
        id.hi = h->segment->id_hi;
        id.lo = h->segment->id_lo;
        slot.shmid = &id;
        slot.slotidx = (int32_t)h->slot;
        request.slotid = &slot;
    }
    return op_write(fd, OP_REQUEST_SHORT_CIRCUIT_FDS, &request.base, reterr);
}

/* *ret_clean: the connection may be used again. ERR_UNSUPPORTED: the whole datanode will not. */
static int converse(int fd, const struct dfs_block *b, struct held *h, bool *ret_clean, struct err *reterr)
{
    AUTO_ARENA(a, OP_MESSAGE_MAX_BYTES * 2);
    Hdfs__BlockOpResponseProto *answer = NULL;
    int fds[2];
    uint8_t byte;
    *ret_clean = false;
    int rc = send_request(fd, b, h, reterr);
    if (rc == 0)
        rc = datanode_read_answer(fd, &a, &answer, reterr);
    if (rc < 0) {
        if (answer && answer->status == HDFS__STATUS__ERROR_UNSUPPORTED && !answer->has_shortcircuitaccessversion)
            return ERR_UNSUPPORTED;
        return rc;
    }
    rc = fd_receive(fd, &byte, fds, 2, reterr);
    if (rc < 0)
        return rc;
    h->replica.data_fd = fds[0];
    h->replica.meta_fd = fds[1];
    *ret_clean =
        byte != HDFS__SHORT_CIRCUIT_FD_RESPONSE__USE_RECEIPT_VERIFICATION || net_write_full(fd, "", 1, NULL) == 0;
    return 0;
}

static int request_files(struct short_circuit *s, const struct dfs_block *b, const struct dfs_datanode *d,
                         struct held *h, struct err *reterr)
{
    for (;;) {
        bool fresh, clean;
        int fd;
        int rc = shm_connect(s->fs, d, &fresh, &fd, reterr);
        if (rc < 0) {
            disable(s, h->node);
            return rc;
        }
        rc = converse(fd, b, h, &clean, reterr);
        if (clean)
            shm_connection_keep(s->fs, d->uuid, fd);
        else
            close(fd);
        if (rc == ERR_UNSUPPORTED)
            disable(s, h->node);
        if (rc != ERR_CLOSED || fresh)
            return rc;
    }
}

static int read_meta_header(struct held *h, struct err *reterr)
{
    uint8_t m[LOCAL_META_HEADER_BYTES];
    int rc = file_pread_full(h->replica.meta_fd, m, sizeof m, 0, reterr);
    if (rc < 0)
        return rc;
    h->replica.type = (enum checksum_type)m[2];
    h->replica.bytes_per_checksum = (uint32_t)m[3] << 24 | (uint32_t)m[4] << 16 | (uint32_t)m[5] << 8 | m[6];
    if (m[0] != 0 || m[1] != 1 || m[2] > CHECKSUM_CRC32C || h->replica.bytes_per_checksum == 0 ||
        h->replica.bytes_per_checksum > BYTES_PER_CHECKSUM_MAX)
        return err_set(reterr, ERR_PROTOCOL, "block %" PRIu64 ": its meta file's header is not one", h->block_id);
    return 0;
}

static int open_new(struct short_circuit *s, const struct dfs_block *b, const struct dfs_datanode *d, struct held *h,
                    struct err *reterr)
{
    int rc = take_slot(s, d, h, reterr);
    if (rc == 0)
        rc = request_files(s, b, d, h, reterr);
    if (rc == 0)
        rc = read_meta_header(h, reterr);
    return rc;
}

int short_circuit_open(struct short_circuit *s, const struct dfs_block *b, const struct dfs_datanode *d,
                       struct local_replica **ret, struct err *reterr)
{
    if (!s->enabled)
        return err_set(reterr, ERR_UNSUPPORTED, "dfs.client.read.shortcircuit is off");
    pthread_mutex_lock(&s->lock);
    struct shm_node *n = node_locked(s, d->uuid);
    bool disabled = clock_mono_ms() < n->disabled_until_ms;
    struct held *h = disabled ? NULL : find_locked(s, n, b);
    if (h)
        h->refs++;
    pthread_mutex_unlock(&s->lock);
    if (h) {
        *ret = &h->replica;
        return 0;
    }
    if (disabled)
        return err_set(reterr, ERR_UNSUPPORTED, "datanode %s passes no files", d->uuid);
    h = mem_new(struct held);
    *h = (struct held){.replica = {.data_fd = -1, .meta_fd = -1},
                       .block_id = b->block_id,
                       .gen_stamp = b->gen_stamp,
                       .node = n,
                       .refs = 1};
    int rc = open_new(s, b, d, h, reterr);
    if (rc < 0) {
        held_free(s, h);
        return rc;
    }
    *ret = &h->replica;
    if (!h->segment || !s->kept_max)
        return 0;
    pthread_mutex_lock(&s->lock);
    h->listed = true;
    h->next = s->held;
    s->held = h;
    s->held_count++;
    need_sweeper_locked(s);
    struct held *out = s->held_count > s->kept_max ? sweep_locked(s, s->kept_max, clock_mono_ms()) : NULL;
    pthread_mutex_unlock(&s->lock);
    free_chain(s, out);
    return 0;
}

void short_circuit_close(struct short_circuit *s, struct local_replica *r)
{
    struct held *h = (struct held *)r;
    pthread_mutex_lock(&s->lock);
    h->unused_since_ms = clock_mono_ms();
    bool last = --h->refs == 0 && !h->listed;
    pthread_mutex_unlock(&s->lock);
    if (last)
        held_free(s, h);
}

void short_circuit_forget(struct short_circuit *s, struct local_replica *r)
{
    pthread_mutex_lock(&s->lock);
    unlist_locked(s, (struct held *)r);
    pthread_mutex_unlock(&s->lock);
}

int short_circuit_map(struct short_circuit *s, struct local_replica *r, const uint8_t **ret_base, size_t *ret_bytes,
                      struct err *reterr)
{
    struct held *h = (struct held *)r;
    struct stat st;
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    if (!h->map) {
        void *map = MAP_FAILED;
        if (fstat(r->data_fd, &st) < 0)
            rc = err_errno(reterr, errno, "block %" PRIu64, h->block_id);
        else if (st.st_size > 0)
            map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, r->data_fd, 0);
        if (rc == 0 && map == MAP_FAILED)
            rc = err_errno(reterr, errno, "cannot map block %" PRIu64, h->block_id);
        if (rc == 0) {
            h->map = map;
            h->map_bytes = (size_t)st.st_size;
        }
    }
    *ret_base = h->map;
    *ret_bytes = h->map_bytes;
    pthread_mutex_unlock(&s->lock);
    return rc;
}
