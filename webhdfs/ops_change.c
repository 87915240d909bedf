/* PUT, POST, DELETE: changing names and attributes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "webhdfs/call.h"

#define SYMLINK_DIR_MODE 0777

static int mkdirs(struct webhdfs_call *c)
{
    REQUEST(Mkdirs, mkdirs, q);
    Hdfs__MkdirsResponseProto *a = NULL;
    Hdfs__FsPermissionProto masked, unmasked;
    const struct param_value *given = param(c, PARAM_UNMASKED);
    hdfs__fs_permission_proto__init(&masked);
    hdfs__fs_permission_proto__init(&unmasked);
    masked.perm = param_dir_mode(c);
    unmasked.perm = (uint32_t)given->number;
    q.src = (char *)c->path;
    q.masked = &masked;
    q.unmasked = given->is_set ? &unmasked : NULL;
    q.createparent = true;
    int rc = ASK(c, "mkdirs", Mkdirs, mkdirs, &q, &a);
    return rc < 0 ? rc : reply_bool(c, a->result);
}

static int create_symlink(struct webhdfs_call *c)
{
    REQUEST(CreateSymlink, create_symlink, q);
    Hdfs__FsPermissionProto mode;
    int rc = param_required(c, PARAM_DESTINATION);
    if (rc < 0)
        return rc;
    hdfs__fs_permission_proto__init(&mode);
    mode.perm = SYMLINK_DIR_MODE;
    q.target = (char *)param_text(c, PARAM_DESTINATION);
    q.link = (char *)c->path;
    q.dirperm = &mode;
    q.createparent = param(c, PARAM_CREATEPARENT)->number;
    rc = DO(c, "createSymlink", create_symlink, &q);
    return rc < 0 ? rc : reply_empty(c);
}

static int rename_plain(struct webhdfs_call *c)
{
    REQUEST(Rename, rename, q);
    Hdfs__RenameResponseProto *a = NULL;
    q.src = (char *)c->path;
    q.dst = (char *)param_text(c, PARAM_DESTINATION);
    int rc = ASK(c, "rename", Rename, rename, &q, &a);
    return rc < 0 ? rc : reply_bool(c, a->result);
}

static int rename_op(struct webhdfs_call *c)
{
    REQUEST(Rename2, rename2, q);
    int64_t options = param(c, PARAM_RENAMEOPTIONS)->number;
    int rc = param_required(c, PARAM_DESTINATION);
    if (rc < 0)
        return rc;
    if (!options)
        return rename_plain(c);
    q.src = (char *)c->path;
    q.dst = (char *)param_text(c, PARAM_DESTINATION);
    q.overwritedest = (options & RENAME_OVERWRITE) != 0;
    q.has_movetotrash = true;
    q.movetotrash = (options & RENAME_TO_TRASH) != 0;
    rc = DO(c, "rename2", rename2, &q);
    return rc < 0 ? rc : reply_empty(c);
}

static int set_replication(struct webhdfs_call *c)
{
    REQUEST(SetReplication, set_replication, q);
    Hdfs__SetReplicationResponseProto *a = NULL;
    const struct param_value *n = param(c, PARAM_REPLICATION);
    q.src = (char *)c->path;
    q.replication = n->is_set ? (uint32_t)n->number : (uint32_t)config_int(c->w->options.config, "dfs.replication");
    int rc = ASK(c, "setReplication", SetReplication, set_replication, &q, &a);
    return rc < 0 ? rc : reply_bool(c, a->result);
}

static int set_owner(struct webhdfs_call *c)
{
    REQUEST(SetOwner, set_owner, q);
    q.src = (char *)c->path;
    q.username = (char *)param_text(c, PARAM_OWNER);
    q.groupname = (char *)param_text(c, PARAM_GROUP);
    if (!q.username && !q.groupname)
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "Both owner and group are empty.");
    int rc = DO(c, "setOwner", set_owner, &q);
    return rc < 0 ? rc : reply_empty(c);
}

static int set_permission(struct webhdfs_call *c)
{
    REQUEST(SetPermission, set_permission, q);
    Hdfs__FsPermissionProto mode;
    hdfs__fs_permission_proto__init(&mode);
    mode.perm = param_dir_mode(c);
    q.src = (char *)c->path;
    q.permission = &mode;
    int rc = DO(c, "setPermission", set_permission, &q);
    return rc < 0 ? rc : reply_empty(c);
}

static int set_times(struct webhdfs_call *c)
{
    REQUEST(SetTimes, set_times, q);
    q.src = (char *)c->path;
    q.mtime = (uint64_t)param(c, PARAM_MTIME)->number;
    q.atime = (uint64_t)param(c, PARAM_ATIME)->number;
    int rc = DO(c, "setTimes", set_times, &q);
    return rc < 0 ? rc : reply_empty(c);
}

/* ---- POST ---- */

static int concat(struct webhdfs_call *c)
{
    REQUEST(Concat, concat, q);
    int rc = param_required(c, PARAM_SOURCES);
    if (rc < 0)
        return rc;
    char *save = NULL, *text = arena_strdup(&c->arena, param_text(c, PARAM_SOURCES));
    q.trg = (char *)c->path;
    q.srcs = arena_array(&c->arena, char *, strlen(text) / 2 + 1);
    for (char *source = strtok_r(text, ",", &save); source; source = strtok_r(NULL, ",", &save))
        q.srcs[q.n_srcs++] = source;
    rc = DO(c, "concat", concat, &q);
    return rc < 0 ? rc : reply_empty(c);
}

static int truncate_op(struct webhdfs_call *c)
{
    REQUEST(Truncate, truncate, q);
    Hdfs__TruncateResponseProto *a = NULL;
    uint64_t random = 0;
    int rc = param_required(c, PARAM_NEWLENGTH);
    if (rc < 0)
        return rc;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)(uintptr_t)c;
    q.src = (char *)c->path;
    q.newlength = (uint64_t)param(c, PARAM_NEWLENGTH)->number;
    q.clientname = arena_printf(&c->arena, "CAIRN_WEBHDFS_%" PRIx64, random); /* each request is a client of its own */
    rc = ASK(c, "truncate", Truncate, truncate, &q, &a);
    return rc < 0 ? rc : reply_bool(c, a->result);
}

/* ---- DELETE ---- */

static int delete_op(struct webhdfs_call *c)
{
    REQUEST(Delete, delete, q);
    Hdfs__DeleteResponseProto *a = NULL;
    q.src = (char *)c->path;
    q.recursive = param(c, PARAM_RECURSIVE)->number;
    int rc = ASK(c, "delete", Delete, delete, &q, &a);
    return rc < 0 ? rc : reply_bool(c, a->result);
}

const struct webhdfs_op_row webhdfs_put_ops[] = {
    {"CREATE", webhdfs_create},
    {"MKDIRS", mkdirs},
    {"CREATESYMLINK", create_symlink},
    {"RENAME", rename_op},
    {"SETREPLICATION", set_replication},
    {"SETOWNER", set_owner},
    {"SETPERMISSION", set_permission},
    {"SETTIMES", set_times},
    {"RENEWDELEGATIONTOKEN", webhdfs_renew_token},
    {"CANCELDELEGATIONTOKEN", webhdfs_cancel_token},
    {"MODIFYACLENTRIES", webhdfs_modify_acl_entries},
    {"REMOVEACLENTRIES", webhdfs_remove_acl_entries},
    {"REMOVEDEFAULTACL", webhdfs_remove_default_acl},
    {"REMOVEACL", webhdfs_remove_acl},
    {"SETACL", webhdfs_set_acl},
    {"SETXATTR", webhdfs_set_xattr},
    {"REMOVEXATTR", webhdfs_remove_xattr},
    {"SATISFYSTORAGEPOLICY", webhdfs_satisfy_storage_policy},
    {"SETSTORAGEPOLICY", webhdfs_set_storage_policy},
    {"ENABLEECPOLICY", webhdfs_enable_ec_policy},
    {"DISABLEECPOLICY", webhdfs_disable_ec_policy},
    {"SETECPOLICY", webhdfs_set_ec_policy},
    {"ALLOWSNAPSHOT", webhdfs_allow_snapshot},
    {"DISALLOWSNAPSHOT", webhdfs_disallow_snapshot},
    {"CREATESNAPSHOT", webhdfs_create_snapshot},
    {"RENAMESNAPSHOT", webhdfs_rename_snapshot},
    {"SETQUOTA", webhdfs_set_quota},
    {"SETQUOTABYSTORAGETYPE", webhdfs_set_quota_by_type},
    {NULL, NULL},
};

const struct webhdfs_op_row webhdfs_post_ops[] = {
    {"APPEND", webhdfs_append},
    {"CONCAT", concat},
    {"TRUNCATE", truncate_op},
    {"UNSETSTORAGEPOLICY", webhdfs_unset_storage_policy},
    {"UNSETECPOLICY", webhdfs_unset_ec_policy},
    {NULL, NULL},
};

const struct webhdfs_op_row webhdfs_delete_ops[] = {
    {"DELETE", delete_op},
    {"DELETESNAPSHOT", webhdfs_delete_snapshot},
    {NULL, NULL},
};
