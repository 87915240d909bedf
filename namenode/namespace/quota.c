/* The arithmetics of quotas. */
#include "namenode/namespace/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A file cannot count for more: sums of millions of such still fit. Nothing real comes near it. */
#define FILE_SPACE_MAX (1ll << 56)

void quota_usage_add(struct quota_usage *to, const struct quota_usage *what, int sign)
{
    to->names += sign * what->names;
    to->space += sign * what->space;
    for (int type = 0; type < STORAGE_TYPES; type++)
        to->types[type] += sign * what->types[type];
}

bool quota_usage_is_zero(const struct quota_usage *u)
{
    static const struct quota_usage zero;
    return !memcmp(u, &zero, sizeof zero);
}

static int64_t product(uint64_t bytes, uint64_t replicas)
{
    uint64_t all;
    if (__builtin_mul_overflow(bytes, replicas, &all) || all > FILE_SPACE_MAX)
        return FILE_SPACE_MAX;
    return (int64_t)all;
}

static uint64_t counted_bytes(const struct inode *n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n->block_count; i++) {
        const struct file_block *b = &n->blocks[i];
        uint64_t bytes = b->state == BLOCK_UNDER_CONSTRUCTION ? n->block_bytes : b->length_bytes;
        if (file_block_is_hole(b))
            continue;
        if (__builtin_add_overflow(sum, bytes, &sum))
            return UINT64_MAX;
    }
    return sum;
}

void quota_usage_of(const struct inode *n, uint8_t policy, struct quota_usage *ret)
{
    *ret = (struct quota_usage){.names = 1};
    if (!n->block_count)
        return;
    uint64_t bytes = counted_bytes(n);
    ret->space = product(bytes, n->replication);
    const struct storage_policy *p = policy == POLICY_UNSPECIFIED ? NULL : storage_policy_find(policy);
    if (!p)
        return;
    uint16_t replicas[STORAGE_TYPES];
    storage_policy_count(p, n->replication, replicas);
    for (uint8_t type = 0; type < STORAGE_TYPES; type++)
        if (storage_type_has_quota(type))
            ret->types[type] = product(bytes, replicas[type]);
}

/* ---- refusing ---- */

static bool is_violated(int64_t quota, int64_t used, int64_t delta)
{
    return quota >= 0 && delta > 0 && used > quota - delta;
}

/* "384 MB", "1.50 GB", "12 B" */
static const char *binary_size(int64_t n, char out[40])
{
    static const char prefixes[] = "KMGTPE";
    int i = -1;
    uint64_t unit = 1;
    while (i < 5 && (uint64_t)n >= unit << 10) {
        unit <<= 10;
        i++;
    }
    if (i < 0 || n < 0)
        snprintf(out, 40, "%" PRId64 " B", n);
    else if ((uint64_t)n % unit == 0)
        snprintf(out, 40, "%" PRId64 " %cB", (int64_t)((uint64_t)n / unit), prefixes[i]);
    else
        snprintf(out, 40, "%.2f %cB", (double)n / (double)unit, prefixes[i]);
    if (!strncmp(out, "1024.00 ", 8) && i < 5)
        snprintf(out, 40, "1.00 %cB", prefixes[i + 1]);
    return out;
}

int quota_check(const struct quota *q, const struct quota_usage *used, const struct quota_usage *delta, int64_t step,
                const char *path, struct err *reterr)
{
    char allowed[40], asked[40];
    if (is_violated(q->names, used->names, delta->names)) {
        /* Names that come one by one are refused at the first that is too much. */
        int64_t from = used->names > q->names ? used->names : q->names;
        return err_set(reterr, ERR_NS_QUOTA,
                       "The NameSpace quota (directories and files) of directory %s is exceeded: quota=%" PRId64
                       " file count=%" PRId64,
                       path, q->names, step == 1 ? from + 1 : used->names + delta->names);
    }
    if (is_violated(q->space, used->space, delta->space)) {
        int64_t sum = used->space + delta->space;
        return err_set(reterr, ERR_DS_QUOTA,
                       "The DiskSpace quota of %s is exceeded: quota = %" PRId64
                       " B = %s but diskspace consumed = %" PRId64 " B = %s",
                       path, q->space, binary_size(q->space, allowed), sum, binary_size(sum, asked));
    }
    static const uint8_t order[] = {STORAGE_SSD, STORAGE_DISK, STORAGE_ARCHIVE, STORAGE_PROVIDED, STORAGE_NVDIMM};
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        uint8_t type = order[i];
        if (is_violated(q->types[type], used->types[type], delta->types[type]))
            return err_set(reterr, ERR_TYPE_QUOTA,
                           "Quota by storage type : %s on path : %s is exceeded. quota = %s but space consumed = %s",
                           storage_type_text(type), path, binary_size(q->types[type], allowed),
                           binary_size(used->types[type] + delta->types[type], asked));
    }
    return 0;
}
