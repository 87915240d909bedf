/* Compresses what becomes a file: the counterpart of decompress.h. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_COMPRESS_H
#define CAIRN_SCHEDULER_ENGINE_COMPRESS_H

#include "common/buf.h"
#include "common/err.h"

/* ".gz" for org.apache.hadoop.io.compress.GzipCodec, and so on; NULL: not known. */
const char *codec_suffix(const char *hadoop_class);

struct compressor;
/* suffix: one that codec_suffix gives. */
struct compressor *compressor_new(const char *suffix);
/* Appends to `to` what is ready. */
void compressor_add(struct compressor *c, const void *bytes, size_t len, struct buf *to);
void compressor_end(struct compressor *c, struct buf *to); /* appends the rest */
void compressor_free(struct compressor *c);                /* NULL is fine */

#endif
