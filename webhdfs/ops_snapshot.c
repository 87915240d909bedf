/* Snapshots: making, naming, comparing, listing. */
#include <string.h>

#include "webhdfs/call.h"
#include "webhdfs/json_shapes.h"

int webhdfs_allow_snapshot(struct webhdfs_call *c)
{
    REQUEST(AllowSnapshot, allow_snapshot, q);
    q.snapshotroot = (char *)c->path;
    int rc = DO(c, "allowSnapshot", allow_snapshot, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_disallow_snapshot(struct webhdfs_call *c)
{
    REQUEST(DisallowSnapshot, disallow_snapshot, q);
    q.snapshotroot = (char *)c->path;
    int rc = DO(c, "disallowSnapshot", disallow_snapshot, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_create_snapshot(struct webhdfs_call *c)
{
    REQUEST(CreateSnapshot, create_snapshot, q);
    Hdfs__CreateSnapshotResponseProto *a = NULL;
    q.snapshotroot = (char *)c->path;
    q.snapshotname = (char *)param_text(c, PARAM_SNAPSHOTNAME);
    int rc = ASK(c, "createSnapshot", CreateSnapshot, create_snapshot, &q, &a);
    return rc < 0 ? rc : reply_path(c, a->snapshotpath);
}

int webhdfs_rename_snapshot(struct webhdfs_call *c)
{
    REQUEST(RenameSnapshot, rename_snapshot, q);
    int rc = param_required(c, PARAM_OLDSNAPSHOTNAME);
    rc = rc < 0 ? rc : param_required(c, PARAM_SNAPSHOTNAME);
    if (rc < 0)
        return rc;
    q.snapshotroot = (char *)c->path;
    q.snapshotoldname = (char *)param_text(c, PARAM_OLDSNAPSHOTNAME);
    q.snapshotnewname = (char *)param_text(c, PARAM_SNAPSHOTNAME);
    rc = DO(c, "renameSnapshot", rename_snapshot, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_delete_snapshot(struct webhdfs_call *c)
{
    REQUEST(DeleteSnapshot, delete_snapshot, q);
    int rc = param_required(c, PARAM_SNAPSHOTNAME);
    if (rc < 0)
        return rc;
    q.snapshotroot = (char *)c->path;
    q.snapshotname = (char *)param_text(c, PARAM_SNAPSHOTNAME);
    rc = DO(c, "deleteSnapshot", delete_snapshot, &q);
    return rc < 0 ? rc : reply_empty(c);
}

/* ---- differences ---- */

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static void json_diff_entry(struct buf *b, const Hdfs__SnapshotDiffReportEntryProto *e)
{
    const char *type = strcmp(e->modificationlabel, "+") == 0   ? "CREATE"
                       : strcmp(e->modificationlabel, "-") == 0 ? "DELETE"
                       : strcmp(e->modificationlabel, "R") == 0 ? "RENAME"
                                                                : "MODIFY";
    json_begin(b, NULL, '{');
    json_bytes(b, "sourcePath", e->fullpath.data, e->fullpath.len);
    if (e->has_targetpath)
        json_bytes(b, "targetPath", e->targetpath.data, e->targetpath.len);
    json_text(b, "type", type);
    json_end(b, '}');
}

int webhdfs_get_snapshot_diff(struct webhdfs_call *c)
{
    REQUEST(GetSnapshotDiffReport, get_snapshot_diff_report, q);
    Hdfs__GetSnapshotDiffReportResponseProto *a = NULL;
    q.snapshotroot = (char *)c->path;
    q.fromsnapshot = (char *)text_or_empty(param_text(c, PARAM_OLDSNAPSHOTNAME));
    q.tosnapshot = (char *)text_or_empty(param_text(c, PARAM_SNAPSHOTNAME));
    int rc = ASK(c, "getSnapshotDiffReport", GetSnapshotDiffReport, get_snapshot_diff_report, &q, &a);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshotDiffReportProto *r = a->diffreport;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "SnapshotDiffReport", '{');
    json_begin(b, "diffList", '[');
    for (size_t i = 0; i < r->n_diffreportentries; i++)
        json_diff_entry(b, r->diffreportentries[i]);
    json_end(b, ']');
    json_text(b, "fromSnapshot", r->fromsnapshot);
    json_text(b, "snapshotRoot", r->snapshotroot);
    json_text(b, "toSnapshot", r->tosnapshot);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

static void json_listing_entries(struct buf *b, const char *key, Hdfs__SnapshotDiffReportListingEntryProto *const *list,
                                 size_t count)
{
    json_begin(b, key, '[');
    for (size_t i = 0; i < count; i++) {
        json_begin(b, NULL, '{');
        json_int(b, "dirId", (int64_t)list[i]->dirid);
        json_int(b, "fileId", (int64_t)list[i]->fileid);
        json_bool(b, "isReference", list[i]->isreference);
        json_bytes(b, "sourcePath", list[i]->fullpath.data, list[i]->fullpath.len);
        if (list[i]->has_targetpath)
            json_bytes(b, "targetPath", list[i]->targetpath.data, list[i]->targetpath.len);
        json_end(b, '}');
    }
    json_end(b, ']');
}

int webhdfs_get_snapshot_diff_listing(struct webhdfs_call *c)
{
    REQUEST(GetSnapshotDiffReportListing, get_snapshot_diff_report_listing, q);
    Hdfs__GetSnapshotDiffReportListingResponseProto *a = NULL;
    Hdfs__SnapshotDiffReportCursorProto cursor;
    const char *start = text_or_empty(param_text(c, PARAM_DIFF_PATH));
    hdfs__snapshot_diff_report_cursor_proto__init(&cursor);
    cursor.startpath = (ProtobufCBinaryData){strlen(start), (uint8_t *)start};
    cursor.index = (int32_t)param(c, PARAM_DIFF_INDEX)->number;
    q.snapshotroot = (char *)c->path;
    q.fromsnapshot = (char *)text_or_empty(param_text(c, PARAM_OLDSNAPSHOTNAME));
    q.tosnapshot = (char *)text_or_empty(param_text(c, PARAM_SNAPSHOTNAME));
    q.cursor = &cursor;
    int rc =
        ASK(c, "getSnapshotDiffReportListing", GetSnapshotDiffReportListing, get_snapshot_diff_report_listing, &q, &a);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshotDiffReportListingProto *r = a->diffreport;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "SnapshotDiffReportListing", '{');
    json_listing_entries(b, "createList", r->createdentries, r->n_createdentries);
    json_listing_entries(b, "deleteList", r->deletedentries, r->n_deletedentries);
    json_bool(b, "isFromEarlier", r->isfromearlier);
    json_int(b, "lastIndex", r->cursor ? r->cursor->index : -1);
    json_bytes(b, "lastPath", r->cursor ? r->cursor->startpath.data : NULL, r->cursor ? r->cursor->startpath.len : 0);
    json_listing_entries(b, "modifyList", r->modifiedentries, r->n_modifiedentries);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

/* ---- lists ---- */

int webhdfs_get_snapshottable_list(struct webhdfs_call *c)
{
    REQUEST(GetSnapshottableDirListing, get_snapshottable_dir_listing, q);
    Hdfs__GetSnapshottableDirListingResponseProto *a = NULL;
    int rc = ASK(c, "getSnapshottableDirListing", GetSnapshottableDirListing, get_snapshottable_dir_listing, &q, &a);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshottableDirectoryListingProto *list = a->snapshottabledirlist;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    if (!list)
        json_text(b, "SnapshottableDirectoryList", NULL);
    else
        json_begin(b, "SnapshottableDirectoryList", '[');
    for (size_t i = 0; list && i < list->n_snapshottabledirlisting; i++) {
        const Hdfs__SnapshottableDirectoryStatusProto *s = list->snapshottabledirlisting[i];
        json_begin(b, NULL, '{');
        json_file_status(b, "dirStatus", s->dirstatus);
        json_bytes(b, "parentFullPath", s->parent_fullpath.data, s->parent_fullpath.len);
        json_int(b, "snapshotNumber", s->snapshot_number);
        json_int(b, "snapshotQuota", s->snapshot_quota);
        json_end(b, '}');
    }
    if (list)
        json_end(b, ']');
    json_end(b, '}');
    return 0;
}

/* "/d/.snapshot/s" of parent "/d". */
static void json_snapshot_path(struct buf *b, const Hdfs__SnapshotStatusProto *s)
{
    AUTO(buf_free) struct buf path = {0};
    buf_append(&path, s->parent_fullpath.data, s->parent_fullpath.len);
    if (path.len == 0 || path.base[path.len - 1] != '/')
        buf_append_str(&path, "/");
    buf_append_str(&path, ".snapshot/");
    buf_append(&path, s->dirstatus->path.data, s->dirstatus->path.len);
    json_bytes(b, "fullPath", path.base, path.len);
}

int webhdfs_get_snapshot_list(struct webhdfs_call *c)
{
    REQUEST(GetSnapshotListing, get_snapshot_listing, q);
    Hdfs__GetSnapshotListingResponseProto *a = NULL;
    q.snapshotroot = (char *)c->path;
    int rc = ASK(c, "getSnapshotListing", GetSnapshotListing, get_snapshot_listing, &q, &a);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshotListingProto *list = a->snapshotlist;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    if (!list)
        json_text(b, "SnapshotList", NULL);
    else
        json_begin(b, "SnapshotList", '[');
    for (size_t i = 0; list && i < list->n_snapshotlisting; i++) {
        const Hdfs__SnapshotStatusProto *s = list->snapshotlisting[i];
        json_begin(b, NULL, '{');
        json_text(b, "deletionStatus", s->isdeleted ? "DELETED" : "ACTIVE");
        json_file_status(b, "dirStatus", s->dirstatus);
        json_snapshot_path(b, s);
        json_int(b, "snapshotID", s->snapshotid);
        json_end(b, '}');
    }
    if (list)
        json_end(b, ']');
    json_end(b, '}');
    return 0;
}
