#include "rpc/sasl_login.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define RESPONSE_BYTES_MAX (32u << 10)

struct sasl_login {
    const struct rpc_server_options *options;
    Gsasl *library;
    Gsasl_session *session;
    struct rpc_token token;
    int rc; /* of token_login */
    struct err why;
};

static int failed(int code, struct err *reterr)
{
    return err_set(reterr, ERR_INVALID_TOKEN, "DIGEST-MD5: %s", gsasl_strerror(code));
}

/* The password of the token that the client claims to have. */
static int look_up(struct sasl_login *s)
{
    const char *name = gsasl_property_fast(s->session, GSASL_AUTHID);
    char *identifier = NULL, *password = NULL;
    size_t len = 0;
    if (!name || gsasl_base64_from(name, strlen(name), &identifier, &len) != GSASL_OK)
        return GSASL_AUTHENTICATION_ERROR;
    s->rc = s->options->token_login(s->options->token_context, (struct slice){(uint8_t *)identifier, len}, &s->token,
                                    &s->why);
    gsasl_free(identifier);
    if (s->rc || gsasl_base64_to((const char *)s->token.password, s->token.password_len, &password, NULL) != GSASL_OK)
        return GSASL_AUTHENTICATION_ERROR;
    int code = gsasl_property_set(s->session, GSASL_PASSWORD, password);
    gsasl_free(password);
    return code;
}

static int callback(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    struct sasl_login *s = gsasl_session_hook_get(session);
    switch (property) {
    case GSASL_REALM: return gsasl_property_set(session, property, SASL_TOKEN_SERVER);
    case GSASL_QOPS: return gsasl_property_set(session, property, "qop-auth");
    case GSASL_PASSWORD: return s ? look_up(s) : GSASL_NO_PASSWORD;
    default: return GSASL_NO_CALLBACK;
    }
}

static int step(struct sasl_login *s, struct slice in, struct buf *ret, int wanted, struct err *reterr)
{
    char *out = NULL;
    size_t len = 0;
    int code = gsasl_step(s->session, (const char *)in.base, in.len, &out, &len);
    if (out)
        buf_append(ret, out, len);
    gsasl_free(out);
    if (s->rc) {
        *reterr = s->why;
        return s->rc;
    }
    return code == wanted ? 0 : failed(code, reterr);
}

int sasl_login_new(const struct rpc_server_options *options, struct sasl_login **ret, struct buf *ret_challenge,
                   struct err *reterr)
{
    struct sasl_login *s = mem_new(struct sasl_login);
    s->options = options;
    int code = gsasl_init(&s->library);
    if (code == GSASL_OK) {
        gsasl_callback_set(s->library, callback);
        code = gsasl_server_start(s->library, SASL_TOKEN_MECHANISM, &s->session);
    }
    if (code == GSASL_OK)
        gsasl_session_hook_set(s->session, s);
    int rc =
        code == GSASL_OK ? step(s, (struct slice){0}, ret_challenge, GSASL_NEEDS_MORE, reterr) : failed(code, reterr);
    if (rc)
        sasl_login_free(s);
    else
        *ret = s;
    return rc;
}

/* ---- the response, before the library sees it: it does not stand everything that a stranger may send ---- */

enum field { USERNAME, REALM, NONCE, CNONCE, NC, QOP, URI, RESPONSE, CHARSET, MAXBUF, FIELDS };
static const struct {
    const char *name;
    bool quoted, required;
    const char *only; /* the one value there is; NULL: any */
} fields[FIELDS] = {
    [USERNAME] = {"username", true, true, NULL},    [REALM] = {"realm", true, true, SASL_TOKEN_SERVER},
    [NONCE] = {"nonce", true, true, NULL},          [CNONCE] = {"cnonce", true, true, NULL},
    [NC] = {"nc", false, true, "00000001"},         [QOP] = {"qop", false, true, "auth"},
    [URI] = {"digest-uri", true, true, NULL},       [RESPONSE] = {"response", false, true, NULL},
    [CHARSET] = {"charset", false, false, "utf-8"}, [MAXBUF] = {"maxbuf", false, false, NULL},
};

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 127 || strchr("\"\\,=", text[i]))
            return false;
    return len > 0;
}

/* Base64 is all that names and values are made of, and what else there is has no special characters. */
static bool is_value(const char *text, size_t len)
{
    while (len && text[len - 1] == '=') /* padding */
        len--;
    return is_plain(text, len);
}

static bool take_field(const char **at, unsigned *seen)
{
    size_t name = strcspn(*at, "=");
    enum field f = 0;
    while (f < FIELDS && (strlen(fields[f].name) != name || strncmp(fields[f].name, *at, name) != 0))
        f++;
    if (f == FIELDS || *seen & BIT(f) || (*at)[name] != '=')
        return false;
    *seen |= BIT(f);
    const char *value = *at + name + 1;
    bool quoted = *value == '"';
    value += quoted;
    size_t len = strcspn(value, quoted ? "\"" : ",");
    if (quoted && value[len] != '"')
        return false;
    *at = value + len + quoted;
    if ((!quoted && fields[f].quoted) || !is_value(value, len))
        return false;
    if (f == RESPONSE && (len != 32 || strspn(value, "0123456789abcdef") != len))
        return false;
    if (f == MAXBUF && (len > 8 || strspn(value, "0123456789") != len))
        return false;
    return !fields[f].only || (strlen(fields[f].only) == len && !strncmp(fields[f].only, value, len));
}

static bool is_well_formed(const char *text)
{
    unsigned seen = 0;
    for (;;) {
        if (!take_field(&text, &seen))
            return false;
        if (!*text)
            break;
        if (*text++ != ',')
            return false;
        text += strspn(text, " ");
    }
    for (unsigned f = 0; f < FIELDS; f++)
        if (fields[f].required && !(seen & BIT(f)))
            return false;
    return true;
}

int sasl_login_finish(struct sasl_login *s, struct slice response, struct buf *ret_answer, struct err *reterr)
{
    AUTO(buf_free) struct buf text = {0};
    if (response.len && response.len <= RESPONSE_BYTES_MAX && !memchr(response.base, 0, response.len))
        buf_append(&text, response.base, response.len);
    if (!is_well_formed(buf_cstr(&text)))
        return err_set(reterr, ERR_INVALID_TOKEN, "DIGEST-MD5: not a response as it should be");
    return step(s, response, ret_answer, GSASL_OK, reterr);
}

const char *sasl_login_user(const struct sasl_login *s)
{
    return s->token.user;
}

void sasl_login_free(struct sasl_login *s)
{
    if (!s)
        return;
    if (s->session)
        gsasl_finish(s->session);
    if (s->library)
        gsasl_done(s->library);
    explicit_bzero(s->token.password, sizeof s->token.password);
    free(s);
}
