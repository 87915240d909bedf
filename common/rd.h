/* Reading bytes that may be anything: a cursor with a sticky error. After the first read past the end `bad` is set and
 * everything reads as zero, so a decoder checks once, at the end. */
#ifndef CAIRN_COMMON_RD_H
#define CAIRN_COMMON_RD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"

struct rd {
    const uint8_t *pos, *end;
    bool bad;
};

static inline struct rd rd_of(struct slice in)
{
    static const uint8_t nothing[1]; /* what an empty slice points to may be NULL, which nothing can be added to */
    const uint8_t *base = in.base ? in.base : nothing;
    return (struct rd){base, base + in.len, false};
}
static inline size_t rd_left(const struct rd *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->pos);
}
static inline struct slice rd_slice(struct rd *r, size_t len) /* borrows the input */
{
    if (rd_left(r) < len) {
        r->bad = true;
        return (struct slice){0};
    }
    struct slice s = {r->pos, len};
    r->pos += len;
    return s;
}
static inline uint64_t rd_be(struct rd *r, size_t len)
{
    struct slice s = rd_slice(r, len);
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++)
        value = value << 8 | s.base[i];
    return value;
}
static inline uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)rd_be(r, 1);
}
static inline uint16_t rd_u16be(struct rd *r)
{
    return (uint16_t)rd_be(r, 2);
}
static inline uint32_t rd_u32be(struct rd *r)
{
    return (uint32_t)rd_be(r, 4);
}
static inline uint64_t rd_u64be(struct rd *r)
{
    return rd_be(r, 8);
}
static inline uint64_t rd_varint(struct rd *r)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        uint8_t byte = rd_u8(r);
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80))
            return r->bad ? 0 : value;
    }
    r->bad = true;
    return 0;
}
static inline int64_t rd_zigzag(struct rd *r)
{
    uint64_t u = rd_varint(r);
    return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

#endif
