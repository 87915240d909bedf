#include "datanode/serve/zero_block.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/md5.h"
#include "common/mem.h"
#include "common/net.h"
#include "proto/packet.h"

#define CHUNK_BYTES       512u
#define PACKET_DATA_BYTES (256u << 10)
#define PACKET_CHUNKS     (PACKET_DATA_BYTES / CHUNK_BYTES)
#define MD5_STEP_BYTES    (1u << 20) /* of checksums, between looks at the peer */

static const uint8_t zeros[CHUNK_BYTES];

struct meta_header zero_block_checksums(void)
{
    return (struct meta_header){CHECKSUM_CRC32C, CHUNK_BYTES};
}

static void checksum_put(uint32_t bytes, uint8_t *to)
{
    checksum_chunks(CHECKSUM_CRC32C, zeros, bytes, CHUNK_BYTES, to);
}

/* All of them are the same. */
static void fill_checksums(uint8_t *to, size_t count)
{
    uint8_t one[4];
    checksum_put(CHUNK_BYTES, one);
    for (size_t i = 0; i < count; i++)
        memcpy(to + 4 * i, one, sizeof one);
}

/* ---- packets ---- */

/* One buffer for all packets: header, checksums, data, each ending where the next begins. As all chunks have the same
 * checksum, only the header changes from packet to packet. A short packet's header lies where other checksums were, and
 * its last checksum may be another: it is the last one with data. */
struct zero_packet {
    uint8_t *base, *data;
    bool with_checksums;
};

static int packet_send(int fd, const struct zero_packet *p, uint64_t at, int64_t seqno, uint32_t bytes,
                       struct err *reterr)
{
    uint32_t checksum_bytes = p->with_checksums ? (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES * 4 : 0;
    struct packet_header h = {.offset_in_block = (int64_t)at,
                              .seqno = seqno,
                              .checksum_bytes = checksum_bytes,
                              .data_bytes = bytes,
                              .last_in_block = bytes == 0};
    uint8_t head[PACKET_HEADER_MAX_BYTES];
    size_t head_bytes = packet_header_encode(&h, head);
    uint8_t *begin = p->data - checksum_bytes - head_bytes;
    memcpy(begin, head, head_bytes);
    if (checksum_bytes && bytes % CHUNK_BYTES)
        checksum_put(bytes % CHUNK_BYTES, p->data - 4);
    return net_write_full(fd, begin, head_bytes + checksum_bytes + bytes, reterr);
}

int zero_block_send(int fd, uint64_t from, uint64_t to, bool with_checksums, struct err *reterr)
{
    size_t in_front = PACKET_HEADER_MAX_BYTES + PACKET_CHUNKS * 4;
    struct zero_packet p = {.base = mem_calloc(1, in_front + PACKET_DATA_BYTES), .with_checksums = with_checksums};
    p.data = p.base + in_front;
    fill_checksums(p.data - PACKET_CHUNKS * 4, PACKET_CHUNKS);
    int64_t seqno = 0;
    int rc = 0;
    for (uint64_t at = from; !rc && at < to; seqno++) {
        uint32_t bytes = to - at < PACKET_DATA_BYTES ? (uint32_t)(to - at) : PACKET_DATA_BYTES;
        rc = packet_send(fd, &p, at, seqno, bytes, reterr);
        at += bytes;
    }
    rc = rc ? rc : packet_send(fd, &p, to, seqno, 0, reterr);
    mem_freep(&p.base);
    return rc;
}

/* ---- checksums of the whole ---- */

uint32_t zero_block_crc(uint64_t bytes)
{
    uint32_t power = checksum_of(CHECKSUM_CRC32C, zeros, CHUNK_BYTES), crc = 0;
    uint64_t power_bytes = CHUNK_BYTES;
    bool any = false;
    for (uint64_t chunks = bytes / CHUNK_BYTES; chunks; chunks >>= 1) {
        if (chunks & 1) {
            crc = any ? checksum_combine(CHECKSUM_CRC32C, crc, power, power_bytes) : power;
            any = true;
        }
        power = checksum_combine(CHECKSUM_CRC32C, power, power, power_bytes);
        power_bytes *= 2;
    }
    size_t tail = bytes % CHUNK_BYTES;
    if (!tail)
        return crc;
    uint32_t last = checksum_of(CHECKSUM_CRC32C, zeros, tail);
    return any ? checksum_combine(CHECKSUM_CRC32C, crc, last, tail) : last;
}

static bool has_left(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int zero_block_md5(int fd, uint64_t bytes, uint8_t ret[16], struct err *reterr)
{
    AUTO(mem_freep) uint8_t *checksums = mem_alloc(MD5_STEP_BYTES);
    struct md5 md5;
    uint8_t last[4];
    md5_init(&md5);
    fill_checksums(checksums, MD5_STEP_BYTES / 4);
    for (uint64_t left = bytes / CHUNK_BYTES; left;) {
        size_t count = left < MD5_STEP_BYTES / 4 ? (size_t)left : MD5_STEP_BYTES / 4;
        md5_update(&md5, checksums, count * 4);
        left -= count;
        if (left && has_left(fd))
            return err_set(reterr, ERR_CLOSED, "nobody waits for the checksum any more");
    }
    if (bytes % CHUNK_BYTES) {
        checksum_put(bytes % CHUNK_BYTES, last);
        md5_update(&md5, last, sizeof last);
    }
    md5_final(&md5, ret);
    return 0;
}
