/* The header in front of a packet. What decodes must encode to something that decodes the same. */
#include "proto/packet.h"
#include "tests/fuzz/fuzz.h"

FUZZ_SEEDS(packet)
{
    const struct packet_header samples[] = {
        {.data_bytes = 64512, .checksum_bytes = 504},
        {.offset_in_block = 512, .seqno = 9, .data_bytes = 1, .checksum_bytes = 4, .sync_block = true},
        {.seqno = -1},
        {.offset_in_block = 1 << 30, .seqno = 5, .last_in_block = true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        uint8_t bytes[PACKET_HEADER_MAX_BYTES];
        fuzz_seed(seeds, bytes, packet_header_encode(&samples[i], bytes));
    }
}

FUZZ_RUN(packet)
{
    struct packet_header h, again;
    struct err err;
    int len = packet_header_decode(in, &h, &err);
    if (len <= 0)
        return;
    if ((size_t)len > in.len || h.checksum_bytes + h.data_bytes > PACKET_MAX_BYTES)
        abort();
    uint8_t bytes[PACKET_HEADER_MAX_BYTES];
    size_t size = packet_header_encode(&h, bytes);
    if (packet_header_decode((struct slice){bytes, size}, &again, &err) != (int)size ||
        again.offset_in_block != h.offset_in_block || again.seqno != h.seqno || again.data_bytes != h.data_bytes ||
        again.checksum_bytes != h.checksum_bytes || again.last_in_block != h.last_in_block ||
        again.sync_block != h.sync_block)
        abort();
}
