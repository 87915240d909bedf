#include "client/lib/block_sync.h"

#include <inttypes.h>
#include <string.h>

#include "client/lib/block_reader.h"
#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"

#define LOCATIONS_MAX_BYTES (1u << 30)

static bool is_among(const struct lost_nodes *l, const struct dfs_datanode *d)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->nodes[i].uuid, d->uuid) == 0)
            return true;
    return false;
}

int block_sync_one(struct block_sync *s, struct dfs *fs, const char *path, const struct dfs_block *b,
                   struct err *reterr)
{
    size_t done = 0;
    int rc = 0;
    for (size_t i = 0; i < b->node_count && !s->knows_none; i++) {
        struct err why;
        bool synced = false;
        if (is_among(&s->away, &b->nodes[i]))
            continue;
        int failed = datanode_sync_replica(fs, b, &b->nodes[i], &synced, &why);
        s->knows_none = failed == 0 && !synced;
        done += failed == 0;
        if (failed == ERR_CONNECT)
            lost_nodes_add(&s->away, &b->nodes[i]);
        else if (failed < 0)
            rc = err_set(reterr, failed, "%s: block %" PRIu64 " is not on the disks: %s", path, b->block_id, why.text);
    }
    return done ? 0 : rc;
}

void block_sync_end(struct block_sync *s)
{
    lost_nodes_clear(&s->away);
}

int block_sync_file(struct dfs *fs, const char *path, struct err *reterr)
{
    AUTO_ARENA(a, LOCATIONS_MAX_BYTES);
    struct block_sync s = {0};
    struct dfs_blocks blocks;
    int rc = dfs_block_locations(fs, path, 0, INT64_MAX, &a, &blocks, reterr);
    for (size_t i = 0; rc == 0 && i < blocks.count; i++)
        if (!is_hole(&blocks.blocks[i]))
            rc = block_sync_one(&s, fs, path, &blocks.blocks[i], reterr);
    block_sync_end(&s);
    return rc;
}
