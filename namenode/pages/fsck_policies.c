/* -storagepolicies: how many blocks lie on which types of storage, and whether their files' policies want that. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/policy.h"
#include "namenode/pages/fsck_internal.h"

#define KINDS_MAX 4096

/* In HDFS's order of types. */
static const uint8_t order[] = {STORAGE_RAM_DISK, STORAGE_SSD,      STORAGE_DISK,
                                STORAGE_ARCHIVE,  STORAGE_PROVIDED, STORAGE_NVDIMM};

struct fsck_kind {
    uint8_t policy;
    uint16_t replicas[STORAGE_TYPES];
    uint64_t blocks;
};

void fsck_count_policy(struct fsck *f, uint8_t policy, const struct block_location *l, size_t count)
{
    struct fsck_kind kind = {.policy = policy};
    for (size_t i = 0; i < count; i++)
        kind.replicas[l[i].storage_type < STORAGE_TYPES ? l[i].storage_type : STORAGE_DISK]++;
    for (size_t i = 0; i < f->kind_count; i++)
        if (f->kinds[i].policy == policy && !memcmp(f->kinds[i].replicas, kind.replicas, sizeof kind.replicas)) {
            f->kinds[i].blocks++;
            return;
        }
    if (f->kind_count == KINDS_MAX)
        return;
    kind.blocks = 1;
    f->kinds = mem_realloc_array(f->kinds, f->kind_count + 1, sizeof *f->kinds);
    f->kinds[f->kind_count++] = kind;
}

void fsck_free_policies(struct fsck *f)
{
    free(f->kinds);
}

static size_t rank_of(uint8_t type)
{
    size_t rank = 0;
    while (order[rank] != type)
        rank++;
    return rank;
}

/* Do the replicas, sorted, begin as the policy's types, sorted, and go on with the last of them? */
static bool fits(const struct fsck_kind *k, const struct storage_policy *p)
{
    uint8_t wanted[STORAGE_TYPES] = {0}, last = 0;
    uint32_t total = 0, want = 0;
    for (size_t i = 0; i < POLICY_TYPES_MAX && p->types[i]; i++) {
        wanted[p->types[i]]++;
        want++;
        if (!last || rank_of(p->types[i]) > rank_of(last))
            last = p->types[i];
    }
    for (size_t i = 0; i < sizeof order; i++) {
        total += k->replicas[order[i]];
        if (order[i] != last && k->replicas[order[i]] != wanted[order[i]])
            return false;
    }
    return total >= want && k->replicas[last] >= wanted[last];
}

static const struct storage_policy *actual_policy(const struct fsck_kind *k)
{
    size_t count;
    const struct storage_policy *all = storage_policies(&count);
    for (size_t i = 0; i < count; i++)
        if (fits(k, &all[i]))
            return &all[i];
    return NULL;
}

static const char *describe(const struct fsck_kind *k, const struct storage_policy *actual, char *out, size_t max)
{
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof order && len < max; i++)
        if (k->replicas[order[i]])
            len += (size_t)snprintf(out + len, max - len, "%s%s:%u", len ? "," : "", storage_type_text(order[i]),
                                    k->replicas[order[i]]);
    if (actual && len < max)
        snprintf(out + len, max - len, "(%s)", actual->name);
    return out;
}

static int by_blocks(const void *x, const void *y)
{
    uint64_t a = ((const struct fsck_kind *)x)->blocks, b = ((const struct fsck_kind *)y)->blocks;
    return a > b ? -1 : a < b;
}

void fsck_print_policies(const struct fsck *f)
{
    uint64_t total = 0;
    AUTO(buf_free) struct buf others = {0};
    if (f->kind_count)
        qsort(f->kinds, f->kind_count, sizeof *f->kinds, by_blocks);
    for (size_t i = 0; i < f->kind_count; i++)
        total += f->kinds[i].blocks;
    buf_append_str(f->out, "\nBlocks satisfying the specified storage policy:"
                           "\nStorage Policy                  # of blocks       % of blocks\n");
    for (size_t i = 0; i < f->kind_count; i++) {
        const struct fsck_kind *k = &f->kinds[i];
        const struct storage_policy *given = storage_policy_find(k->policy), *actual = actual_policy(k);
        char text[200], share[32];
        describe(k, actual, text, sizeof text);
        snprintf(share, sizeof share, "%.4f%%", (double)k->blocks * 100 / (double)total);
        if (given == actual)
            buf_printf(f->out, "%-25s %10" PRIu64 "  %20s\n", text, k->blocks, share);
        else
            buf_printf(&others, "%-35s %-20s %10" PRIu64 "  %20s\n", text, given ? given->name : "?", k->blocks, share);
    }
    if (others.len)
        buf_printf(f->out,
                   "\nBlocks NOT satisfying the specified storage policy:\nStorage Policy                  "
                   "Specified Storage Policy      # of blocks       %% of blocks\n%s",
                   buf_cstr(&others));
    else
        buf_append_str(f->out, "\nAll blocks satisfy specified storage policy.\n");
}
