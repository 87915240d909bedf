/* ClientProtocol: what changed between two snapshots; the report in one piece, or page by page. */
#include <string.h>

#include "common/clock.h"
#include "namenode/namespace/snapshot_diff.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/diff_pages.h"
#include "namenode/serve/op.h"

#define MEMORY_MAX         ((size_t)2 << (sizeof(size_t) > 4 ? 31 : 29)) /* 4 GiB, or what fits */
#define ANSWER_MEMORY_MAX  (MEMORY_MAX / 4 * 3)                          /* half is for the differences themselves */
#define REPORT_ENTRIES_MAX 1000000                                       /* in one answer: clients take 128 MiB */

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static const char *joined(struct arena *a, const char *parent, const char *name)
{
    return *parent ? arena_printf(a, "%s/%s", parent, name) : name;
}

static size_t entry_count(const struct snapshot_diff *d)
{
    size_t count = d->count;
    for (size_t i = 0; i < d->count; i++)
        count += d->nodes[i].created_count + d->nodes[i].deleted_count;
    return count;
}

/* ---- in one piece ---- */

static void add_entry(struct arena *a, Hdfs__SnapshotDiffReportProto *r, const char *label, const char *path,
                      const char *target)
{
    Hdfs__SnapshotDiffReportEntryProto *e = arena_new(a, Hdfs__SnapshotDiffReportEntryProto);
    hdfs__snapshot_diff_report_entry_proto__init(e);
    e->modificationlabel = (char *)(uintptr_t)label;
    e->fullpath = bytes_of(path);
    e->has_targetpath = target != NULL;
    e->targetpath = bytes_of(target ? target : "");
    r->diffreportentries[r->n_diffreportentries++] = e;
}

static void add_node(struct arena *a, Hdfs__SnapshotDiffReportProto *r, const struct diff_node *n, bool forward)
{
    add_entry(a, r, "M", n->path, NULL);
    for (size_t i = 0; i < n->created_count && a->total < ANSWER_MEMORY_MAX; i++)
        if (!n->created[i].is_moved)
            add_entry(a, r, forward ? "+" : "-", joined(a, n->path, n->created[i].name), NULL);
    for (size_t i = 0; i < n->deleted_count && a->total < ANSWER_MEMORY_MAX; i++) {
        const char *path = joined(a, n->path, n->deleted[i].name), *target = n->deleted[i].target;
        if (target)
            add_entry(a, r, "R", forward ? path : target, forward ? target : path);
        else
            add_entry(a, r, forward ? "-" : "+", path, NULL);
    }
}

void client_get_snapshot_diff_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetSnapshotDiffReportRequestProto *q = (const void *)message;
    struct op op;
    struct arena a;
    struct snapshot_diff d;
    arena_init(&a, MEMORY_MAX);
    op_begin_walk(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_snapshot_diff_report_response_proto, Hdfs__GetSnapshotDiffReportResponseProto);
    Hdfs__SnapshotDiffReportProto report = HDFS__SNAPSHOT_DIFF_REPORT_PROTO__INIT;
    int rc = snapshot_diff(&op.t, &op.user, q->snapshotroot, q->fromsnapshot, q->tosnapshot, true, &a, &d, &op.err);
    size_t count = rc ? 0 : entry_count(&d);
    if (count > REPORT_ENTRIES_MAX)
        rc = err_set(&op.err, ERR_TOO_LARGE, "%zu differences are too many for one answer: compare subdirectories",
                     count);
    report.snapshotroot = (char *)(uintptr_t)(rc || !d.root ? q->snapshotroot : d.root);
    report.fromsnapshot = q->fromsnapshot;
    report.tosnapshot = q->tosnapshot;
    report.diffreportentries = arena_array(&a, Hdfs__SnapshotDiffReportEntryProto *, rc ? 0 : count);
    for (size_t i = 0; !rc && i < d.count; i++) {
        add_node(&a, &report, &d.nodes[i], d.is_from_earlier);
        if (a.total >= ANSWER_MEMORY_MAX)
            rc = err_set(&op.err, ERR_TOO_LARGE, "the differences are too long for one answer: compare subdirectories");
    }
    response->diffreport = &report;
    op_end_walk(&op, rc, &response->base);
    arena_free(&a);
}

/* ---- by pages: the cursor is the path of the directory or file to go on with, and which of its children (first those
 * created, then those deleted) comes next; -1: none was told yet, nor itself ---- */

struct page {
    struct arena *a;
    size_t left;
    Hdfs__SnapshotDiffReportListingProto *listing;
};

static Hdfs__SnapshotDiffReportListingEntryProto *listing_entry(struct page *p, uint64_t dir, uint64_t file,
                                                                const char *path, bool is_reference, const char *target)
{
    Hdfs__SnapshotDiffReportListingEntryProto *e = arena_new(p->a, Hdfs__SnapshotDiffReportListingEntryProto);
    hdfs__snapshot_diff_report_listing_entry_proto__init(e);
    e->fullpath = bytes_of(path);
    e->dirid = dir;
    e->has_fileid = 1;
    e->fileid = file;
    e->isreference = is_reference;
    e->has_targetpath = target != NULL;
    e->targetpath = bytes_of(target ? target : "");
    p->left--;
    return e;
}

static bool has_room(const struct page *p)
{
    return p->left && p->a->total < ANSWER_MEMORY_MAX;
}

/* false: the page is full; the cursor says where. */
static bool add_listed(struct page *p, const struct diff_node *n, int64_t index)
{
    Hdfs__SnapshotDiffReportListingProto *l = p->listing;
    size_t children = n->created_count + n->deleted_count, i = index < 0 ? 0 : (size_t)index;
    if (index < 0 && has_room(p))
        l->modifiedentries[l->n_modifiedentries++] = listing_entry(p, n->id, n->id, n->path, n->is_dir, NULL);
    else if (index < 0)
        i = SIZE_MAX;
    for (; i < children && has_room(p); i++) {
        bool is_created = i < n->created_count;
        const struct diff_child *c = is_created ? &n->created[i] : &n->deleted[i - n->created_count];
        const char *path = joined(p->a, n->path, c->name);
        Hdfs__SnapshotDiffReportListingEntryProto *e =
            listing_entry(p, n->id, c->id, path, is_created ? c->is_moved : c->target != NULL, c->target);
        if (is_created)
            l->createdentries[l->n_createdentries++] = e;
        else
            l->deletedentries[l->n_deletedentries++] = e;
    }
    if (i != SIZE_MAX && i >= children)
        return true;
    l->cursor->startpath = bytes_of(n->path);
    l->cursor->index = i == SIZE_MAX ? -1 : (int32_t)i;
    return false;
}

/* true: that was the last one. */
static bool fill_page(struct page *p, const struct snapshot_diff *d, const char *start, int64_t index)
{
    bool is_first = *start || index >= 0;
    size_t i = 0;
    while (is_first && i < d->count && snapshot_diff_compare(d->nodes[i].path, start) < 0)
        i++;
    for (; i < d->count; i++) {
        bool goes_on = is_first && !strcmp(d->nodes[i].path, start);
        is_first = false;
        if (!add_listed(p, &d->nodes[i], goes_on ? index : -1))
            return false;
    }
    return true;
}

/* Of who asks for what; pages of it differ in the cursor only. */
static const char *key_of_listing(struct op *op, const Hdfs__GetSnapshotDiffReportListingRequestProto *q)
{
    return arena_printf(op->arena, "%zu,%zu,%zu,%s%s%s%s", strlen(op->user.name), strlen(q->snapshotroot),
                        strlen(q->fromsnapshot), op->user.name, q->snapshotroot, q->fromsnapshot, q->tosnapshot);
}

/* What the page before this one left, or made anew. */
static int find_differences(struct op *op, const Hdfs__GetSnapshotDiffReportListingRequestProto *q, bool is_begin,
                            struct diff_kept **ret)
{
    const char *key = key_of_listing(op, q);
    *ret = is_begin ? NULL : diff_pages_take(op->nn->diff_pages, key);
    if (*ret)
        return 0;
    *ret = diff_kept_new(key, MEMORY_MAX);
    return snapshot_diff(&op->t, &op->user, q->snapshotroot, q->fromsnapshot, q->tosnapshot, false, &(*ret)->arena,
                         &(*ret)->diff, &op->err);
}

void client_get_snapshot_diff_report_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetSnapshotDiffReportListingRequestProto *q = (const void *)message;
    struct namenode *nn = context;
    struct op op;
    struct arena a;
    struct diff_kept *d = NULL;
    bool is_last = true;
    arena_init(&a, MEMORY_MAX);
    op_begin_walk(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_snapshot_diff_report_listing_response_proto,
                Hdfs__GetSnapshotDiffReportListingResponseProto);
    Hdfs__SnapshotDiffReportListingProto listing = HDFS__SNAPSHOT_DIFF_REPORT_LISTING_PROTO__INIT;
    Hdfs__SnapshotDiffReportCursorProto cursor = HDFS__SNAPSHOT_DIFF_REPORT_CURSOR_PROTO__INIT;
    size_t limit = (size_t)config_int(nn->config, "dfs.namenode.snapshotdiff.listing.limit");
    struct page page = {&a, limit, &listing};
    int64_t index = q->cursor ? q->cursor->index : -1;
    ProtobufCBinaryData start = q->cursor ? q->cursor->startpath : bytes_of("");
    int rc = find_differences(&op, q, index < 0 && !start.len, &d);
    cursor.index = -1;
    cursor.startpath = bytes_of("");
    listing.cursor = &cursor;
    if (!rc) {
        listing.modifiedentries = arena_array(&a, Hdfs__SnapshotDiffReportListingEntryProto *, limit);
        listing.createdentries = arena_array(&a, Hdfs__SnapshotDiffReportListingEntryProto *, limit);
        listing.deletedentries = arena_array(&a, Hdfs__SnapshotDiffReportListingEntryProto *, limit);
        listing.isfromearlier = d->diff.is_from_earlier;
        is_last = fill_page(&page, &d->diff, arena_strndup(&a, (const char *)start.data, start.len), index);
    }
    response->diffreport = &listing;
    op_end_walk(&op, rc, &response->base);
    if (is_last)
        diff_kept_free(d);
    else
        diff_pages_put(nn->diff_pages, d, (uint64_t)clock_mono_ms());
    arena_free(&a);
}
