/* fsck of one file: the health of its blocks, and lines about them as Hadoop's tool prints them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "namenode/blocks/policy.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/policy.h"
#include "namenode/pages/fsck_internal.h"

#define REPORT_BYTES_MAX (64u << 20)

struct file_result {
    uint64_t missing, missing_bytes, corrupt, corrupt_bytes, under, misplaced;
};

/* ---- where ---- */

static const char *state_of(const struct fsck *f, const struct block_location *l)
{
    const struct datanode_info *d = l->node;
    if (d->admin == DATANODE_DECOMMISSIONED)
        return "DECOMMISSIONED";
    if (d->admin == DATANODE_DECOMMISSION_IN_PROGRESS)
        return "DECOMMISSIONING";
    if (f->o.maintenance && d->admin == DATANODE_ENTERING_MAINTENANCE)
        return "ENTERING MAINTENANCE";
    if (f->o.maintenance && d->admin == DATANODE_IN_MAINTENANCE)
        return "IN MAINTENANCE";
    return l->corrupt ? "CORRUPT" : l->excess ? "EXCESS" : d->stale ? "STALE_NODE" : "LIVE";
}

static void print_locations(const struct fsck *f, uint64_t block_id, struct buf *to)
{
    struct block_location l[BLOCK_LOCATIONS_MAX];
    if (!f->o.locations && !f->o.racks && !f->o.details && !f->o.upgrade_domains)
        return;
    size_t count = blocks_replicas(f->nn->blocks, block_id, l, BLOCK_LOCATIONS_MAX);
    buf_append_str(to, "  [");
    for (size_t i = 0; i < count; i++) {
        const struct datanode_info *d = l[i].node;
        if (i)
            buf_append_str(to, ", ");
        if (f->o.racks)
            buf_printf(to, "%s/%s:%u", d->rack, d->ip, d->xfer_port);
        else
            buf_printf(to, "DatanodeInfoWithStorage[%s:%u,%s,%s]", d->ip, d->xfer_port, l[i].storage_uuid,
                       storage_type_text(l[i].storage_type ? l[i].storage_type : STORAGE_DISK));
        if (f->o.upgrade_domains)
            buf_printf(to, "(ud=%s)", d->upgrade_domain ? d->upgrade_domain : "undefined");
        if (f->o.details)
            buf_printf(to, "(%s)", state_of(f, &l[i]));
    }
    buf_append_str(to, "]");
}

/* ---- one block ---- */

static void print_under(struct fsck *f, const struct inode *n, const char *name, const struct block_health *h)
{
    if (!f->o.files)
        buf_printf(f->out, "\n%s: ", buf_cstr(&f->path));
    buf_printf(
        f->out,
        " Under replicated %s. Target Replicas is %u but found %u live replica(s), %u decommissioned replica(s), "
        "%u decommissioning replica(s)",
        name, n->replication, h->live, h->decommissioned, h->decommissioning);
    if (f->o.maintenance)
        buf_printf(f->out, "%u, entering maintenance replica(s) and %u in maintenance replica(s).\n",
                   h->entering_maintenance, h->in_maintenance);
    else
        buf_append_str(f->out, ".\n");
}

static void check_placement(struct fsck *f, const struct file_block *b, const char *name, struct file_result *r)
{
    f->sums.misplaced++;
    if (!f->o.files)
        buf_printf(f->out, "%s%s: ", r->under ? "" : "\n", buf_cstr(&f->path));
    r->misplaced++;
    buf_printf(f->out,
               " Replica placement policy is violated for %s. Block should be additionally replicated on 1 more "
               "rack(s). Total number of racks in the cluster: %zu\n",
               name, f->racks);
    if (f->o.replicate)
        f->sums.queued += blocks_ask_for_copies(f->nn->blocks, b->id, (uint64_t)clock_mono_ms());
}

static void count_replicas(struct fsck *f, const struct inode *n, const struct block_health *h, uint64_t total)
{
    struct fsck_sums *s = &f->sums;
    uint64_t least = f->nn->dir->limits.replication_min;
    s->replicas += total;
    s->replicas_expected += n->replication;
    s->decommissioned += h->decommissioned;
    s->decommissioning += h->decommissioning;
    s->entering_maintenance += h->entering_maintenance;
    s->in_maintenance += h->in_maintenance;
    s->over += h->live > n->replication;
    s->under_min += total < least;
    s->min_replicated += total >= least;
}

static void check_block(struct fsck *f, const struct inode *n, uint8_t policy, const struct file_block *b, size_t index,
                        struct buf *report, struct file_result *r)
{
    struct block_health h = {0};
    struct block_location l[BLOCK_LOCATIONS_MAX];
    const char *path = buf_cstr(&f->path), *pool = f->nn->ids.block_pool_id;
    blocks_health(f->nn->blocks, b->id, &h);
    size_t count = blocks_locations(f->nn->blocks, b->id, NULL, l, BLOCK_LOCATIONS_MAX);
    uint64_t total =
        (uint64_t)h.live + h.decommissioned + h.decommissioning + h.entering_maintenance + h.in_maintenance;
    bool is_corrupt = count && l[0].corrupt, is_missing = !total;
    count_replicas(f, n, &h, total);
    char name[400];
    snprintf(name, sizeof name, "%s:blk_%" PRIu64 "_%" PRIu64, pool, b->id, b->stamp);
    if (is_corrupt) {
        r->corrupt++;
        r->corrupt_bytes += b->length_bytes;
        buf_printf(f->out, "\n%s: CORRUPT blockpool %s block blk_%" PRIu64 "\n", path, pool, b->id);
    }
    if (total < n->replication && !is_missing) {
        f->sums.replicas_missing += n->replication - total;
        f->sums.under++;
        r->under++;
        print_under(f, n, name, &h);
    }
    if (h.is_misplaced)
        check_placement(f, b, name, r);
    if (f->o.policies)
        fsck_count_policy(f, policy, l, count);
    buf_printf(report, "%zu. %s len=%" PRIu64, index, name, b->length_bytes);
    if (is_missing && !is_corrupt) {
        buf_append_str(report, " MISSING!");
        r->missing++;
        r->missing_bytes += b->length_bytes;
    } else {
        buf_printf(report, " Live_repl=%u", h.live);
        print_locations(f, b->id, report);
    }
    buf_append_str(report, "\n");
}

static void print_unfinished(const struct fsck *f, const struct file_block *b, size_t index, struct buf *report)
{
    struct block_location l[BLOCK_LOCATIONS_MAX];
    size_t count = blocks_replicas(f->nn->blocks, b->id, l, BLOCK_LOCATIONS_MAX);
    buf_printf(report,
               "\nUnder Construction Block:\n%zu. %s:blk_%" PRIu64 "_%" PRIu64 " len=%" PRIu64 " Expected_repl=%zu",
               index, f->nn->ids.block_pool_id, b->id, b->stamp, b->length_bytes, count);
    print_locations(f, b->id, report);
}

/* ---- one file ---- */

static void print_file_end(struct fsck *f, const struct file_result *r, struct buf *report)
{
    const char *path = buf_cstr(&f->path), *before = f->o.files ? "" : "\n", *after = f->o.files ? "\n" : "";
    if (r->missing)
        buf_printf(f->out, "%s%s%s MISSING %" PRIu64 " blocks of total size %" PRIu64 " B%s%s", before,
                   f->o.files ? "" : path, f->o.files ? "" : ":", r->missing, r->missing_bytes, f->o.files ? "" : ".",
                   after);
    if (r->corrupt)
        buf_printf(f->out, "%s%s%s CORRUPT %" PRIu64 " blocks of total size %" PRIu64 " B%s%s", before,
                   f->o.files ? "" : path, f->o.files ? "" : ":", r->corrupt, r->corrupt_bytes, f->o.files ? "" : ".",
                   after);
    if (!f->o.files)
        return;
    if (!r->missing && !r->corrupt && !r->under && !r->misplaced)
        buf_append_str(f->out, " OK\n");
    if (f->o.blocks) {
        buf_append(f->out, report->base, report->len);
        buf_append_str(f->out, "\n");
    }
}

/* Without holes, which are healthy by nature. */
static size_t count_blocks(const struct inode *n)
{
    size_t count = 0;
    for (size_t i = 0; i < n->block_count; i++)
        count += !file_block_is_hole(&n->blocks[i]);
    return count;
}

static void print_file_begin(struct fsck *f, const struct inode *n, uint64_t length)
{
    if (f->o.files || n->is_open)
        buf_printf(f->out, "%s %" PRIu64 " bytes, replicated: replication=%u, %zu block(s)%s: ", buf_cstr(&f->path),
                   length, n->replication, count_blocks(n), n->is_open ? ", OPENFORWRITE" : "");
    else if (f->sums.files % 100 == 0)
        buf_append_str(f->out, ".");
}

/* true: it is damaged, and closed, so that something may be done about it. */
static bool check_file(struct fsck *f, const struct inode *n, uint8_t policy)
{
    struct fsck_sums *s = &f->sums;
    uint64_t length = inode_length(n);
    struct file_result r = {0};
    AUTO(buf_free) struct buf report = {0};
    if (n->is_open && !f->o.open_files) {
        s->open_bytes += length;
        s->open_blocks += count_blocks(n);
        s->open_files++;
        return false;
    }
    s->files++;
    s->bytes += length;
    s->blocks += count_blocks(n);
    print_file_begin(f, n, length);
    for (size_t i = 0; i < n->block_count; i++) {
        const struct file_block *b = &n->blocks[i];
        if (file_block_is_hole(b))
            buf_printf(&report, "%zu. hole len=%" PRIu64 "\n", i, b->length_bytes);
        else if (b == inode_last_block(n) && b->state != BLOCK_COMPLETE)
            print_unfinished(f, b, i, &report);
        else
            check_block(f, n, policy, b, i, &report, &r);
    }
    s->missing += r.missing;
    s->missing_bytes += r.missing_bytes;
    s->corrupt += r.corrupt;
    s->corrupt_bytes += r.corrupt_bytes;
    s->damaged_files += r.missing || r.corrupt;
    print_file_end(f, &r, &report);
    return (r.missing || r.corrupt) && !n->is_open;
}

/* -list-corruptfileblocks: what no reader can have. */
static void list_damaged(struct fsck *f, const struct inode *n)
{
    for (size_t i = 0; i < n->block_count; i++) {
        const struct file_block *b = &n->blocks[i];
        if (file_block_is_hole(b) || b->state != BLOCK_COMPLETE || blocks_live_replicas(f->nn->blocks, b->id))
            continue;
        f->sums.listed++;
        char replication[8] = "";
        if (!n->as_of) /* HDFS does not say it of snapshots */
            snprintf(replication, sizeof replication, "%u\t", n->replication);
        if (f->out->len < REPORT_BYTES_MAX)
            buf_printf(f->out, "blk_%" PRIu64 "\t%s%s\n", b->id, replication, buf_cstr(&f->path));
    }
}

/* The file as it is now; it may be gone or changed since the walk's snapshot of the store. */
static bool load_now(struct fsck *f, struct txn *now, uint64_t id, uint64_t as_of, struct inode **ret)
{
    txn_begin(now, f->nn->dir, 0);
    return !(as_of ? history_inode(now, id, as_of, ret, NULL) : txn_inode(now, id, ret, NULL)) &&
           (*ret)->parent != INODE_NONE;
}

int fsck_file(struct fsck *f, uint64_t id, uint64_t as_of, struct err *reterr)
{
    struct txn now;
    struct inode *n = NULL;
    size_t before = f->out->len;
    bool is_damaged = false;
    uint16_t mode = 0;
    uint8_t policy = POLICY_UNSPECIFIED;
    int rc = 0;
    namenode_lock(f->nn);
    if (load_now(f, &now, id, as_of, &n)) {
        rc = access_check(&f->user, n, ACCESS_READ, buf_cstr(&f->path), reterr);
        mode = n->mode;
        if (f->o.policies && inode_policy(&now, n, &policy, NULL))
            policy = POLICY_UNSPECIFIED;
        if (!rc && f->o.list_corrupt)
            list_damaged(f, n);
        else if (!rc)
            is_damaged = check_file(f, n, policy);
    }
    txn_end(&now);
    namenode_unlock(f->nn);
    if (f->out->len > REPORT_BYTES_MAX && !f->o.list_corrupt) {
        f->out->len = before;
        if (!f->cut)
            buf_append_str(f->out, "\n[... too much to show, only the sums follow ...]\n");
        f->cut = true;
    }
    if (is_damaged && !as_of)
        fsck_mend(f, mode);
    return rc;
}
