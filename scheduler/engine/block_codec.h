/* Compression of the blocks that a run consists of. Any thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_BLOCK_CODEC_H
#define CAIRN_SCHEDULER_ENGINE_BLOCK_CODEC_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

enum block_codec { BLOCK_RAW = 0, BLOCK_LZ4 = 1, BLOCK_ZSTD = 2 }; /* as stored */

/* Appends what `from` becomes to `to`. False: it would not get smaller by an eighth, and nothing is appended. */
bool block_compress(enum block_codec codec, struct slice from, struct buf *to);
/* Exactly raw_len bytes to `to`, or ERR_CHECKSUM. */
int block_decompress(enum block_codec codec, struct slice from, uint8_t *to, size_t raw_len,
                     struct err *reterr) MUST_CHECK;
/* No block of so many bytes can have been longer than this: what a header says is checked before memory is taken. */
uint64_t block_raw_bytes_max(enum block_codec codec, uint64_t stored_bytes);

#endif
