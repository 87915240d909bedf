/* Logging in with a token: the server's side of SASL's DIGEST-MD5 as Hadoop uses it, by libgsasl. The user name is the
 * token's identifier, the pass phrase its password, both in base64; there is one challenge and one response, and what
 * follows is neither signed nor encrypted. */
#ifndef CAIRN_RPC_SASL_LOGIN_H
#define CAIRN_RPC_SASL_LOGIN_H

#include "common/buf.h"
#include "rpc/rpc_server.h"

#define SASL_TOKEN_METHOD    "TOKEN"
#define SASL_TOKEN_MECHANISM "DIGEST-MD5"
#define SASL_TOKEN_SERVER    "default"

struct sasl_login;
/* *ret_challenge goes to the client. options is borrowed for the login's life. */
int sasl_login_new(const struct rpc_server_options *options, struct sasl_login **ret, struct buf *ret_challenge,
                   struct err *reterr) MUST_CHECK;
/* *ret_answer proves to the client that we know the password, too. ERR_INVALID_TOKEN, or what token_login said. */
int sasl_login_finish(struct sasl_login *s, struct slice response, struct buf *ret_answer,
                      struct err *reterr) MUST_CHECK;
const char *sasl_login_user(const struct sasl_login *s); /* once that has worked */
void sasl_login_free(struct sasl_login *s);              /* NULL is fine */

#endif
