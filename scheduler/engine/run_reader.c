#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/rd.h"
#include "scheduler/engine/run_file.h"

struct run_reader {
    struct run_header header;
    int fd; /* -1: everything is in `bytes` */
    int64_t next_offset;
    uint64_t unread; /* payload bytes still in the file */
    uint64_t records_left;
    struct buf buffer;
    size_t buffer_bytes;
    const uint8_t *pos, *end;            /* of what is stored: read, not yet taken apart */
    const uint8_t *record, *records_end; /* of the current block: records not yet handed out */
    struct buf raw;                      /* the current block, if it was compressed */
    struct xxh3 *digest;                 /* NULL: verified already */
};

int run_header_decode(struct slice bytes, struct run_header *ret, struct err *reterr)
{
    struct rd rd = rd_of(bytes);
    if (rd_u32be(&rd) != RUN_MAGIC || bytes.len < RUN_HEADER_BYTES)
        return err_set(reterr, ERR_CHECKSUM, "a run has no valid header");
    ret->partition = rd_u32be(&rd);
    ret->payload_bytes = rd_u64be(&rd);
    ret->records = rd_u64be(&rd);
    ret->xxh3 = rd_u64be(&rd);
    return 0;
}

int run_reader_file(int fd, struct run_extent where, size_t buffer_bytes, struct run_reader **ret, struct err *reterr)
{
    uint8_t head[RUN_HEADER_BYTES];
    int rc = file_pread_full(fd, head, sizeof head, where.offset, reterr);
    if (rc < 0)
        return rc;
    struct run_header header;
    if ((rc = run_header_decode((struct slice){head, sizeof head}, &header, reterr)) < 0)
        return rc;
    if ((int64_t)header.payload_bytes != where.bytes - RUN_HEADER_BYTES)
        return err_set(reterr, ERR_CHECKSUM, "a run of %lld bytes says it has %llu",
                       (long long)where.bytes - RUN_HEADER_BYTES, (unsigned long long)header.payload_bytes);
    struct run_reader *r = mem_new(struct run_reader);
    *r = (struct run_reader){.header = header,
                             .fd = fd,
                             .next_offset = where.offset + RUN_HEADER_BYTES,
                             .unread = header.payload_bytes,
                             .records_left = header.records,
                             .buffer_bytes = buffer_bytes,
                             .digest = xxh3_new()};
    *ret = r;
    return 0;
}

int run_reader_memory(struct slice bytes, struct run_reader **ret, struct err *reterr)
{
    struct run_header header;
    int rc = run_header_decode(bytes, &header, reterr);
    if (rc < 0)
        return rc;
    const uint8_t *payload = bytes.base + RUN_HEADER_BYTES;
    if (header.payload_bytes != bytes.len - RUN_HEADER_BYTES || xxh3_of(payload, header.payload_bytes) != header.xxh3)
        return err_set(reterr, ERR_CHECKSUM, "a run's digest does not match");
    struct run_reader *r = mem_new(struct run_reader);
    *r = (struct run_reader){.header = header,
                             .fd = -1,
                             .records_left = header.records,
                             .pos = payload,
                             .end = payload + header.payload_bytes};
    *ret = r;
    return 0;
}

void run_reader_free(struct run_reader *r)
{
    if (!r)
        return;
    xxh3_free(r->digest);
    buf_free(&r->buffer);
    buf_free(&r->raw);
    free(r);
}

uint64_t run_reader_records(const struct run_reader *r)
{
    return r->header.records;
}

/* Makes at least `need` bytes readable at pos, if the run has them. */
static int run_reader_fill(struct run_reader *r, size_t need, struct err *reterr)
{
    size_t have = (size_t)(r->end - r->pos);
    if (r->fd < 0 || have >= need || r->unread == 0)
        return 0;
    size_t room = need > r->buffer_bytes ? need : r->buffer_bytes;
    if (r->buffer.len && have)
        memmove(r->buffer.base, r->pos, have);
    r->buffer.len = have;
    size_t more = room - have;
    more = more < r->unread ? more : r->unread;
    uint8_t *to = buf_reserve(&r->buffer, more);
    int rc = file_pread_full(r->fd, to, more, r->next_offset, reterr);
    if (rc < 0)
        return rc;
    xxh3_update(r->digest, to, more);
    r->buffer.len += more;
    r->next_offset += (int64_t)more;
    r->unread -= more;
    r->pos = r->buffer.base;
    r->end = r->pos + r->buffer.len;
    if (r->unread == 0 && xxh3_value(r->digest) != r->header.xxh3)
        return err_set(reterr, ERR_CHECKSUM, "a run's digest does not match");
    return 0;
}

static int run_reader_block(struct run_reader *r, struct err *reterr)
{
    int rc = run_reader_fill(r, RUN_BLOCK_HEADER, reterr);
    if (rc < 0)
        return rc;
    struct rd rd = {r->pos, r->end, false};
    enum block_codec codec = rd_u8(&rd);
    uint32_t raw_len = rd_u32be(&rd), stored_len = rd_u32be(&rd);
    if (rd.bad || codec > BLOCK_ZSTD || raw_len == 0 || stored_len > (uint64_t)(r->end - rd.pos) + r->unread ||
        raw_len > block_raw_bytes_max(codec, stored_len) || (codec == BLOCK_RAW && raw_len != stored_len))
        return err_set(reterr, ERR_CHECKSUM, "a run's block is damaged");
    if ((rc = run_reader_fill(r, RUN_BLOCK_HEADER + (size_t)stored_len, reterr)) < 0)
        return rc;
    struct slice stored = {r->pos + RUN_BLOCK_HEADER, stored_len};
    r->pos = stored.base + stored.len;
    if (codec != BLOCK_RAW) {
        buf_clear(&r->raw);
        uint8_t *to = buf_reserve(&r->raw, raw_len);
        if ((rc = block_decompress(codec, stored, to, raw_len, reterr)) < 0)
            return rc;
        stored = (struct slice){to, raw_len};
    }
    r->record = stored.base;
    r->records_end = stored.base + stored.len;
    return 0;
}

int run_reader_next(struct run_reader *r, struct record *ret, bool *ret_more, struct err *reterr)
{
    if (r->record == r->records_end) {
        if (r->records_left == 0) {
            *ret_more = false;
            return r->pos == r->end && r->unread == 0
                       ? 0
                       : err_set(reterr, ERR_CHECKSUM, "a run has bytes after its last record");
        }
        int rc = run_reader_block(r, reterr);
        if (rc < 0)
            return rc;
    }
    struct rd rd = {r->record, r->records_end, false};
    uint64_t key_len, value_len;
    if (rd_left(&rd) >= 2 && rd.pos[0] < 0x80 && rd.pos[1] < 0x80) { /* as most are */
        key_len = *rd.pos++;
        value_len = *rd.pos++;
    } else {
        key_len = rd_varint(&rd);
        value_len = rd_varint(&rd);
    }
    if (r->records_left == 0 || rd.bad || key_len > RECORD_BYTES_MAX || value_len > RECORD_BYTES_MAX ||
        key_len + value_len > rd_left(&rd))
        return err_set(reterr, ERR_CHECKSUM, "a run's record is damaged");
    *ret = (struct record){rd.pos, rd.pos + key_len, (uint32_t)key_len, (uint32_t)value_len};
    r->record = rd.pos + key_len + value_len;
    r->records_left--;
    *ret_more = true;
    return 0;
}
