/* The tree is walked on a snapshot, without the lock; the lock is taken for one file's blocks at a time. Files come in
 * the order of their names, depth first, as Hadoop lists them. Memory is one frame per level, and the text, which is
 * cut off at REPORT_BYTES_MAX (the summary always comes). */
#include "namenode/pages/fsck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/mem.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/tree.h"

#define REPORT_BYTES_MAX (64u << 20)
#define DEPTH_MAX        20000
#define DAMAGED_KEPT     10000 /* paths for -delete and -list-corruptfileblocks */

struct fsck_options {
    bool files, blocks, locations, racks, details, open_files, delete, list_corrupt;
};
struct fsck_sums {
    uint64_t directories, symlinks, files, bytes, blocks;
    uint64_t open_files, open_bytes, open_blocks;
    uint64_t min_replicated, over, under, misplaced, missing, corrupt, missing_bytes, corrupt_bytes, damaged_files,
        under_min;
    uint64_t replicas, replicas_expected, replicas_missing, decommissioned, decommissioning;
};
struct fsck {
    struct namenode *nn;
    struct fs_user user; /* sees what he may list and read */
    struct fsck_options o;
    struct fsck_sums sums;
    struct txn t;
    uint64_t as_of; /* the path lies in this snapshot; 0: in none */
    struct buf *out;
    struct buf path;
    char **damaged;
    size_t damaged_count;
    bool cut;
};

/* ---- one file ---- */

static void print_locations(struct fsck *f, const struct block_location *l, size_t count, struct buf *to)
{
    static const char *const types[] = {"DISK", "DISK", "SSD", "ARCHIVE", "RAM_DISK", "PROVIDED", "NVDIMM"};
    if (!f->o.locations && !f->o.racks && !f->o.details)
        return;
    buf_append_str(to, "  [");
    for (size_t i = 0; i < count; i++) {
        const struct datanode_info *d = l[i].node;
        if (i)
            buf_append_str(to, ", ");
        if (f->o.racks)
            buf_printf(to, "%s/%s:%u", d->rack, d->ip, d->xfer_port);
        else
            buf_printf(to, "DatanodeInfoWithStorage[%s:%u,%s,%s]", d->ip, d->xfer_port, l[i].storage_uuid,
                       types[l[i].storage_type < ARRAY_COUNT(types) ? l[i].storage_type : 1]);
        if (f->o.details)
            buf_append_str(to, l[i].corrupt                                    ? "(CORRUPT)"
                               : d->admin == DATANODE_DECOMMISSIONED           ? "(DECOMMISSIONED)"
                               : d->admin == DATANODE_DECOMMISSION_IN_PROGRESS ? "(DECOMMISSIONING)"
                               : d->stale                                      ? "(STALE_NODE)"
                                                                               : "(LIVE)");
    }
    buf_append_str(to, "]");
}

struct file_result {
    uint64_t missing, missing_bytes, corrupt, corrupt_bytes, under, misplaced;
};

static void check_block(struct fsck *f, const struct inode *n, const struct file_block *b, size_t index,
                        struct buf *report, struct file_result *r)
{
    struct block_health h = {0};
    struct block_location l[BLOCK_LOCATIONS_MAX];
    const char *path = buf_cstr(&f->path), *pool = f->nn->ids.block_pool_id;
    struct fsck_sums *s = &f->sums;
    blocks_health(f->nn->blocks, b->id, &h);
    size_t count = blocks_locations(f->nn->blocks, b->id, NULL, l, BLOCK_LOCATIONS_MAX);
    uint64_t total = (uint64_t)h.live + h.decommissioned + h.decommissioning;
    bool is_corrupt = count && l[0].corrupt, is_missing = !total;
    s->replicas += total;
    s->replicas_expected += n->replication;
    s->decommissioned += h.decommissioned;
    s->decommissioning += h.decommissioning;
    s->over += h.live > n->replication;
    s->under_min += total < f->nn->dir->limits.replication_min;
    s->min_replicated += total >= f->nn->dir->limits.replication_min;
    char name[400];
    snprintf(name, sizeof name, "%s:blk_%" PRIu64 "_%" PRIu64, pool, b->id, b->stamp);
    if (is_corrupt) {
        r->corrupt++;
        r->corrupt_bytes += b->length_bytes;
        buf_printf(f->out, "\n%s: CORRUPT blockpool %s block blk_%" PRIu64 "\n", path, pool, b->id);
    }
    if (total < n->replication && !is_missing) {
        s->replicas_missing += n->replication - total;
        s->under++;
        r->under++;
        if (!f->o.files)
            buf_printf(f->out, "\n%s: ", path);
        buf_printf(
            f->out,
            " Under replicated %s. Target Replicas is %u but found %u live replica(s), %u decommissioned replica(s), "
            "%u decommissioning replica(s).\n",
            name, n->replication, h.live, h.decommissioned, h.decommissioning);
    }
    if (h.is_misplaced) {
        s->misplaced++;
        if (!f->o.files)
            buf_printf(f->out, "%s%s: ", r->under ? "" : "\n", path);
        r->misplaced++;
        buf_printf(f->out,
                   " Replica placement policy is violated for %s. Block should be additionally replicated on 1 more "
                   "rack(s).\n",
                   name);
    }
    buf_printf(report, "%zu. %s len=%" PRIu64, index, name, b->length_bytes);
    if (is_missing && !is_corrupt) {
        buf_append_str(report, " MISSING!");
        r->missing++;
        r->missing_bytes += b->length_bytes;
    } else {
        buf_printf(report, " Live_repl=%u", h.live);
        print_locations(f, l, count, report);
    }
    buf_append_str(report, "\n");
}

static void note_damaged(struct fsck *f)
{
    if (f->damaged_count == DAMAGED_KEPT)
        return;
    f->damaged = mem_realloc_array(f->damaged, f->damaged_count + 1, sizeof(char *));
    f->damaged[f->damaged_count++] = mem_strdup(buf_cstr(&f->path));
}

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

static void print_unfinished(struct fsck *f, const struct file_block *b, size_t index, struct buf *report)
{
    struct block_location l[BLOCK_LOCATIONS_MAX];
    size_t count = blocks_locations(f->nn->blocks, b->id, NULL, l, BLOCK_LOCATIONS_MAX);
    buf_printf(report,
               "\nUnder Construction Block:\n%zu. %s:blk_%" PRIu64 "_%" PRIu64 " len=%" PRIu64 " Expected_repl=%zu",
               index, f->nn->ids.block_pool_id, b->id, b->stamp, b->length_bytes, count);
    print_locations(f, l, count, report);
}

/* The file as it is now; it may be gone or changed since the snapshot. Lock held. */
static bool load_now(struct fsck *f, struct txn *now, uint64_t id, struct inode **ret)
{
    txn_begin(now, f->nn->dir, 0);
    return !(f->as_of ? history_inode(now, id, f->as_of, ret, NULL) : txn_inode(now, id, ret, NULL)) &&
           (*ret)->parent != INODE_NONE;
}

static void check_file_locked(struct fsck *f, const struct inode *n)
{
    struct fsck_sums *s = &f->sums;
    uint64_t length = inode_length(n);
    struct file_result r = {0};
    AUTO(buf_free) struct buf report = {0};
    if (n->is_open && !f->o.open_files) {
        s->open_bytes += length;
        s->open_blocks += n->block_count;
        s->open_files++;
        return;
    }
    s->files++;
    s->bytes += length;
    s->blocks += n->block_count;
    if (f->o.files || n->is_open)
        buf_printf(f->out, "%s %" PRIu64 " bytes, replicated: replication=%u, %zu block(s)%s: ", buf_cstr(&f->path),
                   length, n->replication, n->block_count, n->is_open ? ", OPENFORWRITE" : "");
    else if (s->files % 100 == 0)
        buf_append_str(f->out, ".");
    for (size_t i = 0; i < n->block_count; i++) {
        const struct file_block *b = &n->blocks[i];
        if (b == inode_last_block(n) && b->state != BLOCK_COMPLETE)
            print_unfinished(f, b, i, &report);
        else
            check_block(f, n, b, i, &report, &r);
    }
    s->missing += r.missing;
    s->missing_bytes += r.missing_bytes;
    s->corrupt += r.corrupt;
    s->corrupt_bytes += r.corrupt_bytes;
    if (r.missing || r.corrupt) {
        s->damaged_files++;
        note_damaged(f);
    }
    print_file_end(f, &r, &report);
}

static void check_file(struct fsck *f, uint64_t id)
{
    struct txn now;
    struct inode *n = NULL;
    size_t before = f->out->len;
    namenode_lock(f->nn);
    if (load_now(f, &now, id, &n))
        check_file_locked(f, n);
    txn_end(&now);
    namenode_unlock(f->nn);
    if (f->out->len > REPORT_BYTES_MAX) {
        f->out->len = before;
        if (!f->cut)
            buf_printf(f->out, "\n[... too much to show, only the sums follow ...]\n");
        f->cut = true;
    }
}

/* ---- the walk ---- */

struct frame {
    uint64_t directory;
    size_t path_len;
    char after[KEY_NAME_MAX + 1]; /* the child last looked at */
};

static void enter(struct fsck *f, struct frame *frame, uint64_t directory)
{
    frame->directory = directory;
    frame->path_len = f->path.len;
    frame->after[0] = 0;
    f->sums.directories++;
    if (f->o.files && !f->cut)
        buf_printf(f->out, "%s <dir>\n", f->path.len ? buf_cstr(&f->path) : "/");
}

static int check_may(struct fsck *f, const struct inode *n, struct err *reterr)
{
    unsigned access = inode_is_dir(n) ? ACCESS_READ_EXECUTE : inode_is_file(n) ? ACCESS_READ : ACCESS_NONE;
    return access_check(&f->user, n, access, f->path.len ? buf_cstr(&f->path) : "/", reterr);
}

/* Goes on in the directory until a subdirectory is met (*ret_child) or it ends (0). */
static int walk_directory(struct fsck *f, struct frame *at, uint64_t *ret_child, struct err *reterr)
{
    struct dir_iter d;
    struct inode dir = {.id = at->directory, .as_of = f->as_of};
    int rc = 0;
    *ret_child = 0;
    dir_iter_open(&d, &f->t, &dir, at->after, strlen(at->after));
    while (!*ret_child && dir_iter_next(&d)) {
        struct inode *n = NULL;
        snprintf(at->after, sizeof at->after, "%.*s", (int)d.name_len, d.name);
        txn_reset(&f->t);
        rc = dir_iter_inode(&d, &f->t, &n, reterr);
        if (rc)
            break;
        f->path.len = at->path_len;
        buf_printf(&f->path, "/%s", at->after);
        rc = check_may(f, n, reterr);
        if (rc)
            break;
        if (inode_is_dir(n)) {
            *ret_child = n->id;
        } else if (inode_is_file(n)) {
            check_file(f, n->id);
        } else {
            f->sums.symlinks++;
            if (f->o.files && !f->cut)
                buf_printf(f->out, "%s <symlink>\n", buf_cstr(&f->path));
        }
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : reterr);
    return rc ? rc : close_rc;
}

static int walk(struct fsck *f, uint64_t top, struct err *reterr)
{
    size_t depth = 1, capacity = 16;
    struct frame *frames = mem_calloc(capacity, sizeof *frames);
    int rc = 0;
    enter(f, &frames[0], top);
    while (depth && !rc) {
        uint64_t child = 0;
        rc = walk_directory(f, &frames[depth - 1], &child, reterr);
        if (!child) {
            depth--;
            continue;
        }
        if (depth == capacity && depth < DEPTH_MAX) {
            capacity *= 2;
            frames = mem_realloc_array(frames, capacity, sizeof *frames);
        }
        if (depth < capacity)
            enter(f, &frames[depth++], child);
    }
    free(frames);
    return rc;
}

/* ---- sums ---- */

/* As Java prints a float. */
static void print_share(struct buf *b, uint64_t part, uint64_t whole)
{
    char text[32];
    if (!whole)
        return;
    snprintf(text, sizeof text, "%.8g", (double)((float)part * 100 / (float)whole));
    buf_printf(b, " (%s%s %%)", text, strchr(text, '.') ? "" : ".0");
}

static void print_line(struct buf *b, const char *name, uint64_t value, uint64_t whole)
{
    buf_printf(b, "\n %s%" PRIu64, name, value);
    print_share(b, value, whole);
}

static void print_replicated(struct fsck *f, struct buf *b)
{
    const struct fsck_sums *s = &f->sums;
    buf_printf(b, " Total size:\t%" PRIu64 " B", s->bytes);
    if (s->open_bytes)
        buf_printf(b, " (Total open files size: %" PRIu64 " B)", s->open_bytes);
    buf_printf(b, "\n Total files:\t%" PRIu64, s->files);
    if (s->open_files)
        buf_printf(b, " (Files currently being written: %" PRIu64 ")", s->open_files);
    buf_printf(b, "\n Total blocks (validated):\t%" PRIu64, s->blocks);
    if (s->blocks)
        buf_printf(b, " (avg. block size %" PRIu64 " B)", s->bytes / s->blocks);
    if (s->open_blocks)
        buf_printf(b, " (Total open file blocks (not validated): %" PRIu64 ")", s->open_blocks);
    if (s->damaged_files || s->under_min) {
        static const char stars[] = "\n  ********************************";
        buf_append_str(b, stars);
        if (s->under_min) {
            buf_printf(b, "\n  UNDER MIN REPL'D BLOCKS:\t%" PRIu64, s->under_min);
            print_share(b, s->under_min, s->blocks);
            buf_printf(b, "\n  MINIMAL BLOCK REPLICATION:\t%u", f->nn->dir->limits.replication_min);
        }
        if (s->damaged_files)
            buf_printf(b, "\n  CORRUPT FILES:\t%" PRIu64, s->damaged_files);
        if (s->missing)
            buf_printf(b, "\n  MISSING BLOCKS:\t%" PRIu64 "\n  MISSING SIZE:\t\t%" PRIu64 " B", s->missing,
                       s->missing_bytes);
        if (s->corrupt)
            buf_printf(b, "\n  CORRUPT BLOCKS: \t%" PRIu64 "\n  CORRUPT SIZE:\t\t%" PRIu64 " B", s->corrupt,
                       s->corrupt_bytes);
        buf_append_str(b, stars);
    }
    print_line(b, "Minimally replicated blocks:\t", s->min_replicated, s->blocks);
    print_line(b, "Over-replicated blocks:\t", s->over, s->blocks);
    print_line(b, "Under-replicated blocks:\t", s->under, s->blocks);
    print_line(b, "Mis-replicated blocks:\t\t", s->misplaced, s->blocks);
    char average[32];
    snprintf(average, sizeof average, "%.8g", s->blocks ? (double)((float)s->replicas / (float)s->blocks) : 0.0);
    buf_printf(b,
               "\n Default replication factor:\t%lld\n Average block replication:\t%s%s\n Missing blocks:\t\t%" PRIu64
               "\n Corrupt blocks:\t\t%" PRIu64,
               (long long)config_int(f->nn->config, "dfs.replication"), average, strchr(average, '.') ? "" : ".0",
               s->missing, s->corrupt);
    print_line(b, "Missing replicas:\t\t", s->replicas_missing, s->replicas ? s->replicas_expected : 0);
    if (s->decommissioned)
        print_line(b, "DecommissionedReplicas:\t", s->decommissioned, 0);
    if (s->decommissioning)
        print_line(b, "DecommissioningReplicas:\t", s->decommissioning, 0);
    buf_append_str(b, "\n Blocks queued for replication:\t0\n");
}

static void count_nodes(struct namenode *nn, size_t *ret_nodes, size_t *ret_racks)
{
    struct arena a;
    const struct datanode_info **nodes = NULL;
    arena_init(&a, 64u << 20);
    size_t racks = 0, count = blocks_datanodes(nn->blocks, DATANODES_LIVE, &a, &nodes);
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < i && strcmp(nodes[i]->rack, nodes[j]->rack))
            j++;
        racks += j == i;
    }
    *ret_nodes = count;
    *ret_racks = racks;
    arena_free(&a);
}

static const char *date_text(char out[64])
{
    time_t now = time(NULL);
    struct tm tm;
    strftime(out, 64, "%a %b %d %H:%M:%S %Z %Y", localtime_r(&now, &tm));
    return out;
}

static void print_summary(struct fsck *f, const char *path, int64_t started_ms)
{
    char date[64];
    size_t nodes, racks;
    bool healthy = !f->sums.damaged_files;
    namenode_lock(f->nn);
    count_nodes(f->nn, &nodes, &racks);
    namenode_unlock(f->nn);
    buf_printf(f->out,
               "\nStatus: %s\n Number of data-nodes:\t%zu\n Number of racks:\t\t%zu\n Total dirs:\t\t\t%" PRIu64
               "\n Total symlinks:\t\t%" PRIu64 "\n\nReplicated Blocks:\n",
               healthy ? "HEALTHY" : "CORRUPT", nodes, racks, f->sums.directories, f->sums.symlinks);
    print_replicated(f, f->out);
    buf_printf(
        f->out,
        "\nErasure Coded Block Groups:\n Total size:\t0 B\n Total files:\t0\n Total block groups (validated):\t0\n"
        " Minimally erasure-coded block groups:\t0\n Over-erasure-coded block groups:\t0\n"
        " Under-erasure-coded block groups:\t0\n Unsatisfactory placement block groups:\t0\n"
        " Average block group size:\t0.0\n Missing block groups:\t\t0\n Corrupt block groups:\t\t0\n"
        " Missing internal blocks:\t0\n Blocks queued for replication:\t0\n"
        "FSCK ended at %s in %lld milliseconds\n",
        date_text(date), (long long)(clock_mono_ms() - started_ms));
    buf_printf(f->out, "\n\nThe filesystem under path '%s' is %s", path, healthy ? "HEALTHY" : "CORRUPT");
}

/* ---- what else fsck does ---- */

static void delete_damaged(struct fsck *f)
{
    for (size_t i = 0; i < f->damaged_count; i++) {
        struct txn t;
        struct file_op o = {f->nn, &t, (uint64_t)clock_mono_ms()};
        struct err why = {0};
        bool deleted = false;
        namenode_lock(f->nn);
        txn_begin(&t, f->nn->dir, (uint64_t)clock_wall_ns());
        int rc = blocks_in_safe_mode(f->nn->blocks) ? err_set(&why, ERR_SAFE_MODE, "Name node is in safe mode.")
                                                    : tree_delete(&t, &f->user, f->damaged[i], false, &deleted, &why);
        rc = rc ? rc : file_commit(&o, &why);
        f->nn->reap_pending += deleted;
        uint64_t seq = journal_latest(f->nn->journal);
        txn_end(&t);
        namenode_unlock(f->nn);
        if (rc)
            buf_printf(f->out, "\n%s: not deleted: %s\n", f->damaged[i], why.text);
        else
            journal_wait(f->nn->journal, seq);
    }
}

static void list_corrupt(struct fsck *f, const char *path)
{
    buf_clear(f->out);
    buf_printf(f->out, "Cookie:\t0\n");
    for (size_t i = 0; i < f->damaged_count; i++)
        buf_printf(f->out, "%s\n", f->damaged[i]);
    char count[32] = "no";
    if (f->damaged_count)
        snprintf(count, sizeof count, "%zu", f->damaged_count);
    buf_printf(f->out, "\n\nThe filesystem under path '%s' has %s CORRUPT files\n", path, count);
}

static void fsck_block(struct namenode *nn, const char *text, struct buf *out)
{
    uint64_t id = strtoull(!strncmp(text, "blk_", 4) ? text + 4 : text, NULL, 10);
    struct txn t;
    struct block_record record;
    struct block_health h = {0};
    struct block_location l[BLOCK_LOCATIONS_MAX];
    struct inode *n = NULL;
    const char *path = NULL;
    namenode_lock(nn);
    txn_begin(&t, nn->dir, 0);
    if (txn_block(&t, id, &record, NULL) || txn_inode(&t, record.inode_id, &n, NULL) || txn_path(&t, n, &path, NULL)) {
        buf_printf(out, "Block %s does not exist\n", text);
    } else {
        blocks_health(nn->blocks, id, &h);
        size_t count = blocks_locations(nn->blocks, id, NULL, l, BLOCK_LOCATIONS_MAX);
        buf_printf(
            out,
            "Block Id: %s\nBlock belongs to: %s\nNo. of Expected Replica: %u\nNo. of live Replica: %u\n"
            "No. of excess Replica: %u\nNo. of stale Replica: %u\nNo. of decommissioned Replica: %u\n"
            "No. of decommissioning Replica: %u\nNo. of corrupted Replica: %u\n",
            text, path, record.replication, h.live, h.excess, h.stale, h.decommissioned, h.decommissioning, h.corrupt);
        for (size_t i = 0; i < count; i++)
            buf_printf(out, "Block replica on datanode/rack: %s%s is %s\n", l[i].node->hostname, l[i].node->rack,
                       l[i].corrupt       ? "CORRUPT"
                       : l[i].node->stale ? "STALE"
                                          : "HEALTHY");
    }
    txn_end(&t);
    namenode_unlock(nn);
}

/* One or more, with spaces between. */
static void fsck_blocks(struct namenode *nn, const char *ids, struct buf *out)
{
    char *copy = mem_strdup(ids), *save = NULL;
    for (char *id = strtok_r(copy, " ", &save); id; id = strtok_r(NULL, " ", &save)) {
        if (!strstr(id, "blk_")) {
            buf_printf(out, "Incorrect blockId format: %s\n", id);
            continue;
        }
        buf_append_str(out, "\n");
        fsck_block(nn, id, out);
    }
    free(copy);
}

static int fsck_path(struct fsck *f, const char *path, struct err *reterr)
{
    struct path p;
    int rc = path_resolve(&f->t, &f->user, path, PATH_NO_FOLLOW | PATH_SNAPSHOT, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    f->as_of = n->as_of;
    if (p.count)
        buf_append_str(&f->path, p.text);
    rc = check_may(f, n, reterr);
    if (rc)
        return rc;
    if (inode_is_dir(n))
        return walk(f, n->id, reterr);
    f->sums.symlinks += !inode_is_file(n);
    if (inode_is_file(n))
        check_file(f, n->id);
    return 0;
}

static void print_failure(struct fsck *f, const char *path, const struct err *why, int64_t started_ms)
{
    char date[64];
    buf_printf(f->out, "FSCK ended at %s in %lld milliseconds\n%s\n\n\nFsck on path '%s' FAILED", date_text(date),
               (long long)(clock_mono_ms() - started_ms), why->text, path);
}

void fsck_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct namenode *nn = context;
    const char *path = http_query(request, "path"), *user = http_query(request, "ugi"),
               *blocks = http_query(request, "blockId");
    struct fsck f = {.nn = nn, .out = &reply->body};
    f.o = (struct fsck_options){
        .files = http_query(request, "files"),
        .blocks = http_query(request, "blocks"),
        .locations = http_query(request, "locations"),
        .racks = http_query(request, "racks"),
        .details = http_query(request, "replicadetails"),
        .open_files = http_query(request, "openforwrite"),
        .delete = http_query(request, "delete"),
        .list_corrupt = http_query(request, "listcorruptfileblocks"),
    };
    char date[64];
    struct err why = {0};
    int64_t started_ms = clock_mono_ms();
    path = path && *path ? path : "/";
    user = user && *user ? user : "dr.who";
    fs_user_load(&f.user, nn->dir, user);
    if (blocks && access_check_super(&f.user, &why)) {
        print_failure(&f, path, &why, started_ms);
        return;
    }
    if (blocks) {
        buf_printf(f.out, "FSCK started by %s (auth:SIMPLE) from /%s at %s\n", user, http_client_ip(request), date_text(date));
        fsck_blocks(nn, blocks, f.out);
        return;
    }
    if (http_query(request, "showprogress"))
        buf_append_str(f.out, "The fsck switch -showprogress is deprecated and no longer has any effect. Progress is now "
                              "shown by default.\n");
    buf_printf(f.out, "FSCK started by %s (auth:SIMPLE) from /%s for path %s at %s\n\n", user, http_client_ip(request),
               path, date_text(date));
    txn_begin_snapshot(&f.t, nn->dir);
    int rc = fsck_path(&f, path, &why);
    txn_end(&f.t);
    if (rc == ERR_NOT_FOUND) {
        buf_printf(f.out, "\n\nPath '%s' does not exist", path);
    } else if (rc) {
        print_failure(&f, path, &why, started_ms);
    } else {
        if (f.o.delete)
            delete_damaged(&f);
        if (f.damaged_count && http_query(request, "move"))
            buf_append_str(f.out, "-move is not supported: damaged files stay where they are\n");
        if (f.o.list_corrupt)
            list_corrupt(&f, path);
        else
            print_summary(&f, path, started_ms);
    }
    for (size_t i = 0; i < f.damaged_count; i++)
        free(f.damaged[i]);
    free(f.damaged);
    buf_free(&f.path);
}
