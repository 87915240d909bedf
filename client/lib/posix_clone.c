/* New blocks that share the bytes of others: the namenode gives them places where those are, and each datanode there
 * is asked once, for all that it has. */
#include <inttypes.h>
#include <string.h>

#include "cairn/clone.pb-c.h"
#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/peer_cache.h"
#include "client/lib/posix_data.h"
#include "common/log.h"
#include "common/net.h"
#include "proto/op_header.h"

#define ANSWER_MAX_BYTES (64u << 20)

struct lane { /* one datanode, and which of the blocks it shall clone */
    const struct dfs_datanode *node;
    const char *pool_id;
    uint32_t *blocks;
    size_t count;
    int fd;
    bool is_kept;
};

struct cloning {
    struct dfs *fs;
    struct arena *arena;
    const struct posix_piece *sources; /* without holes */
    const struct dfs_block *blocks;
    size_t count;
    size_t *replicas; /* of each block, that were made */
    struct lane *lanes;
    size_t lane_count;
};

static struct lane *lane_of(struct cloning *c, const struct dfs_datanode *node, const char *pool_id)
{
    for (size_t i = 0; i < c->lane_count; i++)
        if (strcmp(c->lanes[i].node->uuid, node->uuid) == 0)
            return &c->lanes[i];
    struct lane *l = &c->lanes[c->lane_count++];
    *l = (struct lane){.node = node, .pool_id = pool_id, .blocks = arena_array(c->arena, uint32_t, c->count), .fd = -1};
    return l;
}

static void lanes_make(struct cloning *c)
{
    size_t places = 0;
    for (size_t i = 0; i < c->count; i++)
        places += c->blocks[i].node_count;
    c->lanes = arena_array(c->arena, struct lane, places);
    for (size_t i = 0; i < c->count; i++)
        for (size_t k = 0; k < c->blocks[i].node_count; k++) {
            struct lane *l = lane_of(c, &c->blocks[i].nodes[k], c->blocks[i].pool_id);
            if (l->count < c->count) /* one that is named twice for a block */
                l->blocks[l->count++] = (uint32_t)i;
        }
}

static int lane_send(struct cloning *c, struct lane *l, bool fresh, struct err *reterr)
{
    char name[NET_ADDRESS_MAX];
    Cairn__OpCloneBlocksProto op = CAIRN__OP_CLONE_BLOCKS_PROTO__INIT;
    op.pool_id = (char *)(uintptr_t)l->pool_id;
    op.client_name = c->fs->client_name;
    op.clone = arena_array(c->arena, Cairn__CloneProto *, l->count);
    op.n_clone = l->count;
    for (size_t i = 0; i < l->count; i++) {
        Cairn__CloneProto *p = op.clone[i] = arena_new(c->arena, Cairn__CloneProto);
        const struct posix_piece *source = &c->sources[l->blocks[i]];
        cairn__clone_proto__init(p);
        p->block_id = source->block_id;
        p->stamp = source->stamp;
        p->length = source->length;
        p->new_block_id = c->blocks[l->blocks[i]].block_id;
        p->new_stamp = c->blocks[l->blocks[i]].gen_stamp;
    }
    net_closep(&l->fd);
    l->fd = fresh ? -1 : peer_cache_take(c->fs->peers, datanode_name(l->node, name));
    l->is_kept = l->fd >= 0;
    int rc = l->is_kept ? 0 : datanode_connect(c->fs, l->node, 0, &l->fd, reterr);
    if (rc == 0 && l->is_kept)
        datanode_set_timeouts(c->fs, 0, l->fd);
    return rc < 0 ? rc : op_write(l->fd, OP_CLONE_BLOCKS, &op.base, reterr);
}

static void count_replicas(struct cloning *c, const struct lane *l, const Hdfs__BlockOpResponseProto *answer)
{
    for (size_t i = 0; i < l->count; i++)
        c->replicas[l->blocks[i]]++;
    for (size_t i = 0; i < answer->n_notcloned; i++)
        if (answer->notcloned[i] < l->count && c->replicas[l->blocks[answer->notcloned[i]]] > 0)
            c->replicas[l->blocks[answer->notcloned[i]]]--;
}

static int lane_hear(struct cloning *c, struct lane *l, struct err *reterr)
{
    Hdfs__BlockOpResponseProto *answer;
    char name[NET_ADDRESS_MAX];
    int rc = l->fd >= 0 ? datanode_read_answer(l->fd, c->arena, &answer, reterr) : ERR_CLOSED;
    if (rc == 0) {
        count_replicas(c, l, answer);
        if (answer->message)
            log_debug("posix", "datanode=%s cloned not all: %s", datanode_name(l->node, name), answer->message);
    }
    if (rc == 0 && answer->keepsconnection) {
        peer_cache_put(c->fs->peers, datanode_name(l->node, name), l->fd);
        l->fd = -1;
    }
    return rc;
}

/* All of them at the same time; what a datanode cannot do, others may. */
static void clone_everywhere(struct cloning *c)
{
    struct err why = {0};
    char name[NET_ADDRESS_MAX];
    for (size_t i = 0; i < c->lane_count; i++)
        if (lane_send(c, &c->lanes[i], false, &why) < 0 && !c->lanes[i].is_kept)
            net_closep(&c->lanes[i].fd);
    for (size_t i = 0; i < c->lane_count; i++) {
        struct lane *l = &c->lanes[i];
        int rc = lane_hear(c, l, &why);
        if (rc == ERR_CLOSED && l->is_kept && (rc = lane_send(c, l, true, &why)) == 0)
            rc = lane_hear(c, l, &why);
        if (rc < 0)
            log_debug("posix", "datanode=%s clones nothing: %s", datanode_name(l->node, name), why.text);
        net_closep(&l->fd);
    }
}

static int ask_blocks(struct cloning *c, uint64_t session, uint64_t file_id, struct err *reterr)
{
    struct dfs_block *blocks;
    uint64_t *lengths = arena_array(c->arena, uint64_t, c->count), *like = arena_array(c->arena, uint64_t, c->count);
    for (size_t i = 0; i < c->count; i++) {
        lengths[i] = c->sources[i].length;
        like[i] = c->sources[i].block_id;
    }
    int rc = posix_new_blocks(c->fs, session, file_id, lengths, like, c->count, NULL, 0, c->arena, &blocks, reterr);
    c->blocks = blocks;
    return rc;
}

/* How many of the first blocks are there; the others are not needed. */
static size_t settle(struct cloning *c, uint64_t session)
{
    size_t enough = (size_t)config_int(c->fs->config, "dfs.namenode.replication.min"), good = 0;
    while (good < c->count && c->replicas[good] >= (enough ? enough : 1))
        good++;
    uint64_t *ids = arena_array(c->arena, uint64_t, c->count);
    for (size_t i = good; i < c->count; i++)
        ids[i - good] = c->blocks[i].block_id;
    if (good < c->count)
        (void)!posix_drop_blocks(c->fs, session, ids, c->count - good, NULL); /* or they go with the session */
    return good;
}

int posix_clone_blocks(struct dfs *fs, uint64_t session, uint64_t file_id, const struct posix_piece *sources,
                       size_t count, struct posix_piece *ret, size_t *ret_count, struct err *reterr)
{
    AUTO_ARENA(a, ANSWER_MAX_BYTES);
    struct posix_piece *stored = arena_array(&a, struct posix_piece, count);
    struct cloning c = {.fs = fs, .arena = &a, .sources = stored, .replicas = arena_array(&a, size_t, count)};
    for (size_t i = 0; i < count; i++)
        if (sources[i].block_id)
            stored[c.count++] = sources[i];
    if (c.count > OP_CLONES_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%zu blocks to clone at once", c.count);
    int rc = c.count ? ask_blocks(&c, session, file_id, reterr) : 0;
    if (rc < 0)
        return rc;
    lanes_make(&c);
    clone_everywhere(&c);
    size_t good = settle(&c, session), i = 0;
    for (size_t k = 0; i < count && (!sources[i].block_id || k < good); i++) {
        ret[i] = sources[i];
        if (sources[i].block_id) {
            ret[i].block_id = c.blocks[k].block_id;
            ret[i].stamp = c.blocks[k++].gen_stamp;
        }
    }
    *ret_count = i;
    return 0;
}
