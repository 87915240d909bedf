#include "common/json_out.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

/* Bytes of the UTF-8 character at p, or 0 if there is none (overlong forms and surrogates included). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
               : (p[0] & 0xF0) == 0xE0       ? 3
               : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if (i == left || (p[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xED && p[1] >= 0xA0, too_large = p[0] == 0xF4 && p[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : n;
}

static void escape(struct buf *b, const unsigned char *text, size_t len)
{
    buf_append_str(b, "\"");
    for (const unsigned char *p = text, *end = text + len; p < end;) {
        size_t n = utf8_length(p, (size_t)(end - p));
        if (n == 0)
            buf_append_str(b, "\\ufffd"); /* a name may be any bytes; JSON may not */
        else if (*p == '"' || *p == '\\')
            buf_printf(b, "\\%c", *p);
        else if (*p < ' ')
            buf_printf(b, "\\u%04x", *p);
        else
            buf_append(b, p, n);
        p += n ? n : 1;
    }
    buf_append_str(b, "\"");
}

void json_escape(struct buf *b, const char *text)
{
    escape(b, (const unsigned char *)text, strlen(text));
}

void json_key(struct buf *b, const char *key)
{
    if (b->len && !strchr("{[:", b->base[b->len - 1]))
        buf_append(b, ",", 1);
    if (!key)
        return;
    json_escape(b, key);
    buf_append(b, ":", 1);
}

void json_begin(struct buf *b, const char *key, char bracket)
{
    json_key(b, key);
    buf_append(b, &bracket, 1);
}

void json_end(struct buf *b, char bracket)
{
    buf_append(b, &bracket, 1);
}

void json_int(struct buf *b, const char *key, int64_t value)
{
    json_key(b, key);
    buf_printf(b, "%" PRId64, value);
}

void json_double(struct buf *b, const char *key, double value)
{
    json_key(b, key);
    buf_printf(b, "%.6f", value);
}

void json_bool(struct buf *b, const char *key, bool value)
{
    json_key(b, key);
    buf_append_str(b, value ? "true" : "false");
}

void json_text(struct buf *b, const char *key, const char *value)
{
    json_key(b, key);
    if (value)
        json_escape(b, value);
    else
        buf_append_str(b, "null");
}

void json_bytes(struct buf *b, const char *key, const void *bytes, size_t len)
{
    json_key(b, key);
    escape(b, bytes ? bytes : (const void *)"", len);
}
