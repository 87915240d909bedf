/* Walking over the fields of an encoded protobuf message, for the few small messages that are on every call's
 * way and are decoded by hand. Unknown fields are skipped by ignoring them; the last of several wins by
 * assignment. */
#ifndef CAIRN_PROTO_FIELDS_H
#define CAIRN_PROTO_FIELDS_H

#include "common/rd.h"

enum field_type { FIELD_VARINT = 0, FIELD_FIXED64 = 1, FIELD_BYTES = 2, FIELD_FIXED32 = 5 };
struct field {
    uint32_t tag;       /* number << 3 | type, what FIELD_TAG makes */
    uint64_t value;     /* of VARINT and FIXED */
    struct slice bytes; /* of BYTES; borrows the input */
};
#define FIELD_TAG(number, type) ((number) << 3 | (type))

static inline uint64_t field_fixed(struct rd *r, size_t len) /* little endian */
{
    struct slice s = rd_slice(r, len);
    uint64_t value = 0;
    for (size_t i = s.len; i-- > 0;)
        value = value << 8 | s.base[i];
    return value;
}

/* false at the end of the message, or if it is malformed: then r->bad is set. */
static inline bool field_next(struct rd *r, struct field *ret)
{
    if (rd_left(r) == 0)
        return false;
    uint64_t tag = rd_varint(r);
    struct field f = {.tag = (uint32_t)tag};
    switch (tag & 7) {
    case FIELD_VARINT: f.value = rd_varint(r); break;
    case FIELD_FIXED64: f.value = field_fixed(r, 8); break;
    case FIELD_BYTES: f.bytes = rd_slice(r, rd_varint(r)); break;
    case FIELD_FIXED32: f.value = field_fixed(r, 4); break;
    default: r->bad = true;
    }
    if (tag > UINT32_MAX || tag < 8)
        r->bad = true;
    *ret = f;
    return !r->bad;
}

static inline int32_t field_zigzag32(uint64_t value)
{
    uint32_t u = (uint32_t)value;
    return (int32_t)((u >> 1) ^ (0u - (u & 1)));
}

#endif
