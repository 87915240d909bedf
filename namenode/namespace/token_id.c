#include "namenode/namespace/token_id.h"

#include <inttypes.h>
#include <string.h>

#include "common/rd.h"
#include "common/wr.h"

#define TEXT_MAX_BYTES (1u << 20)

/* ---- Hadoop's variable-length numbers: one byte, or a byte that says sign and length and then that many ---- */

static void wr_vlong(struct buf *to, int64_t value)
{
    if (value >= -112 && value <= 127) {
        wr_u8(to, (uint8_t)value);
        return;
    }
    uint64_t rest = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    size_t len = 0;
    for (uint64_t v = rest; v; v >>= 8)
        len++;
    wr_u8(to, (uint8_t)((value < 0 ? -120 : -112) - (int)len));
    wr_be(to, rest, len);
}

static int64_t rd_vlong(struct rd *rd)
{
    int first = (int8_t)rd_u8(rd);
    if (first >= -112)
        return first;
    bool negative = first < -120;
    uint64_t value = rd_be(rd, (size_t)(negative ? -120 - first : -112 - first));
    return (int64_t)(negative ? ~value : value);
}

static void wr_text(struct buf *to, const char *text)
{
    wr_vlong(to, (int64_t)strlen(text));
    buf_append_str(to, text);
}

static const char *rd_text(struct rd *rd, struct arena *a)
{
    int64_t len = rd_vlong(rd);
    if (len < 0 || len > (int64_t)TEXT_MAX_BYTES)
        rd->bad = true;
    struct slice text = rd_slice(rd, rd->bad ? 0 : (size_t)len);
    return arena_strndup(a, (const char *)text.base, text.len);
}

/* ---- identifiers ---- */

void token_id_encode(const struct token_id *id, struct buf *to)
{
    wr_u8(to, 0); /* the layout's version */
    wr_text(to, id->owner);
    wr_text(to, id->renewer);
    wr_text(to, id->real_user);
    wr_vlong(to, id->issued_ms);
    wr_vlong(to, id->max_ms);
    wr_vlong(to, id->sequence);
    wr_vlong(to, id->key_id);
}

int token_id_decode(struct slice bytes, struct arena *a, struct token_id *ret, struct err *reterr)
{
    struct rd rd = rd_of(bytes);
    int version = (int8_t)rd_u8(&rd);
    if (!rd.bad && version)
        return err_set(reterr, ERR_IO, "Unknown version of delegation token %d", version);
    ret->owner = rd_text(&rd, a);
    ret->renewer = rd_text(&rd, a);
    ret->real_user = rd_text(&rd, a);
    ret->issued_ms = rd_vlong(&rd);
    ret->max_ms = rd_vlong(&rd);
    ret->sequence = rd_vlong(&rd);
    ret->key_id = rd_vlong(&rd);
    return rd.bad ? err_set(reterr, ERR_END_OF_FILE, "the delegation token is cut short") : 0;
}

const char *token_id_text(const struct token_id *id, struct arena *a)
{
    return arena_printf(a,
                        "(token for %.*s: " TOKEN_KIND " owner=%s, renewer=%s, realUser=%s, issueDate=%" PRId64
                        ", maxDate=%" PRId64 ", sequenceNumber=%" PRId64 ", masterKeyId=%" PRId64 ")",
                        (int)strcspn(id->owner, "/@"), id->owner, id->owner, id->renewer, id->real_user, id->issued_ms,
                        id->max_ms, id->sequence, id->key_id);
}
