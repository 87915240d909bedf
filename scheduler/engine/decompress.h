/* Compressed files, as their names' ends say: .gz, .bz2, .zst, .deflate (zlib), and .snappy and .lz4 in Hadoop's
 * framing. Any number of members (gzip), streams (bzip2) or frames (zstd) one after the other. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_DECOMPRESS_H
#define CAIRN_SCHEDULER_ENGINE_DECOMPRESS_H

#include "scheduler/engine/byte_source.h"

struct decompressor;
bool decompressor_knows(const char *file_name);
/* Borrows both. ERR_UNSUPPORTED: not a name that decompressor_knows. */
int decompressor_new(struct byte_source compressed, const char *file_name, struct decompressor **ret,
                     struct err *reterr) MUST_CHECK;
struct byte_source decompressor_source(struct decompressor *d);
void decompressor_free(struct decompressor *d); /* NULL is fine */

#endif
