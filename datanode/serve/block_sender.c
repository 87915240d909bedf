#include "datanode/serve/block_sender.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/net.h"
#include "proto/packet.h"

#define PACKET_DATA_BYTES (256u << 10)
#define DROP_BEHIND_BYTES (8u << 20)
#define PLAIN_CHUNK_BYTES 512 /* what Hadoop aligns to when no checksums go out */

void throttle_init(struct throttle *t, const _Atomic int64_t *bytes_per_second)
{
    pthread_mutex_init(&t->lock, NULL);
    t->bytes_per_second = bytes_per_second;
    t->free_at_ns = 0;
}

void throttle_wait(struct throttle *t, int64_t bytes)
{
    int64_t rate = t ? atomic_load(t->bytes_per_second) : 0;
    if (rate <= 0)
        return;
    int64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&t->lock);
    if (t->free_at_ns < now_ns)
        t->free_at_ns = now_ns;
    t->free_at_ns += (int64_t)((double)bytes * 1e9 / (double)rate);
    int64_t wait_ms = (t->free_at_ns - now_ns) / 1000000;
    pthread_mutex_unlock(&t->lock);
    if (wait_ms > 0)
        clock_sleep_ms(wait_ms);
}

int send_plan_make(const struct replica_reader *r, uint64_t offset, uint64_t len, bool with_checksums,
                   struct send_plan *ret, struct err *reterr)
{
    if (offset > r->end_bytes || len > r->end_bytes - offset)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                       "Offset %" PRIu64 " and length %" PRIu64 " don't match the replica's %" PRIu64 " bytes", offset,
                       len, r->end_bytes);
    struct send_plan p = {.checksums = r->meta};
    if (!with_checksums || r->meta.type == CHECKSUM_NULL)
        p.checksums = (struct meta_header){CHECKSUM_NULL, PLAIN_CHUNK_BYTES};
    uint32_t chunk = p.checksums.bytes_per_checksum;
    uint64_t end = offset + len;
    p.from = offset / chunk * chunk;
    p.to = end % chunk ? end / chunk * chunk + chunk : end;
    if (p.to > r->end_bytes)
        p.to = r->end_bytes;
    *ret = p;
    return 0;
}

static int send_all(int fd, const void *bytes, size_t len, int flags, struct err *reterr)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, flags | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? err_set(reterr, ERR_TIMEOUT, "the reader does not take its data")
                                   : err_errno(reterr, errno, "send");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_file(int fd, int file_fd, uint64_t offset, uint64_t len, struct err *reterr)
{
    off_t at = (off_t)offset;
    while (len > 0) {
        ssize_t n = sendfile(fd, file_fd, &at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? err_set(reterr, ERR_TIMEOUT, "the reader does not take its data")
                                   : err_errno(reterr, errno, "sendfile");
        if (n == 0)
            return err_set(reterr, ERR_IO, "the data file ends at %lld", (long long)at);
        len -= (uint64_t)n;
    }
    return 0;
}

/* Checksums of [from, from + len); the newest of a growing replica is the one that fits the length we send. */
static int load_checksums(const struct replica_reader *r, const struct send_plan *plan, uint64_t from, uint64_t len,
                          uint8_t *out, struct err *reterr)
{
    uint32_t bpc = plan->checksums.bytes_per_checksum;
    uint64_t count = meta_chunk_count(&plan->checksums, len);
    bool own_tail = r->has_tail_checksum && from + len == r->end_bytes;
    size_t bytes = (size_t)(own_tail ? count - 1 : count) * 4;
    int rc = bytes ? replica_read_meta(r, out, bytes, meta_offset(&plan->checksums, from / bpc), reterr) : 0;
    if (rc < 0)
        return err_prefix(reterr, rc, "meta file");
    if (own_tail) {
        uint32_t tail = r->tail_checksum;
        uint8_t *to = out + bytes;
        to[0] = (uint8_t)(tail >> 24), to[1] = (uint8_t)(tail >> 16), to[2] = (uint8_t)(tail >> 8),
        to[3] = (uint8_t)tail;
    }
    return 0;
}

/* Tells the kernel what will be read next and, a window behind, what will not be again. */
static void advise(const struct replica_reader *r, const struct send_plan *plan, uint64_t at, uint64_t *advised)
{
    if (plan->readahead_bytes && at + plan->readahead_bytes / 2 >= *advised && *advised < plan->to) {
        uint64_t from = *advised > at ? *advised : at;
        (void)posix_fadvise(r->data_fd, r->data_base + (off_t)from, (off_t)plan->readahead_bytes, POSIX_FADV_WILLNEED);
        *advised = from + plan->readahead_bytes;
    }
    if (plan->drop_behind && at > plan->from + DROP_BEHIND_BYTES && at % DROP_BEHIND_BYTES < PACKET_DATA_BYTES)
        (void)posix_fadvise(r->data_fd, r->data_base + (off_t)plan->from, (off_t)(at - plan->from - DROP_BEHIND_BYTES),
                            POSIX_FADV_DONTNEED);
}

int block_send(int fd, const struct replica_reader *r, const struct send_plan *plan, struct throttle *throttle,
               struct err *reterr)
{
    uint32_t bpc = plan->checksums.bytes_per_checksum;
    uint64_t packet_bytes = bpc < PACKET_DATA_BYTES ? PACKET_DATA_BYTES / bpc * bpc : bpc;
    size_t checksum_bytes_max = (size_t)(packet_bytes / bpc * meta_checksum_bytes(&plan->checksums));
    uint8_t *head = mem_alloc(PACKET_HEADER_MAX_BYTES + checksum_bytes_max);
    int rc = 0;
    int64_t seqno = 0;
    uint64_t advised = 0;
    for (uint64_t at = plan->from; rc == 0; seqno++) {
        if (plan->readahead_bytes || plan->drop_behind)
            advise(r, plan, at, &advised);
        uint64_t len = plan->to - at < packet_bytes ? plan->to - at : packet_bytes;
        struct packet_header h = {.offset_in_block = (int64_t)at,
                                  .seqno = seqno,
                                  .checksum_bytes = (uint32_t)(meta_chunk_count(&plan->checksums, len) *
                                                               meta_checksum_bytes(&plan->checksums)),
                                  .data_bytes = (uint32_t)len,
                                  .last_in_block = len == 0};
        size_t head_bytes = packet_header_encode(&h, head);
        if (h.checksum_bytes)
            rc = load_checksums(r, plan, at, len, head + head_bytes, reterr);
        if (rc == 0)
            rc = send_all(fd, head, head_bytes + h.checksum_bytes, len ? MSG_MORE : 0, reterr);
        if (rc == 0 && len)
            rc = send_file(fd, r->data_fd, (uint64_t)r->data_base + at, len, reterr);
        if (len == 0)
            break;
        throttle_wait(throttle, (int64_t)len);
        at += len;
    }
    if (plan->drop_behind)
        (void)posix_fadvise(r->data_fd, r->data_base + (off_t)plan->from, (off_t)(plan->to - plan->from),
                            POSIX_FADV_DONTNEED);
    mem_freep(&head);
    return rc;
}
