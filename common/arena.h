/* Memory that dies together: one arena per request, dropped whole. Bounded: past max_bytes allocation fails (NULL), so
 * a hostile message costs at most that. Owned by one thread at a time. */
#ifndef CAIRN_COMMON_ARENA_H
#define CAIRN_COMMON_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct arena {
    struct arena_chunk *chunks;
    size_t used, capacity;   /* in the newest chunk */
    size_t total, max_bytes; /* of all chunks */
};

/* For what the user asked for and nobody else: it may cost what it costs. */
#define ARENA_NO_BOUND (SIZE_MAX / 2)

void arena_init(struct arena *a, size_t max_bytes);
void arena_free(struct arena *a);                     /* for AUTO(arena_free) too; reusable afterwards */
void arena_reset(struct arena *a);                    /* keeps one chunk */
void *arena_try_alloc(struct arena *a, size_t bytes); /* NULL when the bound is hit; 16-byte aligned */
/* For sizes we chose ourselves: aborts at the bound. */
void *arena_alloc(struct arena *a, size_t bytes);
void *arena_zalloc(struct arena *a, size_t bytes);
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const char *text, size_t len);
void *arena_memdup(struct arena *a, const void *bytes, size_t len);
char *arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

#define arena_new(a, type)          ((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_zalloc((a), sizeof(type) * (count)))

/* An arena for one function: gone when that returns. */
#define AUTO_ARENA(name, max)                                                                                          \
    AUTO(arena_free) struct arena name;                                                                                \
    arena_init(&name, max)

#endif
