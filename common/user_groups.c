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
            if (group_len && is_ours && ret->count < USER_GROUPS_MAX)
                snprintf(ret->names[ret->count++], sizeof ret->names[0], "%.*s", (int)group_len, at);
            at += group_len;
            at += strspn(at, " \t\n,");
        }
        if (is_ours)
            return true;
    }
    return false;
}

static void groups_query(const char *name, struct user_groups *ret)
{
    ret->count = 0;
    if (groups_fixed(name, ret))
        return;
    gid_t first, ids[USER_GROUPS_MAX];
    int count = USER_GROUPS_MAX;
    if (!account_user(name, NULL, &first))
        return;
    if (getgrouplist(name, first, ids, &count) < 0)
        count = USER_GROUPS_MAX;
    for (int i = 0; i < count; i++) {
        AUTO(mem_freep) char *group = account_group_name(ids[i]);
        if (group)
            snprintf(ret->names[ret->count++], sizeof ret->names[0], "%s", group);
    }
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
    memcpy(to->names, from->names, from->count * sizeof from->names[0]);
}

void user_groups_load(struct user_groups *ret, const char *name)
{
    ret->count = 0;
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

bool user_groups_has(const struct user_groups *g, const char *group)
{
    for (size_t i = 0; i < g->count; i++)
        if (!strcmp(g->names[i], group))
            return true;
    return false;
}
