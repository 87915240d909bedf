#include "namenode/blocks/policy.h"

#include <string.h>
#include <strings.h>

#include "common/config.h"

#define REPLICAS_MAX 512 /* dfs.replication.max at most */

static const char *const type_names[STORAGE_TYPES] = {"UNKNOWN",  "DISK",     "SSD",   "ARCHIVE",
                                                      "RAM_DISK", "PROVIDED", "NVDIMM"};

const char *storage_type_text(uint8_t type)
{
    return type_names[type < STORAGE_TYPES ? type : 0];
}

enum {
    DISK = STORAGE_DISK,
    SSD = STORAGE_SSD,
    ARCHIVE = STORAGE_ARCHIVE,
    RAM = STORAGE_RAM_DISK,
    PROVIDED = STORAGE_PROVIDED,
    NVDIMM = STORAGE_NVDIMM,
};
#define POLICY_HOT 7
static const struct storage_policy policies[] = {
    {1, "PROVIDED", {PROVIDED, DISK}, {PROVIDED, DISK}, {PROVIDED, DISK}, false},
    {2, "COLD", {ARCHIVE}, {0}, {0}, false},
    {5, "WARM", {DISK, ARCHIVE}, {DISK, ARCHIVE}, {DISK, ARCHIVE}, false},
    {POLICY_HOT, "HOT", {DISK}, {0}, {ARCHIVE}, false},
    {10, "ONE_SSD", {SSD, DISK}, {SSD, DISK}, {SSD, DISK}, false},
    {12, "ALL_SSD", {SSD}, {DISK}, {DISK}, false},
    {14, "ALL_NVDIMM", {NVDIMM}, {DISK}, {DISK}, false},
    {15, "LAZY_PERSIST", {RAM, DISK}, {DISK}, {DISK}, true},
};
#define POLICY_COUNT (sizeof policies / sizeof policies[0])

const struct storage_policy *storage_policies(size_t *ret_count)
{
    *ret_count = POLICY_COUNT;
    return policies;
}

const struct storage_policy *storage_policy_find(uint8_t id)
{
    for (size_t i = 0; i < POLICY_COUNT; i++)
        if (policies[i].id == (id ? id : POLICY_HOT))
            return &policies[i];
    return NULL;
}

const struct storage_policy *storage_policy_named(const char *name)
{
    for (size_t i = 0; i < POLICY_COUNT; i++)
        if (!strcasecmp(policies[i].name, name))
            return &policies[i];
    return NULL;
}

uint8_t storage_policy_default(const struct config *c)
{
    const struct storage_policy *p = storage_policy_named(config_str(c, "dfs.storage.default.policy"));
    return p ? p->id : POLICY_HOT;
}

/* ---- choosing ---- */

static size_t list_length(const uint8_t list[POLICY_TYPES_MAX])
{
    size_t len = 0;
    while (len < POLICY_TYPES_MAX && list[len])
        len++;
    return len;
}

/* One type per replica; fewer if the policy ends with a transient one. */
static size_t wanted(const struct storage_policy *p, size_t replication, uint8_t ret[REPLICAS_MAX])
{
    size_t len = list_length(p->types), count = 0;
    if (replication > REPLICAS_MAX)
        replication = REPLICAS_MAX;
    for (size_t i = 0; i < len && count < replication; i++)
        if (p->types[i] != RAM)
            ret[count++] = p->types[i];
    while (count < replication && p->types[len - 1] != RAM)
        ret[count++] = p->types[len - 1];
    return count;
}

void storage_policy_count(const struct storage_policy *p, uint16_t replication, uint16_t ret[STORAGE_TYPES])
{
    uint8_t types[REPLICAS_MAX];
    size_t count = wanted(p, replication, types);
    memset(ret, 0, STORAGE_TYPES * sizeof *ret);
    for (size_t i = 0; i < count; i++)
        ret[types[i]]++;
}

static uint8_t fallback(const uint8_t list[POLICY_TYPES_MAX], const bool is_missing[STORAGE_TYPES])
{
    for (size_t i = 0; i < POLICY_TYPES_MAX && list[i]; i++)
        if (!is_missing[list[i]])
            return list[i];
    return 0;
}

size_t storage_policy_choose(const struct storage_policy *p, size_t count, const uint8_t *existing,
                             size_t existing_count, const bool is_missing[STORAGE_TYPES], bool is_new_block,
                             uint8_t *ret)
{
    uint8_t types[REPLICAS_MAX];
    size_t left = wanted(p, count + existing_count, types), found = 0;
    for (size_t i = 0; i < existing_count; i++) { /* replicas that are there already take their place in the list */
        uint8_t *at = memchr(types, existing[i], left);
        if (!at)
            continue;
        memmove(at, at + 1, (size_t)(types + left - at) - 1);
        left--;
    }
    for (size_t i = 0; i < left && found < count; i++) {
        uint8_t type = types[i];
        if (is_missing[type])
            type = fallback(is_new_block ? p->creation_fallback : p->replication_fallback, is_missing);
        if (type)
            ret[found++] = type;
    }
    return found;
}
