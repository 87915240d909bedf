#include "namenode/namespace/leases.h"

#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "common/mem.h"

struct lease;
struct leased_file {
    uint64_t inode;
    struct lease *lease;
    struct leased_file *next_in_bucket, *next_of_lease, **link_of_lease;
};
struct lease {
    char *holder;
    uint32_t hash;
    uint64_t renewed_ms;
    uint64_t tried_ms; /* recovering: when the attempt began */
    bool recovering, disconnected, died;
    struct leased_file *files;
    size_t handed_out; /* of them, since it expired, if they did not fit in one go */
    struct lease *next_in_bucket;
};
struct leases {
    uint64_t soft_limit_ms, hard_limit_ms, retry_ms;
    struct lease **holders;
    struct leased_file **files;
    size_t holder_buckets, file_buckets; /* powers of two */
    size_t holder_count, file_count;
};

#define BUCKETS_FIRST 64

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

static size_t file_bucket(const struct leases *l, uint64_t inode)
{
    return (size_t)((inode * 0x9E3779B97F4A7C15ull) >> 32) & (l->file_buckets - 1);
}

struct leases *leases_new(uint64_t soft_limit_ms, uint64_t hard_limit_ms, uint64_t retry_ms)
{
    struct leases *l = mem_new(struct leases);
    l->soft_limit_ms = soft_limit_ms;
    l->hard_limit_ms = hard_limit_ms;
    l->retry_ms = retry_ms;
    l->holder_buckets = l->file_buckets = BUCKETS_FIRST;
    l->holders = mem_calloc(BUCKETS_FIRST, sizeof *l->holders);
    l->files = mem_calloc(BUCKETS_FIRST, sizeof *l->files);
    return l;
}

void leases_free(struct leases *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->holder_buckets; i++)
        for (struct lease *lease = l->holders[i], *next; lease; lease = next) {
            next = lease->next_in_bucket;
            free(lease->holder);
            free(lease);
        }
    for (size_t i = 0; i < l->file_buckets; i++)
        for (struct leased_file *f = l->files[i], *next; f; f = next) {
            next = f->next_in_bucket;
            free(f);
        }
    free(l->holders);
    free(l->files);
    free(l);
}

static struct lease **lease_link(const struct leases *l, const char *holder, uint32_t hash)
{
    struct lease **link = &l->holders[hash & (l->holder_buckets - 1)];
    while (*link && ((*link)->hash != hash || strcmp((*link)->holder, holder)))
        link = &(*link)->next_in_bucket;
    return link;
}

static struct leased_file **file_link(const struct leases *l, uint64_t inode)
{
    struct leased_file **link = &l->files[file_bucket(l, inode)];
    while (*link && (*link)->inode != inode)
        link = &(*link)->next_in_bucket;
    return link;
}

static void grow_holders(struct leases *l)
{
    struct lease **old = l->holders;
    size_t old_count = l->holder_buckets;
    l->holder_buckets *= 2;
    l->holders = mem_calloc(l->holder_buckets, sizeof *l->holders);
    for (size_t i = 0; i < old_count; i++)
        for (struct lease *lease = old[i], *next; lease; lease = next) {
            next = lease->next_in_bucket;
            struct lease **to = &l->holders[lease->hash & (l->holder_buckets - 1)];
            lease->next_in_bucket = *to;
            *to = lease;
        }
    free(old);
}

static void grow_files(struct leases *l)
{
    struct leased_file **old = l->files;
    size_t old_count = l->file_buckets;
    l->file_buckets *= 2;
    l->files = mem_calloc(l->file_buckets, sizeof *l->files);
    for (size_t i = 0; i < old_count; i++)
        for (struct leased_file *f = old[i], *next; f; f = next) {
            next = f->next_in_bucket;
            struct leased_file **to = &l->files[file_bucket(l, f->inode)];
            f->next_in_bucket = *to;
            *to = f;
        }
    free(old);
}

static struct lease *lease_get(struct leases *l, const char *holder, uint64_t now_ms)
{
    uint32_t hash = hash_text(holder);
    struct lease **link = lease_link(l, holder, hash), *lease = *link;
    if (!lease) {
        lease = *link = mem_new(struct lease);
        lease->holder = mem_strdup(holder);
        lease->hash = hash;
        if (++l->holder_count > l->holder_buckets)
            grow_holders(l);
    }
    lease->renewed_ms = now_ms;
    lease->disconnected = lease->died = false;
    return lease;
}

static void add(struct leases *l, const char *holder, uint64_t inode, uint64_t now_ms, bool recovering)
{
    leases_remove(l, inode);
    struct lease *lease = lease_get(l, holder, now_ms);
    lease->recovering = recovering;
    lease->tried_ms = now_ms;
    struct leased_file *f = mem_new(struct leased_file);
    f->inode = inode;
    f->lease = lease;
    f->next_of_lease = lease->files;
    f->link_of_lease = &lease->files;
    if (f->next_of_lease)
        f->next_of_lease->link_of_lease = &f->next_of_lease;
    lease->files = f;
    struct leased_file **bucket = &l->files[file_bucket(l, inode)];
    f->next_in_bucket = *bucket;
    *bucket = f;
    if (++l->file_count > l->file_buckets)
        grow_files(l);
}

void leases_add(struct leases *l, const char *holder, uint64_t inode, uint64_t now_ms)
{
    add(l, holder, inode, now_ms, false);
}

void leases_add_recovering(struct leases *l, const char *holder, uint64_t inode, uint64_t now_ms)
{
    add(l, holder, inode, now_ms, true);
}

void leases_remove(struct leases *l, uint64_t inode)
{
    struct leased_file **link = file_link(l, inode), *f = *link;
    if (!f)
        return;
    *link = f->next_in_bucket;
    *f->link_of_lease = f->next_of_lease;
    if (f->next_of_lease)
        f->next_of_lease->link_of_lease = f->link_of_lease;
    struct lease *lease = f->lease;
    free(f);
    l->file_count--;
    lease->handed_out -= lease->handed_out > 0;
    if (lease->files)
        return;
    struct lease **holder = lease_link(l, lease->holder, lease->hash);
    *holder = lease->next_in_bucket;
    l->holder_count--;
    free(lease->holder);
    free(lease);
}

void leases_renew(struct leases *l, const char *holder, uint64_t now_ms)
{
    struct lease *lease = *lease_link(l, holder, hash_text(holder));
    if (!lease)
        return;
    lease->renewed_ms = now_ms;
    lease->disconnected = lease->died = false;
}

void leases_disconnected(struct leases *l, const char *holder, bool died)
{
    struct lease *lease = *lease_link(l, holder, hash_text(holder));
    if (!lease)
        return;
    lease->disconnected = true;
    lease->died = died;
}

const char *leases_holder(const struct leases *l, uint64_t inode)
{
    const struct leased_file *f = *file_link(l, inode);
    return f ? f->lease->holder : NULL;
}

bool leases_soft_expired(const struct leases *l, const char *holder, uint64_t now_ms)
{
    const struct lease *lease = *lease_link(l, holder, hash_text(holder));
    return !lease || lease->died || now_ms - lease->renewed_ms > l->soft_limit_ms;
}

bool leases_is_recovering(const struct leases *l, uint64_t inode, uint64_t now_ms)
{
    const struct leased_file *f = *file_link(l, inode);
    return f && f->lease->recovering && now_ms - f->lease->tried_ms <= l->retry_ms;
}

static uint64_t limit_ms(const struct leases *l, const struct lease *lease)
{
    if (lease->recovering)
        return l->retry_ms;
    return lease->disconnected && l->soft_limit_ms < l->hard_limit_ms ? l->soft_limit_ms : l->hard_limit_ms;
}

/* f, one of the lease's files, becomes the first; those before it come last. */
static void turn_to(struct lease *lease, struct leased_file *f)
{
    struct leased_file *first = lease->files, *last = f;
    if (f == first)
        return;
    while (last->next_of_lease)
        last = last->next_of_lease;
    *f->link_of_lease = NULL;
    last->next_of_lease = first;
    first->link_of_lease = &last->next_of_lease;
    lease->files = f;
    f->link_of_lease = &lease->files;
}

static size_t file_count(const struct lease *lease)
{
    size_t count = 0;
    for (const struct leased_file *f = lease->files; f; f = f->next_of_lease)
        count++;
    return count;
}

size_t leases_take_expired(struct leases *l, uint64_t now_ms, uint64_t *ret_inodes, size_t ret_max)
{
    size_t count = 0;
    for (size_t i = 0; i < l->holder_buckets; i++)
        for (struct lease *lease = l->holders[i]; lease; lease = lease->next_in_bucket) {
            if (now_ms - lease->renewed_ms <= limit_ms(l, lease))
                continue;
            size_t before = count;
            struct leased_file *f = lease->files;
            for (; f && count < ret_max; f = f->next_of_lease)
                ret_inodes[count++] = f->inode;
            if (f && before) /* it does not fit: next time it is the first */
                return before;
            lease->handed_out += count;
            if (f && lease->handed_out < file_count(lease)) { /* more than fit at all: the rest next time */
                turn_to(lease, f);
                return count;
            }
            lease->handed_out = 0;
            lease->renewed_ms = now_ms;
        }
    return count;
}

size_t leases_file_count(const struct leases *l)
{
    return l->file_count;
}

size_t leases_holder_count(const struct leases *l)
{
    return l->holder_count;
}
