/* The checksum that `hadoop fs -checksum` prints: datanodes give the MD5 of the CRCs of each block, and the file's is
 * the MD5 of those, padded with zeros to 32, 64, 128, ... bytes (Hadoop hashes its growing buffer, not just what is in
 * it). With dfs.checksum.combine.mode = COMPOSITE_CRC they give the CRC of each block, and the file's is the CRC of
 * all. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/lost_nodes.h"
#include "common/digest.h"
#include "common/md5.h"
#include "common/rd.h"
#include "common/wr.h"
#include "proto/op_header.h"

#define LOCATIONS_MAX_BYTES (256u << 20)
#define PADDED_MIN_BYTES    32

struct block_sum {
    uint8_t md5[MD5_BYTES];
    uint32_t crc; /* composite */
    uint32_t bytes_per_crc;
    uint64_t crcs;
    int type;
};

static int sum_from_node(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, bool composite,
                         struct block_sum *ret, struct err *reterr)
{
    AUTO(net_closep) int fd = -1;
    AUTO_ARENA(a, 2 * OP_MESSAGE_MAX_BYTES);
    Hdfs__BaseHeaderProto header = HDFS__BASE_HEADER_PROTO__INIT;
    Hdfs__OpBlockChecksumProto op = HDFS__OP_BLOCK_CHECKSUM_PROTO__INIT;
    header.block = proto_of_block(b, &a);
    header.token = proto_of_token(&b->token, &a);
    op.header = &header;
    Hdfs__BlockChecksumOptionsProto options = HDFS__BLOCK_CHECKSUM_OPTIONS_PROTO__INIT;
    options.has_blockchecksumtype = true;
    options.blockchecksumtype = HDFS__BLOCK_CHECKSUM_TYPE_PROTO__COMPOSITE_CRC;
    if (composite)
        op.blockchecksumoptions = &options;
    int rc = datanode_connect(fs, d, 0, &fd, reterr);
    if (rc == 0)
        rc = op_write(fd, OP_BLOCK_CHECKSUM, &op.base, reterr);
    Hdfs__BlockOpResponseProto *answer;
    if (rc == 0)
        rc = datanode_read_answer(fd, &a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__OpBlockChecksumResponseProto *sum = answer->checksumresponse;
    size_t want = composite ? sizeof ret->crc : MD5_BYTES;
    if (!sum || sum->blockchecksum.len != want)
        return err_set(reterr, ERR_PROTOCOL, "the answer to BLOCK_CHECKSUM holds no %s",
                       composite ? "composite CRC" : "MD5");
    struct rd rd = {.pos = sum->blockchecksum.data, .end = sum->blockchecksum.data + want};
    if (composite)
        ret->crc = rd_u32be(&rd);
    else
        memcpy(ret->md5, sum->blockchecksum.data, MD5_BYTES);
    ret->bytes_per_crc = sum->bytespercrc;
    ret->crcs = sum->crcperblock;
    ret->type = sum->has_crctype ? (int)sum->crctype : HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32;
    return 0;
}

static bool is_silent(const struct lost_nodes *silent, const struct dfs_datanode *d)
{
    for (size_t i = 0; i < silent->count; i++)
        if (!strcmp(silent->nodes[i].uuid, d->uuid))
            return true;
    return false;
}

/* Those that did not answer for a block before are asked last: one that hangs is waited for once, not for each block.
 */
static void silent_last(struct dfs_block *b, const struct lost_nodes *silent)
{
    size_t others = 0;
    for (size_t i = 0; i < b->node_count; i++)
        if (!is_silent(silent, &b->nodes[i])) {
            struct dfs_datanode d = b->nodes[i];
            b->nodes[i] = b->nodes[others];
            b->nodes[others++] = d;
        }
}

static int sum_of_block(struct dfs *fs, const char *path, struct dfs_block *b, bool composite,
                        struct lost_nodes *silent, struct block_sum *ret, struct err *reterr)
{
    int rc = err_set(reterr, ERR_IO, "no datanode has it");
    silent_last(b, silent);
    for (size_t i = 0; i < b->node_count; i++) {
        rc = sum_from_node(fs, b, &b->nodes[i], composite, ret, reterr);
        if (rc == 0)
            return 0;
        if (rc == ERR_CONNECT || rc == ERR_TIMEOUT)
            lost_nodes_add(silent, &b->nodes[i]);
    }
    return err_prefix(reterr, rc, "%s: checksum of block %" PRIu64, path, b->block_id);
}

/* *ret is the first block's, but for the CRC, which is that of all blocks. */
static int sum_of_blocks(struct dfs *fs, const char *path, const struct dfs_blocks *blocks, bool composite,
                         struct lost_nodes *silent, struct buf *md5s, struct block_sum *ret, struct err *reterr)
{
    for (size_t i = 0; i < blocks->count; i++) {
        struct block_sum sum = {0};
        int rc = sum_of_block(fs, path, &blocks->blocks[i], composite, silent, &sum, reterr);
        if (rc < 0)
            return rc;
        if (i == 0)
            *ret = sum;
        if (sum.bytes_per_crc != ret->bytes_per_crc || sum.type != ret->type)
            return err_set(reterr, ERR_IO, "%s: its blocks have checksums of different kinds", path);
        if (i > 0 && composite)
            ret->crc =
                checksum_combine((enum checksum_type)sum.type, ret->crc, sum.crc, (uint64_t)blocks->blocks[i].bytes);
        buf_append(md5s, sum.md5, MD5_BYTES);
    }
    return 0;
}

static const char *hex_of(const uint8_t *bytes, size_t len, struct arena *a)
{
    char *hex = arena_alloc(a, 2 * len + 1);
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    hex[2 * len] = 0;
    return hex;
}

static const char *type_name(int type)
{
    return type == HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32C ? "CRC32C" : "CRC32";
}

static int combine_mode(const struct config *config, bool *ret_composite, struct err *reterr)
{
    const char *mode = config_get(config, "dfs.checksum.combine.mode");
    *ret_composite = mode && !strcmp(mode, "COMPOSITE_CRC");
    if (mode && *mode && !*ret_composite && strcmp(mode, "MD5MD5CRC"))
        return err_set(reterr, ERR_CONFIG, "dfs.checksum.combine.mode is '%s': MD5MD5CRC or COMPOSITE_CRC is expected",
                       mode);
    return 0;
}

int dfs_checksum(struct dfs *fs, const char *path, struct arena *a, const char **ret_algorithm, const char **ret_hex,
                 struct err *reterr)
{
    AUTO_ARENA(locations, LOCATIONS_MAX_BYTES);
    struct dfs_blocks blocks;
    bool composite;
    int rc = combine_mode(fs->config, &composite, reterr);
    if (rc == 0)
        rc = dfs_block_locations(fs, path, 0, INT64_MAX, &locations, &blocks, reterr);
    if (rc < 0)
        return rc;
    if (blocks.under_construction)
        return err_set(reterr, ERR_IO, "Fail to get checksum, since file %s is under construction.", path);
    AUTO(buf_free) struct buf bytes = {0};
    struct block_sum first = {.type = HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32};
    struct lost_nodes silent = {0};
    rc = sum_of_blocks(fs, path, &blocks, composite, &silent, &bytes, &first, reterr);
    lost_nodes_clear(&silent);
    if (rc < 0)
        return rc;
    if (composite) {
        struct buf crc = {0};
        wr_u32be(&crc, first.crc);
        *ret_hex = hex_of(crc.base, crc.len, a);
        *ret_algorithm = arena_printf(a, "COMPOSITE-%s", type_name(first.type));
        buf_free(&crc);
        return 0;
    }
    size_t padded = PADDED_MIN_BYTES;
    while (padded < bytes.len)
        padded *= 2;
    memset(buf_reserve(&bytes, padded - bytes.len), 0, padded - bytes.len);
    uint8_t md5[MD5_BYTES];
    md5_of(bytes.base, padded, md5);
    uint64_t crcs_per_block = blocks.count > 1 ? first.crcs : 0;
    AUTO(buf_free) struct buf out = {0};
    wr_u32be(&out, first.bytes_per_crc);
    wr_u64be(&out, crcs_per_block);
    buf_append(&out, md5, sizeof md5);
    *ret_hex = hex_of(out.base, out.len, a);
    *ret_algorithm = arena_printf(a, "MD5-of-%" PRIu64 "MD5-of-%" PRIu32 "%s", crcs_per_block, first.bytes_per_crc,
                                  type_name(first.type));
    return 0;
}
