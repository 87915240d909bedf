/* -createSnapshot, -deleteSnapshot, -renameSnapshot */
#include "client/fs/walk.h"
#include "hdfs/client_namenode.pb-c.h"
#include "client/lib/dfs.h"
#include "rpc/rpc_client.h"

static int check_directory(struct walk *w, struct item *it, struct err *reterr)
{
    return it->status.type == DFS_DIR ? 0 : path_error(reterr, ERR_NOT_DIR, it->text, "Is not a directory");
}

/* What the one operand left means; *ret NULL: it was told what is wrong with it. */
static int directory(struct shell *sh, struct args *args, struct item **ret, struct err *reterr)
{
    struct walk w = {.sh = sh, .on_path = check_directory};
    struct item *items;
    size_t count;
    *ret = NULL;
    int rc = walk_expand(sh, args, &items, &count, reterr);
    rc = rc < 0 ? rc : walk_items(&w, items, count, reterr);
    if (rc < 0 || sh->error_count || !count)
        return rc;
    if (!items[0].fs->dfs)
        return err_set(reterr, ERR_UNSUPPORTED, "%s: local files have no snapshots", items[0].text);
    *ret = &items[0];
    return 0;
}

static int call(struct shell *sh, struct item *dir, const char *method, const ProtobufCMessage *request,
                const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret, struct err *reterr)
{
    return rpc_client_call(dfs_namenode(dir->fs->dfs), method, request, response_type, &sh->arena, ret, reterr);
}

int create_snapshot_run(struct shell *sh, struct args *args, struct err *reterr)
{
    Hdfs__CreateSnapshotRequestProto request = HDFS__CREATE_SNAPSHOT_REQUEST_PROTO__INIT;
    struct item *dir;
    ProtobufCMessage *answer;
    if (!args->count)
        return shell_misuse(sh, reterr, "<snapshotDir> is missing.");
    if (args->count > 2)
        return shell_misuse(sh, reterr, "Too many arguments.");
    if (args->count == 2)
        request.snapshotname = args->v[--args->count];
    int rc = directory(sh, args, &dir, reterr);
    if (rc < 0 || !dir)
        return rc;
    request.snapshotroot = (char *)dir->path;
    rc = call(sh, dir, "createSnapshot", &request.base, &hdfs__create_snapshot_response_proto__descriptor, &answer,
              reterr);
    if (rc == 0)
        printf("Created snapshot %s\n", ((Hdfs__CreateSnapshotResponseProto *)answer)->snapshotpath);
    return rc;
}

int delete_snapshot_run(struct shell *sh, struct args *args, struct err *reterr)
{
    Hdfs__DeleteSnapshotRequestProto request = HDFS__DELETE_SNAPSHOT_REQUEST_PROTO__INIT;
    struct item *dir;
    ProtobufCMessage *answer;
    if (args->count != 2)
        return shell_misuse(sh, reterr, "Incorrect number of arguments.");
    request.snapshotname = args->v[--args->count];
    int rc = directory(sh, args, &dir, reterr);
    if (rc < 0 || !dir)
        return rc;
    request.snapshotroot = (char *)dir->path;
    rc = call(sh, dir, "deleteSnapshot", &request.base, &hdfs__delete_snapshot_response_proto__descriptor, &answer,
              reterr);
    if (rc == 0)
        printf("Deleted snapshot %s under %s\n", request.snapshotname, item_qualified(dir, &sh->arena));
    return rc;
}

int rename_snapshot_run(struct shell *sh, struct args *args, struct err *reterr)
{
    Hdfs__RenameSnapshotRequestProto request = HDFS__RENAME_SNAPSHOT_REQUEST_PROTO__INIT;
    struct item *dir;
    ProtobufCMessage *answer;
    if (args->count != 3)
        return shell_misuse(sh, reterr, "Incorrect number of arguments.");
    request.snapshotnewname = args->v[--args->count];
    request.snapshotoldname = args->v[--args->count];
    int rc = directory(sh, args, &dir, reterr);
    if (rc < 0 || !dir)
        return rc;
    request.snapshotroot = (char *)dir->path;
    rc = call(sh, dir, "renameSnapshot", &request.base, &hdfs__rename_snapshot_response_proto__descriptor, &answer,
              reterr);
    if (rc == 0)
        printf("Renamed snapshot %s to %s under %s\n", request.snapshotoldname, request.snapshotnewname,
               item_qualified(dir, &sh->arena));
    return rc;
}
