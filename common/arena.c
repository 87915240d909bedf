#include "common/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define ARENA_CHUNK_BYTES 4096
#define ARENA_ALIGN       16

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity;
    _Alignas(ARENA_ALIGN) char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

void arena_free(struct arena *a)
{
    for (struct arena_chunk *chunk = a->chunks; chunk;) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    arena_init(a, a->max_bytes);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunks;
    if (!keep)
        return;
    if (keep->capacity > ARENA_CHUNK_BYTES) { /* one large request must not pin its memory */
        arena_free(a);
        return;
    }
    for (struct arena_chunk *chunk = keep->next; chunk;) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    keep->next = NULL;
    a->used = 0;
    a->total = a->capacity = keep->capacity;
}

void *arena_try_alloc(struct arena *a, size_t bytes)
{
    if (bytes > a->max_bytes)
        return NULL;
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!a->chunks || a->capacity - a->used < bytes) {
        size_t capacity = a->chunks ? a->chunks->capacity * 2 : ARENA_CHUNK_BYTES;
        if (capacity > (1u << 20))
            capacity = 1u << 20;
        if (capacity < bytes)
            capacity = bytes;
        if (a->total + capacity > a->max_bytes)
            capacity = bytes;
        if (a->total + capacity > a->max_bytes + ARENA_CHUNK_BYTES)
            return NULL;
        struct arena_chunk *chunk = mem_alloc(sizeof *chunk + capacity);
        chunk->next = a->chunks;
        chunk->capacity = capacity;
        a->chunks = chunk;
        a->capacity = capacity;
        a->used = 0;
        a->total += capacity;
    }
    void *p = a->chunks->bytes + a->used;
    a->used += bytes;
    return p;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    void *p = arena_try_alloc(a, bytes);
    if (!p) {
        fprintf(stderr, "cairn: arena of %zu bytes is full\n", a->max_bytes);
        abort();
    }
    return p;
}

void *arena_zalloc(struct arena *a, size_t bytes)
{
    return memset(arena_alloc(a, bytes), 0, bytes);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_alloc(a, len + 1);
    if (len) /* text may be NULL then */
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strlen(text));
}

void *arena_memdup(struct arena *a, const void *bytes, size_t len)
{
    return memcpy(arena_alloc(a, len), bytes, len);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    text[0] = 0;
    vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, format, again);
    va_end(again);
    return text;
}
