/* Owned, growable bytes, and a borrowed slice of bytes.
 * buf: base is NULL only while capacity is 0; len <= capacity. Running out of memory aborts (see mem.h). */
#ifndef CAIRN_COMMON_BUF_H
#define CAIRN_COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct slice {
    const uint8_t *base;
    size_t len;
};
struct buf {
    uint8_t *base;
    size_t len, capacity;
};

uint8_t *buf_reserve(struct buf *b, size_t more); /* room for `more` bytes at the end; len unchanged */
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_str(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_consume(struct buf *b, size_t len); /* drops bytes at the front (moves the rest) */
void buf_clear(struct buf *b);               /* len = 0, memory kept */
void buf_free(struct buf *b);                /* memory gone, reusable; a zeroed buf is fine */
char *buf_cstr(struct buf *b);               /* NUL-terminated view, valid until the next change; len unchanged */
char *buf_detach(struct buf *b);             /* NUL-terminated, you own it now (free()) */
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->base, b->len};
}

#endif
