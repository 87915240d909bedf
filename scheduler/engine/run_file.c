#include "scheduler/engine/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/rd.h"
#include "common/wr.h"

#define RUN_WRITE_BUFFER_BYTES (256 << 10)
#define RUN_PARTITIONS_MAX     (1u << 20)

/* ---- writing ---- */

struct run_writer {
    int fd;
    char *path;
    uint32_t partitions, current; /* current run; partitions before it are complete */
    struct run_extent *extents;
    enum block_codec codec;
    struct buf block;   /* records of the block that is being filled */
    struct buf out;     /* not yet written, ends at file offset `offset` + out.len */
    int64_t offset;     /* written so far */
    int64_t run_offset; /* of the current run's header */
    uint64_t run_records, records;
    struct xxh3 *digest;
    size_t digested; /* of out: in the digest already */
};

static void run_writer_begin(struct run_writer *w)
{
    w->run_offset = w->offset + (int64_t)w->out.len;
    memset(buf_reserve(&w->out, RUN_HEADER_BYTES), 0, RUN_HEADER_BYTES);
    w->out.len += RUN_HEADER_BYTES;
    w->run_records = 0;
    w->digest = xxh3_new();
    w->digested = w->out.len;
}

int run_writer_new(const char *path, uint32_t partitions, enum block_codec codec, struct run_writer **ret,
                   struct err *reterr)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(reterr, errno, "create '%s'", path);
    struct run_writer *w = mem_new(struct run_writer);
    w->fd = fd;
    w->path = mem_strdup(path);
    w->partitions = partitions;
    w->codec = codec;
    w->extents = mem_calloc(partitions, sizeof *w->extents);
    run_writer_begin(w);
    *ret = w;
    return 0;
}

void run_writer_abort(struct run_writer *w)
{
    if (!w)
        return;
    close(w->fd);
    xxh3_free(w->digest);
    buf_free(&w->block);
    buf_free(&w->out);
    free(w->extents);
    free(w->path);
    free(w);
}

static int run_writer_flush(struct run_writer *w, struct err *reterr)
{
    xxh3_update(w->digest, w->out.base + w->digested, w->out.len - w->digested);
    int rc = file_pwrite_full(w->fd, w->out.base, w->out.len, w->offset, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "'%s'", w->path);
    w->offset += (int64_t)w->out.len;
    buf_clear(&w->out);
    w->digested = 0;
    return 0;
}

static void put_u32be(uint8_t *to, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(to, &value, 4);
}

static int run_writer_end_block(struct run_writer *w, struct err *reterr)
{
    if (w->block.len == 0)
        return 0;
    size_t at = w->out.len;
    buf_reserve(&w->out, RUN_BLOCK_HEADER);
    w->out.len += RUN_BLOCK_HEADER;
    bool smaller = block_compress(w->codec, buf_slice(&w->block), &w->out);
    if (!smaller)
        buf_append(&w->out, w->block.base, w->block.len);
    uint8_t *header = w->out.base + at;
    header[0] = smaller ? (uint8_t)w->codec : BLOCK_RAW;
    put_u32be(header + 1, (uint32_t)w->block.len);
    put_u32be(header + 5, (uint32_t)(w->out.len - at - RUN_BLOCK_HEADER));
    buf_clear(&w->block);
    return w->out.len < RUN_WRITE_BUFFER_BYTES ? 0 : run_writer_flush(w, reterr);
}

/* The current run is complete: its header is known now. */
static int run_writer_end_run(struct run_writer *w, struct err *reterr)
{
    int rc = run_writer_end_block(w, reterr);
    if (rc < 0)
        return rc;
    xxh3_update(w->digest, w->out.base + w->digested, w->out.len - w->digested);
    w->digested = w->out.len;
    int64_t end = w->offset + (int64_t)w->out.len;
    struct buf header = {0};
    wr_u32be(&header, RUN_MAGIC);
    wr_u32be(&header, w->current);
    wr_u64be(&header, (uint64_t)(end - w->run_offset - RUN_HEADER_BYTES));
    wr_u64be(&header, w->run_records);
    wr_u64be(&header, xxh3_value(w->digest));
    if (w->run_offset >= w->offset)
        memcpy(w->out.base + (w->run_offset - w->offset), header.base, RUN_HEADER_BYTES);
    else
        rc = file_pwrite_full(w->fd, header.base, RUN_HEADER_BYTES, w->run_offset, reterr);
    buf_free(&header);
    xxh3_free(w->digest);
    w->digest = NULL;
    w->extents[w->current] = (struct run_extent){w->run_offset, end - w->run_offset};
    w->current++;
    return rc < 0 ? err_prefix(reterr, rc, "'%s'", w->path) : 0;
}

static inline uint8_t *put_varint(uint8_t *to, uint32_t value)
{
    for (; value > 0x7f; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

int run_writer_add(struct run_writer *w, uint32_t partition, const struct record *r, struct err *reterr)
{
    int rc;
    while (w->current < partition) {
        if ((rc = run_writer_end_run(w, reterr)) < 0)
            return rc;
        run_writer_begin(w);
    }
    uint8_t *to = buf_reserve(&w->block, RECORD_HEADER_MAX + (size_t)r->key_len + r->value_len);
    to = put_varint(put_varint(to, r->key_len), r->value_len);
    memcpy(to, r->key, r->key_len);
    memcpy(to + r->key_len, r->value, r->value_len);
    w->block.len = (size_t)(to - w->block.base) + r->key_len + r->value_len;
    w->run_records++;
    w->records++;
    return w->block.len < RUN_BLOCK_BYTES ? 0 : run_writer_end_block(w, reterr);
}

static int run_writer_index(struct run_writer *w, struct err *reterr)
{
    struct buf index = {0};
    for (uint32_t p = 0; p < w->partitions; p++) {
        wr_u64be(&index, (uint64_t)w->extents[p].offset);
        wr_u64be(&index, (uint64_t)w->extents[p].bytes);
    }
    wr_u64be(&index, xxh3_of(index.base, index.len));
    char *path = mem_printf("%s.index", w->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), rc;
    if (fd < 0)
        rc = err_errno(reterr, errno, "create '%s'", path);
    else
        rc = file_pwrite_full(fd, index.base, index.len, 0, reterr);
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = err_errno(reterr, errno, "close '%s'", path);
    free(path);
    buf_free(&index);
    return rc;
}

int run_writer_finish(struct run_writer *w, int64_t *ret_bytes, struct err *reterr)
{
    int rc = 0;
    while (rc == 0 && w->current < w->partitions) {
        rc = run_writer_end_run(w, reterr);
        if (rc == 0 && w->current < w->partitions)
            run_writer_begin(w);
    }
    if (rc == 0 && (rc = file_pwrite_full(w->fd, w->out.base, w->out.len, w->offset, reterr)) == 0)
        rc = run_writer_index(w, reterr);
    if (ret_bytes)
        *ret_bytes = w->offset + (int64_t)w->out.len;
    run_writer_abort(w);
    return rc;
}

uint64_t run_writer_records(const struct run_writer *w)
{
    return w->records;
}

int run_index_read(const char *path, uint32_t partition, struct run_extent *ret, struct err *reterr)
{
    char *index_path = mem_printf("%s.index", path);
    struct buf index = {0};
    int rc = file_read(index_path, (RUN_PARTITIONS_MAX + 1) * 16u, &index, reterr);
    if (rc == 0) {
        struct rd rd = rd_of(buf_slice(&index));
        size_t payload = index.len < 8 ? 0 : index.len - 8;
        struct slice body = rd_slice(&rd, payload);
        uint64_t want = rd_u64be(&rd);
        if (rd.bad || payload % 16 || xxh3_of(body.base, body.len) != want) {
            rc = err_set(reterr, ERR_CHECKSUM, "'%s' is damaged", index_path);
        } else if (partition >= payload / 16) {
            rc = err_set(reterr, ERR_NOT_FOUND, "'%s' has no partition %u", index_path, partition);
        } else {
            rd = rd_of((struct slice){body.base + 16 * (size_t)partition, 16});
            ret->offset = (int64_t)rd_u64be(&rd);
            ret->bytes = (int64_t)rd_u64be(&rd);
        }
    }
    buf_free(&index);
    free(index_path);
    return rc;
}
