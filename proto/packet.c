#include "proto/packet.h"

#include "common/net.h"
#include "common/rd.h"
#include "proto/fields.h"

enum packet_tag {
    TAG_OFFSET_IN_BLOCK = FIELD_TAG(1, FIELD_FIXED64),
    TAG_SEQNO = FIELD_TAG(2, FIELD_FIXED64),
    TAG_LAST_IN_BLOCK = FIELD_TAG(3, FIELD_VARINT),
    TAG_DATA_LEN = FIELD_TAG(4, FIELD_FIXED32),
    TAG_SYNC_BLOCK = FIELD_TAG(5, FIELD_VARINT),
};

static uint8_t *put_be(uint8_t *to, uint32_t value, int len)
{
    for (int i = len - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
    return to + len;
}

static uint8_t *put_fixed(uint8_t *to, uint8_t tag, uint64_t value, int len)
{
    *to++ = tag;
    for (int i = 0; i < len; i++, value >>= 8)
        *to++ = (uint8_t)value; /* protobuf's fixed widths are little endian */
    return to;
}

size_t packet_header_encode(const struct packet_header *h, uint8_t out[PACKET_HEADER_MAX_BYTES])
{
    uint8_t *to = put_be(out, 4 + h->checksum_bytes + h->data_bytes, 4);
    to = put_be(to, h->sync_block ? 27 : 25, 2);
    to = put_fixed(to, TAG_OFFSET_IN_BLOCK, (uint64_t)h->offset_in_block, 8);
    to = put_fixed(to, TAG_SEQNO, (uint64_t)h->seqno, 8);
    to = put_fixed(to, TAG_LAST_IN_BLOCK, h->last_in_block, 1);
    to = put_fixed(to, TAG_DATA_LEN, h->data_bytes, 4);
    if (h->sync_block)
        to = put_fixed(to, TAG_SYNC_BLOCK, 1, 1);
    return (size_t)(to - out);
}

static int proto_decode(struct slice in, struct packet_header *ret, struct err *reterr)
{
    struct packet_header h = {0};
    int32_t data_len = 0;
    unsigned seen = 0;
    struct rd rd = rd_of(in);
    for (struct field f; field_next(&rd, &f);) {
        switch (f.tag) {
        case TAG_OFFSET_IN_BLOCK: h.offset_in_block = (int64_t)f.value; break;
        case TAG_SEQNO: h.seqno = (int64_t)f.value; break;
        case TAG_LAST_IN_BLOCK: h.last_in_block = f.value != 0; break;
        case TAG_DATA_LEN: data_len = (int32_t)f.value; break;
        case TAG_SYNC_BLOCK: h.sync_block = f.value != 0; break;
        default: continue;
        }
        seen |= BIT(f.tag >> 3);
    }
    const unsigned required = BIT(1) | BIT(2) | BIT(3) | BIT(4);
    if (rd.bad || (seen & required) != required)
        return err_set(reterr, ERR_PROTOCOL, "packet header of %zu bytes is malformed", in.len);
    if (data_len < 0 || h.offset_in_block < 0)
        return err_set(reterr, ERR_PROTOCOL, "packet header with length %d at offset %lld", data_len,
                       (long long)h.offset_in_block);
    h.data_bytes = (uint32_t)data_len;
    *ret = h;
    return 0;
}

/* How long the whole header is, from its first six bytes. */
static int header_size(const uint8_t *bytes, uint32_t *ret_packet_len, struct err *reterr)
{
    struct rd rd = rd_of((struct slice){bytes, 6});
    uint32_t packet_len = rd_u32be(&rd), header_len = rd_u16be(&rd);
    if (packet_len < 4 || packet_len > PACKET_MAX_BYTES - header_len)
        return err_set(reterr, ERR_PROTOCOL, "packet of %u bytes with a header of %u: out of bounds", packet_len,
                       header_len);
    if (header_len < 25 || header_len > PACKET_HEADER_ACCEPT_BYTES - 6)
        return err_set(reterr, ERR_PROTOCOL, "packet header of %u bytes: out of bounds", header_len);
    *ret_packet_len = packet_len;
    return (int)header_len + 6;
}

int packet_header_decode(struct slice in, struct packet_header *ret, struct err *reterr)
{
    if (in.len < 6)
        return 0;
    uint32_t packet_len;
    int size = header_size(in.base, &packet_len, reterr);
    if (size < 0)
        return size;
    if (in.len < (size_t)size)
        return 0;
    struct packet_header h;
    int rc = proto_decode((struct slice){in.base + 6, (size_t)size - 6}, &h, reterr);
    if (rc < 0)
        return rc;
    if (h.data_bytes > packet_len - 4)
        return err_set(reterr, ERR_PROTOCOL, "packet of %u bytes announces %u bytes of data", packet_len, h.data_bytes);
    h.checksum_bytes = packet_len - 4 - h.data_bytes;
    *ret = h;
    return size;
}

int packet_header_read(int fd, struct packet_header *ret, struct err *reterr)
{
    uint8_t bytes[PACKET_HEADER_ACCEPT_BYTES];
    int rc = net_read_full(fd, bytes, PACKET_HEADER_MIN_BYTES, reterr);
    if (rc < 0)
        return rc;
    uint32_t packet_len;
    int size = header_size(bytes, &packet_len, reterr);
    if (size < 0)
        return size;
    if (size > PACKET_HEADER_MIN_BYTES) {
        rc = net_read_full(fd, bytes + PACKET_HEADER_MIN_BYTES, (size_t)size - PACKET_HEADER_MIN_BYTES, reterr);
        if (rc < 0)
            return rc;
    }
    rc = packet_header_decode((struct slice){bytes, (size_t)size}, ret, reterr);
    return rc < 0 ? rc : 0;
}
