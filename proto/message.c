#include "proto/message.h"

#include <string.h>

#include "common/wr.h"
#include "proto/fields.h"

static void *message_arena_alloc(void *arena, size_t bytes)
{
    return arena_try_alloc(arena, bytes);
}

static void message_arena_free(void *arena, void *p)
{
    (void)arena, (void)p; /* dies with the arena */
}

ProtobufCAllocator message_allocator(struct arena *a)
{
    return (ProtobufCAllocator){message_arena_alloc, message_arena_free, a};
}

int message_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes, struct arena *a, ProtobufCMessage **ret,
                   struct err *reterr)
{
    static const uint8_t none;
    ProtobufCAllocator allocator = message_allocator(a);
    /* An empty message may come without bytes; protobuf-c wants an address all the same. */
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.base ? bytes.base : &none);
    if (!message)
        return err_set(reterr, ERR_PROTOCOL,
                       "%s of %zu bytes cannot be decoded: malformed, a required field is missing, or too large",
                       type->short_name, bytes.len);
    *ret = message;
    return 0;
}

static const char *text_with_nul(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    const char *found = NULL;
    if (!bytes.len || !memchr(bytes.base, 0, bytes.len))
        return NULL;
    struct rd rd = rd_of(bytes);
    for (struct field f; !found && field_next(&rd, &f);) {
        const ProtobufCFieldDescriptor *of = protobuf_c_message_descriptor_get_field(type, f.tag >> 3);
        if (!of || (f.tag & 7) != FIELD_BYTES || !f.bytes.len)
            continue;
        if (of->type == PROTOBUF_C_TYPE_MESSAGE)
            found = text_with_nul(of->descriptor, f.bytes);
        else if (of->type == PROTOBUF_C_TYPE_STRING && memchr(f.bytes.base, 0, f.bytes.len))
            found = of->name;
    }
    return found;
}

int message_check_texts(const ProtobufCMessageDescriptor *type, struct slice bytes, struct err *reterr)
{
    const char *name = text_with_nul(type, bytes);
    return name ? err_set(reterr, ERR_PROTOCOL, "%s: a NUL character in '%s' is not possible", type->short_name, name)
                : 0;
}

void message_pack(struct buf *to, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    protobuf_c_message_pack(message, buf_reserve(to, len));
    to->len += len;
}

void message_pack_delimited(struct buf *to, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    wr_varint(to, len);
    protobuf_c_message_pack(message, buf_reserve(to, len));
    to->len += len;
}
