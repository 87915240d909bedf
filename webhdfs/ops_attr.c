/* ACLs and extended attributes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "webhdfs/call.h"
#include "webhdfs/json_shapes.h"
#include "webhdfs/token_text.h"

#define ACL_ENTRIES_MAX 64 /* 32 of access and 32 by default, as HDFS allows */

/* ---- ACLs ---- */

static const char *const acl_types[] = {"user", "group", "mask", "other"};

static void json_acl_entry(struct buf *b, const Hdfs__AclEntryProto *e)
{
    char text[400];
    unsigned rwx = e->permissions;
    snprintf(text, sizeof text, "%s%s:%s:%c%c%c", e->scope ? "default:" : "",
             acl_types[(unsigned)e->type < ARRAY_COUNT(acl_types) ? e->type : 0], e->name ? e->name : "",
             rwx & 4 ? 'r' : '-', rwx & 2 ? 'w' : '-', rwx & 1 ? 'x' : '-');
    json_text(b, NULL, text);
}

int webhdfs_get_acl(struct webhdfs_call *c)
{
    REQUEST(GetAclStatus, get_acl_status, q);
    Hdfs__GetAclStatusResponseProto *a = NULL;
    char mode[16];
    q.src = (char *)c->path;
    int rc = ASK(c, "getAclStatus", GetAclStatus, get_acl_status, &q, &a);
    if (rc < 0)
        return rc;
    const Hdfs__AclStatusProto *s = a->result;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "AclStatus", '{');
    json_begin(b, "entries", '[');
    for (size_t i = 0; i < s->n_entries; i++)
        json_acl_entry(b, s->entries[i]);
    json_end(b, ']');
    json_text(b, "group", s->group);
    json_text(b, "owner", s->owner);
    if (s->permission) {
        snprintf(mode, sizeof mode, "%o", s->permission->perm & 01777);
        json_text(b, "permission", mode);
    }
    json_bool(b, "stickyBit", s->sticky);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

static int bad_acl(struct webhdfs_call *c, const char *what, const char *entry)
{
    return err_set(&c->err, ERR_HADOOP_ILLEGAL_ARGUMENT, "%s%s", what, entry);
}

static unsigned permission_bits(const char *rwx)
{
    return (rwx[0] == 'r' ? 4u : 0) | (rwx[1] == 'w' ? 2u : 0) | (rwx[2] == 'x' ? 1u : 0);
}

/* [default:]type:name:[rwx]. The parameter's pattern, which may be of the settings, allows no more than it says. */
static int parse_acl_entry(struct webhdfs_call *c, char *text, bool with_permission, Hdfs__AclEntryProto *ret)
{
    const char *whole = arena_strdup(&c->arena, text);
    hdfs__acl_entry_proto__init(ret);
    if (strncmp(text, "default:", 8) == 0) {
        ret->scope = HDFS__ACL_ENTRY_PROTO__ACL_ENTRY_SCOPE_PROTO__DEFAULT;
        text += 8;
    }
    char *name = strchr(text, ':');
    char *rwx = name ? strchr(name + 1, ':') : NULL;
    if (!rwx)
        return bad_acl(c, "Invalid <aclSpec> : ", whole);
    *name++ = *rwx++ = 0;
    unsigned type = 0;
    while (type < ARRAY_COUNT(acl_types) && strcasecmp(text, acl_types[type]) != 0)
        type++;
    if (type == ARRAY_COUNT(acl_types))
        return bad_acl(c, "Invalid type of acl in <aclSpec> :", whole);
    ret->type = (Hdfs__AclEntryProto__AclEntryTypeProto)type;
    ret->name = *name ? name : NULL;
    if (*rwx ? !with_permission : with_permission)
        return bad_acl(c, "Invalid <aclSpec> : ", whole);
    if (*rwx && (strlen(rwx) != 3 || !strchr("r-", rwx[0]) || !strchr("w-", rwx[1]) || !strchr("x-", rwx[2])))
        return bad_acl(c, "Invalid permission in <aclSpec> : ", whole);
    ret->permissions = *rwx ? (Hdfs__AclEntryProto__FsActionProto)permission_bits(rwx) : 0;
    return 0;
}

static int parse_acl(struct webhdfs_call *c, bool with_permission, Hdfs__AclEntryProto ***ret, size_t *ret_count)
{
    char *save = NULL, *text = arena_strdup(&c->arena, param_text(c, PARAM_ACLSPEC));
    Hdfs__AclEntryProto **list = arena_array(&c->arena, Hdfs__AclEntryProto *, ACL_ENTRIES_MAX);
    size_t count = 0;
    for (char *entry = strtok_r(text, ",", &save); entry; entry = strtok_r(NULL, ",", &save)) {
        if (count == ACL_ENTRIES_MAX)
            return err_set(&c->err, ERR_ACL, "Invalid ACL: ACL has more than %d entries.", ACL_ENTRIES_MAX);
        list[count] = arena_new(&c->arena, Hdfs__AclEntryProto);
        int rc = parse_acl_entry(c, entry, with_permission, list[count++]);
        if (rc < 0)
            return rc;
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

int webhdfs_set_acl(struct webhdfs_call *c)
{
    REQUEST(SetAcl, set_acl, q);
    q.src = (char *)c->path;
    int rc = param_required(c, PARAM_ACLSPEC);
    rc = rc < 0 ? rc : parse_acl(c, true, &q.aclspec, &q.n_aclspec);
    rc = rc < 0 ? rc : DO(c, "setAcl", set_acl, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_modify_acl_entries(struct webhdfs_call *c)
{
    REQUEST(ModifyAclEntries, modify_acl_entries, q);
    q.src = (char *)c->path;
    int rc = param_required(c, PARAM_ACLSPEC);
    rc = rc < 0 ? rc : parse_acl(c, true, &q.aclspec, &q.n_aclspec);
    rc = rc < 0 ? rc : DO(c, "modifyAclEntries", modify_acl_entries, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_remove_acl_entries(struct webhdfs_call *c)
{
    REQUEST(RemoveAclEntries, remove_acl_entries, q);
    q.src = (char *)c->path;
    int rc = param_required(c, PARAM_ACLSPEC);
    rc = rc < 0 ? rc : parse_acl(c, false, &q.aclspec, &q.n_aclspec);
    rc = rc < 0 ? rc : DO(c, "removeAclEntries", remove_acl_entries, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_remove_default_acl(struct webhdfs_call *c)
{
    REQUEST(RemoveDefaultAcl, remove_default_acl, q);
    q.src = (char *)c->path;
    int rc = DO(c, "removeDefaultAcl", remove_default_acl, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_remove_acl(struct webhdfs_call *c)
{
    REQUEST(RemoveAcl, remove_acl, q);
    q.src = (char *)c->path;
    int rc = DO(c, "removeAcl", remove_acl, &q);
    return rc < 0 ? rc : reply_empty(c);
}

/* ---- extended attributes ---- */

static const char *const xattr_namespaces[] = {"user", "trusted", "security", "system", "raw"};

static char *xattr_full_name(struct webhdfs_call *c, const Hdfs__XAttrProto *x)
{
    unsigned i = x->namespace_;
    return arena_printf(&c->arena, "%s.%s", xattr_namespaces[i < ARRAY_COUNT(xattr_namespaces) ? i : 0], x->name);
}

static int xattr_of_name(struct webhdfs_call *c, const char *full_name, Hdfs__XAttrProto *ret)
{
    hdfs__xattr_proto__init(ret);
    for (unsigned i = 0; i < ARRAY_COUNT(xattr_namespaces); i++) {
        size_t len = strlen(xattr_namespaces[i]);
        if (strncasecmp(full_name, xattr_namespaces[i], len) != 0 || full_name[len] != '.')
            continue;
        if (!full_name[len + 1])
            return err_set(&c->err, ERR_HADOOP_ILLEGAL_ARGUMENT, "XAttr name cannot be empty.");
        ret->namespace_ = (Hdfs__XAttrProto__XAttrNamespaceProto)i;
        ret->name = (char *)full_name + len + 1;
        return 0;
    }
    return err_set(&c->err, ERR_HADOOP_ILLEGAL_ARGUMENT,
                   "An XAttr name must be prefixed with user/trusted/security/system/raw, followed by a '.'");
}

static int hex_decode(const char *text, size_t len, struct buf *to)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        char digits[3] = {text[i], text[i + 1], 0}, *end;
        uint8_t byte = (uint8_t)strtoul(digits, &end, 16);
        if (end != digits + 2 || digits[0] == '+' || digits[0] == '-')
            return ERR_ILLEGAL_ARGUMENT;
        buf_append(to, &byte, 1);
    }
    return len % 2 ? ERR_ILLEGAL_ARGUMENT : 0;
}

/* "text", 0xhex, 0sbase64, or the bytes themselves. */
static int xattr_value_decode(struct webhdfs_call *c, const char *text, struct buf *to)
{
    size_t len = strlen(text);
    int rc = 0;
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"')
        buf_append(to, text + 1, len - 2);
    else if (strncasecmp(text, "0x", 2) == 0)
        rc = hex_decode(text + 2, len - 2, to);
    else if (strncasecmp(text, "0s", 2) == 0)
        rc = base64_decode(text + 2, len - 2, to);
    else
        buf_append(to, text, len);
    return rc < 0 ? err_set(&c->err, ERR_IO, "cannot decode the xattr value '%.100s'", text) : 0;
}

static void json_xattr_value(struct buf *b, const Hdfs__XAttrProto *x, int64_t codec)
{
    AUTO(buf_free) struct buf text = {0};
    if (!x->has_value) {
        json_text(b, "value", NULL);
        return;
    }
    if (codec == CODEC_TEXT) {
        buf_append_str(&text, "\"");
        buf_append(&text, x->value.data, x->value.len);
        buf_append_str(&text, "\"");
    } else if (codec == CODEC_HEX) {
        buf_append_str(&text, "0x");
        for (size_t i = 0; i < x->value.len; i++)
            buf_printf(&text, "%02x", x->value.data[i]);
    } else {
        buf_append_str(&text, "0s");
        base64_append(&text, (struct slice){x->value.data, x->value.len}, false);
    }
    json_bytes(b, "value", text.base, text.len);
}

/* Every xattr.name of the request; none: all. */
static int xattr_names(struct webhdfs_call *c, Hdfs__XAttrProto ***ret, size_t *ret_count)
{
    Hdfs__XAttrProto **list = arena_array(&c->arena, Hdfs__XAttrProto *, c->url.parameter_count + 1);
    for (size_t i = 0; i < c->url.parameter_count; i++) {
        const struct url_parameter *p = &c->url.parameters[i];
        if (strcmp(p->name, webhdfs_param_name(PARAM_XATTR_NAME)) != 0 || !*p->value)
            continue;
        list[*ret_count] = arena_new(&c->arena, Hdfs__XAttrProto);
        int rc = xattr_of_name(c, p->value, list[(*ret_count)++]);
        if (rc < 0)
            return rc;
    }
    *ret = list;
    return 0;
}

int webhdfs_get_xattrs(struct webhdfs_call *c)
{
    REQUEST(GetXAttrs, get_xattrs, q);
    Hdfs__GetXAttrsResponseProto *a = NULL;
    q.src = (char *)c->path;
    int rc = param_required(c, PARAM_ENCODING);
    rc = rc < 0 ? rc : xattr_names(c, &q.xattrs, &q.n_xattrs);
    if (rc < 0)
        return rc;
    rc = ASK(c, "getXAttrs", GetXAttrs, get_xattrs, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "XAttrs", '[');
    for (size_t i = 0; i < a->n_xattrs; i++) {
        json_begin(b, NULL, '{');
        json_text(b, "name", xattr_full_name(c, a->xattrs[i]));
        json_xattr_value(b, a->xattrs[i], param(c, PARAM_ENCODING)->number);
        json_end(b, '}');
    }
    json_end(b, ']');
    json_end(b, '}');
    return 0;
}

/* The list is JSON inside a string. */
int webhdfs_list_xattrs(struct webhdfs_call *c)
{
    REQUEST(ListXAttrs, list_xattrs, q);
    Hdfs__ListXAttrsResponseProto *a = NULL;
    q.src = (char *)c->path;
    int rc = ASK(c, "listXAttrs", ListXAttrs, list_xattrs, &q, &a);
    if (rc < 0)
        return rc;
    struct buf names = {0}, *b = reply_json(c);
    json_begin(&names, NULL, '[');
    for (size_t i = 0; i < a->n_xattrs; i++)
        json_text(&names, NULL, xattr_full_name(c, a->xattrs[i]));
    json_end(&names, ']');
    json_begin(b, NULL, '{');
    json_bytes(b, "XAttrNames", names.base, names.len);
    json_end(b, '}');
    buf_free(&names);
    return 0;
}

int webhdfs_set_xattr(struct webhdfs_call *c)
{
    REQUEST(SetXAttr, set_xattr, q);
    Hdfs__XAttrProto x;
    AUTO(buf_free) struct buf value = {0};
    const char *text = param_text(c, PARAM_XATTR_VALUE);
    int rc = param_required(c, PARAM_XATTR_NAME);
    rc = rc < 0 ? rc : param_required(c, PARAM_FLAG);
    rc = rc < 0 ? rc : xattr_of_name(c, param_text(c, PARAM_XATTR_NAME), &x);
    rc = rc < 0 || !text ? rc : xattr_value_decode(c, text, &value);
    if (rc < 0)
        return rc;
    x.has_value = text != NULL;
    x.value = (ProtobufCBinaryData){value.len, value.base};
    q.src = (char *)c->path;
    q.xattr = &x;
    q.has_flag = true;
    q.flag = (uint32_t)param(c, PARAM_FLAG)->number;
    rc = DO(c, "setXAttr", set_xattr, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_remove_xattr(struct webhdfs_call *c)
{
    REQUEST(RemoveXAttr, remove_xattr, q);
    Hdfs__XAttrProto x;
    int rc = param_required(c, PARAM_XATTR_NAME);
    rc = rc < 0 ? rc : xattr_of_name(c, param_text(c, PARAM_XATTR_NAME), &x);
    if (rc < 0)
        return rc;
    q.src = (char *)c->path;
    q.xattr = &x;
    rc = DO(c, "removeXAttr", remove_xattr, &q);
    return rc < 0 ? rc : reply_empty(c);
}
