/* Delegation tokens: who got which, until when, and the keys that vouch for them. All are in memory and in the store;
 * every change goes into the caller's txn, and into memory once that is committed. Guarded by the namenode's lock.
 * Rules and texts are HDFS's (AbstractDelegationTokenSecretManager): a password is the HMAC-SHA1 of the identifier with
 * one of the keys, which are replaced from time to time. Times are the wall clock's. */
#ifndef CAIRN_NAMENODE_NAMESPACE_TOKENS_H
#define CAIRN_NAMENODE_NAMESPACE_TOKENS_H

#include "common/config.h"
#include "namenode/namespace/token_id.h"
#include "namenode/namespace/txn.h"

#define TOKEN_SECRET_BYTES   20
#define TOKEN_PASSWORD_BYTES 20
#define TOKENS_MAX           200000

struct token_key {
    uint64_t id;
    int64_t expires_ms; /* then no token of it is valid any more */
    uint8_t secret[TOKEN_SECRET_BYTES];
};
struct token {
    uint64_t sequence;
    int64_t renew_by_ms; /* it is valid until then */
    uint8_t *identifier;
    size_t identifier_len;
    uint8_t password[TOKEN_PASSWORD_BYTES];
};
struct tokens {
    bool are_issued; /* dfs.namenode.delegation.token.always-use */
    int64_t max_lifetime_ms, renew_ms, key_ms;
    struct token_key *keys; /* by id; the last one is used for new tokens */
    size_t key_count;
    struct token *tokens; /* by sequence */
    size_t count;
    uint64_t next_sequence, next_key;
    int64_t next_roll_ms, next_sweep_ms;
};

int tokens_load(struct store *s, const struct config *c, struct tokens **ret, struct err *reterr) MUST_CHECK;
void tokens_free(struct tokens *t); /* NULL is fine */

/* A new token; *ret is good until the next change. */
int tokens_issue(struct tokens *t, struct txn *txn, const char *owner, const char *renewer, int64_t now_ms,
                 const struct token **ret, struct err *reterr) MUST_CHECK;
int tokens_renew(struct tokens *t, struct txn *txn, struct slice identifier, struct slice password, const char *renewer,
                 int64_t now_ms, int64_t *ret_until_ms, struct err *reterr) MUST_CHECK;
int tokens_cancel(struct tokens *t, struct txn *txn, struct slice identifier, const char *canceller, int64_t now_ms,
                  struct err *reterr) MUST_CHECK;
/* Whose token is it? ERR_INVALID_TOKEN: nobody's, or no longer. The first takes nobody's word for it. */
int tokens_find(const struct tokens *t, struct slice identifier, int64_t now_ms, struct arena *a, struct token_id *ret,
                const struct token **ret_token, struct err *reterr) MUST_CHECK;
int tokens_check(const struct tokens *t, struct slice identifier, struct slice password, int64_t now_ms,
                 struct arena *a, struct token_id *ret, struct err *reterr) MUST_CHECK;

bool tokens_tick_due(const struct tokens *t, int64_t now_ms);
/* A new key if it is time; tokens and keys that are over go. Bounded; call it while it is due. */
int tokens_tick(struct tokens *t, struct txn *txn, int64_t now_ms, struct err *reterr) MUST_CHECK;

#endif
