/* fsck -blockId: one block, its file and its replicas. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/pages/fsck_internal.h"

/* Words that the exit code of Hadoop's tool hangs on. */
static const char *state_of(const struct fsck *f, const struct block_location *l)
{
    const struct datanode_info *d = l->node;
    if (l->corrupt)
        return "is CORRUPT\t ReasonCode: CORRUPTION_REPORTED";
    if (d->admin == DATANODE_DECOMMISSIONED)
        return "is DECOMMISSIONED";
    if (d->admin == DATANODE_DECOMMISSION_IN_PROGRESS)
        return "is DECOMMISSIONING";
    if (f->o.maintenance && d->admin == DATANODE_ENTERING_MAINTENANCE)
        return "is ENTERING MAINTENANCE";
    if (f->o.maintenance && d->admin == DATANODE_IN_MAINTENANCE)
        return "is IN MAINTENANCE";
    return d->stale ? "is STALE" : l->excess ? "is EXCESS" : "is HEALTHY";
}

static void print_block(struct fsck *f, const char *text, const char *path, const struct block_record *record)
{
    struct block_health h = {0};
    struct block_location l[BLOCK_LOCATIONS_MAX];
    blocks_health(f->nn->blocks, record->block_id, &h);
    size_t count = blocks_replicas(f->nn->blocks, record->block_id, l, BLOCK_LOCATIONS_MAX);
    buf_printf(f->out,
               "Block Id: %s\nBlock belongs to: %s\nNo. of Expected Replica: %u\nNo. of live Replica: %u\n"
               "No. of excess Replica: %u\nNo. of stale Replica: %u\nNo. of decommissioned Replica: %u\n"
               "No. of decommissioning Replica: %u\n",
               text, path, record->replication, h.live, h.excess, h.stale, h.decommissioned, h.decommissioning);
    if (f->o.maintenance)
        buf_printf(f->out, "No. of entering maintenance Replica: %u\nNo. of in maintenance Replica: %u\n",
                   h.entering_maintenance, h.in_maintenance);
    buf_printf(f->out, "No. of corrupted Replica: %u\n", h.corrupt);
    for (size_t i = 0; i < count; i++)
        buf_printf(f->out, "Block replica on datanode/rack: %s%s %s\n", l[i].node->hostname, l[i].node->rack,
                   state_of(f, &l[i]));
}

/* "blk_N", perhaps with a generation stamp and ".meta" behind it. */
static uint64_t id_of(const char *text)
{
    const char *digits = strstr(text, "blk_");
    return digits == text ? strtoull(text + strlen("blk_"), NULL, 10) : 0;
}

static void fsck_block(struct fsck *f, const char *text)
{
    struct namenode *nn = f->nn;
    struct txn t;
    struct block_record record;
    struct inode *n = NULL;
    const char *path = NULL;
    namenode_lock(nn);
    txn_begin(&t, nn->dir, 0);
    if (txn_block(&t, id_of(text), &record, NULL) || txn_inode(&t, record.inode_id, &n, NULL) ||
        txn_path(&t, n, &path, NULL))
        buf_printf(f->out, "Block %s does not exist\n", text);
    else
        print_block(f, text, path, &record);
    txn_end(&t);
    namenode_unlock(nn);
}

void fsck_blocks(struct fsck *f, const char *ids)
{
    char *copy = mem_strdup(ids), *save = NULL;
    for (char *id = strtok_r(copy, " ", &save); id; id = strtok_r(NULL, " ", &save)) {
        if (!strstr(id, "blk_")) {
            buf_printf(f->out, "Incorrect blockId format: %s\n", id);
            continue;
        }
        buf_append_str(f->out, "\n");
        fsck_block(f, id);
    }
    free(copy);
}
