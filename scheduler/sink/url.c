#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "scheduler/sink/sink.h"

bool sink_is_url(const char *output)
{
    return !strncmp(output, "postgresql://", 13) || !strncmp(output, "postgres://", 11);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static char *decoded(const char *text, size_t len, struct arena *a)
{
    char *out = arena_alloc(a, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            out[n++] = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        } else {
            out[n++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    out[n] = 0;
    return out;
}

static int take_parameter(struct sink *s, const char *name, const char *value, bool *ret_ours, struct err *reterr)
{
    *ret_ours = true;
    if (!strcmp(name, "table")) {
        s->table = value;
    } else if (!strcmp(name, "columns")) {
        s->columns = value;
    } else if (!strcmp(name, "null")) {
        s->null_text = value;
    } else if (!strcmp(name, "delimiter")) {
        s->delimiter = !strcmp(value, "tab") ? '\t' : value[0];
        if (strcmp(value, "tab") && (strlen(value) != 1 || strchr("\n\r\1\"\\", value[0])))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "delimiter=%s: one character is wanted, or tab", value);
    } else if (!strcmp(name, "mode")) {
        s->replace = !strcmp(value, "replace");
        if (!s->replace && strcmp(value, "append"))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "mode=%s: append or replace is wanted", value);
    } else {
        *ret_ours = false; /* sslmode and the like are libpq's */
    }
    return 0;
}

int sink_parse(const char *url, struct arena *a, struct sink *ret, struct err *reterr)
{
    *ret = (struct sink){.null_text = "", .delimiter = '\t'};
    size_t base = strcspn(url, "?");
    struct buf connection = {0};
    buf_append(&connection, url, base);
    char mark = '?';
    int rc = 0;
    for (const char *at = url[base] ? url + base + 1 : url + base; rc == 0 && *at;) {
        size_t len = strcspn(at, "&"), name_len = strcspn(at, "=&");
        bool ours = false;
        const char *value = name_len < len ? decoded(at + name_len + 1, len - name_len - 1, a) : "";
        rc = take_parameter(ret, arena_strndup(a, at, name_len), value, &ours, reterr);
        if (!ours) {
            buf_append(&connection, &mark, 1);
            buf_append(&connection, at, len);
            mark = '&';
        }
        at += len + (at[len] == '&');
    }
    if (rc == 0 && (!ret->table || !ret->table[0]))
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-output postgresql://...: table=NAME is missing");
    buf_append(&connection, "", 1);
    ret->connection = arena_strdup(a, (const char *)connection.base);
    buf_free(&connection);
    return rc;
}
