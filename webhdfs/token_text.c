#include "webhdfs/token_text.h"

#include <string.h>

#include "common/rd.h"

/* ---- base64 ---- */

void base64_append(struct buf *to, struct slice bytes, bool url_safe)
{
    const char *alphabet = url_safe ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                    : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t v = (uint32_t)bytes.base[i] << 16 | (n > 1 ? (uint32_t)bytes.base[i + 1] << 8 : 0) |
                     (n > 2 ? bytes.base[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            if (k <= n)
                buf_append(to, &alphabet[v >> (18 - 6 * k) & 63], 1);
            else if (!url_safe)
                buf_append(to, "=", 1);
    }
}

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+' || c == '-' ? 62
           : c == '/' || c == '_' ? 63
                                  : -1;
}

int base64_decode(const char *text, size_t len, struct buf *to)
{
    while (len && text[len - 1] == '=')
        len--;
    uint32_t bits = 0;
    int bit_count = 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return ERR_ILLEGAL_ARGUMENT;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            uint8_t byte = (uint8_t)(bits >> bit_count);
            buf_append(to, &byte, 1);
        }
    }
    return 0;
}

/* ---- Hadoop's Writable numbers and texts ---- */

static void append_vint(struct buf *to, uint64_t value)
{
    uint8_t bytes[9];
    if (value <= 127) {
        bytes[0] = (uint8_t)value;
        buf_append(to, bytes, 1);
        return;
    }
    int n = 0;
    for (uint64_t rest = value; rest; rest >>= 8)
        n++;
    bytes[0] = (uint8_t)(-112 - n);
    for (int i = 1; i <= n; i++)
        bytes[i] = (uint8_t)(value >> (8 * (n - i)));
    buf_append(to, bytes, (size_t)n + 1);
}

static void append_bytes(struct buf *to, const void *bytes, size_t len)
{
    append_vint(to, len);
    buf_append(to, bytes, len);
}

static uint64_t read_vint(struct rd *r)
{
    int8_t first = (int8_t)rd_u8(r);
    if (first >= -112)
        return first < 0 ? UINT64_MAX : (uint64_t)first; /* lengths are not negative */
    if (first < -120)
        return UINT64_MAX;
    uint64_t value = 0;
    for (int n = -112 - first; n > 0; n--)
        value = value << 8 | rd_u8(r);
    return value;
}

static struct slice read_bytes(struct rd *r)
{
    uint64_t len = read_vint(r);
    return rd_slice(r, len);
}

/* ---- tokens ---- */

void token_to_url_text(const Hdfs__TokenProto *t, struct buf *to)
{
    struct buf bytes = {0};
    append_bytes(&bytes, t->identifier.data, t->identifier.len);
    append_bytes(&bytes, t->password.data, t->password.len);
    append_bytes(&bytes, t->kind, strlen(t->kind));
    append_bytes(&bytes, t->service, strlen(t->service));
    base64_append(to, buf_slice(&bytes), true);
    buf_free(&bytes);
}

static ProtobufCBinaryData binary_copy(struct slice s, struct arena *a)
{
    return (ProtobufCBinaryData){s.len, s.len ? arena_memdup(a, s.base, s.len) : NULL};
}

int token_from_url_text(const char *text, struct arena *a, Hdfs__TokenProto *ret, struct err *reterr)
{
    AUTO(buf_free) struct buf bytes = {0};
    if (base64_decode(text, strlen(text), &bytes) < 0)
        return err_remote(reterr, "java.io.EOFException", "");
    struct rd r = rd_of(buf_slice(&bytes));
    struct slice identifier = read_bytes(&r), password = read_bytes(&r), kind = read_bytes(&r),
                 service = read_bytes(&r);
    if (r.bad)
        return err_remote(reterr, "java.io.EOFException", "");
    hdfs__token_proto__init(ret);
    ret->identifier = binary_copy(identifier, a);
    ret->password = binary_copy(password, a);
    ret->kind = arena_strndup(a, (const char *)kind.base, kind.len);
    ret->service = arena_strndup(a, (const char *)service.base, service.len);
    return 0;
}
