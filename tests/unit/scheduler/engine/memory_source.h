/* A byte_source of bytes in memory, which hands out so many at a time at most. */
#ifndef CAIRN_TESTS_UNIT_SCHEDULER_ENGINE_MEMORY_SOURCE_H
#define CAIRN_TESTS_UNIT_SCHEDULER_ENGINE_MEMORY_SOURCE_H

#include <string.h>

#include "scheduler/engine/byte_source.h"
#include "tests/unit/check.h"

struct memory {
    struct slice all;
    size_t at, at_once;
};

static inline int memory_read(void *context, void *to, size_t len, size_t *ret_read, struct err *reterr)
{
    struct memory *m = context;
    size_t n = m->all.len - m->at;
    n = n < len ? n : len;
    n = n < m->at_once ? n : m->at_once;
    if (n)
        memcpy(to, m->all.base + m->at, n);
    m->at += n;
    *ret_read = n;
    return 0;
}

static inline struct slice text(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

#endif
