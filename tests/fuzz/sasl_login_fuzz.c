/* A response to the challenge of a login with a token: whatever it is, it is refused or it is right. */
#include "rpc/sasl_login.h"
#include "tests/fuzz/fuzz.h"

static int sasl_fuzz_token(void *context, struct slice identifier, struct rpc_token *ret, struct err *reterr)
{
    *ret = (struct rpc_token){.user = "ann", .password = "secret", .password_len = 6};
    return identifier.len ? 0 : err_set(reterr, ERR_INVALID_TOKEN, "no such token");
}

FUZZ_SEEDS(sasl_login)
{
    static const char right[] =
        "charset=utf-8,username=\"YW5u\",realm=\"default\",nonce=\"5d3qgoHPpF7AjU7tfiQGpg==\",nc="
        "00000001,cnonce=\"eFRJObXlLXDPNcMULvpWH/84Jg7/E+MV5KsWp38w\",digest-uri=\"/default\","
        "maxbuf=65536,response=89f94b6b2cd659464de2eed2c29d484d,qop=auth";
    fuzz_seed(seeds, right, sizeof right - 1);
    fuzz_seed(seeds, "username=\"a\"", 12);
}

FUZZ_RUN(sasl_login)
{
    static const struct rpc_server_options options = {.token_login = sasl_fuzz_token};
    AUTO(buf_free) struct buf challenge = {0};
    AUTO(buf_free) struct buf proof = {0};
    AUTO(buf_free) struct buf response = {0};
    struct sasl_login *s = NULL;
    struct err why;
    if (sasl_login_new(&options, &s, &challenge, &why))
        abort();
    /* The challenge's nonce takes the place of the one in the seed, so that what is behind that check is reached, too.
     */
    const char *seed = "5d3qgoHPpF7AjU7tfiQGpg==", *nonce = strstr(buf_cstr(&challenge), "nonce=\"");
    const uint8_t *at = in.len ? memmem(in.base, in.len, seed, strlen(seed)) : NULL;
    size_t before = at ? (size_t)(at - in.base) : in.len;
    buf_append(&response, in.base, before);
    if (at && nonce) {
        buf_append(&response, nonce + strlen("nonce=\""), strcspn(nonce + strlen("nonce=\""), "\""));
        buf_append(&response, at + strlen(seed), in.len - before - strlen(seed));
    }
    if (!sasl_login_finish(s, buf_slice(&response), &proof, &why) && strcmp(sasl_login_user(s), "ann"))
        abort();
    sasl_login_free(s);
}
