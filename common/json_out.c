#include "common/json_out.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"

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
