#include "webhdfs/url.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int decode(const char *from, size_t len, bool plus_is_space, struct arena *a, char **ret, struct err *reterr)
{
    char *out = arena_try_alloc(a, len + 1);
    size_t n = 0;
    if (!out)
        return err_set(reterr, ERR_NO_MEMORY, "the request's address is too long");
    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (c == '+' && plus_is_space)
            c = ' ';
        if (c == '%') {
            int high = i + 2 < len ? hex_value(from[i + 1]) : -1;
            int low = high >= 0 ? hex_value(from[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Not valid encoding '%.3s' in the request's address",
                               from + i);
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    out[n] = 0;
    *ret = out;
    return 0;
}

static int parse_parameter(const char *from, size_t len, struct arena *a, struct url_parameter *ret, struct err *reterr)
{
    const char *equals = memchr(from, '=', len);
    size_t name_len = equals ? (size_t)(equals - from) : len;
    char *name = NULL, *value = NULL;
    int rc = decode(from, name_len, true, a, &name, reterr);
    if (rc == 0)
        rc = equals ? decode(equals + 1, len - name_len - 1, true, a, &value, reterr)
                    : decode("", 0, true, a, &value, reterr);
    if (rc < 0)
        return rc;
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret = (struct url_parameter){name, value};
    return 0;
}

int webhdfs_url_parse(const char *uri, struct arena *a, struct webhdfs_url *ret, struct err *reterr)
{
    const size_t prefix_len = strlen(WEBHDFS_PREFIX);
    if (strncmp(uri, WEBHDFS_PREFIX, prefix_len) != 0 || !strchr("/?", uri[prefix_len]))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "the path does not begin with " WEBHDFS_PREFIX "/");
    const char *path = uri + prefix_len, *end = path + strcspn(path, "?#");
    char *decoded = NULL;
    int rc = end == path ? decode("/", 1, false, a, &decoded, reterr)
                         : decode(path, (size_t)(end - path), false, a, &decoded, reterr);
    if (rc < 0)
        return rc;
    struct webhdfs_url url = {.path = decoded};
    url.parameters = arena_try_alloc(a, sizeof *url.parameters * WEBHDFS_QUERY_MAX);
    if (!url.parameters)
        return err_set(reterr, ERR_NO_MEMORY, "the request's address is too long");
    for (const char *at = *end == '?' ? end + 1 : ""; *at && *at != '#';) {
        size_t len = strcspn(at, "&#");
        if (len && url.parameter_count == WEBHDFS_QUERY_MAX)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "more than %d parameters", WEBHDFS_QUERY_MAX);
        if (len)
            rc = parse_parameter(at, len, a, &url.parameters[url.parameter_count++], reterr);
        if (rc < 0)
            return rc;
        at += len + (at[len] == '&');
    }
    *ret = url;
    return 0;
}

const char *webhdfs_url_get(const struct webhdfs_url *u, const char *name)
{
    for (size_t i = 0; i < u->parameter_count; i++)
        if (strcmp(u->parameters[i].name, name) == 0)
            return u->parameters[i].value;
    return NULL;
}

static const char *encode(const char *text, const char *kept, bool space_is_plus, struct arena *a)
{
    char *out = arena_alloc(a, 3 * strlen(text) + 1), *to = out;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c < 0x80 && isalnum(*c)) || strchr(kept, *c)) {
            *to++ = (char)*c;
        } else if (*c == ' ' && space_is_plus) {
            *to++ = '+';
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[*c >> 4];
            *to++ = "0123456789ABCDEF"[*c & 15];
        }
    *to = 0;
    return out;
}

const char *url_encode_path(const char *path, struct arena *a)
{
    return encode(path, "/-._~!$&'()*+,=:@", false, a);
}

const char *url_encode_value(const char *value, struct arena *a)
{
    return encode(value, "-._*", true, a);
}
