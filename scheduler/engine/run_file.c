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

int run_writer_new(const char *path, uint32_t partitions, struct run_writer **ret, struct err *reterr)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(reterr, errno, "create '%s'", path);
    struct run_writer *w = mem_new(struct run_writer);
    w->fd = fd;
    w->path = mem_strdup(path);
    w->partitions = partitions;
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

/* The current run is complete: its header is known now. */
static int run_writer_end_run(struct run_writer *w, struct err *reterr)
{
    xxh3_update(w->digest, w->out.base + w->digested, w->out.len - w->digested);
    w->digested = w->out.len;
    int64_t end = w->offset + (int64_t)w->out.len;
    struct buf header = {0};
    wr_u32be(&header, RUN_MAGIC);
    wr_u32be(&header, w->current);
    wr_u64be(&header, (uint64_t)(end - w->run_offset - RUN_HEADER_BYTES));
    wr_u64be(&header, w->run_records);
    wr_u64be(&header, xxh3_value(w->digest));
    int rc = 0;
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
    uint8_t *to = buf_reserve(&w->out, RECORD_HEADER_MAX + (size_t)r->key_len + r->value_len);
    to = put_varint(put_varint(to, r->key_len), r->value_len);
    memcpy(to, r->key, r->key_len);
    memcpy(to + r->key_len, r->value, r->value_len);
    w->out.len = (size_t)(to - w->out.base) + r->key_len + r->value_len;
    w->run_records++;
    w->records++;
    return w->out.len < RUN_WRITE_BUFFER_BYTES ? 0 : run_writer_flush(w, reterr);
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

int run_writer_finish(struct run_writer *w, struct err *reterr)
{
    int rc = 0;
    while (rc == 0 && w->current < w->partitions) {
        rc = run_writer_end_run(w, reterr);
        if (rc == 0 && w->current < w->partitions)
            run_writer_begin(w);
    }
    if (rc == 0 && (rc = file_pwrite_full(w->fd, w->out.base, w->out.len, w->offset, reterr)) == 0)
        rc = run_writer_index(w, reterr);
    run_writer_abort(w);
    return rc;
}

uint64_t run_writer_records(const struct run_writer *w)
{
    return w->records;
}

int64_t run_writer_bytes(const struct run_writer *w)
{
    return w->offset + (int64_t)w->out.len;
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

/* ---- reading ---- */

struct run_reader {
    struct run_header header;
    int fd; /* -1: everything is in `bytes` */
    int64_t next_offset;
    uint64_t unread; /* payload bytes still in the file */
    uint64_t records_left;
    struct buf buffer;
    size_t buffer_bytes;
    const uint8_t *pos, *end;
    struct xxh3 *digest; /* NULL: verified already */
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

int run_reader_next(struct run_reader *r, struct record *ret, bool *ret_more, struct err *reterr)
{
    if (r->records_left == 0) {
        *ret_more = false;
        return r->pos == r->end && r->unread == 0
                   ? 0
                   : err_set(reterr, ERR_CHECKSUM, "a run has bytes after its last record");
    }
    int rc = run_reader_fill(r, RECORD_HEADER_MAX, reterr);
    if (rc < 0)
        return rc;
    struct rd rd = {r->pos, r->end, false};
    uint64_t key_len = rd_varint(&rd), value_len = rd_varint(&rd);
    if (rd.bad || key_len > RECORD_BYTES_MAX || value_len > RECORD_BYTES_MAX)
        return err_set(reterr, ERR_CHECKSUM, "a run's record is damaged");
    size_t head = (size_t)(rd.pos - r->pos), whole = head + key_len + value_len;
    if (whole > (size_t)(r->end - r->pos) + r->unread)
        return err_set(reterr, ERR_CHECKSUM, "a run ends inside a record");
    if ((rc = run_reader_fill(r, whole, reterr)) < 0)
        return rc;
    *ret = (struct record){r->pos + head, r->pos + head + key_len, (uint32_t)key_len, (uint32_t)value_len};
    r->pos += whole;
    r->records_left--;
    *ret_more = true;
    return 0;
}
