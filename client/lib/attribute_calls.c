/* ClientProtocol: ACLs and extended attributes. */
#include <string.h>
#include <strings.h>

#include "client/lib/dfs_attributes.h"
#include "client/lib/dfs_internal.h"
#include "hdfs/client_namenode.pb-c.h"

#define SMALL_ANSWER_BYTES (1u << 20)

/* ---- ACLs ---- */

int dfs_get_acl(struct dfs *fs, const char *path, struct arena *a, struct dfs_acl *ret, struct err *reterr)
{
    Hdfs__GetAclStatusRequestProto request = HDFS__GET_ACL_STATUS_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getAclStatus", &request.base, &request.src,
                           &hdfs__get_acl_status_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__AclStatusProto *status = ((Hdfs__GetAclStatusResponseProto *)answer)->result;
    struct dfs_acl acl = {.entries = arena_array(a, struct dfs_acl_entry, status->n_entries)};
    for (; acl.count < status->n_entries; acl.count++) {
        const Hdfs__AclEntryProto *e = status->entries[acl.count];
        acl.entries[acl.count] =
            (struct dfs_acl_entry){e->scope == HDFS__ACL_ENTRY_PROTO__ACL_ENTRY_SCOPE_PROTO__DEFAULT,
                                   (enum dfs_acl_type)((unsigned)e->type & 3), (unsigned)e->permissions & 7,
                                   e->name && *e->name ? e->name : NULL};
    }
    acl.has_mode = status->permission != NULL;
    acl.mode = status->permission ? (uint16_t)(status->permission->perm & 01777) : 0;
    *ret = acl;
    return 0;
}

static Hdfs__AclEntryProto **entries_of(const struct dfs_acl_entry *entries, size_t count, struct arena *a)
{
    Hdfs__AclEntryProto **list = arena_array(a, Hdfs__AclEntryProto *, count);
    for (size_t i = 0; i < count; i++) {
        list[i] = arena_new(a, Hdfs__AclEntryProto);
        hdfs__acl_entry_proto__init(list[i]);
        list[i]->scope = entries[i].is_default ? HDFS__ACL_ENTRY_PROTO__ACL_ENTRY_SCOPE_PROTO__DEFAULT
                                               : HDFS__ACL_ENTRY_PROTO__ACL_ENTRY_SCOPE_PROTO__ACCESS;
        list[i]->type = (Hdfs__AclEntryProto__AclEntryTypeProto)entries[i].type;
        list[i]->permissions = (Hdfs__AclEntryProto__FsActionProto)(entries[i].rwx & 7);
        list[i]->name = (char *)entries[i].name;
    }
    return list;
}

int dfs_change_acl(struct dfs *fs, const char *path, enum dfs_acl_change change, const struct dfs_acl_entry *entries,
                   size_t count, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    ProtobufCMessage *answer;
    Hdfs__ModifyAclEntriesRequestProto modify = HDFS__MODIFY_ACL_ENTRIES_REQUEST_PROTO__INIT;
    Hdfs__RemoveAclEntriesRequestProto remove = HDFS__REMOVE_ACL_ENTRIES_REQUEST_PROTO__INIT;
    Hdfs__SetAclRequestProto set = HDFS__SET_ACL_REQUEST_PROTO__INIT;
    Hdfs__RemoveDefaultAclRequestProto remove_default = HDFS__REMOVE_DEFAULT_ACL_REQUEST_PROTO__INIT;
    Hdfs__RemoveAclRequestProto remove_all = HDFS__REMOVE_ACL_REQUEST_PROTO__INIT;
    modify.src = remove.src = set.src = remove_default.src = remove_all.src = (char *)path;
    modify.n_aclspec = remove.n_aclspec = set.n_aclspec = count;
    modify.aclspec = remove.aclspec = set.aclspec = entries_of(entries, count, &a);
    switch (change) {
    case DFS_ACL_MODIFY:
        return dfs_path_call(fs, "modifyAclEntries", &modify.base, &modify.src,
                             &hdfs__modify_acl_entries_response_proto__descriptor, &a, &answer, reterr);
    case DFS_ACL_REMOVE_ENTRIES:
        return dfs_path_call(fs, "removeAclEntries", &remove.base, &remove.src,
                             &hdfs__remove_acl_entries_response_proto__descriptor, &a, &answer, reterr);
    case DFS_ACL_SET:
        return dfs_path_call(fs, "setAcl", &set.base, &set.src, &hdfs__set_acl_response_proto__descriptor, &a, &answer,
                             reterr);
    case DFS_ACL_REMOVE_DEFAULT:
        return dfs_path_call(fs, "removeDefaultAcl", &remove_default.base, &remove_default.src,
                             &hdfs__remove_default_acl_response_proto__descriptor, &a, &answer, reterr);
    default:
        return dfs_path_call(fs, "removeAcl", &remove_all.base, &remove_all.src,
                             &hdfs__remove_acl_response_proto__descriptor, &a, &answer, reterr);
    }
}

void dfs_acl_complete(uint16_t mode, const struct dfs_acl *acl, struct arena *a, struct dfs_acl *ret)
{
    struct dfs_acl all = {
        .entries = arena_array(a, struct dfs_acl_entry, acl->count + 3), .has_mode = true, .mode = mode};
    size_t i = 0;
    all.entries[all.count++] = (struct dfs_acl_entry){false, DFS_ACL_USER, (unsigned)mode >> 6 & 7, NULL};
    for (; i < acl->count && !acl->entries[i].is_default; i++)
        all.entries[all.count++] = acl->entries[i];
    all.entries[all.count++] =
        (struct dfs_acl_entry){false, i ? DFS_ACL_MASK : DFS_ACL_GROUP, (unsigned)mode >> 3 & 7, NULL};
    all.entries[all.count++] = (struct dfs_acl_entry){false, DFS_ACL_OTHER, (unsigned)mode & 7, NULL};
    for (; i < acl->count; i++)
        all.entries[all.count++] = acl->entries[i];
    *ret = all;
}

/* ---- extended attributes ---- */

static const char *const spaces[] = {"user", "trusted", "security", "system", "raw"}; /* by the protocol's number */

static int name_split(const char *name, size_t *ret_space, const char **ret_rest, struct err *reterr)
{
    const char *dot = strchr(name, '.');
    size_t len = dot ? (size_t)(dot - name) : 0;
    if (dot && len >= 3 && !dot[1])
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "XAttr name cannot be empty.");
    for (size_t i = 0; i < ARRAY_COUNT(spaces); i++)
        if (len == strlen(spaces[i]) && !strncasecmp(name, spaces[i], len)) {
            *ret_space = i;
            *ret_rest = dot + 1;
            return 0;
        }
    return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                   "An XAttr name must be prefixed with user/trusted/security/system/raw, followed by a '.'");
}

int dfs_xattr_check_name(const char *name, struct err *reterr)
{
    size_t space;
    const char *rest;
    return name_split(name, &space, &rest, reterr);
}

static int xattr_fill(const char *name, Hdfs__XAttrProto *x, struct err *reterr)
{
    size_t space;
    const char *rest;
    int rc = name_split(name, &space, &rest, reterr);
    if (rc < 0)
        return rc;
    hdfs__xattr_proto__init(x);
    x->namespace_ = (Hdfs__XAttrProto__XAttrNamespaceProto)space;
    x->name = (char *)rest;
    return 0;
}

int dfs_get_xattrs(struct dfs *fs, const char *path, const char *name, struct arena *a, struct dfs_xattr **ret,
                   size_t *ret_count, struct err *reterr)
{
    Hdfs__GetXAttrsRequestProto request = HDFS__GET_XATTRS_REQUEST_PROTO__INIT;
    Hdfs__XAttrProto wanted, *list[] = {&wanted};
    request.src = (char *)path;
    if (name) {
        int rc = xattr_fill(name, &wanted, reterr);
        if (rc < 0)
            return rc;
        request.xattrs = list;
        request.n_xattrs = 1;
    }
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getXAttrs", &request.base, &request.src, &hdfs__get_xattrs_response_proto__descriptor,
                           a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__GetXAttrsResponseProto *found = (void *)answer;
    struct dfs_xattr *out = arena_array(a, struct dfs_xattr, found->n_xattrs);
    for (size_t i = 0; i < found->n_xattrs; i++) {
        const Hdfs__XAttrProto *x = found->xattrs[i];
        if ((unsigned)x->namespace_ >= ARRAY_COUNT(spaces))
            return err_set(reterr, ERR_PROTOCOL, "%s: attribute '%s' is of an unknown namespace", path, x->name);
        out[i] = (struct dfs_xattr){
            arena_printf(a, "%s.%s", spaces[x->namespace_], x->name), x->has_value, {x->value.data, x->value.len}};
    }
    *ret = out;
    *ret_count = found->n_xattrs;
    return 0;
}

int dfs_set_xattr(struct dfs *fs, const char *path, const struct dfs_xattr *x, unsigned flags, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__SetXAttrRequestProto request = HDFS__SET_XATTR_REQUEST_PROTO__INIT;
    Hdfs__XAttrProto attribute;
    int rc = xattr_fill(x->name, &attribute, reterr);
    if (rc < 0)
        return rc;
    attribute.has_value = x->has_value;
    attribute.value = (ProtobufCBinaryData){x->value.len, (uint8_t *)(uintptr_t)x->value.base};
    request.src = (char *)path;
    request.xattr = &attribute;
    request.has_flag = 1;
    request.flag = flags;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "setXAttr", &request.base, &request.src, &hdfs__set_xattr_response_proto__descriptor, &a,
                         &answer, reterr);
}

int dfs_remove_xattr(struct dfs *fs, const char *path, const char *name, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__RemoveXAttrRequestProto request = HDFS__REMOVE_XATTR_REQUEST_PROTO__INIT;
    Hdfs__XAttrProto attribute;
    int rc = xattr_fill(name, &attribute, reterr);
    if (rc < 0)
        return rc;
    request.src = (char *)path;
    request.xattr = &attribute;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "removeXAttr", &request.base, &request.src, &hdfs__remove_xattr_response_proto__descriptor,
                         &a, &answer, reterr);
}
