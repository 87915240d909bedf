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

#define SPARE_MAX 4 /* what an idle writer keeps */

void packet_pool_init(struct packet_pool *p, uint32_t packet_bytes, uint32_t bytes_per_checksum,
                      enum checksum_type type)
{
    /* As Hadoop cuts them: header, checksums and data together are at most packet_bytes, in whole chunks, at least one.
     */
    uint32_t chunks = packet_bytes > PACKET_HEADER_MAX_BYTES
                          ? (packet_bytes - PACKET_HEADER_MAX_BYTES) / (bytes_per_checksum + 4)
                          : 0;
    *p = (struct packet_pool){
        .data_max = (chunks ? chunks : 1) * bytes_per_checksum, .bytes_per_checksum = bytes_per_checksum, .type = type};
}

void packet_pool_free(struct packet_pool *p)
{
    while (p->spare) {
        struct write_packet *next = p->spare->next;
        free(p->spare);
        p->spare = next;
    }
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
    if (p->spare_count == SPARE_MAX) {
        free(packet);
        return;
    }
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
