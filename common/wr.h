/* Appending fixed and variable width numbers to a buf. */
#ifndef CAIRN_COMMON_WR_H
#define CAIRN_COMMON_WR_H

#include "common/buf.h"

static inline void wr_be(struct buf *b, uint64_t value, size_t len)
{
    uint8_t *to = buf_reserve(b, len);
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    b->len += len;
}
static inline void wr_u8(struct buf *b, uint8_t value)
{
    wr_be(b, value, 1);
}
static inline void wr_u16be(struct buf *b, uint16_t value)
{
    wr_be(b, value, 2);
}
static inline void wr_u32be(struct buf *b, uint32_t value)
{
    wr_be(b, value, 4);
}
static inline void wr_u64be(struct buf *b, uint64_t value)
{
    wr_be(b, value, 8);
}
static inline void wr_varint(struct buf *b, uint64_t value)
{
    while (value > 0x7f) {
        wr_u8(b, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    wr_u8(b, (uint8_t)value);
}
static inline void wr_zigzag(struct buf *b, int64_t value)
{
    wr_varint(b, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

#endif
