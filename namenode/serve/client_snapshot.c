/* ClientProtocol: snapshots. */
#include <stdlib.h>
#include <string.h>

#include "namenode/housekeeping.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/snapshots.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"
#include "namenode/serve/status.h"

static int check_super_and_safe_mode(struct op *op, const char *method, const char *doing, const char *path)
{
    if (!op->user.is_super)
        return err_set(&op->err, ERR_ACCESS,
                       "Access denied for user %s. Superuser privilege is required for operation %s", op->user.name,
                       method);
    return op_check_safe_mode(op, doing, path);
}

void client_allow_snapshot(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AllowSnapshotRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__allow_snapshot_response_proto, Hdfs__AllowSnapshotResponseProto);
    int rc = check_super_and_safe_mode(&op, "allowSnapshot", "allow snapshot for", q->snapshotroot);
    rc = rc ? rc : snapshot_allow(&op.t, q->snapshotroot, &op.err);
    op_end(&op, rc, &response->base);
}

void client_disallow_snapshot(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__DisallowSnapshotRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__disallow_snapshot_response_proto, Hdfs__DisallowSnapshotResponseProto);
    int rc = check_super_and_safe_mode(&op, "disallowSnapshot", "disallow snapshot for", q->snapshotroot);
    rc = rc ? rc : snapshot_disallow(&op.t, q->snapshotroot, &op.err);
    op_end(&op, rc, &response->base);
}

void client_create_snapshot(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CreateSnapshotRequestProto *q = (const void *)message;
    struct op op;
    const char *path = "";
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__create_snapshot_response_proto, Hdfs__CreateSnapshotResponseProto);
    int rc = op_check_safe_mode(&op, "create snapshot for", q->snapshotroot);
    if (!rc && path_length(q->snapshotroot) > op.nn->dir->limits.path_chars)
        rc = err_set(&op.err, ERR_IO, "createSnapshot: Pathname too long.  Limit %zu characters, %zu levels.",
                     op.nn->dir->limits.path_chars, op.nn->dir->limits.depth);
    rc = rc ? rc : snapshot_create(&op.t, &op.user, q->snapshotroot, q->snapshotname, &path, &op.err);
    response->snapshotpath = (char *)(uintptr_t)path;
    txn_final(&op.t, op.t.now_ns / 1000000); /* of which a name was made, if none was given */
    op_end(&op, rc, &response->base);
}

void client_rename_snapshot(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RenameSnapshotRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__rename_snapshot_response_proto, Hdfs__RenameSnapshotResponseProto);
    int rc = op_check_safe_mode(&op, "rename snapshot for", q->snapshotroot);
    rc = rc ? rc : snapshot_rename(&op.t, &op.user, q->snapshotroot, q->snapshotoldname, q->snapshotnewname, &op.err);
    op_end(&op, rc, &response->base);
}

void client_delete_snapshot(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__DeleteSnapshotRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__delete_snapshot_response_proto, Hdfs__DeleteSnapshotResponseProto);
    int rc = op_check_safe_mode(&op, "delete snapshot for", q->snapshotroot);
    rc = rc ? rc : snapshot_delete(&op.t, &op.user, q->snapshotroot, q->snapshotname, &op.err);
    txn_final(&op.t, 0);
    rc = rc ? rc : file_commit(&op.file, &op.err);
    if (!rc) {
        reap_little(op.nn);
        op.nn->reap_pending++;
        pthread_cond_signal(&op.nn->housekeeping_wake);
    }
    op_end(&op, rc, &response->base);
}

/* ---- lists ---- */

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

/* *ret_path and *ret_parent: "" if there is nothing above. */
static bool paths_of(struct op *op, struct inode *n, const char **ret_path, const char **ret_parent)
{
    if (txn_path(&op->t, n, ret_path, NULL))
        return false; /* deleted, the reaper is on its way */
    const char *slash = strrchr(*ret_path, '/');
    size_t len = (size_t)(slash - *ret_path);
    *ret_parent = n->id == INODE_ROOT ? "" : arena_strndup(&op->t.arena, len ? *ret_path : "/", len ? len : 1);
    return true;
}

struct sortable {
    const char *path;
    Hdfs__SnapshottableDirectoryStatusProto *status;
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct sortable *)a)->path, ((const struct sortable *)b)->path);
}

static int list_snapshottable(struct op *op, Hdfs__SnapshottableDirectoryListingProto *ret)
{
    size_t max = history_snapshottable_count(op->nn->dir);
    struct sortable *list = arena_array(op->arena, struct sortable, max + 1);
    size_t count = 0;
    for (size_t i = 0; i < max; i++) {
        struct inode *n = NULL;
        const char *path, *parent;
        int rc = txn_inode(&op->t, history_snapshottable_at(op->nn->dir, i), &n, &op->err);
        if (rc)
            return rc;
        if ((!op->user.is_super && strcmp(op->user.name, n->owner)) || !paths_of(op, n, &path, &parent))
            continue;
        Hdfs__SnapshottableDirectoryStatusProto *s = arena_new(op->arena, Hdfs__SnapshottableDirectoryStatusProto);
        hdfs__snapshottable_directory_status_proto__init(s);
        s->dirstatus = status_of(op->arena, n, n->name);
        s->dirstatus->flags = 0;
        s->snapshot_quota = SNAPSHOT_QUOTA;
        s->snapshot_number = (uint32_t)n->snapshot_count;
        s->parent_fullpath = bytes_of(parent);
        list[count++] = (struct sortable){path, s};
    }
    if (count)
        qsort(list, count, sizeof *list, by_path);
    ret->n_snapshottabledirlisting = count;
    ret->snapshottabledirlisting = arena_array(op->arena, Hdfs__SnapshottableDirectoryStatusProto *, count + 1);
    for (size_t i = 0; i < count; i++)
        ret->snapshottabledirlisting[i] = list[i].status;
    return 0;
}

void client_get_snapshottable_dir_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_snapshottable_dir_listing_response_proto, Hdfs__GetSnapshottableDirListingResponseProto);
    Hdfs__SnapshottableDirectoryListingProto listing = HDFS__SNAPSHOTTABLE_DIRECTORY_LISTING_PROTO__INIT;
    int rc = list_snapshottable(&op, &listing);
    if (history_snapshottable_count(op.nn->dir))
        response->snapshottabledirlist = &listing;
    op_end_read(&op, rc, &response->base);
}

static int list_snapshots(struct op *op, struct inode *n, Hdfs__SnapshotListingProto *ret)
{
    const char *path = "", *parent;
    struct dir_iter d;
    if (!paths_of(op, n, &path, &parent))
        return err_set(&op->err, ERR_NOT_FOUND, "the directory was deleted");
    int rc = 0;
    ret->snapshotlisting = arena_array(op->arena, Hdfs__SnapshotStatusProto *, n->snapshot_count + 1);
    dir_iter_open(&d, &op->t, history_list(&op->t, n), "", 0);
    while (ret->n_snapshotlisting < n->snapshot_count && dir_iter_next(&d)) {
        struct inode *snapshot = NULL;
        rc = dir_iter_inode(&d, &op->t, &snapshot, &op->err);
        if (rc)
            break;
        Hdfs__SnapshotStatusProto *s = arena_new(op->arena, Hdfs__SnapshotStatusProto);
        hdfs__snapshot_status_proto__init(s);
        s->dirstatus = status_of(op->arena, snapshot, snapshot->name);
        s->snapshotid = (uint32_t)(snapshot->as_of - 1); /* Hadoop counts from 0 */
        s->parent_fullpath = bytes_of(path);
        ret->snapshotlisting[ret->n_snapshotlisting++] = s;
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : &op->err);
    return rc ? rc : close_rc;
}

void client_get_snapshot_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetSnapshotListingRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    struct inode *n = NULL;
    op_begin_walk(&op, context, call); /* there may be many */
    OP_RESPONSE(&op, hdfs__get_snapshot_listing_response_proto, Hdfs__GetSnapshotListingResponseProto);
    Hdfs__SnapshotListingProto listing = HDFS__SNAPSHOT_LISTING_PROTO__INIT;
    int rc = path_resolve(&op.t, &op.user, q->snapshotroot, PATH_MAY_MISS | PATH_SNAPSHOT, &p, &op.err);
    if (!rc && path_target(&p))
        rc = access_check(&op.user, path_target(&p), ACCESS_READ, p.text, &op.err);
    rc = rc ? rc : snapshot_root(&op.t, &p, p.text, &n, &op.err);
    rc = rc ? rc : list_snapshots(&op, n, &listing);
    response->snapshotlist = &listing;
    op_end_walk(&op, rc, &response->base);
}
