/* Where the engine's bytes come from: a file in the DFS in real life, memory in tests. */
#ifndef CAIRN_SCHEDULER_ENGINE_BYTE_SOURCE_H
#define CAIRN_SCHEDULER_ENGINE_BYTE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct byte_source {
    /* Sequential from wherever it was opened; *ret_read 0 = end. */
    int (*read)(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr);
    void *context;
    int (*seek)(void *context, int64_t offset, struct err *reterr); /* NULL: it only goes forward */
};

#endif
