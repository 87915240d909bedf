/* A replica that is deleted meanwhile can still be read; of one that is being appended to, only the checksum of its
 * last chunk does not fit any more. Both are found out by whoever asks for the replica next.
 *
 * Bytes go straight into the caller's memory where whole chunks are asked for, through a buffer where not, and are
 * verified there against the checksums of the meta file. */
#include "client/lib/local_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/dfs_internal.h"
#include "client/lib/short_circuit.h"
#include "common/file.h"
#include "common/mem.h"

#define DIRECT_MAX_BYTES (1u << 20) /* what was just read is verified while it is in the processor's cache */
#define BUFFER_BYTES     (64u << 10)

struct local_reader {
    struct short_circuit *files;
    struct local_replica *replica;
    uint64_t block_id;
    int64_t pos, end; /* in the block: next byte wanted, first one not wanted */
    int64_t block_bytes;
    bool verify;
    struct buf checksums;
    struct buf buffer; /* verified, from buffer_at on */
    int64_t buffer_at;
};

int local_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                      int64_t len, struct local_reader **ret, struct err *reterr)
{
    struct local_replica *replica;
    int rc = short_circuit_open(fs->files, b, d, &replica, reterr);
    if (rc < 0)
        return rc;
    struct local_reader *r = mem_new(struct local_reader);
    *r = (struct local_reader){.files = fs->files,
                               .replica = replica,
                               .block_id = b->block_id,
                               .pos = offset,
                               .end = offset + len,
                               .block_bytes = b->bytes,
                               .verify = replica->type != CHECKSUM_NULL && !short_circuit_skips_checksums(fs->files)};
    *ret = r;
    return 0;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* [from, from + len) begins with a chunk and ends with one, or with the block. */
static int verify(struct local_reader *r, const uint8_t *data, size_t len, int64_t from, struct err *reterr)
{
    uint32_t bpc = r->replica->bytes_per_checksum;
    size_t bytes = checksum_chunk_count(len, bpc) * 4;
    buf_clear(&r->checksums);
    uint8_t *checksums = buf_reserve(&r->checksums, bytes);
    int rc = file_pread_full(r->replica->meta_fd, checksums, bytes, LOCAL_META_HEADER_BYTES + from / bpc * 4, reterr);
    if (rc < 0)
        return rc;
    long bad = checksum_verify_chunks(r->replica->type, data, len, bpc, checksums);
    if (bad >= 0)
        return err_set(reterr, ERR_CHECKSUM,
                       "block %" PRIu64 ": the data at offset %" PRId64 " do not match their checksum", r->block_id,
                       from + bad * (int64_t)bpc);
    return 0;
}

static int read_whole_chunks(struct local_reader *r, void *bytes, size_t len, struct err *reterr)
{
    int rc = file_pread_full(r->replica->data_fd, bytes, len, r->pos, reterr);
    if (rc == 0 && r->verify)
        rc = verify(r, bytes, len, r->pos, reterr);
    return rc;
}

static int fill_buffer(struct local_reader *r, struct err *reterr)
{
    int64_t bpc = r->replica->bytes_per_checksum;
    int64_t from = r->pos / bpc * bpc;
    int64_t most = BUFFER_BYTES < bpc ? bpc : BUFFER_BYTES / bpc * bpc;
    int64_t end = (r->end + bpc - 1) / bpc * bpc;
    size_t len = (size_t)min64(most, min64(end, r->block_bytes) - from);
    buf_clear(&r->buffer);
    uint8_t *data = buf_reserve(&r->buffer, len);
    int rc = file_pread_full(r->replica->data_fd, data, len, from, reterr);
    if (rc == 0 && r->verify)
        rc = verify(r, data, len, from, reterr);
    if (rc < 0)
        return rc;
    r->buffer.len = len;
    r->buffer_at = from;
    return 0;
}

/* How many bytes at pos can be read without a buffer: whole chunks, or all up to the block's end. */
static size_t direct_bytes(const struct local_reader *r, int64_t want)
{
    int64_t bpc = r->replica->bytes_per_checksum;
    int64_t most = DIRECT_MAX_BYTES < bpc ? bpc : DIRECT_MAX_BYTES / bpc * bpc;
    want = min64(want, most);
    if (!r->verify || (r->pos % bpc == 0 && r->pos + want == r->block_bytes))
        return (size_t)want;
    return r->pos % bpc == 0 ? (size_t)(want / bpc * bpc) : 0;
}

int local_reader_read(struct local_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    int64_t want = min64(len < SSIZE_MAX ? (int64_t)len : SSIZE_MAX, r->end - r->pos);
    *ret_read = 0;
    if (want == 0)
        return 0;
    int64_t buffered = r->buffer_at + (int64_t)r->buffer.len - r->pos;
    if (buffered <= 0 || r->pos < r->buffer_at) {
        size_t direct = direct_bytes(r, want);
        int rc = direct ? read_whole_chunks(r, bytes, direct, reterr) : fill_buffer(r, reterr);
        if (rc < 0)
            return rc;
        r->pos += (int64_t)direct;
        *ret_read = direct;
        if (direct)
            return 0;
        buffered = r->buffer_at + (int64_t)r->buffer.len - r->pos;
    }
    size_t n = (size_t)min64(want, buffered);
    memcpy(bytes, r->buffer.base + (r->pos - r->buffer_at), n);
    r->pos += (int64_t)n;
    *ret_read = n;
    return 0;
}

int local_reader_map(struct local_reader *r, size_t len, const void **ret, size_t *ret_bytes, struct err *reterr)
{
    const uint8_t *base;
    size_t file_bytes;
    int64_t bpc = r->replica->bytes_per_checksum;
    int64_t to = r->pos + min64(len < SSIZE_MAX ? (int64_t)len : SSIZE_MAX, r->end - r->pos);
    int64_t whole_from = r->pos / bpc * bpc, whole_to = min64((to + bpc - 1) / bpc * bpc, r->block_bytes);
    int rc = short_circuit_map(r->files, r->replica, &base, &file_bytes, reterr);
    if (rc == 0 && (!short_circuit_is_valid(r->replica) || (int64_t)file_bytes < whole_to))
        rc = err_set(reterr, ERR_CLOSED, "block %" PRIu64 " was deleted or changed", r->block_id);
    if (rc == 0 && r->verify)
        rc = verify(r, base + whole_from, (size_t)(whole_to - whole_from), whole_from, reterr);
    if (rc < 0)
        return rc;
    *ret = base + r->pos;
    *ret_bytes = (size_t)(to - r->pos);
    r->pos = to;
    return 0;
}

int64_t local_reader_left(const struct local_reader *r)
{
    return r->end - r->pos;
}

void local_reader_discard(struct local_reader *r)
{
    short_circuit_forget(r->files, r->replica);
}

void local_reader_close(struct local_reader *r)
{
    short_circuit_close(r->files, r->replica);
    buf_free(&r->checksums);
    buf_free(&r->buffer);
    free(r);
}
