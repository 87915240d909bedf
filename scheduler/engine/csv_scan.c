#include "scheduler/engine/csv_scan.h"

#include <string.h>

static enum csv_state after_plain(char c, char separator)
{
    return c == separator ? CSV_FIELD_BEGIN : c == '\r' ? CSV_CR_SEEN : CSV_PLAIN;
}

size_t csv_scan(struct csv_scan *s, struct slice bytes, bool *ret_ended)
{
    char separator = s->separator ? s->separator : ',';
    enum csv_state state = s->state;
    *ret_ended = true;
    s->state = CSV_FIELD_BEGIN;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = (char)bytes.base[i];
        if (state == CSV_CR_SEEN)
            return i + (c == '\n');
        if (state == CSV_QUOTED) {
            const uint8_t *quote = memchr(bytes.base + i, '"', bytes.len - i);
            if (!quote)
                break;
            i = (size_t)(quote - bytes.base);
            state = CSV_QUOTE_SEEN;
            continue;
        }
        if (c == '\n')
            return i + 1;
        if (c == '"' && (state == CSV_FIELD_BEGIN || state == CSV_QUOTE_SEEN))
            state = CSV_QUOTED; /* begins, or was the first of two */
        else
            state = after_plain(c, separator);
    }
    s->state = state;
    *ret_ended = false;
    return bytes.len;
}

static void put(struct buf *to, char c)
{
    static const char special[] = "\t\n\r\\", letters[] = "tnr\\";
    const char *found = c ? strchr(special, c) : NULL;
    uint8_t *out = buf_reserve(to, 2);
    if (found)
        *out++ = '\\';
    *out = (uint8_t)(found ? letters[found - special] : c);
    to->len += found ? 2 : 1;
}

void csv_to_tabs(struct slice record, char separator, struct buf *to)
{
    separator = separator ? separator : ',';
    enum csv_state state = CSV_FIELD_BEGIN;
    for (size_t i = 0; i < record.len; i++) {
        char c = (char)record.base[i];
        if (state == CSV_QUOTED) {
            if (c == '"')
                state = CSV_QUOTE_SEEN;
            else
                put(to, c);
        } else if (c == '"' && state == CSV_FIELD_BEGIN) {
            state = CSV_QUOTED;
        } else if (c == '"' && state == CSV_QUOTE_SEEN) {
            put(to, c);
            state = CSV_QUOTED;
        } else if (c == separator) {
            buf_append(to, "\t", 1);
            state = CSV_FIELD_BEGIN;
        } else {
            put(to, c);
            state = CSV_PLAIN;
        }
    }
}
