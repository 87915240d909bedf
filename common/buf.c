#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

uint8_t *buf_reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more;
    if (need > b->capacity) {
        size_t capacity = b->capacity ? b->capacity : 64;
        while (capacity < need)
            capacity += capacity / 2 + 64;
        b->base = mem_realloc(b->base, capacity);
        b->capacity = capacity;
    }
    return need ? b->base + b->len : b->base;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len) {
        memcpy(buf_reserve(b, len), bytes, len);
        b->len += len;
    }
}

void buf_append_str(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0) {
        buf_reserve(b, (size_t)n + 1);
        vsnprintf((char *)b->base + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t len)
{
    memmove(b->base, b->base + len, b->len - len);
    b->len -= len;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

void buf_free(struct buf *b)
{
    free(b->base);
    *b = (struct buf){0};
}

char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = 0;
    return (char *)b->base;
}

char *buf_detach(struct buf *b)
{
    char *text = buf_cstr(b);
    *b = (struct buf){0};
    return text;
}
