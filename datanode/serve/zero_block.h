/* Holes of files: a block of zeros of any length that no disk holds, with right checksums (proto/zero_block.h). */
#ifndef CAIRN_DATANODE_SERVE_ZERO_BLOCK_H
#define CAIRN_DATANODE_SERVE_ZERO_BLOCK_H

#include "common/digest.h"
#include "datanode/store/meta_file.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/zero_block.h"

static inline bool is_zero_block(const Hdfs__ExtendedBlockProto *b)
{
    return b->blockid == ZERO_BLOCK_ID;
}
/* As clients write by default, so that a file with holes has checksums of one kind. */
struct meta_header zero_block_checksums(void);

/* Packets of zeros, the empty last one too, like block_send(); [from, to), to <= INT64_MAX; with_checksums: from is at
 * a chunk's beginning. */
int zero_block_send(int fd, uint64_t from, uint64_t to, bool with_checksums, struct err *reterr) MUST_CHECK;

/* The checksum of so many zeros, from those of their chunks. */
uint32_t zero_block_crc(uint64_t bytes);
/* The MD5 of all chunks' checksums; asks now and then whether the peer on fd still waits. ERR_CLOSED. */
int zero_block_md5(int fd, uint64_t bytes, uint8_t ret[16], struct err *reterr) MUST_CHECK;

#endif
