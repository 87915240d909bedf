#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/compress.h"
#include "scheduler/engine/decompress.h"
#include "scheduler/engine/sequence_file.h"

#define READ_BYTES        (256u << 10)
#define HEADER_TEXT_MAX   4096
#define METADATA_MAX      1024
#define BLOCK_RECORDS_MAX (1 << 28)
#define UNPACKED_MAX      (256u << 20) /* of a block or a value; Hadoop's blocks have about 1 MB */
#define SYNC_WHOLE        (4 + SEQUENCE_SYNC_BYTES)

struct sequence_reader {
    struct byte_source source;
    const char *name;
    int64_t pos; /* file offset of bytes[next] */
    struct buf bytes;
    size_t next;
    bool at_end;
    char *key_class, *value_class, *codec;
    bool compressed, blocks;
    uint8_t sync[SEQUENCE_SYNC_BYTES];
    /* a block: what is left of it */
    struct buf parts[4]; /* key lengths, keys, value lengths, values */
    struct rd rest[4];
    int64_t block_records;
    struct buf value; /* of a record compressed by itself */
};

static int broken(const struct sequence_reader *r, struct err *reterr)
{
    return err_set(reterr, ERR_IO, "%s: the sequence file is damaged or cut short near byte %lld", r->name,
                   (long long)r->pos);
}

/* Makes `want` bytes readable in one piece, unless the file ends before; returns how many there are. */
static int need(struct sequence_reader *r, size_t want, size_t *ret_have, struct err *reterr)
{
    while (r->bytes.len - r->next < want && !r->at_end) {
        if (r->next) {
            buf_consume(&r->bytes, r->next);
            r->next = 0;
        }
        size_t got = 0, missing = want - r->bytes.len, at_once = missing < READ_BYTES ? READ_BYTES : missing;
        at_once = at_once < 16 * READ_BYTES ? at_once : 16 * READ_BYTES; /* a length that lies costs no memory */
        uint8_t *to = buf_reserve(&r->bytes, at_once);
        int rc = r->source.read(r->source.context, to, at_once, &got, reterr);
        if (rc < 0)
            return rc;
        r->bytes.len += got;
        r->at_end = got == 0;
    }
    *ret_have = r->bytes.len - r->next;
    return 0;
}

static int take(struct sequence_reader *r, size_t len, struct slice *ret, struct err *reterr)
{
    size_t have = 0;
    int rc = need(r, len, &have, reterr);
    if (rc < 0)
        return rc;
    if (have < len)
        return broken(r, reterr);
    *ret = (struct slice){r->bytes.base ? r->bytes.base + r->next : (const uint8_t *)"", len};
    r->next += len;
    r->pos += (int64_t)len;
    return 0;
}

static int take_u32(struct sequence_reader *r, uint32_t *ret, struct err *reterr)
{
    struct slice s;
    int rc = take(r, 4, &s, reterr);
    if (rc == 0) {
        struct rd rd = rd_of(s);
        *ret = rd_u32be(&rd);
    }
    return rc;
}

static int take_vint(struct sequence_reader *r, int64_t max, int64_t *ret, struct err *reterr)
{
    struct slice s;
    size_t have;
    int rc = need(r, 9, &have, reterr);
    if (rc < 0)
        return rc;
    struct rd rd = rd_of((struct slice){r->bytes.base + r->next, have < 9 ? have : 9});
    const uint8_t *from = rd.pos;
    *ret = rd_java_vint(&rd);
    if (rd.bad || *ret < 0 || *ret > max)
        return broken(r, reterr);
    return take(r, (size_t)(rd.pos - from), &s, reterr);
}

static int take_text(struct sequence_reader *r, char **ret, struct err *reterr)
{
    int64_t len = 0;
    struct slice s;
    int rc = take_vint(r, HEADER_TEXT_MAX, &len, reterr);
    if (rc == 0 && (rc = take(r, (size_t)len, &s, reterr)) == 0)
        *ret = mem_strndup((const char *)s.base, s.len);
    return rc;
}

/* ---- header ---- */

static int take_metadata(struct sequence_reader *r, struct err *reterr)
{
    uint32_t count = 0;
    int rc = take_u32(r, &count, reterr);
    if (rc == 0 && count > METADATA_MAX)
        return broken(r, reterr);
    for (uint32_t i = 0; rc == 0 && i < 2 * count; i++) {
        int64_t len = 0;
        struct slice s;
        if ((rc = take_vint(r, 1 << 20, &len, reterr)) == 0)
            rc = take(r, (size_t)len, &s, reterr);
    }
    return rc;
}

static int take_header(struct sequence_reader *r, struct err *reterr)
{
    struct slice s;
    size_t have = 0;
    int rc = need(r, 4, &have, reterr);
    if (rc < 0)
        return rc;
    if (have < 4 || memcmp(r->bytes.base, "SEQ", 3))
        return err_set(reterr, ERR_IO, "%s is not a SequenceFile", r->name);
    int version = r->bytes.base[3];
    if (version < 4 || version > 6)
        return err_set(reterr, ERR_UNSUPPORTED, "%s: version %d of SequenceFile", r->name, version);
    if ((rc = take(r, 4, &s, reterr)) < 0 || (rc = take_text(r, &r->key_class, reterr)) < 0 ||
        (rc = take_text(r, &r->value_class, reterr)) < 0 || (rc = take(r, 2, &s, reterr)) < 0)
        return rc;
    r->compressed = s.base[0] != 0;
    r->blocks = s.base[1] != 0;
    if (r->compressed && version >= 5 && (rc = take_text(r, &r->codec, reterr)) < 0)
        return rc;
    if (r->compressed && !r->codec)
        r->codec = mem_strdup("DefaultCodec");
    if (r->compressed && !codec_suffix(r->codec))
        return err_set(reterr, ERR_UNSUPPORTED, "%s: compression by %s", r->name, r->codec);
    if (r->blocks && !r->compressed)
        return broken(r, reterr);
    if (version >= 6 && (rc = take_metadata(r, reterr)) < 0)
        return rc;
    if ((rc = take(r, SEQUENCE_SYNC_BYTES, &s, reterr)) == 0)
        memcpy(r->sync, s.base, SEQUENCE_SYNC_BYTES);
    return rc;
}

int sequence_reader_new(struct byte_source at_start, const char *name, struct sequence_reader **ret, struct err *reterr)
{
    struct sequence_reader *r = mem_new(struct sequence_reader);
    r->source = at_start;
    r->name = name;
    int rc = take_header(r, reterr);
    if (rc < 0)
        sequence_reader_free(r);
    else
        *ret = r;
    return rc;
}

void sequence_reader_free(struct sequence_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < ARRAY_COUNT(r->parts); i++)
        buf_free(&r->parts[i]);
    buf_free(&r->value);
    buf_free(&r->bytes);
    free(r->key_class);
    free(r->value_class);
    free(r->codec);
    free(r);
}

const char *sequence_reader_class(const struct sequence_reader *r, bool key)
{
    return key ? r->key_class : r->value_class;
}

/* ---- sync markers ---- */

static bool is_sync(const struct sequence_reader *r, const uint8_t *at)
{
    return !memcmp(at, "\xff\xff\xff\xff", 4) && !memcmp(at + 4, r->sync, SEQUENCE_SYNC_BYTES);
}

int sequence_reader_sync(struct sequence_reader *r, int64_t offset, struct err *reterr)
{
    buf_clear(&r->bytes);
    r->next = 0;
    r->pos = offset;
    r->at_end = false;
    r->block_records = 0;
    for (;;) {
        size_t have = 0;
        int rc = need(r, SYNC_WHOLE, &have, reterr);
        if (rc < 0)
            return rc;
        size_t searched = 0;
        for (; searched + SYNC_WHOLE <= have; searched++)
            if (is_sync(r, r->bytes.base + r->next + searched)) {
                r->next += searched;
                r->pos += (int64_t)searched;
                return 0;
            }
        if (have < SYNC_WHOLE)
            searched = have; /* the file's end */
        r->next += searched;
        r->pos += (int64_t)searched;
        if (have < SYNC_WHOLE)
            return 0;
    }
}

/* ---- records ---- */

struct memory_source {
    struct slice left;
};

static int read_memory(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct memory_source *m = context;
    size_t n = m->left.len < len ? m->left.len : len;
    memcpy(bytes, m->left.base, n);
    m->left.base += n;
    m->left.len -= n;
    *ret_read = n;
    return 0;
}

static int unpack(struct sequence_reader *r, struct slice packed, struct buf *to, struct err *reterr)
{
    struct memory_source memory = {packed};
    struct decompressor *d = NULL;
    buf_clear(to);
    buf_reserve(to, 1);
    int rc = decompressor_new((struct byte_source){read_memory, &memory}, codec_suffix(r->codec), &d, reterr);
    for (size_t got = 1; rc == 0 && got;) {
        uint8_t *at = buf_reserve(to, READ_BYTES);
        struct byte_source source = decompressor_source(d);
        rc = source.read(source.context, at, READ_BYTES, &got, reterr);
        to->len += rc == 0 ? got : 0;
        if (to->len > UNPACKED_MAX)
            rc = err_set(reterr, ERR_TOO_LARGE, "%s: a compressed block is too large", r->name);
    }
    decompressor_free(d);
    return rc < 0 ? err_prefix(reterr, rc, "%s near byte %lld", r->name, (long long)r->pos) : 0;
}

static int take_block(struct sequence_reader *r, struct err *reterr)
{
    int rc = take_vint(r, BLOCK_RECORDS_MAX, &r->block_records, reterr);
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(r->parts); i++) {
        int64_t len = 0;
        struct slice s;
        if ((rc = take_vint(r, RECORD_BYTES_MAX, &len, reterr)) == 0 && (rc = take(r, (size_t)len, &s, reterr)) == 0 &&
            (rc = unpack(r, s, &r->parts[i], reterr)) == 0)
            r->rest[i] = rd_of(buf_slice(&r->parts[i]));
    }
    return rc;
}

static int next_of_block(struct sequence_reader *r, struct record *ret, struct err *reterr)
{
    struct slice parts[2];
    for (int i = 0; i < 2; i++) {
        int64_t len = rd_java_vint(&r->rest[2 * i]);
        parts[i] = rd_slice(&r->rest[2 * i + 1], len < 0 || len > RECORD_BYTES_MAX ? SIZE_MAX : (size_t)len);
        if (r->rest[2 * i].bad || r->rest[2 * i + 1].bad)
            return broken(r, reterr);
    }
    r->block_records--;
    *ret = (struct record){parts[0].base, parts[1].base, (uint32_t)parts[0].len, (uint32_t)parts[1].len};
    return 0;
}

static int take_record(struct sequence_reader *r, uint32_t length, struct record *ret, struct err *reterr)
{
    uint32_t key_len = 0;
    struct slice s;
    int rc = take_u32(r, &key_len, reterr);
    if (rc < 0)
        return rc;
    if (length > RECORD_BYTES_MAX || key_len > length)
        return broken(r, reterr);
    if ((rc = take(r, length, &s, reterr)) < 0)
        return rc;
    struct slice value = {s.base + key_len, length - key_len};
    if (r->compressed) {
        if ((rc = unpack(r, value, &r->value, reterr)) < 0)
            return rc;
        value = buf_slice(&r->value);
    }
    *ret = (struct record){s.base, value.base, key_len, (uint32_t)value.len};
    return 0;
}

int sequence_reader_next(struct sequence_reader *r, int64_t end, struct record *ret, bool *ret_more, struct err *reterr)
{
    *ret_more = false;
    while (r->block_records == 0) {
        size_t have = 0;
        uint32_t length = 0;
        int64_t at = r->pos;
        struct slice marker;
        int rc = need(r, 4, &have, reterr);
        if (rc < 0 || have == 0)
            return rc;
        if ((rc = take_u32(r, &length, reterr)) < 0)
            return rc;
        if (length != UINT32_MAX) {
            *ret_more = !r->blocks;
            return r->blocks ? broken(r, reterr) : take_record(r, length, ret, reterr);
        }
        if (at >= end)
            return 0;
        if ((rc = take(r, SEQUENCE_SYNC_BYTES, &marker, reterr)) < 0)
            return rc;
        if (memcmp(marker.base, r->sync, SEQUENCE_SYNC_BYTES))
            return broken(r, reterr);
        if (r->blocks && (rc = take_block(r, reterr)) < 0)
            return rc;
    }
    *ret_more = true;
    return next_of_block(r, ret, reterr);
}
