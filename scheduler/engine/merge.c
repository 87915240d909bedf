#include "scheduler/engine/merge.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* A tournament of losers: node i in 1..count-1 has the run that lost there, `winner` the smallest of all. A new record
 * of the winner plays against the losers on its way up, log2(count) comparisons and no more. */
struct merge_run {
    struct run_reader *reader;
    struct record at;
    uint64_t prefix; /* first eight key bytes as a number: most comparisons end here */
    bool ended;      /* greater than everything */
};
struct merge {
    struct merge_run *runs;
    size_t count;
    uint32_t *losers, winner;
    bool used; /* the winner's record was handed out: advance before looking again */
};

int record_key_compare(const struct record *a, const struct record *b)
{
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, len);
    return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

size_t merge_buffer_bytes(size_t memory_bytes, size_t runs)
{
    size_t share = memory_bytes / (runs ? runs : 1) / 2; /* the other half: blocks that were decompressed */
    return share < 16384 ? 16384 : share > 131072 ? 131072 : share;
}

static uint64_t key_prefix(const struct record *r)
{
    uint64_t value = 0;
    memcpy(&value, r->key, r->key_len < 8 ? r->key_len : 8);
    return __builtin_bswap64(value);
}

static bool merge_less(const struct merge *m, uint32_t x, uint32_t y)
{
    const struct merge_run *a = &m->runs[x], *b = &m->runs[y];
    if (a->ended || b->ended)
        return b->ended && (!a->ended || x < y);
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    int order = record_key_compare(&a->at, &b->at);
    return order ? order < 0 : x < y;
}

static int merge_advance(struct merge_run *run, struct err *reterr)
{
    bool more = false;
    int rc = run_reader_next(run->reader, &run->at, &more, reterr);
    run->ended = !more;
    if (rc == 0 && more)
        run->prefix = key_prefix(&run->at);
    return rc;
}

/* The smallest below a node; what it beat stays in the nodes. Leaves are the nodes count..2*count-1. */
static uint32_t merge_play(struct merge *m, size_t node)
{
    if (node >= m->count)
        return (uint32_t)(node - m->count);
    uint32_t left = merge_play(m, 2 * node), right = merge_play(m, 2 * node + 1);
    bool left_wins = merge_less(m, left, right);
    m->losers[node] = left_wins ? right : left;
    return left_wins ? left : right;
}

static void merge_replay(struct merge *m)
{
    uint32_t winner = m->winner;
    for (size_t node = (winner + m->count) / 2; node > 0; node /= 2)
        if (merge_less(m, m->losers[node], winner)) {
            uint32_t beaten = winner;
            winner = m->losers[node];
            m->losers[node] = beaten;
        }
    m->winner = winner;
}

int merge_new(struct run_reader *const *runs, size_t count, struct merge **ret, struct err *reterr)
{
    struct merge *m = mem_new(struct merge);
    m->runs = mem_calloc(count, sizeof *m->runs);
    m->losers = mem_calloc(count, sizeof *m->losers);
    m->count = count;
    for (size_t i = 0; i < count; i++)
        m->runs[i].reader = runs[i];
    for (size_t i = 0; i < count; i++) {
        int rc = merge_advance(&m->runs[i], reterr);
        if (rc < 0) {
            merge_free(m);
            return rc;
        }
    }
    m->winner = count ? merge_play(m, 1) : 0;
    *ret = m;
    return 0;
}

void merge_free(struct merge *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++)
        run_reader_free(m->runs[i].reader);
    free(m->runs);
    free(m->losers);
    free(m);
}

int merge_next(struct merge *m, struct record *ret, bool *ret_more, struct err *reterr)
{
    if (m->used) {
        int rc = merge_advance(&m->runs[m->winner], reterr);
        if (rc < 0)
            return rc;
        merge_replay(m);
        m->used = false;
    }
    *ret_more = m->count > 0 && !m->runs[m->winner].ended;
    if (*ret_more) {
        *ret = m->runs[m->winner].at;
        m->used = true;
    }
    return 0;
}
