/* Delegation tokens: given out, renewed, cancelled, expired; over restarts; and their bytes. */
#include "fixture.h"

#include "namenode/namespace/tokens.h"

#define DAY_MS (24 * 3600 * 1000LL)
#define NOW    1700000000000LL

struct copy { /* of a token: the original moves with the next change */
    uint8_t identifier[256], password[TOKEN_PASSWORD_BYTES];
    size_t len;
};

static struct slice id_of(const struct copy *c)
{
    return (struct slice){c->identifier, c->len};
}
static struct slice password_of(const struct copy *c)
{
    return (struct slice){c->password, sizeof c->password};
}

static struct tokens *load(struct fixture *f)
{
    struct tokens *t = NULL;
    assert_int_equal(config_set(f->config, "dfs.namenode.delegation.token.always-use", "true", "test", NULL), 0);
    assert_int_equal(tokens_load(f->nn.store, f->config, &t, &f->err), 0);
    return t;
}

static void tick(struct fixture *f, struct tokens *t, int64_t now_ms)
{
    struct txn txn;
    while (tokens_tick_due(t, now_ms)) {
        txn_begin(&txn, f->nn.dir, f->now_ns);
        assert_int_equal(tokens_tick(t, &txn, now_ms, &f->err), 0);
        txn_end(&txn);
    }
}

static struct copy issue(struct fixture *f, struct tokens *t, const char *owner, const char *renewer, int64_t now_ms)
{
    struct txn txn;
    const struct token *token = NULL;
    struct copy c = {0};
    txn_begin(&txn, f->nn.dir, f->now_ns);
    assert_int_equal(tokens_issue(t, &txn, owner, renewer, now_ms, &token, &f->err), 0);
    memcpy(c.identifier, token->identifier, c.len = token->identifier_len);
    memcpy(c.password, token->password, sizeof c.password);
    txn_end(&txn);
    return c;
}

static int check(struct fixture *f, struct tokens *t, const struct copy *c, int64_t now_ms)
{
    struct arena a;
    struct token_id id;
    arena_init(&a, 1 << 20);
    int rc = tokens_check(t, id_of(c), password_of(c), now_ms, &a, &id, &f->err);
    arena_free(&a);
    return rc;
}

static int renew(struct fixture *f, struct tokens *t, const struct copy *c, const char *who, int64_t now_ms)
{
    struct txn txn;
    int64_t until_ms = 0;
    txn_begin(&txn, f->nn.dir, f->now_ns);
    int rc = tokens_renew(t, &txn, id_of(c), password_of(c), who, now_ms, &until_ms, &f->err);
    txn_end(&txn);
    assert_true(rc || (until_ms > now_ms && until_ms <= NOW + 7 * DAY_MS && until_ms <= now_ms + DAY_MS));
    return rc;
}

static int cancel(struct fixture *f, struct tokens *t, const struct copy *c, const char *who)
{
    struct txn txn;
    txn_begin(&txn, f->nn.dir, f->now_ns);
    int rc = tokens_cancel(t, &txn, id_of(c), who, NOW, &f->err);
    txn_end(&txn);
    return rc;
}

static void tokens_live_and_end(void **state)
{
    struct fixture *f = *state;
    struct tokens *t = load(f);
    tick(f, t, NOW);
    struct copy ann = issue(f, t, "ann", "yarn/host@REALM", NOW), bob = issue(f, t, "bob", "", NOW);
    assert_int_equal(check(f, t, &ann, NOW), 0);
    assert_int_equal(check(f, t, &ann, NOW + DAY_MS + 1), ERR_INVALID_TOKEN);
    assert_int_equal(renew(f, t, &ann, "ann", NOW), ERR_ACCESS);
    assert_int_equal(renew(f, t, &ann, "yarn", NOW + DAY_MS), 0);
    assert_int_equal(check(f, t, &ann, NOW + DAY_MS + 1), 0);
    assert_int_equal(renew(f, t, &bob, "bob", NOW), ERR_ACCESS);          /* nobody may */
    assert_int_equal(renew(f, t, &ann, "yarn", NOW + 7 * DAY_MS - 5), 0); /* to the end of its life, no longer */
    assert_int_equal(renew(f, t, &ann, "yarn", NOW + 7 * DAY_MS + 1), ERR_INVALID_TOKEN);
    assert_int_equal(cancel(f, t, &ann, "bob"), ERR_ACCESS);
    assert_int_equal(cancel(f, t, &ann, "yarn"), 0);
    assert_int_equal(cancel(f, t, &ann, "yarn"), ERR_INVALID_TOKEN);
    assert_int_equal(renew(f, t, &ann, "yarn", NOW), ERR_INVALID_TOKEN);
    assert_int_equal(check(f, t, &ann, NOW), ERR_INVALID_TOKEN);
    assert_int_equal(cancel(f, t, &bob, "bob"), 0);
    tokens_free(t);
}

static void forged_ones_are_refused(void **state)
{
    struct fixture *f = *state;
    struct tokens *t = load(f);
    tick(f, t, NOW);
    struct copy good = issue(f, t, "ann", "ann", NOW);
    for (size_t i = 0; i < good.len; i++) {
        struct copy bad = good;
        bad.identifier[i] ^= 1;
        assert_int_not_equal(check(f, t, &bad, NOW), 0);
        assert_int_not_equal(renew(f, t, &bad, "ann", NOW), 0);
        bad = good;
        bad.len = i;
        assert_int_not_equal(check(f, t, &bad, NOW), 0);
        assert_int_not_equal(cancel(f, t, &bad, "ann"), 0);
    }
    for (size_t i = 0; i < sizeof good.password; i++) {
        struct copy bad = good;
        bad.password[i] ^= 1;
        assert_int_equal(check(f, t, &bad, NOW), ERR_INVALID_TOKEN);
        assert_int_equal(renew(f, t, &bad, "ann", NOW), ERR_ACCESS);
    }
    assert_int_equal(check(f, t, &good, NOW), 0);
    tokens_free(t);
}

static void they_outlive_a_restart_and_new_keys(void **state)
{
    struct fixture *f = *state;
    struct tokens *t = load(f);
    tick(f, t, NOW);
    struct copy first = issue(f, t, "ann", "ann", NOW);
    tokens_free(t);
    t = load(f);
    tick(f, t, NOW + 1);
    assert_int_equal(t->key_count, 2);
    struct copy second = issue(f, t, "ann", "ann", NOW + 1);
    assert_int_equal(check(f, t, &first, NOW + 2), 0);
    assert_int_equal(check(f, t, &second, NOW + 2), 0);
    for (int day = 1; day < 7; day++) {
        assert_int_equal(renew(f, t, &first, "ann", NOW + day * DAY_MS), 0);
        tick(f, t, NOW + day * DAY_MS + 2);
    }
    assert_int_equal(check(f, t, &first, NOW + 6 * DAY_MS), 0);
    assert_int_equal(check(f, t, &second, NOW + 6 * DAY_MS), ERR_INVALID_TOKEN); /* nobody renewed it: swept */
    assert_int_equal(t->count, 1);
    tick(f, t, NOW + 30 * DAY_MS);
    assert_int_equal(t->count, 0);
    assert_true(t->key_count <= 2);
    tokens_free(t);
    t = load(f);
    assert_int_equal(t->count, 0);
    assert_true(t->next_sequence == 3);
    tokens_free(t);
}

static void many_end_at_once(void **state)
{
    struct fixture *f = *state;
    struct tokens *t = load(f);
    tick(f, t, NOW);
    struct copy kept = {0};
    for (int i = 0; i < 2500; i++) {
        struct copy c = issue(f, t, "ann", "ann", NOW);
        if (i == 1234)
            kept = c;
    }
    assert_int_equal(renew(f, t, &kept, "ann", NOW + 1000), 0);
    tick(f, t, NOW + DAY_MS + 500);
    assert_int_equal(t->count, 1);
    assert_int_equal(check(f, t, &kept, NOW + DAY_MS + 500), 0);
    tokens_free(t);
    t = load(f);
    assert_int_equal(check(f, t, &kept, NOW + DAY_MS + 500), 0);
    assert_int_equal(t->count, 1);
    tokens_free(t);
}

/* As Hadoop 3.4's DelegationTokenIdentifier writes it. */
static void bytes_are_hadoops(void **state)
{
    static const uint8_t wanted[] = "\0\3ann\4yarn\0\x8a\1\x8b\xcf\xe5\x68\0\x8a\1\x8b\xf3\xf1\xec\0\x8e\1\x2c\7";
    const struct token_id id = {"ann", "yarn", "", NOW, NOW + 7 * DAY_MS, 300, 7};
    struct buf b = {0};
    token_id_encode(&id, &b);
    assert_int_equal(b.len, sizeof wanted - 1);
    assert_memory_equal(b.base, wanted, b.len);
    struct arena a;
    struct token_id back;
    arena_init(&a, 1 << 20);
    assert_int_equal(token_id_decode(buf_slice(&b), &a, &back, NULL), 0);
    assert_string_equal(back.owner, "ann");
    assert_int_equal(back.max_ms, id.max_ms);
    assert_int_equal(back.sequence, 300);
    b.base[0] = 1;
    assert_int_equal(token_id_decode(buf_slice(&b), &a, &back, NULL), ERR_IO);
    arena_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens_live_and_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(forged_ones_are_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(they_outlive_a_restart_and_new_keys, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(many_end_at_once, fixture_setup, fixture_teardown),
        cmocka_unit_test(bytes_are_hadoops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
