/* The happy path: block_writer_create asks for a block and connects; packets are queued, sent, acknowledged, given
 * back; block_writer_end waits for the data, sends the last packet, waits for it.
 *
 * What can go wrong: a node cannot be reached while the block is set up (the block is abandoned, the node excluded,
 * another block asked for); a node is lost later: an acknowledgement names it, or nothing happens for too long (then
 * the first node is blamed), or the connection just ends: a reset can overtake the acknowledgement that names somebody
 * else, so all nodes get another try, and connecting shows who is gone. Then, in Hadoop's order: drop it, maybe take
 * another in, get a new generation stamp, connect anew, tell the namenode, send again what was not acknowledged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/block_writer_internal.h"
#include "client/lib/datanode.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/pipeline.h"
#include "common/clock.h"
#include "common/mem.h"

#define WINDOW_BYTES    ((size_t)4 << 20)
#define UNACKED_MAX     ((size_t)12 << 20) /* of all writers: who sends when there is more has a small window */
#define SMALL_WINDOW    ((size_t)512 << 10)
#define QUIET_BYTES     ((size_t)1 << 20) /* so much may be unacknowledged before anybody looks */
#define SETUP_TRIES     4                 /* Hadoop: 1 + dfs.client.block.write.retries */
#define SETUP_WAIT_MS   1000
#define SETUP_HOPE_MS   15000 /* a datanode that is just being started, or too busy, will do in a moment */
#define RECOVERIES_MAX  5     /* without anything acknowledged in between */
#define REPLACE_TRIES   3
#define NODE_MEMORY_MAX (64u << 20)
#define LOST_FOR_MS     60000
#define SECOND_TRY_MS   5000 /* where nobody else is to be had, whoever failed so long ago may do again */

/* ---- nodes ---- */

static void node_drop(struct block_writer *w, size_t bad)
{
    struct dfs_block *b = &w->block;
    lost_nodes_add(w->o.lost, &b->nodes[bad]);
    size_t after = b->node_count - bad - 1;
    memmove(&b->nodes[bad], &b->nodes[bad + 1], after * sizeof *b->nodes);
    memmove(&b->storage_ids[bad], &b->storage_ids[bad + 1], after * sizeof *b->storage_ids);
    memmove(&b->storage_types[bad], &b->storage_types[bad + 1], after * sizeof *b->storage_types);
    b->node_count--;
}

static int no_node_left(const struct block_writer *w, const struct err *why, struct err *reterr)
{
    char list[512] = "", name[NET_ADDRESS_MAX];
    for (size_t i = 0, at = 0; i < w->o.lost->count && at < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "",
                               datanode_name(&w->o.lost->nodes[i], name));
    return err_set(reterr, ERR_IO, "%s: block %" PRIu64 ": all datanodes failed (%s): %s", w->o.file->path,
                   w->block.block_id, list, why->text);
}

static struct pipeline_request pipeline_request(const struct block_writer *w, enum pipeline_stage stage,
                                                uint64_t new_gen_stamp)
{
    return (struct pipeline_request){
        .stage = stage,
        .block = &w->block,
        .new_gen_stamp = new_gen_stamp,
        .token = w->block.token,
        .bytes_sent = w->bytes_sent > w->block.bytes ? w->bytes_sent : w->block.bytes,
        .block_bytes = w->o.block_bytes,
        .type = w->o.pool->type,
        .bytes_per_checksum = w->o.pool->bytes_per_checksum,
    };
}

/* ---- repair ---- */

static bool wants_replacement(const struct block_writer *w, bool closing)
{
    const struct config *c = w->fs->config;
    const char *policy = config_str(c, "dfs.client.block.write.replace-datanode-on-failure.policy");
    size_t n = w->block.node_count, wanted = w->o.replication;
    if (closing || n >= wanted || !config_bool(c, "dfs.client.block.write.replace-datanode-on-failure.enable"))
        return false;
    if (strcmp(policy, "ALWAYS") == 0)
        return true;
    return strcmp(policy, "NEVER") != 0 && wanted >= 3 && (n <= wanted / 2 || w->appended || w->o.flushed);
}

static size_t index_of_new(const struct dfs_block *old, const struct dfs_block *now)
{
    for (size_t i = 0; i < now->node_count; i++) {
        size_t j = 0;
        while (j < old->node_count && strcmp(old->nodes[j].uuid, now->nodes[i].uuid) != 0)
            j++;
        if (j == old->node_count)
            return i;
    }
    return now->node_count;
}

/* *ret_again: another node may do, this one did not. */
static int replace_node_once(struct block_writer *w, bool *ret_again, struct err *reterr)
{
    AUTO_ARENA(a, NODE_MEMORY_MAX);
    struct dfs_block wider;
    *ret_again = false;
    int rc = call_additional_datanode(w->o.file, &w->block, w->o.lost->nodes, w->o.lost->count, &a, &wider, reterr);
    if (rc < 0)
        return rc;
    size_t added = index_of_new(&w->block, &wider);
    if (wider.node_count != w->block.node_count + 1 || added == wider.node_count) {
        size_t before = w->o.lost->count;
        lost_nodes_keep(w->o.lost, clock_mono_ms() - SECOND_TRY_MS);
        *ret_again = w->o.lost->count < before;
        return err_set(reterr, ERR_IO, "block %" PRIu64 ": the namenode knows no further datanode for it",
                       w->block.block_id);
    }
    wider.gen_stamp = w->block.gen_stamp;
    wider.bytes = w->block.bytes;
    rc = pipeline_transfer(w->fs, &wider, added ? added - 1 : 1, added, reterr);
    if (rc < 0) {
        lost_nodes_add(w->o.lost, &wider.nodes[added]);
        *ret_again = true;
        return rc;
    }
    copy_block(&wider, &w->arena, &w->block);
    return 0;
}

static int replace_node(struct block_writer *w, struct err *reterr)
{
    bool again = true;
    int rc = 0;
    for (int i = 0; i < REPLACE_TRIES && again; i++)
        rc = replace_node_once(w, &again, reterr);
    bool best_effort = config_bool(w->fs->config, "dfs.client.block.write.replace-datanode-on-failure.best-effort");
    return best_effort ? 0 : rc;
}

/* New generation, new connection with the nodes that are left. On failure *t says whom to drop next, unless the error
 * is the namenode's, which is final (*ret_final). */
static int reconnect(struct block_writer *w, enum pipeline_stage stage, struct trouble *t, bool *ret_final)
{
    AUTO_ARENA(a, NODE_MEMORY_MAX);
    uint64_t gen_stamp;
    struct dfs_token token;
    *ret_final = true;
    int rc = call_update_block(w->o.file, &w->block, &a, &gen_stamp, &token, &t->why);
    if (rc < 0)
        return rc;
    struct pipeline_request request = pipeline_request(w, stage, gen_stamp);
    request.token = token;
    *ret_final = false;
    rc = pipeline_connect(w->fs, &request, &w->fd, &w->keeps, &t->bad, &t->why);
    if (rc < 0)
        return rc;
    *ret_final = true;
    rc = call_update_pipeline(w->o.file, &w->block, gen_stamp, &t->why);
    if (rc < 0)
        return rc;
    struct dfs_block fresh = w->block;
    fresh.gen_stamp = gen_stamp;
    fresh.token = token; /* lives in `a`: copied */
    copy_block(&fresh, &w->arena, &w->block);
    return 0;
}

/* Until a pipeline stands. failed: there was one, and *t says what went wrong with it. */
static int establish(struct block_writer *w, enum pipeline_stage stage, struct trouble *t, bool failed,
                     struct err *reterr)
{
    for (;; failed = true) {
        net_closep(&w->fd);
        w->ack_bytes = 0;
        if (failed) {
            if (w->recoveries++ == RECOVERIES_MAX)
                return err_set(reterr, ERR_IO, "%s: block %" PRIu64 ": gave up after %d repairs of its pipeline: %s",
                               w->o.file->path, w->block.block_id, RECOVERIES_MAX, t->why.text);
            if (t->bad == BAD_UNKNOWN && t->why.code == ERR_CLOSED && !w->retried_whole) {
                w->retried_whole = true;
            } else {
                node_drop(w, t->bad < w->block.node_count ? t->bad : 0);
                if (w->block.node_count == 0)
                    return no_node_left(w, &t->why, reterr);
            }
            if (stage == PIPELINE_APPEND)
                stage = PIPELINE_APPEND_RECOVERY;
        }
        if (wants_replacement(w, stage == PIPELINE_CLOSE_RECOVERY)) {
            int rc = replace_node(w, reterr);
            if (rc < 0)
                return err_prefix(reterr, rc, "%s: no datanode could replace a lost one", w->o.file->path);
        }
        bool final;
        int rc = reconnect(w, stage, t, &final);
        if (rc == 0)
            break;
        if (final) {
            net_closep(&w->fd);
            return err_set(reterr, rc, "%s: block %" PRIu64 ": its pipeline cannot be repaired: %s", w->o.file->path,
                           w->block.block_id, t->why.text);
        }
    }
    w->unsent = w->head;
    w->unsent_at = 0;
    w->sent_ms = w->progress_ms = clock_mono_ms();
    return 0;
}

/* In a hurry: a connection that was kept may have been closed before it heard anything; all else is final. */
static int hurry_again(struct block_writer *w, const struct trouble *t, struct err *reterr)
{
    struct pipeline_request request = pipeline_request(w, PIPELINE_CREATE, 0);
    if (!w->is_kept || t->why.code != ERR_CLOSED) {
        if (t->bad < w->block.node_count)
            lost_nodes_add(w->o.lost, &w->block.nodes[t->bad]);
        else if (t->why.code != ERR_CLOSED) /* which may have overtaken the word of who it was */
            lost_nodes_add(w->o.lost, &w->block.nodes[0]);
        return err_set(reterr, t->why.code, "%s: block %" PRIu64 ": %s", w->o.file->path, w->block.block_id,
                       t->why.text);
    }
    net_closep(&w->fd);
    w->unsent = w->head;
    w->unsent_at = 0;
    return pipeline_begin(w->fs, &request, true, &w->fd, &w->is_kept, reterr);
}

static int pump(struct block_writer *w, size_t unacked, struct err *reterr)
{
    for (;;) {
        struct trouble t;
        int rc = block_stream_pump(w, unacked, &t);
        if (rc == 0)
            return 0;
        if (w->o.hurries) {
            rc = hurry_again(w, &t, reterr);
            if (rc < 0)
                return rc;
            continue;
        }
        bool closing = w->head && w->head->last; /* all data are acknowledged; only the end is not */
        rc = establish(w, closing ? PIPELINE_CLOSE_RECOVERY : PIPELINE_STREAMING_RECOVERY, &t, true, reterr);
        if (rc < 0)
            return rc;
        if (closing) { /* the answer to the connection said that all have finished the block */
            w->keeps = false;
            w->unsent = NULL;
            block_stream_acked(w);
        }
    }
}

/* ---- setting up ---- */

static struct block_writer *block_writer_new(const struct block_writer_options *options)
{
    struct block_writer *w = mem_new(struct block_writer);
    w->o = *options;
    w->fs = options->file->fs;
    w->fd = -1;
    arena_init(&w->arena, NODE_MEMORY_MAX);
    return w;
}

void block_writer_free(struct block_writer *w)
{
    if (!w)
        return;
    net_closep(&w->fd);
    atomic_fetch_sub(&w->fs->unacked_bytes, w->queued * w->o.pool->data_max);
    while (w->head) {
        struct write_packet *next = w->head->next;
        packet_give_back(w->o.pool, w->head);
        w->head = next;
    }
    arena_free(&w->arena);
    free(w);
}

static int setup_on(struct block_writer *w, const struct dfs_block *b, struct err *reterr)
{
    size_t bad = 0;
    copy_block(b, &w->arena, &w->block);
    w->block.bytes = 0;
    struct pipeline_request request = pipeline_request(w, PIPELINE_CREATE, 0);
    w->setup_due = w->o.hurries;
    int rc = w->o.hurries ? pipeline_begin(w->fs, &request, false, &w->fd, &w->is_kept, reterr)
                          : pipeline_connect(w->fs, &request, &w->fd, &w->keeps, &bad, reterr);
    if (rc < 0)
        lost_nodes_add(w->o.lost, &w->block.nodes[bad]);
    return rc;
}

static int setup_once(struct block_writer *w, const struct dfs_block *previous, bool *ret_final, struct err *reterr)
{
    AUTO_ARENA(a, NODE_MEMORY_MAX);
    struct dfs_block b;
    *ret_final = true;
    struct lost_nodes *lost = w->o.lost;
    lost_nodes_keep(lost, clock_mono_ms() - LOST_FOR_MS);
    int rc = call_add_block(w->o.file, previous, lost->nodes, lost->count, &a, &b, reterr);
    if (rc == ERR_IO && lost->count) { /* perhaps nothing is left without them, and they may be back */
        lost_nodes_clear(lost);
        rc = call_add_block(w->o.file, previous, NULL, 0, &a, &b, reterr);
    }
    if (rc < 0)
        return rc;
    rc = setup_on(w, &b, reterr);
    if (rc == 0)
        return 0;
    struct err local;
    int abandoned = call_abandon_block(w->o.file, &w->block, &local);
    *ret_final = abandoned < 0;
    if (abandoned < 0 && reterr)
        *reterr = local;
    return abandoned < 0 ? abandoned : rc;
}

/* Its text names the directory already. */
static bool is_quota(int code)
{
    return code == ERR_NS_QUOTA || code == ERR_DS_QUOTA || code == ERR_TYPE_QUOTA;
}

int block_writer_create(const struct block_writer_options *options, const struct dfs_block *previous,
                        struct block_writer **ret, struct err *reterr)
{
    struct block_writer *w = block_writer_new(options);
    bool final = false;
    int64_t since_ms = clock_mono_ms(), patience_ms = config_ms(w->fs->config, "cairn.client.retry-for");
    int rc = setup_once(w, previous, &final, reterr);
    for (int tries = 1; rc < 0; tries++) {
        /* Of nodes that were named some may be back soon; a client that rather waits does so while there is none. */
        int64_t hope_ms = tries > 1 || !final ? SETUP_HOPE_MS : 0;
        bool hopes =
            (!final || rc == ERR_IO) && clock_mono_ms() - since_ms < (patience_ms > hope_ms ? patience_ms : hope_ms);
        bool in_vain = final || tries % SETUP_TRIES == 0;
        if (in_vain && !hopes)
            break;
        if (in_vain) {
            clock_sleep_ms(SETUP_WAIT_MS);
            lost_nodes_clear(options->lost);
        }
        rc = setup_once(w, previous, &final, reterr);
    }
    if (rc < 0) {
        block_writer_free(w);
        return is_quota(rc) ? rc : err_prefix(reterr, rc, "%s", options->file->path);
    }
    w->sent_ms = w->progress_ms = clock_mono_ms();
    *ret = w;
    return 0;
}

int block_writer_begin(const struct block_writer_options *options, const struct dfs_block *allotted,
                       struct block_writer **ret, struct err *reterr)
{
    struct block_writer *w = block_writer_new(options);
    int rc = setup_on(w, allotted, reterr);
    if (rc < 0) {
        block_writer_free(w);
        return rc;
    }
    w->sent_ms = w->progress_ms = clock_mono_ms();
    *ret = w;
    return 0;
}

int block_writer_append(const struct block_writer_options *options, const struct dfs_block *last,
                        struct block_writer **ret, struct err *reterr)
{
    struct block_writer *w = block_writer_new(options);
    copy_block(last, &w->arena, &w->block);
    w->appended = true;
    w->bytes_sent = last->bytes;
    struct trouble t = {.bad = 0};
    int rc = last->node_count ? establish(w, PIPELINE_APPEND, &t, false, reterr)
                              : err_set(reterr, ERR_IO, "%s: no datanode has its last block %" PRIu64,
                                        options->file->path, last->block_id);
    if (rc < 0) {
        block_writer_free(w);
        return rc;
    }
    *ret = w;
    return 0;
}

/* ---- for the file ---- */

static void packet_queue(struct block_writer *w, struct write_packet *p)
{
    p->next = NULL;
    if (w->tail)
        w->tail->next = p;
    else
        w->head = p;
    w->tail = p;
    if (!w->unsent) {
        w->unsent = p;
        w->unsent_at = 0;
    }
    w->queued++;
    atomic_fetch_add(&w->fs->unacked_bytes, w->o.pool->data_max);
}

static size_t packets_of(const struct block_writer *w, size_t bytes)
{
    size_t each = w->o.pool->data_max;
    return bytes > each ? bytes / each : 1;
}

int block_writer_send(struct block_writer *w, struct write_packet *packet, struct err *reterr)
{
    struct trouble t;
    packet_queue(w, packet);
    size_t window = packets_of(w, atomic_load(&w->fs->unacked_bytes) <= UNACKED_MAX ? WINDOW_BYTES : SMALL_WINDOW);
    size_t quiet = packets_of(w, QUIET_BYTES);
    if (quiet > window)
        quiet = window;
    /* Looking for acknowledgements after every packet would find none most of the time. */
    if (w->queued <= quiet && block_stream_send(w, &t) == 0 && !w->unsent)
        return 0;
    return pump(w, window, reterr);
}

int block_writer_wait(struct block_writer *w, struct err *reterr)
{
    return pump(w, 0, reterr);
}

int block_writer_end(struct block_writer *w, struct write_packet *last, struct err *reterr)
{
    /* Data first: repair has to know whether any node may have finished the block. */
    int rc = w->o.hurries ? 0 : pump(w, 0, reterr);
    packet_queue(w, last);
    if (rc == 0)
        rc = pump(w, 0, reterr);
    if (rc == 0 && w->fd >= 0 && w->keeps)
        pipeline_keep(w->fs, &w->block, &w->fd);
    net_closep(&w->fd);
    return rc;
}

void block_writer_flushed(struct block_writer *w)
{
    w->o.flushed = true;
}

const struct dfs_block *block_writer_block(const struct block_writer *w)
{
    return &w->block;
}
