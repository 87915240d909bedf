/* Incremental block reports: queued by whoever changes a replica, sent by a thread of their own. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "datanode/report/reporter_impl.h"

#define CHANGES_MAX 200000 /* a namenode that is away that long gets a full report instead */
#define RETRY_MS    200
#define LATER_MS    25 /* what nobody waits for goes with what else comes meanwhile */
#define LOOK_BACK   64 /* a short block's end comes soon after its beginning */

static void change_free(struct change *c)
{
    mem_freep(&c->delete_hint);
}

void changes_free(struct reporter *r)
{
    for (size_t i = 0; i < r->change_count; i++)
        change_free(&r->changes[i]);
    mem_freep(&r->changes);
    r->change_count = r->change_capacity = 0;
}

static void reserve_locked(struct reporter *r, size_t more)
{
    if (r->change_count + more <= r->change_capacity)
        return;
    r->change_capacity = (r->change_count + more) * 2;
    r->changes = mem_realloc_array(r->changes, r->change_capacity, sizeof *r->changes);
}

/* That it was being received need not be told any more when the namenode has not heard so yet. */
static struct change *place_locked(struct reporter *r, const struct replica_view *v)
{
    for (size_t i = r->change_count, n = 0; i-- > 0 && n < LOOK_BACK; n++) {
        struct change *c = &r->changes[i];
        if (c->block_id != v->block_id)
            continue;
        bool begins = c->status == HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__RECEIVING;
        if (begins && c->gen_stamp == v->gen_stamp && c->storage_id == v->storage_id)
            return c;
        break;
    }
    reserve_locked(r, 1);
    return &r->changes[r->change_count++];
}

static bool is_sooner_locked(struct reporter *r, int64_t at_ms)
{
    bool sooner = at_ms < r->changes_due_ms;
    if (sooner)
        r->changes_due_ms = at_ms;
    return sooner;
}

void changes_due_locked(struct reporter *r, int64_t at_ms)
{
    if (is_sooner_locked(r, at_ms))
        pthread_cond_signal(&r->sender_wake);
}

static void enqueue(struct reporter *r, const struct replica_view *v,
                    Hdfs__ReceivedDeletedBlockInfoProto__BlockStatus status, const char *delete_hint, int64_t due_ms)
{
    bool received = status == HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__RECEIVED;
    pthread_mutex_lock(&r->lock);
    if (r->change_count >= CHANGES_MAX) {
        changes_free(r);
        r->full_report_wanted = true;
        pthread_cond_signal(&r->actor_wake);
    }
    *place_locked(r, v) = (struct change){.block_id = v->block_id,
                                          .gen_stamp = v->gen_stamp,
                                          .bytes = v->disk_bytes,
                                          .xxh3 = received ? v->xxh3 : 0,
                                          .status = status,
                                          .storage_id = v->storage_id,
                                          .storage_type = v->storage_type,
                                          .delete_hint = delete_hint ? mem_strdup(delete_hint) : NULL};
    bool wakes = is_sooner_locked(r, due_ms);
    pthread_mutex_unlock(&r->lock);
    if (wakes) /* without the lock, or the sender would only wake up to wait for that */
        pthread_cond_signal(&r->sender_wake);
}

void reporter_receiving(struct reporter *r, const struct replica_view *replica)
{
    enqueue(r, replica, HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__RECEIVING, NULL, NEVER_MS);
}

void reporter_received(struct reporter *r, const struct replica_view *replica, const char *delete_hint)
{
    enqueue(r, replica, HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__RECEIVED, delete_hint, 0);
}

void reporter_received_unasked(struct reporter *r, const struct replica_view *replica)
{
    enqueue(r, replica, HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__RECEIVED, NULL,
            clock_mono_ms() + LATER_MS);
}

void reporter_deleted(struct reporter *r, const struct replica_view *replica)
{
    enqueue(r, replica, HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__DELETED, NULL, NEVER_MS);
}

/* ---- sending ---- */

struct change_message {
    Hdfs__ReceivedDeletedBlockInfoProto info;
    Hdfs__BlockProto block;
};

static Hdfs__ReceivedDeletedBlockInfoProto *change_message(const struct change *c, struct arena *a)
{
    struct change_message *m = arena_new(a, struct change_message);
    m->info = (Hdfs__ReceivedDeletedBlockInfoProto)HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__INIT;
    m->block = (Hdfs__BlockProto)HDFS__BLOCK_PROTO__INIT;
    m->block.blockid = c->block_id;
    m->block.genstamp = c->gen_stamp;
    m->block.has_numbytes = 1;
    m->block.numbytes = c->bytes;
    m->info.block = &m->block;
    m->info.status = c->status;
    m->info.deletehint = c->delete_hint;
    m->info.has_xxh3 = c->xxh3 != 0;
    m->info.xxh3 = c->xxh3;
    return &m->info;
}

/* All changes of one storage, in their order. */
static Hdfs__StorageReceivedDeletedBlocksProto *storage_message(const struct change *changes, size_t count,
                                                                const struct change *first, struct arena *a)
{
    Hdfs__StorageReceivedDeletedBlocksProto *m = arena_new(a, Hdfs__StorageReceivedDeletedBlocksProto);
    Hdfs__DatanodeStorageProto *storage = arena_new(a, Hdfs__DatanodeStorageProto);
    *m = (Hdfs__StorageReceivedDeletedBlocksProto)HDFS__STORAGE_RECEIVED_DELETED_BLOCKS_PROTO__INIT;
    *storage = (Hdfs__DatanodeStorageProto)HDFS__DATANODE_STORAGE_PROTO__INIT;
    storage->storageuuid = m->storageuuid = (char *)first->storage_id;
    storage->has_storagetype = storage->has_state = 1;
    storage->storagetype = (Hdfs__StorageTypeProto)first->storage_type;
    m->storage = storage;
    m->blocks = arena_array(a, Hdfs__ReceivedDeletedBlockInfoProto *, count);
    for (size_t i = 0; i < count; i++)
        if (changes[i].storage_id == first->storage_id)
            m->blocks[m->n_blocks++] = change_message(&changes[i], a);
    return m;
}

static int send(struct reporter *r, const struct change *changes, size_t count, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct registration reg;
    ProtobufCMessage *message;
    Hdfs__BlockReceivedAndDeletedRequestProto request = HDFS__BLOCK_RECEIVED_AND_DELETED_REQUEST_PROTO__INIT;
    arena_init(&a, REPORT_ARENA_BYTES + count * 512);
    registration_fill(r, &reg);
    request.registration = &reg.message;
    request.blockpoolid = reg.self.pool.pool_id;
    request.blocks = arena_array(&a, Hdfs__StorageReceivedDeletedBlocksProto *, VOLUMES_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t seen = 0;
        while (seen < request.n_blocks && request.blocks[seen]->storageuuid != changes[i].storage_id)
            seen++;
        if (seen == request.n_blocks)
            request.blocks[request.n_blocks++] = storage_message(changes, count, &changes[i], &a);
    }
    return rpc_client_call(r->rpc, "blockReceivedAndDeleted", &request.base,
                           &hdfs__block_received_and_deleted_response_proto__descriptor, &a, &message, reterr);
}

int send_changes_locked(struct reporter *r, struct err *reterr)
{
    pthread_mutex_lock(&r->lock);
    struct change *changes = r->changes;
    size_t count = r->change_count;
    int64_t due_ms = r->changes_due_ms;
    r->changes = NULL;
    r->change_count = r->change_capacity = 0;
    r->changes_due_ms = NEVER_MS;
    pthread_mutex_unlock(&r->lock);
    if (!count)
        return 0;
    int rc = send(r, changes, count, reterr);
    if (rc == 0) {
        for (size_t i = 0; i < count; i++)
            change_free(&changes[i]);
    } else { /* back to the front; what came meanwhile is newer */
        pthread_mutex_lock(&r->lock);
        reserve_locked(r, count);
        memmove(r->changes + count, r->changes, r->change_count * sizeof *r->changes);
        memcpy(r->changes, changes, count * sizeof *changes);
        r->change_count += count;
        if (due_ms < r->changes_due_ms)
            r->changes_due_ms = due_ms;
        pthread_mutex_unlock(&r->lock);
    }
    mem_freep(&changes);
    return rc;
}

/* Returns whether nobody woke us up before. */
static bool wait_locked(struct reporter *r, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return pthread_cond_timedwait(&r->sender_wake, &r->lock, &t) != 0;
}

/* Until there is something to send: what is due, or anything after a heartbeat's time. Nothing is said before the first
 * full report: that one begins with what is queued. */
static bool wait_for_changes_locked(struct reporter *r)
{
    int64_t wait_ms = r->dn->settings.heartbeat_ms;
    if (r->registered && r->ready && r->change_count) {
        int64_t left_ms = r->changes_due_ms - clock_mono_ms();
        if (left_ms <= 0)
            return true;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_locked(r, wait_ms) && r->registered && r->ready && r->change_count;
}

void *sender_run(void *arg)
{
    struct reporter *r = arg;
    bool failing = false;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        if (!wait_for_changes_locked(r))
            continue;
        pthread_mutex_unlock(&r->lock);
        struct err why;
        pthread_mutex_lock(&r->report_lock);
        int rc = send_changes_locked(r, &why);
        pthread_mutex_unlock(&r->report_lock);
        if (rc < 0 && !failing)
            log_warn("report", "incremental report failed, will go on trying: %s", why.text);
        if (means_unregistered(rc))
            reporter_lose_registration(r);
        failing = rc < 0;
        pthread_mutex_lock(&r->lock);
        if (failing && !r->stopping) {
            r->changes_due_ms = 0;
            (void)wait_locked(r, RETRY_MS);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}
