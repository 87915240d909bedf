#include "scheduler/engine/merge.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct merge_run {
    struct run_reader *reader;
    struct record at;
    uint64_t prefix; /* first eight key bytes as a number: most comparisons end here */
    size_t order;
};
struct merge {
    struct merge_run *heap; /* smallest at 0 */
    size_t count, all;
    struct run_reader **readers;
    bool top_used; /* heap[0].at was handed out: advance before looking again */
};

int record_key_compare(const struct record *a, const struct record *b)
{
    uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->key, b->key, len);
    return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static uint64_t key_prefix(const struct record *r)
{
    uint64_t value = 0;
    memcpy(&value, r->key, r->key_len < 8 ? r->key_len : 8);
    return __builtin_bswap64(value);
}

static bool merge_less(const struct merge_run *a, const struct merge_run *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix;
    int order = record_key_compare(&a->at, &b->at);
    return order ? order < 0 : a->order < b->order;
}

static void merge_sink(struct merge *m, size_t i)
{
    struct merge_run moving = m->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= m->count)
            break;
        if (child + 1 < m->count && merge_less(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!merge_less(&m->heap[child], &moving))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = moving;
}

static int merge_advance(struct merge_run *run, bool *ret_more, struct err *reterr)
{
    int rc = run_reader_next(run->reader, &run->at, ret_more, reterr);
    if (rc == 0 && *ret_more)
        run->prefix = key_prefix(&run->at);
    return rc;
}

int merge_new(struct run_reader *const *runs, size_t count, struct merge **ret, struct err *reterr)
{
    struct merge *m = mem_new(struct merge);
    m->readers = mem_calloc(count, sizeof *m->readers);
    m->heap = mem_calloc(count, sizeof *m->heap);
    m->all = count;
    for (size_t i = 0; i < count; i++)
        m->readers[i] = runs[i];
    for (size_t i = 0; i < count; i++) {
        bool more = false;
        struct merge_run *run = &m->heap[m->count];
        run->reader = runs[i];
        run->order = i;
        int rc = merge_advance(run, &more, reterr);
        if (rc < 0) {
            merge_free(m);
            return rc;
        }
        m->count += more;
    }
    for (size_t i = m->count / 2; i-- > 0;)
        merge_sink(m, i);
    *ret = m;
    return 0;
}

void merge_free(struct merge *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->all; i++)
        run_reader_free(m->readers[i]);
    free(m->readers);
    free(m->heap);
    free(m);
}

int merge_next(struct merge *m, struct record *ret, bool *ret_more, struct err *reterr)
{
    if (m->top_used) {
        bool more = false;
        int rc = merge_advance(&m->heap[0], &more, reterr);
        if (rc < 0)
            return rc;
        if (!more)
            m->heap[0] = m->heap[--m->count];
        if (m->count)
            merge_sink(m, 0);
        m->top_used = false;
    }
    *ret_more = m->count > 0;
    if (m->count) {
        *ret = m->heap[0].at;
        m->top_used = true;
    }
    return 0;
}
