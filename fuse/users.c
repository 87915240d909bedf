#include "fuse/users.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/accounts.h"
#include "common/clock.h"
#include "common/mem.h"

#define USERS_DFS_MAX     32
#define USERS_NAMES_MAX   64
#define USERS_NAME_TTL_MS 60000
#define USERS_NOBODY      65534

struct user_dfs {
    uid_t uid;
    struct dfs *fs;
    uint64_t used_at;
};
struct name_id {
    char name[64];
    uint32_t id;
    int64_t until_ms;
};
struct name_cache { /* direct-mapped: a collision only costs a look-up */
    struct name_id slots[USERS_NAMES_MAX];
};
struct users {
    const struct config *config;
    char *uri;
    struct users_how how;
    pthread_mutex_t lock; /* guards all below */
    struct user_dfs dfs[USERS_DFS_MAX];
    size_t dfs_count;
    uint64_t ticks;
    struct name_cache uids, gids, uid_names, gid_names;
};

struct users *users_new(const struct config *config, const char *uri, const struct users_how *how)
{
    struct users *u = mem_new(struct users);
    u->config = config;
    u->how = *how;
    u->uri = uri ? mem_strdup(uri) : NULL;
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void users_free(struct users *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->dfs_count; i++)
        dfs_unref(u->dfs[i].fs);
    pthread_mutex_destroy(&u->lock);
    free(u->uri);
    free(u);
}

static struct user_dfs *users_find_locked(struct users *u, uid_t uid)
{
    for (size_t i = 0; i < u->dfs_count; i++)
        if (u->dfs[i].uid == uid)
            return &u->dfs[i];
    return NULL;
}

/* Where the next one goes: in place of the one that was not used for longest, if there is no more room. */
static struct user_dfs *users_room_locked(struct users *u)
{
    if (u->dfs_count < USERS_DFS_MAX)
        return &u->dfs[u->dfs_count++];
    struct user_dfs *entry = &u->dfs[0];
    for (size_t i = 1; i < u->dfs_count; i++)
        if (u->dfs[i].used_at < entry->used_at)
            entry = &u->dfs[i];
    return entry;
}

int users_dfs(struct users *u, uid_t uid, struct dfs **ret, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 65536);
    int rc = 0;
    const char *name = uid == getuid() ? NULL : users_uid_name(u, uid, &a);
    pthread_mutex_lock(&u->lock);
    struct user_dfs *entry = users_find_locked(u, uid);
    /* The account may have come only now, as those of a directory service do after the machine has started. */
    if (!entry || (name && strcmp(dfs_user(entry->fs), name) != 0)) {
        struct dfs *fs;
        rc = dfs_connect(u->config, u->uri, name, &fs, reterr);
        if (rc == 0) {
            entry = entry ? entry : users_room_locked(u);
            dfs_unref(entry->fs); /* requests that use it hold references of their own */
            *entry = (struct user_dfs){.uid = uid, .fs = fs};
        }
    }
    if (rc == 0) {
        entry->used_at = ++u->ticks;
        *ret = dfs_ref(entry->fs);
    }
    pthread_mutex_unlock(&u->lock);
    arena_free(&a);
    return rc;
}

static uint32_t id_of_unknown(const char *name)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(name, &end, 10);
    return *name && !*end && !errno && n < UINT32_MAX ? (uint32_t)n : USERS_NOBODY;
}

static uint32_t uid_by_name(const char *name)
{
    uid_t uid;
    return account_user(name, &uid, NULL) ? uid : id_of_unknown(name);
}

static uint32_t gid_by_name(const char *name)
{
    gid_t gid;
    return account_group(name, &gid) ? gid : id_of_unknown(name);
}

static uint32_t users_cached(struct users *u, struct name_cache *cache, const char *name, uint32_t (*ask)(const char *))
{
    size_t hash = 5381, len = strlen(name);
    for (size_t i = 0; i < len; i++)
        hash = hash * 33 + (unsigned char)name[i];
    struct name_id *slot = &cache->slots[hash % USERS_NAMES_MAX];
    int64_t now_ms = clock_mono_ms();
    if (len >= sizeof slot->name)
        return ask(name);
    pthread_mutex_lock(&u->lock);
    bool hit = slot->until_ms > now_ms && strcmp(slot->name, name) == 0;
    uint32_t id = slot->id;
    pthread_mutex_unlock(&u->lock);
    if (hit)
        return id;
    id = ask(name); /* may block: not under the lock */
    pthread_mutex_lock(&u->lock);
    memcpy(slot->name, name, len + 1);
    slot->id = id;
    slot->until_ms = now_ms + USERS_NAME_TTL_MS;
    pthread_mutex_unlock(&u->lock);
    return id;
}

static uint32_t number_of(struct users *u, bool group, const char *name)
{
    uint32_t number;
    if (id_table_number(u->how.table, group, name, &number))
        return number;
    if (u->how.as_numbers)
        return id_of_unknown(name);
    return group ? users_cached(u, &u->gids, name, gid_by_name) : users_cached(u, &u->uids, name, uid_by_name);
}

uid_t users_uid(struct users *u, const char *name)
{
    return number_of(u, false, name);
}

gid_t users_gid(struct users *u, const char *name)
{
    return number_of(u, true, name);
}

static const char *account_of(bool group, uint32_t number, struct arena *a)
{
    AUTO(mem_freep) char *name = group ? account_group_name(number) : account_user_name(number);
    return name ? arena_strdup(a, name) : arena_printf(a, "%u", number);
}

static const char *name_of(struct users *u, bool group, uint32_t number, struct arena *a)
{
    const char *known = id_table_name(u->how.table, group, number);
    if (known || u->how.as_numbers)
        return known ? known : arena_printf(a, "%u", number);
    struct name_cache *cache = group ? &u->gid_names : &u->uid_names;
    struct name_id *slot = &cache->slots[number % USERS_NAMES_MAX];
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&u->lock);
    const char *name = slot->id == number && slot->until_ms > now_ms ? arena_strdup(a, slot->name) : NULL;
    pthread_mutex_unlock(&u->lock);
    if (name)
        return name;
    name = account_of(group, number, a); /* may block: not under the lock */
    if (strlen(name) >= sizeof slot->name)
        return name;
    pthread_mutex_lock(&u->lock);
    memcpy(slot->name, name, strlen(name) + 1);
    slot->id = number;
    slot->until_ms = now_ms + USERS_NAME_TTL_MS;
    pthread_mutex_unlock(&u->lock);
    return name;
}

const char *users_uid_name(struct users *u, uid_t uid, struct arena *a)
{
    return name_of(u, false, uid, a);
}

const char *users_gid_name(struct users *u, gid_t gid, struct arena *a)
{
    return name_of(u, true, gid, a);
}
