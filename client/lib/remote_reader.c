/* The way of the bytes: one recvmsg takes the checksums of a packet, its data (into the caller's memory if that has
 * room for all of it) and the header of the packet after it, so that a stream costs one system call per packet.
 *
 * Failure modes: the datanode goes away or stalls (ERR_CLOSED, ERR_TIMEOUT), it refuses (ERR_IO with its words), it
 * sends packets that do not follow on one another (ERR_PROTOCOL), the data do not match their checksums (ERR_CHECKSUM).
 */
#include "client/lib/remote_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/peer_cache.h"
#include "common/digest.h"
#include "common/mem.h"
#include "proto/op_header.h"
#include "proto/packet.h"

#define BYTES_PER_CHECKSUM_MAX (1u << 20)
#define END_WAIT_MS            100 /* for the empty last packet; after that a new connection is cheaper */

struct remote_reader {
    struct dfs *fs;
    int fd;
    char name[NET_ADDRESS_MAX];
    uint64_t block_id;
    enum checksum_type type;
    uint32_t bytes_per_checksum;
    int64_t pos, end;      /* in the block: next byte wanted, first one not wanted */
    int64_t packet_offset; /* where the next packet must begin */
    int64_t seqno;         /* that it must have */
    uint8_t head[PACKET_HEADER_ACCEPT_BYTES];
    size_t head_bytes; /* received of the next header, maybe all */
    struct buf checksums;
    struct buf rest; /* a packet that the caller takes in parts */
    size_t rest_at;
};

/* ---- opening ---- */

static int send_request(struct remote_reader *r, const struct dfs_block *b, struct err *reterr)
{
    AUTO_ARENA(a, 1u << 20);
    Hdfs__BaseHeaderProto base = HDFS__BASE_HEADER_PROTO__INIT;
    Hdfs__ClientOperationHeaderProto header = HDFS__CLIENT_OPERATION_HEADER_PROTO__INIT;
    Hdfs__OpReadBlockProto request = HDFS__OP_READ_BLOCK_PROTO__INIT;
    base.block = proto_of_block(b, &a);
    base.token = proto_of_token(&b->token, &a);
    header.baseheader = &base;
    header.clientname = r->fs->client_name;
    request.header = &header;
    request.offset = (uint64_t)r->pos;
    request.len = (uint64_t)(r->end - r->pos);
    return op_write(r->fd, OP_READ_BLOCK, &request.base, reterr);
}

static int read_start(struct remote_reader *r, struct err *reterr)
{
    AUTO_ARENA(a, OP_MESSAGE_MAX_BYTES * 2);
    Hdfs__BlockOpResponseProto *answer;
    int rc = datanode_read_answer(r->fd, &a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__ReadOpChecksumInfoProto *info = answer->readopchecksuminfo;
    if (!info)
        return err_set(reterr, ERR_PROTOCOL, "the answer to READ_BLOCK does not say how the data are checksummed");
    r->type = (enum checksum_type)info->checksum->type;
    r->bytes_per_checksum = info->checksum->bytesperchecksum;
    if (r->type > CHECKSUM_CRC32C || r->bytes_per_checksum == 0 || r->bytes_per_checksum > BYTES_PER_CHECKSUM_MAX)
        return err_set(reterr, ERR_PROTOCOL, "checksum type %d over %" PRIu32 " bytes is not known", (int)r->type,
                       r->bytes_per_checksum);
    if (info->chunkoffset > (uint64_t)r->pos || (uint64_t)r->pos - info->chunkoffset >= r->bytes_per_checksum)
        return err_set(reterr, ERR_PROTOCOL, "data begin at %" PRIu64 " though %" PRId64 " was asked for",
                       info->chunkoffset, r->pos);
    r->packet_offset = (int64_t)info->chunkoffset;
    return 0;
}

static int open_on(struct remote_reader *r, const struct dfs_block *b, struct err *reterr)
{
    int rc = send_request(r, b, reterr);
    return rc < 0 ? rc : read_start(r, reterr);
}

int remote_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                       int64_t len, struct remote_reader **ret, struct err *reterr)
{
    struct remote_reader *r = mem_new(struct remote_reader);
    *r = (struct remote_reader){.fs = fs, .fd = -1, .block_id = b->block_id, .pos = offset, .end = offset + len};
    datanode_name(d, r->name);
    int rc = -1;
    r->fd = peer_cache_take(fs->peers, r->name);
    if (r->fd >= 0) { /* it may have been closed a moment ago; that says nothing about the node */
        rc = open_on(r, b, reterr);
        if (rc == ERR_CLOSED)
            net_closep(&r->fd);
    }
    if (r->fd < 0) {
        rc = datanode_connect(fs, d, 0, &r->fd, reterr);
        if (rc == 0)
            rc = open_on(r, b, reterr);
    }
    if (rc < 0) {
        net_closep(&r->fd);
        free(r);
        return err_prefix(reterr, rc, "read block %" PRIu64 "_%" PRIu64 " from %.64s", b->block_id, b->gen_stamp,
                          d->ip);
    }
    *ret = r;
    return 0;
}

/* ---- packets ---- */

/* Fills both pieces completely; as much of the next header comes along as is there. */
static int receive(struct remote_reader *r, uint8_t *checksums, size_t checksum_bytes, uint8_t *data, size_t data_bytes,
                   struct err *reterr)
{
    struct iovec iov[3] = {{checksums, checksum_bytes}, {data, data_bytes}, {r->head, PACKET_HEADER_MIN_BYTES}};
    size_t left = checksum_bytes + data_bytes;
    int first = checksum_bytes ? 0 : 1;
    while (left) {
        struct msghdr m = {.msg_iov = iov + first, .msg_iovlen = (size_t)(3 - first)};
        ssize_t n = recvmsg(r->fd, &m, 0);
        if (n == 0)
            return err_set(reterr, ERR_CLOSED, "the datanode closed the connection in the middle of a block");
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? err_set(reterr, ERR_TIMEOUT, "the datanode sends nothing any more")
                                   : err_errno(reterr, errno, "receive");
        for (size_t got = (size_t)n; got;) {
            if (first == 2) {
                r->head_bytes = got;
                return 0;
            }
            size_t part = got < iov[first].iov_len ? got : iov[first].iov_len;
            iov[first].iov_base = (char *)iov[first].iov_base + part;
            iov[first].iov_len -= part;
            got -= part;
            left -= part;
            first += iov[first].iov_len == 0;
        }
    }
    return 0;
}

static int next_header(struct remote_reader *r, struct packet_header *ret, struct err *reterr)
{
    for (;;) {
        int rc = packet_header_decode((struct slice){r->head, r->head_bytes}, ret, reterr);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            if ((size_t)rc != r->head_bytes)
                return err_set(reterr, ERR_PROTOCOL, "a packet header of %d bytes is shorter than can be", rc);
            r->head_bytes = 0;
            return 0;
        }
        size_t want = PACKET_HEADER_MIN_BYTES > r->head_bytes ? PACKET_HEADER_MIN_BYTES - r->head_bytes : 1;
        if (r->head_bytes + want > sizeof r->head)
            return err_set(reterr, ERR_PROTOCOL, "a packet header of more than %zu bytes", sizeof r->head);
        rc = net_read_full(r->fd, r->head + r->head_bytes, want, reterr);
        if (rc < 0)
            return rc;
        r->head_bytes += want;
    }
}

static int check_header(const struct remote_reader *r, const struct packet_header *h, struct err *reterr)
{
    size_t checksums = r->type == CHECKSUM_NULL ? 0 : 4 * checksum_chunk_count(h->data_bytes, r->bytes_per_checksum);
    if (h->seqno != r->seqno || h->offset_in_block != r->packet_offset || h->data_bytes == 0 || h->last_in_block ||
        h->checksum_bytes != checksums)
        return err_set(reterr, ERR_PROTOCOL,
                       "packet %" PRId64 " at %" PRId64 " with %" PRIu32 " bytes and %" PRIu32
                       " of checksums%s; packet %" PRId64 " at %" PRId64 " was due",
                       h->seqno, h->offset_in_block, h->data_bytes, h->checksum_bytes,
                       h->last_in_block ? ", the last," : "", r->seqno, r->packet_offset);
    if (h->offset_in_block + h->data_bytes <= r->pos)
        return err_set(reterr, ERR_PROTOCOL, "packet at %" PRId64 " ends before byte %" PRId64, h->offset_in_block,
                       r->pos);
    return 0;
}

static int read_packet(struct remote_reader *r, uint8_t *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct packet_header h;
    int rc = next_header(r, &h, reterr);
    if (rc == 0)
        rc = check_header(r, &h, reterr);
    if (rc < 0)
        return rc;
    bool straight = r->pos == h.offset_in_block && h.data_bytes <= len && h.data_bytes <= r->end - r->pos;
    buf_clear(&r->checksums);
    buf_clear(&r->rest);
    r->rest_at = 0;
    uint8_t *checksums = buf_reserve(&r->checksums, h.checksum_bytes + 1);
    uint8_t *data = straight ? bytes : buf_reserve(&r->rest, h.data_bytes);
    rc = receive(r, checksums, h.checksum_bytes, data, h.data_bytes, reterr);
    if (rc < 0)
        return rc;
    long bad = r->type == CHECKSUM_NULL
                   ? -1
                   : checksum_verify_chunks(r->type, data, h.data_bytes, r->bytes_per_checksum, checksums);
    if (bad >= 0)
        return err_set(reterr, ERR_CHECKSUM, "the data at offset %" PRId64 " do not match their checksum",
                       h.offset_in_block + bad * (int64_t)r->bytes_per_checksum);
    r->seqno++;
    r->packet_offset += h.data_bytes;
    if (straight) {
        r->pos += h.data_bytes;
        *ret_read = h.data_bytes;
        return 0;
    }
    r->rest.len = h.data_bytes;
    r->rest_at = (size_t)(r->pos - h.offset_in_block);
    *ret_read = 0;
    return 0;
}

int remote_reader_read(struct remote_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    if (r->pos == r->end || len == 0) {
        *ret_read = 0;
        return 0;
    }
    if (r->rest_at == r->rest.len) {
        size_t n = 0;
        int rc = read_packet(r, bytes, len, &n, reterr);
        if (rc < 0)
            return err_prefix(reterr, rc, "block %" PRIu64 " from %.64s", r->block_id, r->name);
        if (n) {
            *ret_read = n;
            return 0;
        }
    }
    size_t n = r->rest.len - r->rest_at;
    if ((int64_t)n > r->end - r->pos)
        n = (size_t)(r->end - r->pos);
    if (n > len)
        n = len;
    memcpy(bytes, r->rest.base + r->rest_at, n);
    r->rest_at += n;
    r->pos += (int64_t)n;
    *ret_read = n;
    return 0;
}

int64_t remote_reader_left(const struct remote_reader *r)
{
    return r->end - r->pos;
}

/* ---- closing ---- */

/* The range is read: the empty last packet follows, and the datanode wants to hear that all was well. */
static bool finish(struct remote_reader *r)
{
    struct packet_header h;
    if (r->head_bytes < PACKET_HEADER_MIN_BYTES && net_wait_readable(r->fd, END_WAIT_MS, NULL) < 0)
        return false;
    if (next_header(r, &h, NULL) < 0 || !h.last_in_block || h.data_bytes || h.checksum_bytes)
        return false;
    Hdfs__ClientReadStatusProto status = HDFS__CLIENT_READ_STATUS_PROTO__INIT;
    status.status = HDFS__STATUS__CHECKSUM_OK;
    return delimited_write(r->fd, &status.base, NULL) == 0;
}

void remote_reader_close(struct remote_reader *r)
{
    if (!r)
        return;
    if (r->pos == r->end && finish(r))
        peer_cache_put(r->fs->peers, r->name, r->fd);
    else
        close(r->fd);
    buf_free(&r->checksums);
    buf_free(&r->rest);
    free(r);
}
