#include "common/user_groups.h"

#include <grp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/accounts.h"
#include "common/clock.h"
#include "common/compiler.h"
#include "common/mem.h"

#define CACHE_ENTRIES   64
#define CACHED_NAME_MAX 128    /* a longer name has no groups */
#define CACHE_MS        300000 /* hadoop.security.groups.cache.secs */
#define GROUPS_FEW      64     /* most users have no more */
#define GROUPS_MAX      65536  /* as Linux has it */

struct cached_user {
    char name[CACHED_NAME_MAX];
    int64_t loaded_ms;
    struct user_groups groups;
};
/* One per process, as the user database is. */
static struct cached_user *cache[CACHE_ENTRIES];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

/* hadoop.user.group.static.mapping.overrides: "user=group1,group2;user2=". Of this process, like the cache. */
static const char *fixed_groups = "";

void user_groups_fix(const char *overrides)
{
    fixed_groups = overrides;
}

static void add_name(struct user_groups *to, const char *name, size_t len)
{
    if (len >= sizeof to->names - to->len)
        return;
    memcpy(to->names + to->len, name, len);
    to->names[to->len + len] = 0;
    to->len += len + 1;
    to->count++;
}

/* Whether the overrides name the user. */
static bool groups_fixed(const char *name, struct user_groups *ret)
{
    static const char between[] = " \t\n;", behind_group[] = " \t\n,;";
    size_t name_len = strlen(name);
    for (const char *at = fixed_groups + strspn(fixed_groups, between); *at; at += strspn(at, between)) {
        size_t len = strcspn(at, " \t\n=;");
        bool is_ours = len == name_len && !memcmp(at, name, len);
        at += len;
        at += strspn(at, " \t\n=");
        while (*at && *at != ';') {
            size_t group_len = strcspn(at, behind_group);
            if (group_len && is_ours)
                add_name(ret, at, group_len);
            at += group_len;
            at += strspn(at, " \t\n,");
        }
        if (is_ours)
            return true;
    }
    return false;
}

/* To be freed. */
static gid_t *group_ids(const char *name, gid_t primary, int *ret_count)
{
    int room = GROUPS_FEW;
    gid_t *ids = mem_calloc((size_t)room, sizeof *ids);
    *ret_count = room;
    while (getgrouplist(name, primary, ids, ret_count) < 0 && room < GROUPS_MAX) {
        room = *ret_count > room ? *ret_count : 2 * room;
        ids = mem_realloc_array(ids, (size_t)room, sizeof *ids);
        *ret_count = room;
    }
    *ret_count = *ret_count < room ? *ret_count : room;
    return ids;
}

static void groups_query(const char *name, struct user_groups *ret)
{
    gid_t primary;
    int count;
    ret->count = ret->len = 0;
    if (groups_fixed(name, ret) || !account_user(name, NULL, &primary))
        return;
    gid_t *ids = group_ids(name, primary, &count);
    for (int i = 0; i < count; i++) {
        AUTO(mem_freep) char *group = account_group_name(ids[i]);
        if (group)
            add_name(ret, group, strlen(group));
    }
    free(ids);
}

static unsigned slot_of(const char *name)
{
    unsigned h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h % CACHE_ENTRIES;
}

/* Only what is there: most users have few of the many groups there is room for. */
static void groups_copy(struct user_groups *to, const struct user_groups *from)
{
    to->count = from->count;
    to->len = from->len;
    memcpy(to->names, from->names, from->len);
}

void user_groups_load(struct user_groups *ret, const char *name)
{
    ret->count = ret->len = 0;
    if (strlen(name) >= CACHED_NAME_MAX)
        return;
    int64_t now_ms = clock_mono_ms();
    unsigned slot = slot_of(name);
    pthread_mutex_lock(&cache_lock);
    struct cached_user *c = cache[slot];
    if (c && !strcmp(c->name, name) && now_ms - c->loaded_ms < CACHE_MS) {
        groups_copy(ret, &c->groups);
        pthread_mutex_unlock(&cache_lock);
        return;
    }
    pthread_mutex_unlock(&cache_lock);
    groups_query(name, ret);
    struct cached_user *fresh = mem_new(struct cached_user);
    snprintf(fresh->name, sizeof fresh->name, "%s", name);
    fresh->loaded_ms = now_ms;
    groups_copy(&fresh->groups, ret);
    pthread_mutex_lock(&cache_lock);
    free(cache[slot]);
    cache[slot] = fresh;
    pthread_mutex_unlock(&cache_lock);
}

void user_groups_forget(void)
{
    pthread_mutex_lock(&cache_lock);
    for (size_t i = 0; i < CACHE_ENTRIES; i++) {
        free(cache[i]);
        cache[i] = NULL;
    }
    pthread_mutex_unlock(&cache_lock);
}

const char *user_groups_next(const struct user_groups *g, const char *name)
{
    const char *next = name ? name + strlen(name) + 1 : g->names;
    return next < g->names + g->len ? next : NULL;
}

bool user_groups_has(const struct user_groups *g, const char *group)
{
    for (const char *name = NULL; (name = user_groups_next(g, name));)
        if (!strcmp(name, group))
            return true;
    return false;
}
