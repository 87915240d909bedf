/* A run: records of one partition, sorted by key bytes. A run file holds one run per partition, one after the other;
 * it is what a map task spills, what it leaves behind as its output, and what the shuffle carries. Numbers are big
 * endian.
 *
 *   run:    header (32 bytes): magic "CRN2" u32, partition u32, payload bytes u64, records u64, XXH3 of the payload u64
 *           payload: blocks, each: codec u8, raw length u32, stored length u32, the bytes; raw they are whole records,
 *           each: varint key length, varint value length, key, value
 *   index:  file.index: per partition: offset u64, length with header u64; then XXH3 of all that u64
 *
 * Readers treat every byte as hostile: lengths are checked before use, the digest when the payload's end is reached. */
#ifndef CAIRN_SCHEDULER_ENGINE_RUN_FILE_H
#define CAIRN_SCHEDULER_ENGINE_RUN_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "scheduler/engine/block_codec.h"

#define RUN_MAGIC         0x43524e32u
#define RUN_HEADER_BYTES  32
#define RUN_BLOCK_HEADER  9
#define RUN_BLOCK_BYTES   (64u << 10) /* a block ends with the first record that reaches it */
#define RECORD_HEADER_MAX 20
#define RECORD_BYTES_MAX  (1u << 30) /* key or value */

struct record {
    const uint8_t *key, *value;
    uint32_t key_len, value_len;
};

struct run_header {
    uint32_t partition;
    uint64_t payload_bytes, records, xxh3;
};
int run_header_decode(struct slice bytes, struct run_header *ret, struct err *reterr) MUST_CHECK; /* ERR_CHECKSUM */
struct run_extent {        /* where a run is in its file */
    int64_t offset, bytes; /* with header */
};

/* ---- writing ---- */
struct run_writer;
int run_writer_new(const char *path, uint32_t partitions, enum block_codec codec, struct run_writer **ret,
                   struct err *reterr) MUST_CHECK;
/* Records in order of (partition, key). */
int run_writer_add(struct run_writer *w, uint32_t partition, const struct record *r, struct err *reterr) MUST_CHECK;
/* Ends the file and writes its index beside it. Frees w in any case. ret_bytes: of the file; may be NULL. */
int run_writer_finish(struct run_writer *w, int64_t *ret_bytes, struct err *reterr) MUST_CHECK;
void run_writer_abort(struct run_writer *w);
uint64_t run_writer_records(const struct run_writer *w);

/* Of path.index: where the run of `partition` is. */
int run_index_read(const char *path, uint32_t partition, struct run_extent *ret, struct err *reterr) MUST_CHECK;

/* ---- reading one run ---- */
struct run_reader;
/* From a file: fd is borrowed, read by pread. */
int run_reader_file(int fd, struct run_extent where, size_t buffer_bytes, struct run_reader **ret,
                    struct err *reterr) MUST_CHECK;
/* From memory with header; borrowed. Verified at once. */
int run_reader_memory(struct slice bytes, struct run_reader **ret, struct err *reterr) MUST_CHECK;
void run_reader_free(struct run_reader *r);
/* *ret borrowed until the next call; false in *ret_more at the end. ERR_CHECKSUM: broken. */
int run_reader_next(struct run_reader *r, struct record *ret, bool *ret_more, struct err *reterr) MUST_CHECK;
uint64_t run_reader_records(const struct run_reader *r);

#endif
