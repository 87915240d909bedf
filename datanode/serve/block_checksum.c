/* BLOCK_CHECKSUM: one value over all checksums of a block, from the meta file alone (but for a cut last chunk):
 * MD5 of the stored checksums, or their combination into the checksum of the whole block. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/md5.h"
#include "common/mem.h"
#include "datanode/serve/xfer.h"
#include "datanode/serve/zero_block.h"
#include "proto/op_header.h"

#define READ_CHUNKS 16384

struct folding { /* either of the two */
    bool composite;
    struct md5 md5;
    uint32_t crc;
    struct meta_header meta;
};

static void put_u32be(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24), to[1] = (uint8_t)(value >> 16), to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static uint32_t get_u32be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Checksums of chunks that all have chunk_bytes. */
static void fold(struct folding *f, const uint8_t *checksums, size_t count, uint64_t chunk_bytes)
{
    if (!f->composite) {
        md5_update(&f->md5, checksums, count * 4);
        return;
    }
    for (size_t i = 0; i < count; i++)
        f->crc = checksum_combine(f->meta.type, f->crc, get_u32be(checksums + 4 * i), chunk_bytes);
}

static int fold_tail(struct folding *f, const struct replica_reader *r, uint64_t from, uint64_t len, struct err *reterr)
{
    uint8_t stored[4];
    if (r->has_tail_checksum && from + len == r->end_bytes) {
        put_u32be(stored, r->tail_checksum);
    } else if (from + len == r->end_bytes) {
        int rc = replica_read_meta(r, stored, 4, meta_offset(&f->meta, from / f->meta.bytes_per_checksum), reterr);
        if (rc < 0)
            return rc;
    } else { /* asked for less than there is: the chunk's own checksum covers too much */
        AUTO(mem_freep) uint8_t *data = mem_alloc((size_t)len);
        int rc = replica_read_data(r, data, (size_t)len, from, reterr);
        if (rc < 0)
            return rc;
        checksum_chunks(f->meta.type, data, (size_t)len, (size_t)len, stored);
    }
    fold(f, stored, 1, len);
    return 0;
}

static int fold_all(struct folding *f, const struct replica_reader *r, uint64_t bytes, struct err *reterr)
{
    uint32_t bpc = f->meta.bytes_per_checksum;
    uint64_t whole = bytes / bpc;
    AUTO(mem_freep) uint8_t *checksums = mem_alloc((size_t)READ_CHUNKS * 4);
    for (uint64_t at = 0; at < whole;) {
        size_t count = whole - at < READ_CHUNKS ? (size_t)(whole - at) : READ_CHUNKS;
        int rc = replica_read_meta(r, checksums, count * 4, meta_offset(&f->meta, at), reterr);
        if (rc < 0)
            return rc;
        fold(f, checksums, count, bpc);
        at += count;
    }
    return bytes % bpc ? fold_tail(f, r, whole * bpc, bytes % bpc, reterr) : 0;
}

static int answer(struct xfer *x, const struct meta_header *meta, bool composite, uint8_t *value, uint64_t bytes)
{
    Hdfs__BlockOpResponseProto response = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    Hdfs__OpBlockChecksumResponseProto sum = HDFS__OP_BLOCK_CHECKSUM_RESPONSE_PROTO__INIT;
    Hdfs__BlockChecksumOptionsProto options = HDFS__BLOCK_CHECKSUM_OPTIONS_PROTO__INIT;
    options.has_blockchecksumtype = 1;
    options.blockchecksumtype =
        composite ? HDFS__BLOCK_CHECKSUM_TYPE_PROTO__COMPOSITE_CRC : HDFS__BLOCK_CHECKSUM_TYPE_PROTO__MD5CRC;
    sum.bytespercrc = meta->bytes_per_checksum;
    sum.crcperblock = meta_chunk_count(meta, bytes);
    sum.blockchecksum = (ProtobufCBinaryData){composite ? 4 : MD5_BYTES, value};
    sum.has_crctype = 1;
    sum.crctype = (Hdfs__ChecksumTypeProto)meta->type;
    sum.blockchecksumoptions = &options;
    response.status = HDFS__STATUS__SUCCESS;
    response.checksumresponse = &sum;
    return delimited_write(x->fd, &response.base, NULL);
}

static bool wants_composite(const Hdfs__OpBlockChecksumProto *op)
{
    const Hdfs__BlockChecksumOptionsProto *o = op->blockchecksumoptions;
    return o && o->has_blockchecksumtype && o->blockchecksumtype == HDFS__BLOCK_CHECKSUM_TYPE_PROTO__COMPOSITE_CRC;
}

static int compute(struct xfer *x, const Hdfs__OpBlockChecksumProto *op, struct folding *f, uint64_t *ret_bytes,
                   struct err *reterr)
{
    const Hdfs__ExtendedBlockProto *block = op->header->block;
    struct replica_reader r;
    int rc = xfer_check_pool(x, block, reterr);
    uint64_t wanted = block->has_numbytes ? block->numbytes : 0;
    if (rc == 0)
        rc = block_store_open_reader(x->dn->store, block->blockid, block->generationstamp, 0, &r, reterr);
    if (rc < 0)
        return rc;
    uint64_t bytes = wanted > 0 && wanted < (uint64_t)r.visible_bytes ? wanted : (uint64_t)r.visible_bytes;
    f->meta = r.meta;
    f->composite = wants_composite(op);
    md5_init(&f->md5);
    f->crc = 0;
    if (f->composite && op->blockchecksumoptions->has_stripelength && op->blockchecksumoptions->stripelength)
        rc = err_set(reterr, ERR_UNSUPPORTED, "checksums of stripes are of no use here: no file is striped");
    else
        rc = r.meta.type == CHECKSUM_NULL ? err_set(reterr, ERR_UNSUPPORTED, "the replica has no checksums")
                                          : fold_all(f, &r, bytes, reterr);
    replica_reader_close(&r);
    *ret_bytes = bytes;
    return rc;
}

static int zeros_checksum(struct xfer *x, const Hdfs__OpBlockChecksumProto *op)
{
    const Hdfs__ExtendedBlockProto *block = op->header->block;
    struct meta_header meta = zero_block_checksums();
    uint64_t bytes = block->has_numbytes ? block->numbytes : 0;
    uint8_t value[MD5_BYTES];
    struct err why;
    int rc = xfer_check_pool(x, block, &why);
    if (!rc && bytes > INT64_MAX)
        rc = err_set(&why, ERR_ILLEGAL_ARGUMENT, "a block of %" PRIu64 " bytes", bytes);
    if (!rc && wants_composite(op))
        put_u32be(value, zero_block_crc(bytes));
    else if (!rc)
        rc = zero_block_md5(x->fd, bytes, value, &why);
    if (rc < 0)
        return xfer_refuse(x, "opBlockChecksum", block, HDFS__STATUS__ERROR, &why);
    return answer(x, &meta, wants_composite(op), value, bytes);
}

int xfer_block_checksum(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpBlockChecksumProto *op = (const Hdfs__OpBlockChecksumProto *)message;
    struct folding f;
    uint8_t value[MD5_BYTES];
    uint64_t bytes = 0;
    struct err why;
    if (is_zero_block(op->header->block))
        return zeros_checksum(x, op);
    if (compute(x, op, &f, &bytes, &why) < 0)
        return xfer_refuse(x, "opBlockChecksum", op->header->block, HDFS__STATUS__ERROR, &why);
    if (f.composite)
        put_u32be(value, f.crc);
    else
        md5_final(&f.md5, value);
    return answer(x, &f.meta, f.composite, value, bytes);
}

/* Of a block of a file with erasure coding, of which there are none yet. */
int xfer_block_group_checksum(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpBlockGroupChecksumProto *op = (const Hdfs__OpBlockGroupChecksumProto *)message;
    struct err why;
    (void)err_set(&why, ERR_UNSUPPORTED, "no block here belongs to a group of an erasure coded file");
    return xfer_refuse(x, "opBlockGroupChecksum", op->header->block, HDFS__STATUS__ERROR_UNSUPPORTED, &why);
}
