/* ClientProtocol: extended attributes. */
#include "namenode/namespace/xattr.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

static int xattr_of(struct op *op, const Hdfs__XAttrProto *x, struct xattr *ret)
{
    if (!x || (unsigned)x->namespace_ >= XATTR_SPACES)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "xAttr is missing, or of an unknown namespace");
    *ret = (struct xattr){(enum xattr_space)x->namespace_, x->name, x->has_value, {x->value.data, x->value.len}};
    return 0;
}

static Hdfs__XAttrProto **list_of(struct arena *a, const struct xattr *list, size_t count)
{
    Hdfs__XAttrProto **out = arena_array(a, Hdfs__XAttrProto *, count);
    for (size_t i = 0; i < count; i++) {
        out[i] = arena_new(a, Hdfs__XAttrProto);
        hdfs__xattr_proto__init(out[i]);
        out[i]->namespace_ = (Hdfs__XAttrProto__XAttrNamespaceProto)list[i].space;
        out[i]->name = (char *)(uintptr_t)list[i].name;
        out[i]->has_value = list[i].has_value;
        out[i]->value = (ProtobufCBinaryData){list[i].value.len, (uint8_t *)(uintptr_t)list[i].value.base};
    }
    return out;
}

void client_set_xattr(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetXAttrRequestProto *q = (const void *)message;
    struct op op;
    struct xattr x;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_xattr_response_proto, Hdfs__SetXAttrResponseProto);
    int rc = op_check_safe_mode(&op, "set XAttr on", q->src);
    rc = rc ? rc : xattr_of(&op, q->xattr, &x);
    rc = rc ? rc : tree_set_xattr(&op.t, &op.user, q->src, &x, q->flag, &op.err);
    op_end(&op, rc, &response->base);
}

void client_remove_xattr(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveXAttrRequestProto *q = (const void *)message;
    struct op op;
    struct xattr x;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__remove_xattr_response_proto, Hdfs__RemoveXAttrResponseProto);
    int rc = op_check_safe_mode(&op, "remove XAttr entry on", q->src);
    rc = rc ? rc : xattr_of(&op, q->xattr, &x);
    rc = rc ? rc : tree_remove_xattr(&op.t, &op.user, q->src, &x, &op.err);
    op_end(&op, rc, &response->base);
}

void client_get_xattrs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetXAttrsRequestProto *q = (const void *)message;
    struct op op;
    const struct xattr *found = NULL;
    size_t count = 0;
    int rc = 0;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_xattrs_response_proto, Hdfs__GetXAttrsResponseProto);
    struct xattr *wanted = arena_array(op.arena, struct xattr, q->n_xattrs);
    for (size_t i = 0; !rc && i < q->n_xattrs; i++)
        rc = xattr_of(&op, q->xattrs[i], &wanted[i]);
    rc = rc ? rc : tree_get_xattrs(&op.t, &op.user, q->src, wanted, q->n_xattrs, &found, &count, &op.err);
    response->n_xattrs = count;
    response->xattrs = list_of(op.arena, found, count);
    op_end_read(&op, rc, &response->base);
}

void client_list_xattrs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ListXAttrsRequestProto *q = (const void *)message;
    struct op op;
    const struct xattr *found = NULL;
    size_t count = 0;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_xattrs_response_proto, Hdfs__ListXAttrsResponseProto);
    int rc = tree_get_xattrs(&op.t, &op.user, q->src, NULL, 0, &found, &count, &op.err);
    response->n_xattrs = count;
    response->xattrs = list_of(op.arena, found, count);
    op_end_read(&op, rc, &response->base);
}
