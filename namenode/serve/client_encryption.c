/* ClientProtocol: encryption zones. There is no key provider, so there can be no zone: looking finds none, making one
 * is refused in the words HDFS has for that. */
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

void client_get_ezfor_path(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetEZForPathRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_ezfor_path_response_proto, Hdfs__GetEZForPathResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->src, PATH_MAY_MISS | PATH_SNAPSHOT, &p, &op.err);
    if (!rc && path_target(&p))
        rc = access_check(&op.user, path_target(&p), ACCESS_READ, p.text, &op.err);
    op_end_read(&op, rc, &response->base);
}

void client_list_encryption_zones(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_encryption_zones_response_proto, Hdfs__ListEncryptionZonesResponseProto);
    op_end_read(&op, op_check_super(&op), &response->base);
}

void client_create_encryption_zone(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CreateEncryptionZoneRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    rc = rc ? rc
            : err_set(&op.err, ERR_IO, "Can't create an encryption zone for %s since no key provider is available.",
                      q->src);
    op_end_read(&op, rc, NULL);
}

void client_reencrypt_encryption_zone(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ReencryptEncryptionZoneRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    bool start = q->action == HDFS__REENCRYPT_ACTION_PROTO__START_REENCRYPT;
    rc = rc ? rc
            : op_check_safe_mode(&op, start ? "START re-encryption on zone" : "CANCEL re-encryption on zone", q->zone);
    rc = rc ? rc : err_set(&op.err, ERR_IO, "No key provider configured, re-encryption operation is rejected");
    op_end_read(&op, rc, NULL);
}

void client_list_reencryption_status(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_reencryption_status_response_proto, Hdfs__ListReencryptionStatusResponseProto);
    op_end_read(&op, op_check_super(&op), &response->base);
}
