/* HDFS's storage policies: on which types of storage the replicas of a file go. A constant table. */
#ifndef CAIRN_NAMENODE_BLOCKS_POLICY_H
#define CAIRN_NAMENODE_BLOCKS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum storage_type { /* the protocol's numbers */
                    STORAGE_DISK = 1,
                    STORAGE_SSD = 2,
                    STORAGE_ARCHIVE = 3,
                    STORAGE_RAM_DISK = 4,
                    STORAGE_PROVIDED = 5,
                    STORAGE_NVDIMM = 6,
                    STORAGE_TYPES
};
const char *storage_type_text(uint8_t type); /* "DISK"; "UNKNOWN" */
static inline bool storage_type_has_quota(uint8_t type)
{
    return type != STORAGE_RAM_DISK && type > 0 && type < STORAGE_TYPES;
}

#define POLICY_UNSPECIFIED 0 /* as an inode's policy: that of its parent */
#define POLICY_TYPES_MAX   3 /* 0 ends a shorter list */
struct storage_policy {
    uint8_t id;
    const char *name;
    uint8_t types[POLICY_TYPES_MAX]; /* of the first replica, the second, ..; the last one for all others */
    uint8_t creation_fallback[POLICY_TYPES_MAX], replication_fallback[POLICY_TYPES_MAX];
    bool only_at_creation; /* lazy persist: not for files that are there already */
};
const struct storage_policy *storage_policies(size_t *ret_count); /* in the order HDFS lists them */
/* NULL: there is none. Unspecified: HDFS's default, HOT. */
const struct storage_policy *storage_policy_find(uint8_t id);
const struct storage_policy *storage_policy_named(const char *name); /* in whatever case */

struct config;
uint8_t storage_policy_default(const struct config *c); /* dfs.storage.default.policy */

/* How many replicas go on each type if all types are to be had; transient ones get none. */
void storage_policy_count(const struct storage_policy *p, uint16_t replication, uint16_t ret[STORAGE_TYPES]);
/* The types still wanted for `count` more replicas beside those on `existing`, in order; types for which is_missing is
 * true are replaced by the policy's fallback. Returns how many there are: fewer than count if no fallback is left. */
size_t storage_policy_choose(const struct storage_policy *p, size_t count, const uint8_t *existing,
                             size_t existing_count, const bool is_missing[STORAGE_TYPES], bool is_new_block,
                             uint8_t *ret);

#endif
