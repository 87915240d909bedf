#include "rpc/wire.h"

#include <stdbool.h>
#include <string.h>

#include "common/wr.h"
#include "proto/fields.h"
#include "proto/message.h"

enum request_tag {
    REQUEST_KIND = FIELD_TAG(1, FIELD_VARINT),
    REQUEST_OP = FIELD_TAG(2, FIELD_VARINT),
    REQUEST_CALL_ID = FIELD_TAG(3, FIELD_VARINT), /* zigzag */
    REQUEST_CLIENT_ID = FIELD_TAG(4, FIELD_BYTES),
    REQUEST_RETRY_COUNT = FIELD_TAG(5, FIELD_VARINT), /* zigzag */
};
enum method_tag {
    METHOD_NAME = FIELD_TAG(1, FIELD_BYTES),
    METHOD_PROTOCOL = FIELD_TAG(2, FIELD_BYTES),
    METHOD_VERSION = FIELD_TAG(3, FIELD_VARINT),
};
enum response_tag {
    RESPONSE_CALL_ID = FIELD_TAG(1, FIELD_VARINT), /* plain */
    RESPONSE_STATUS = FIELD_TAG(2, FIELD_VARINT),
    RESPONSE_VERSION = FIELD_TAG(3, FIELD_VARINT),
    RESPONSE_CLASS = FIELD_TAG(4, FIELD_BYTES),
    RESPONSE_TEXT = FIELD_TAG(5, FIELD_BYTES),
    RESPONSE_DETAIL = FIELD_TAG(6, FIELD_VARINT),
    RESPONSE_CLIENT_ID = FIELD_TAG(7, FIELD_BYTES),
    RESPONSE_RETRY_COUNT = FIELD_TAG(8, FIELD_VARINT), /* zigzag */
};

int rpc_request_header_decode(struct slice in, struct rpc_request_header *ret, struct err *reterr)
{
    struct rpc_request_header h = {.retry_count = -1, .kind = -1, .op = -1};
    bool has_call_id = false, has_client_id = false;
    struct rd rd = rd_of(in);
    for (struct field f; field_next(&rd, &f);) {
        switch (f.tag) {
        case REQUEST_KIND: h.kind = (int)(f.value & 0x7f); break;
        case REQUEST_OP: h.op = (int)(f.value & 0x7f); break;
        case REQUEST_CALL_ID: h.call_id = field_zigzag32(f.value), has_call_id = true; break;
        case REQUEST_CLIENT_ID: h.client_id = f.bytes, has_client_id = true; break;
        case REQUEST_RETRY_COUNT: h.retry_count = field_zigzag32(f.value); break;
        default: break;
        }
    }
    if (rd.bad || !has_call_id || !has_client_id)
        return err_set(reterr, ERR_PROTOCOL, "RpcRequestHeaderProto of %zu bytes cannot be decoded", in.len);
    if (h.client_id.len > RPC_CLIENT_ID_MAX_BYTES)
        return err_set(reterr, ERR_PROTOCOL, "RpcRequestHeaderProto: clientId of %zu bytes", h.client_id.len);
    *ret = h;
    return 0;
}

int rpc_method_header_decode(struct slice in, struct rpc_method_header *ret, struct err *reterr)
{
    struct rpc_method_header h = {0};
    bool has_version = false;
    struct rd rd = rd_of(in);
    for (struct field f; field_next(&rd, &f);) {
        switch (f.tag) {
        case METHOD_NAME: h.method = f.bytes; break;
        case METHOD_PROTOCOL: h.protocol = f.bytes; break;
        case METHOD_VERSION: h.version = f.value, has_version = true; break;
        default: break;
        }
    }
    if (rd.bad || !h.method.base || !h.protocol.base || !has_version)
        return err_set(reterr, ERR_PROTOCOL, "RequestHeaderProto of %zu bytes cannot be decoded", in.len);
    *ret = h;
    return 0;
}

int rpc_response_header_decode(struct slice in, struct rpc_response_header *ret, struct err *reterr)
{
    struct rpc_response_header h = {.status = -1};
    bool has_call_id = false;
    struct rd rd = rd_of(in);
    for (struct field f; field_next(&rd, &f);) {
        switch (f.tag) {
        case RESPONSE_CALL_ID: h.call_id = (uint32_t)f.value, has_call_id = true; break;
        case RESPONSE_STATUS: h.status = (int)(f.value & 0x7f); break;
        case RESPONSE_CLASS: h.exception_class = f.bytes; break;
        case RESPONSE_TEXT: h.text = f.bytes; break;
        case RESPONSE_DETAIL: h.detail = (rpc_detail)(f.value & 0x7f); break;
        default: break;
        }
    }
    if (rd.bad || !has_call_id || h.status < 0)
        return err_set(reterr, ERR_PROTOCOL, "RpcResponseHeaderProto of %zu bytes cannot be decoded", in.len);
    *ret = h;
    return 0;
}

void rpc_text_copy(char *to, size_t size, struct slice text)
{
    const uint8_t *trace = text.len ? memmem(text.base, text.len, "\n\tat ", 5) : NULL;
    size_t len = trace ? (size_t)(trace - text.base) : text.len;
    while (len && text.base[len - 1] == '\n')
        len--;
    if (len > size - 1)
        len = size - 1;
    if (len)
        memcpy(to, text.base, len);
    to[len] = 0;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value > 0x7f; value >>= 7)
        size++;
    return size;
}

static uint32_t zigzag32(int32_t value)
{
    return ((uint32_t)value << 1) ^ (value < 0 ? UINT32_MAX : 0);
}

static void put_varint(struct buf *to, uint32_t tag, uint64_t value)
{
    wr_varint(to, tag);
    wr_varint(to, value);
}

static void put_bytes(struct buf *to, uint32_t tag, const void *bytes, size_t len)
{
    wr_varint(to, tag);
    wr_varint(to, len);
    buf_append(to, bytes, len);
}

static size_t frame_begin(struct buf *to)
{
    wr_u32be(to, 0);
    return to->len;
}

static void frame_end(struct buf *to, size_t begin)
{
    size_t len = to->len - begin;
    for (int i = 0; i < 4; i++)
        to->base[begin - 4 + (size_t)i] = (uint8_t)(len >> (8 * (3 - i)));
}

void rpc_frame_request(struct buf *to, int32_t call_id, int32_t retry_count, struct slice client_id,
                       const char *protocol, const char *method, const ProtobufCMessage *body)
{
    buf_reserve(to, 128);
    size_t begin = frame_begin(to);
    wr_varint(to, 4 + 1 + varint_size(zigzag32(call_id)) + 1 + varint_size(client_id.len) + client_id.len + 1 +
                      varint_size(zigzag32(retry_count)));
    put_varint(to, REQUEST_KIND, HRPC__RPC_KIND_PROTO__RPC_PROTOCOL_BUFFER);
    put_varint(to, REQUEST_OP, HRPC__RPC_REQUEST_HEADER_PROTO__OPERATION_PROTO__RPC_FINAL_PACKET);
    put_varint(to, REQUEST_CALL_ID, zigzag32(call_id));
    put_bytes(to, REQUEST_CLIENT_ID, client_id.base, client_id.len);
    put_varint(to, REQUEST_RETRY_COUNT, zigzag32(retry_count));
    if (method) {
        size_t method_len = strlen(method), protocol_len = strlen(protocol);
        wr_varint(to, 1 + varint_size(method_len) + method_len + 1 + varint_size(protocol_len) + protocol_len + 2);
        put_bytes(to, METHOD_NAME, method, method_len);
        put_bytes(to, METHOD_PROTOCOL, protocol, protocol_len);
        put_varint(to, METHOD_VERSION, 1);
    }
    if (body)
        message_pack_delimited(to, body);
    frame_end(to, begin);
}

static size_t echo_size(const struct rpc_echo *echo)
{
    return 1 + varint_size((uint32_t)echo->call_id) + 4 +
           (echo->client_id.len ? 1 + varint_size(echo->client_id.len) + echo->client_id.len : 0) + 1 +
           varint_size(zigzag32(echo->retry_count));
}

static void put_echo(struct buf *to, const struct rpc_echo *echo, int status)
{
    put_varint(to, RESPONSE_CALL_ID, (uint32_t)echo->call_id);
    put_varint(to, RESPONSE_STATUS, (uint64_t)status);
    put_varint(to, RESPONSE_VERSION, RPC_VERSION);
    if (echo->client_id.len)
        put_bytes(to, RESPONSE_CLIENT_ID, echo->client_id.base, echo->client_id.len);
    put_varint(to, RESPONSE_RETRY_COUNT, zigzag32(echo->retry_count));
}

size_t rpc_frame_success(struct buf *to, const struct rpc_echo *echo, const ProtobufCMessage *body)
{
    size_t body_len = body ? protobuf_c_message_get_packed_size(body) : 0;
    buf_reserve(to, body_len + 160);
    size_t begin = frame_begin(to);
    wr_varint(to, echo_size(echo));
    put_echo(to, echo, RPC_STATUS(SUCCESS));
    size_t body_begin = to->len;
    wr_varint(to, body_len);
    if (body_len)
        to->len += protobuf_c_message_pack(body, to->base + to->len);
    frame_end(to, begin);
    return body_begin;
}

void rpc_frame_replay(struct buf *to, const struct rpc_echo *echo, struct slice delimited_body)
{
    size_t begin = frame_begin(to);
    wr_varint(to, echo_size(echo));
    put_echo(to, echo, RPC_STATUS(SUCCESS));
    buf_append(to, delimited_body.base, delimited_body.len);
    frame_end(to, begin);
}

void rpc_frame_error(struct buf *to, const struct rpc_echo *echo, int status, rpc_detail detail, const char *java_class,
                     const char *text)
{
    size_t class_len = strlen(java_class), text_len = strlen(text), begin = frame_begin(to);
    wr_varint(to, echo_size(echo) + 1 + varint_size(class_len) + class_len + 1 + varint_size(text_len) + text_len + 2);
    put_echo(to, echo, status);
    put_bytes(to, RESPONSE_CLASS, java_class, class_len);
    put_bytes(to, RESPONSE_TEXT, text, text_len);
    put_varint(to, RESPONSE_DETAIL, detail);
    frame_end(to, begin);
}
