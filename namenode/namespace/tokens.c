#include "namenode/namespace/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cairn/store.pb-c.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/namespace/keys.h"
#include "proto/message.h"

#define SWEEP_MS       60000
#define SWEPT_AT_ONCE  1000
#define NAME_BYTES_MAX 1024 /* of an owner or a renewer */

/* ---- finding ---- */

static const struct token_key *find_key(const struct tokens *t, int64_t id)
{
    for (size_t i = 0; i < t->key_count; i++)
        if ((int64_t)t->keys[i].id == id)
            return &t->keys[i];
    return NULL;
}

static struct token *find(const struct tokens *t, int64_t sequence, struct slice identifier)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((int64_t)t->tokens[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    struct token *found = low < t->count ? &t->tokens[low] : NULL;
    return found && (int64_t)found->sequence == sequence && found->identifier_len == identifier.len &&
                   !memcmp(found->identifier, identifier.base, identifier.len)
               ? found
               : NULL;
}

static void make_password(const struct token_key *key, struct slice identifier, uint8_t ret[TOKEN_PASSWORD_BYTES])
{
    struct hmac_sha1_ctx hmac;
    hmac_sha1_set_key(&hmac, sizeof key->secret, key->secret);
    hmac_sha1_update(&hmac, identifier.len, identifier.base);
    hmac_sha1_digest(&hmac, TOKEN_PASSWORD_BYTES, ret);
}

static bool is_password(struct slice given, const uint8_t right[TOKEN_PASSWORD_BYTES])
{
    return given.len == TOKEN_PASSWORD_BYTES && memeql_sec(given.base, right, TOKEN_PASSWORD_BYTES);
}

/* ---- memory ---- */

static void add_key(struct tokens *t, const struct token_key *key)
{
    t->keys = mem_realloc_array(t->keys, t->key_count + 1, sizeof *t->keys);
    t->keys[t->key_count++] = *key;
}

/* In the order of their numbers, as they are made and as the store has them. */
static struct token *add(struct tokens *t, uint64_t sequence, struct slice identifier, int64_t renew_by_ms,
                         const struct token_key *key)
{
    if (!(t->count & (t->count - 1))) /* full at every power of two */
        t->tokens = mem_realloc_array(t->tokens, t->count ? 2 * t->count : 1, sizeof *t->tokens);
    struct token *token = &t->tokens[t->count++];
    *token = (struct token){.sequence = sequence,
                            .renew_by_ms = key ? renew_by_ms : 0, /* nobody can vouch for it */
                            .identifier = mem_alloc(identifier.len),
                            .identifier_len = identifier.len};
    memcpy(token->identifier, identifier.base, identifier.len);
    if (key)
        make_password(key, identifier, token->password);
    return token;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->tokens[i].identifier);
    free(t->tokens);
    free(t->keys);
    free(t);
}

/* ---- disk ---- */

static void put_number(struct txn *txn, char table, uint64_t number)
{
    uint8_t value[8];
    be64_put(value, number);
    store_batch_put(txn_batch(txn), &table, 1, value, sizeof value);
}

static void put_key(struct txn *txn, const struct token_key *key)
{
    Cairn__TokenKeyRecord r = CAIRN__TOKEN_KEY_RECORD__INIT;
    AUTO(buf_free) struct buf packed = {0};
    r.expires_ms = key->expires_ms;
    r.secret = (ProtobufCBinaryData){sizeof key->secret, (uint8_t *)(uintptr_t)key->secret};
    message_pack(&packed, &r.base);
    struct key k;
    key_of(&k, 'K', key->id);
    store_batch_put(txn_batch(txn), k.bytes, k.len, packed.base, packed.len);
}

static void put_token(struct txn *txn, uint64_t sequence, struct slice identifier, int64_t renew_by_ms)
{
    Cairn__TokenRecord r = CAIRN__TOKEN_RECORD__INIT;
    AUTO(buf_free) struct buf packed = {0};
    r.identifier = (ProtobufCBinaryData){identifier.len, (uint8_t *)(uintptr_t)identifier.base};
    r.renew_by_ms = renew_by_ms;
    message_pack(&packed, &r.base);
    struct key k;
    key_of(&k, 'k', sequence);
    store_batch_put(txn_batch(txn), k.bytes, k.len, packed.base, packed.len);
}

static void delete_row(struct txn *txn, char table, uint64_t number)
{
    struct key k;
    key_of(&k, table, number);
    store_batch_delete(txn_batch(txn), k.bytes, k.len);
}

static int load_key(struct tokens *t, uint64_t id, struct slice value)
{
    Cairn__TokenKeyRecord *r = cairn__token_key_record__unpack(NULL, value.len, value.base);
    struct token_key key = {.id = id};
    bool good = r && r->secret.len == sizeof key.secret;
    if (good) {
        key.expires_ms = r->expires_ms;
        memcpy(key.secret, r->secret.data, sizeof key.secret);
        add_key(t, &key);
    }
    if (r)
        cairn__token_key_record__free_unpacked(r, NULL);
    return good ? 0 : ERR_IO;
}

static int load_token(struct tokens *t, uint64_t sequence, struct slice value)
{
    Cairn__TokenRecord *r = cairn__token_record__unpack(NULL, value.len, value.base);
    if (!r)
        return ERR_IO;
    struct slice identifier = {r->identifier.data, r->identifier.len};
    struct token_id id = {0};
    struct arena a;
    arena_init(&a, 4 << 20);
    int rc = token_id_decode(identifier, &a, &id, NULL);
    if (!rc)
        add(t, sequence, identifier, r->renew_by_ms, find_key(t, id.key_id));
    arena_free(&a);
    cairn__token_record__free_unpacked(r, NULL);
    return rc ? ERR_IO : 0;
}

static int load_table(struct tokens *t, struct store *s, char table, uint64_t *ret_next,
                      int (*load)(struct tokens *, uint64_t, struct slice), struct err *reterr)
{
    AUTO(store_iter_freep) struct store_iter *it = store_iter_new(s, NULL, false);
    for (store_iter_seek(it, &table, 1); store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it), value = store_iter_value(it);
        if (!key.len || key.base[0] != (uint8_t)table)
            return 0;
        if (key.len == 1 && value.len == 8)
            *ret_next = be64_get(value.base);
        else if (key.len != 9 || load(t, be64_get(key.base + 1), value))
            return err_set(reterr, ERR_IO, "metadata store: the record of a delegation token is damaged");
    }
    return store_iter_status(it, reterr);
}

int tokens_load(struct store *s, const struct config *c, struct tokens **ret, struct err *reterr)
{
    struct tokens *t = mem_new(struct tokens);
    *t = (struct tokens){
        .are_issued = config_bool(c, "dfs.namenode.delegation.token.always-use"),
        .max_lifetime_ms = config_ms(c, "dfs.namenode.delegation.token.max-lifetime"),
        .renew_ms = config_ms(c, "dfs.namenode.delegation.token.renew-interval"),
        .key_ms = config_ms(c, "dfs.namenode.delegation.key.update-interval"),
        .next_sequence = 1,
        .next_key = 1,
    };
    int rc = load_table(t, s, 'K', &t->next_key, load_key, reterr);
    rc = rc ? rc : load_table(t, s, 'k', &t->next_sequence, load_token, reterr);
    if (rc)
        tokens_free(t);
    else
        *ret = t;
    return rc;
}

/* ---- what is asked ---- */

static const char *time_text(int64_t ms, char out[64])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char date[32], zone[8];
    localtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    snprintf(out, 64, "%s,%03d%s", date, (int)(ms % 1000), zone);
    return out;
}

int tokens_issue(struct tokens *t, struct txn *txn, const char *owner, const char *renewer, int64_t now_ms,
                 const struct token **ret, struct err *reterr)
{
    AUTO(buf_free) struct buf bytes = {0};
    char short_renewer[NAME_BYTES_MAX + 1];
    if (!t->key_count)
        return err_set(reterr, ERR_IO, "there is no key for delegation tokens yet");
    if (t->count >= TOKENS_MAX)
        return err_set(reterr, ERR_IO, "%d delegation tokens are valid, the most allowed", TOKENS_MAX);
    if (strlen(owner) > NAME_BYTES_MAX || strlen(renewer) > NAME_BYTES_MAX)
        return err_set(reterr, ERR_IO, "the name of a token's owner or renewer is longer than %d bytes",
                       NAME_BYTES_MAX);
    snprintf(short_renewer, sizeof short_renewer, "%.*s", (int)strcspn(renewer, "/@"), renewer);
    const struct token_key *key = &t->keys[t->key_count - 1];
    uint64_t sequence = t->next_sequence;
    const struct token_id id = {
        owner, short_renewer, "", now_ms, now_ms + t->max_lifetime_ms, (int64_t)sequence, (int64_t)key->id};
    token_id_encode(&id, &bytes);
    put_token(txn, sequence, buf_slice(&bytes), now_ms + t->renew_ms);
    put_number(txn, 'k', sequence + 1);
    int rc = txn_commit(txn, reterr);
    if (rc)
        return rc;
    t->next_sequence = sequence + 1;
    *ret = add(t, sequence, buf_slice(&bytes), now_ms + t->renew_ms, key);
    return 0;
}

static int check_renewal(const struct tokens *t, const struct token_id *id, struct slice identifier,
                         struct slice password, const char *renewer, int64_t now_ms, const char *text,
                         struct err *reterr)
{
    char max[64], now[64];
    uint8_t right[TOKEN_PASSWORD_BYTES];
    if (id->max_ms < now_ms)
        return err_set(reterr, ERR_INVALID_TOKEN,
                       "%s tried to renew an expired token %s max expiration date: %s currentTime: %s", renewer, text,
                       time_text(id->max_ms, max), time_text(now_ms, now));
    if (!*id->renewer)
        return err_set(reterr, ERR_ACCESS, "%s tried to renew a token %s without a renewer", renewer, text);
    if (strcmp(id->renewer, renewer))
        return err_set(reterr, ERR_ACCESS, "%s tries to renew a token %s with non-matching renewer %s", renewer, text,
                       id->renewer);
    const struct token_key *key = find_key(t, id->key_id);
    if (!key)
        return err_set(reterr, ERR_INVALID_TOKEN,
                       "Unable to find master key for keyId=%" PRId64
                       " from cache. Failed to renew an unexpired token %s with sequenceNumber=%" PRId64,
                       id->key_id, text, id->sequence);
    make_password(key, identifier, right);
    if (!is_password(password, right))
        return err_set(reterr, ERR_ACCESS, "%s is trying to renew a token %s with wrong password", renewer, text);
    return 0;
}

int tokens_renew(struct tokens *t, struct txn *txn, struct slice identifier, struct slice password, const char *renewer,
                 int64_t now_ms, int64_t *ret_until_ms, struct err *reterr)
{
    struct token_id id;
    int rc = token_id_decode(identifier, &txn->arena, &id, reterr);
    const char *text = rc ? "" : token_id_text(&id, &txn->arena);
    rc = rc ? rc : check_renewal(t, &id, identifier, password, renewer, now_ms, text, reterr);
    if (rc)
        return rc;
    struct token *token = find(t, id.sequence, identifier);
    if (!token)
        return err_set(reterr, ERR_INVALID_TOKEN, "Renewal request for unknown token %s", text);
    int64_t until_ms = id.max_ms < now_ms + t->renew_ms ? id.max_ms : now_ms + t->renew_ms;
    put_token(txn, token->sequence, identifier, until_ms);
    rc = txn_commit(txn, reterr);
    if (!rc)
        *ret_until_ms = token->renew_by_ms = until_ms;
    return rc;
}

/* Those that are NULL-ed go; what add() believes of the room stays true. */
static void compact(struct tokens *t)
{
    size_t kept = 0, room = 1;
    for (size_t i = 0; i < t->count; i++)
        if (t->tokens[i].identifier)
            t->tokens[kept++] = t->tokens[i];
    t->count = kept;
    while (room < kept)
        room *= 2;
    t->tokens = mem_realloc_array(t->tokens, room, sizeof *t->tokens);
}

static void forget(struct token *token)
{
    free(token->identifier);
    token->identifier = NULL;
}

int tokens_cancel(struct tokens *t, struct txn *txn, struct slice identifier, const char *canceller, int64_t now_ms,
                  struct err *reterr)
{
    struct token_id id;
    int rc = token_id_decode(identifier, &txn->arena, &id, reterr);
    if (rc)
        return rc;
    const char *text = token_id_text(&id, &txn->arena);
    if (!*id.owner)
        return err_set(reterr, ERR_INVALID_TOKEN, "Token with no owner %s", text);
    if (strcmp(canceller, id.owner) && strcmp(canceller, id.renewer))
        return err_set(reterr, ERR_ACCESS, "%s is not authorized to cancel the token %s", canceller, text);
    struct token *token = find(t, id.sequence, identifier);
    if (!token)
        return err_set(reterr, ERR_INVALID_TOKEN, "Token not found %s", text);
    delete_row(txn, 'k', token->sequence);
    txn_final(txn, 0);
    rc = txn_commit(txn, reterr);
    if (!rc) {
        forget(token);
        compact(t);
    }
    return rc;
}

int tokens_find(const struct tokens *t, struct slice identifier, int64_t now_ms, struct arena *a, struct token_id *ret,
                const struct token **ret_token, struct err *reterr)
{
    char now[64], renewal[64];
    int rc = token_id_decode(identifier, a, ret, reterr);
    if (rc)
        return rc;
    const struct token *token = find(t, ret->sequence, identifier);
    if (!token)
        return err_set(reterr, ERR_INVALID_TOKEN, "Token for real user: %s, can't be found in cache", ret->real_user);
    if (token->renew_by_ms < now_ms)
        return err_set(reterr, ERR_INVALID_TOKEN, "Token %s has expired, current time: %s expected renewal time: %s",
                       ret->real_user, time_text(now_ms, now), time_text(token->renew_by_ms, renewal));
    *ret_token = token;
    return 0;
}

int tokens_check(const struct tokens *t, struct slice identifier, struct slice password, int64_t now_ms,
                 struct arena *a, struct token_id *ret, struct err *reterr)
{
    const struct token *token = NULL;
    int rc = tokens_find(t, identifier, now_ms, a, ret, &token, reterr);
    if (!rc && !is_password(password, token->password))
        rc = err_set(reterr, ERR_INVALID_TOKEN, "token %s is invalid, password doesn't match", token_id_text(ret, a));
    return rc;
}

/* ---- as time goes by ---- */

bool tokens_tick_due(const struct tokens *t, int64_t now_ms)
{
    return (t->are_issued && now_ms >= t->next_roll_ms) || ((t->count || t->key_count) && now_ms >= t->next_sweep_ms);
}

/* The old one goes on vouching for the tokens it made; the new one counts from now. */
static int roll_key(struct tokens *t, struct txn *txn, int64_t now_ms, struct err *reterr)
{
    struct token_key fresh = {.id = t->next_key, .expires_ms = now_ms + t->key_ms + t->max_lifetime_ms};
    if (getrandom(fresh.secret, sizeof fresh.secret, 0) != sizeof fresh.secret)
        return err_errno(reterr, errno, "no random bytes for a key of delegation tokens");
    struct token_key *last = t->key_count ? &t->keys[t->key_count - 1] : NULL;
    if (last) {
        struct token_key retired = *last;
        retired.expires_ms = now_ms + t->max_lifetime_ms;
        put_key(txn, &retired);
    }
    put_key(txn, &fresh);
    put_number(txn, 'K', fresh.id + 1);
    int rc = txn_commit(txn, reterr);
    if (rc)
        return rc;
    if (last)
        last->expires_ms = now_ms + t->max_lifetime_ms;
    add_key(t, &fresh);
    t->next_key = fresh.id + 1;
    log_info("tokens", "key.made id=%llu keys=%zu", (unsigned long long)fresh.id, t->key_count);
    return 0;
}

static int drop_expired(struct tokens *t, struct txn *txn, int64_t now_ms, bool *ret_more, struct err *reterr)
{
    size_t end = 0, dropped = 0;
    for (; end < t->count && dropped < SWEPT_AT_ONCE; end++)
        if (t->tokens[end].renew_by_ms < now_ms && ++dropped)
            delete_row(txn, 'k', t->tokens[end].sequence);
    *ret_more = end < t->count;
    int rc = dropped ? txn_commit(txn, reterr) : 0;
    for (size_t i = 0; !rc && i < end; i++)
        if (t->tokens[i].renew_by_ms < now_ms)
            forget(&t->tokens[i]);
    if (!rc && dropped)
        compact(t);
    return rc;
}

static int drop_keys(struct tokens *t, struct txn *txn, int64_t now_ms, struct err *reterr)
{
    size_t kept = 0, dropped = 0;
    for (size_t i = 0; i + 1 < t->key_count; i++) /* the last one is in use */
        if (t->keys[i].expires_ms < now_ms && ++dropped)
            delete_row(txn, 'K', t->keys[i].id);
    int rc = dropped ? txn_commit(txn, reterr) : 0;
    for (size_t i = 0; !rc && dropped && i < t->key_count; i++)
        if (i + 1 == t->key_count || t->keys[i].expires_ms >= now_ms)
            t->keys[kept++] = t->keys[i];
    if (!rc && dropped)
        t->key_count = kept;
    return rc;
}

int tokens_tick(struct tokens *t, struct txn *txn, int64_t now_ms, struct err *reterr)
{
    bool more = false;
    int rc = 0;
    if (t->are_issued && now_ms >= t->next_roll_ms) {
        rc = roll_key(t, txn, now_ms, reterr);
        t->next_roll_ms = now_ms + (rc ? SWEEP_MS : t->key_ms);
    }
    rc = rc ? rc : drop_expired(t, txn, now_ms, &more, reterr);
    if (!rc && !more)
        rc = drop_keys(t, txn, now_ms, reterr);
    if (rc || !more)
        t->next_sweep_ms = now_ms + SWEEP_MS;
    return rc;
}
