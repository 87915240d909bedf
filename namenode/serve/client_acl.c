/* ClientProtocol: access control lists. */
#include <string.h>

#include "namenode/namespace/acl.h"
#include "namenode/namespace/tree.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

/* What the client sent, with every number in its range; ERR_ACL past HDFS's limit. */
static int spec_of(struct op *op, Hdfs__AclEntryProto *const *entries, size_t count, const char *path, struct acl **ret)
{
    size_t of_scope[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)entries[i]->scope > ACL_DEFAULT || (unsigned)entries[i]->type > ACL_OTHER ||
            (unsigned)entries[i]->permissions > ACCESS_ALL)
            return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "entry %zu of the ACL has an unknown scope, type or action",
                           i + 1);
        if (entries[i]->name && strlen(entries[i]->name) > NAME_KEPT_MAX)
            return err_set(&op->err, ERR_ACL, "Invalid ACL: the name in entry %zu is longer than %d bytes. Path: %s",
                           i + 1, NAME_KEPT_MAX, path);
        of_scope[entries[i]->scope]++;
    }
    for (int scope = ACL_ACCESS; scope <= ACL_DEFAULT; scope++)
        if (of_scope[scope] > ACL_SCOPE_ENTRIES_MAX)
            return err_set(&op->err, ERR_ACL,
                           "Invalid ACL: ACL has %zu %s entries, which exceeds maximum of %d. Path: %s",
                           of_scope[scope], scope ? "default" : "access", ACL_SCOPE_ENTRIES_MAX, path);
    struct acl *spec = arena_new(op->arena, struct acl);
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i]->name;
        spec->entries[spec->count++] =
            (struct acl_entry){(uint8_t)entries[i]->scope, (uint8_t)entries[i]->type, (uint8_t)entries[i]->permissions,
                               name && *name ? name : NULL};
    }
    *ret = spec;
    return 0;
}

static void change(struct op *op, const char *path, enum acl_change what, Hdfs__AclEntryProto *const *entries,
                   size_t count, const char *doing, const ProtobufCMessage *response)
{
    struct acl *spec = NULL;
    int rc = op_check_safe_mode(op, doing, path);
    if (!rc && what != ACL_REMOVE && what != ACL_REMOVE_DEFAULT)
        rc = spec_of(op, entries, count, path, &spec);
    rc = rc ? rc : tree_change_acl(&op->t, &op->user, path, what, spec, &op->err);
    op_end(op, rc, response);
}

void client_modify_acl_entries(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ModifyAclEntriesRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__modify_acl_entries_response_proto, Hdfs__ModifyAclEntriesResponseProto);
    change(&op, q->src, ACL_MODIFY, q->aclspec, q->n_aclspec, "modify ACL entries on", &response->base);
}

void client_remove_acl_entries(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveAclEntriesRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__remove_acl_entries_response_proto, Hdfs__RemoveAclEntriesResponseProto);
    change(&op, q->src, ACL_REMOVE_ENTRIES, q->aclspec, q->n_aclspec, "remove ACL entries on", &response->base);
}

void client_remove_default_acl(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveDefaultAclRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__remove_default_acl_response_proto, Hdfs__RemoveDefaultAclResponseProto);
    change(&op, q->src, ACL_REMOVE_DEFAULT, NULL, 0, "remove default ACL entries on", &response->base);
}

void client_remove_acl(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveAclRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__remove_acl_response_proto, Hdfs__RemoveAclResponseProto);
    change(&op, q->src, ACL_REMOVE, NULL, 0, "remove ACL on", &response->base);
}

void client_set_acl(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetAclRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_acl_response_proto, Hdfs__SetAclResponseProto);
    change(&op, q->src, ACL_SET, q->aclspec, q->n_aclspec, "set ACL on", &response->base);
}

static void entries_of(struct arena *a, const struct inode *n, Hdfs__AclStatusProto *status)
{
    status->entries = arena_array(a, Hdfs__AclEntryProto *, n->acl_count);
    for (; status->n_entries < n->acl_count; status->n_entries++) {
        const struct acl_entry *e = &n->acl[status->n_entries];
        Hdfs__AclEntryProto *entry = arena_new(a, Hdfs__AclEntryProto);
        hdfs__acl_entry_proto__init(entry);
        entry->type = (Hdfs__AclEntryProto__AclEntryTypeProto)e->type;
        entry->scope = (Hdfs__AclEntryProto__AclEntryScopeProto)e->scope;
        entry->permissions = (Hdfs__AclEntryProto__FsActionProto)e->rwx;
        entry->name = (char *)(uintptr_t)e->name;
        status->entries[status->n_entries] = entry;
    }
}

void client_get_acl_status(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetAclStatusRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    const unsigned flags = PATH_MAY_MISS | PATH_SNAPSHOT | PATH_SNAPSHOT_LIST | PATH_NUMBERED_LINK;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_acl_status_response_proto, Hdfs__GetAclStatusResponseProto);
    Hdfs__AclStatusProto status = HDFS__ACL_STATUS_PROTO__INIT;
    Hdfs__FsPermissionProto permission = HDFS__FS_PERMISSION_PROTO__INIT;
    int rc = acl_check_enabled(op.nn->dir, &op.err);
    rc = rc ? rc : path_resolve(&op.t, &op.user, q->src, flags, &p, &op.err);
    if (!rc && !path_target(&p))
        rc = err_set(&op.err, ERR_NOT_FOUND, "cannot find %s", p.text);
    if (!rc) {
        const struct inode *n = path_target(&p);
        status.owner = (char *)(uintptr_t)n->owner;
        status.group = (char *)(uintptr_t)n->group;
        status.sticky = (n->mode & 01000) != 0;
        permission.perm = n->mode;
        status.permission = &permission;
        entries_of(op.arena, n, &status);
    }
    response->result = &status;
    op_end_read(&op, rc, &response->base);
}
