/* Where the engine's bytes come from: a file in the DFS in real life, memory in tests. */
#ifndef CAIRN_SCHEDULER_ENGINE_BYTE_SOURCE_H
#define CAIRN_SCHEDULER_ENGINE_BYTE_SOURCE_H

#include <stdint.h>

#include "common/err.h"

struct byte_source {
    /* Sequential from wherever it was opened; *ret_read 0 = end. */
    int (*read)(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr);
    void *context;
};

/* Inflates gzip (any number of members) from another source; borrows it. Free with gunzip_free. */
struct gunzip;
struct gunzip *gunzip_new(struct byte_source compressed, const char *name_for_errors);
struct byte_source gunzip_source(struct gunzip *g);
void gunzip_free(struct gunzip *g);

#endif
