#include "client/lib/write_packet.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

int packet_checksum_choose(const struct config *c, int64_t block_bytes, uint32_t *ret_chunk_bytes,
                           enum checksum_type *ret, struct err *reterr)
{
    const char *name = config_str(c, "dfs.checksum.type");
    uint32_t chunk_bytes = (uint32_t)config_int(c, "dfs.bytes-per-checksum");
    if (strcmp(name, "CRC32C") != 0 && strcmp(name, "CRC32") != 0 && strcmp(name, "NULL") != 0)
        return err_set(reterr, ERR_CONFIG, "dfs.checksum.type is '%s'; it can be CRC32C, CRC32 or NULL", name);
    if (block_bytes % chunk_bytes)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                       "dfs.bytes-per-checksum (%" PRIu32 ") does not divide the block size (%" PRId64 ")", chunk_bytes,
                       block_bytes);
    *ret = strcmp(name, "CRC32C") == 0 ? CHECKSUM_CRC32C : strcmp(name, "CRC32") == 0 ? CHECKSUM_CRC32 : CHECKSUM_NULL;
    *ret_chunk_bytes = chunk_bytes;
    return 0;
}

#define SPARE_BYTES        (256u << 10) /* what an idle writer keeps; one packet at least */
#define WRITE_BYTES        (64u << 10)
#define SHORT_PACKET_BYTES (64 << 10)
#define LONG_PACKET_BYTES  270336 /* with WRITE_BYTES * 4 of data */

uint32_t packet_bytes_for(const struct config *c, uint64_t block_bytes)
{
    const char *name = "dfs.client-write-packet-size";
    int64_t set = config_is_set(c, name) ? config_size(c, name) : LONG_PACKET_BYTES;
    return (uint32_t)(set > SHORT_PACKET_BYTES && block_bytes < SHORT_PACKET_BYTES / 2 ? SHORT_PACKET_BYTES : set);
}

void packet_pool_init(struct packet_pool *p, uint32_t packet_bytes, uint32_t bytes_per_checksum,
                      enum checksum_type type)
{
    /* As Hadoop cuts them: header, checksums and data together are at most packet_bytes, in whole chunks, at least one.
     * But the data of long ones are a multiple of what kernels write to files best: from one such boundary to another,
     * they need not take their page caches in hand page by page. */
    uint32_t chunks = packet_bytes > PACKET_HEADER_MAX_BYTES
                          ? (packet_bytes - PACKET_HEADER_MAX_BYTES) / (bytes_per_checksum + 4)
                          : 0;
    uint32_t data_max = (chunks ? chunks : 1) * bytes_per_checksum;
    if (data_max > WRITE_BYTES && WRITE_BYTES % bytes_per_checksum == 0)
        data_max -= data_max % WRITE_BYTES;
    *p = (struct packet_pool){.data_max = data_max, .bytes_per_checksum = bytes_per_checksum, .type = type};
}

static void keep_spares(struct packet_pool *p, size_t count)
{
    for (; p->spare_count > count; p->spare_count--) {
        struct write_packet *next = p->spare->next;
        free(p->spare);
        p->spare = next;
    }
}

void packet_pool_trim(struct packet_pool *p)
{
    keep_spares(p, p->data_max < SPARE_BYTES ? SPARE_BYTES / p->data_max : 1);
}

void packet_pool_free(struct packet_pool *p)
{
    keep_spares(p, 0);
}

struct write_packet *packet_take(struct packet_pool *p, int64_t offset)
{
    struct write_packet *packet = p->spare;
    size_t checksums_max = 4 * checksum_chunk_count(p->data_max, p->bytes_per_checksum);
    if (packet) {
        p->spare = packet->next;
        p->spare_count--;
    } else {
        packet = mem_alloc(sizeof *packet + PACKET_HEADER_MAX_BYTES + checksums_max + p->data_max);
    }
    uint8_t *room = (uint8_t *)(packet + 1);
    *packet = (struct write_packet){
        .offset = offset,
        .capacity = p->data_max,
        .checksums = room + PACKET_HEADER_MAX_BYTES,
        .data = room + PACKET_HEADER_MAX_BYTES + checksums_max,
    };
    return packet;
}

void packet_give_back(struct packet_pool *p, struct write_packet *packet)
{
    packet->next = p->spare;
    p->spare = packet;
    p->spare_count++;
}

void packet_seal(const struct packet_pool *p, struct write_packet *packet, int64_t seqno)
{
    packet->seqno = seqno;
    size_t chunks = checksum_chunk_count(packet->data_bytes, p->bytes_per_checksum);
    size_t checksum_bytes = p->type == CHECKSUM_NULL ? 0 : 4 * chunks;
    if (checksum_bytes)
        checksum_chunks(p->type, packet->data, packet->data_bytes, p->bytes_per_checksum, packet->checksums);
    struct packet_header h = {
        .offset_in_block = packet->offset,
        .seqno = seqno,
        .checksum_bytes = (uint32_t)checksum_bytes,
        .data_bytes = packet->data_bytes,
        .last_in_block = packet->last,
        .sync_block = packet->sync,
    };
    uint8_t header[PACKET_HEADER_MAX_BYTES];
    size_t len = packet_header_encode(&h, header);
    packet->head = packet->checksums - len;
    memcpy(packet->head, header, len);
    packet->head_bytes = len + checksum_bytes;
}
