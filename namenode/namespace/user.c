#include "namenode/namespace/user.h"

#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* ---- groups ---- */

#define CACHE_ENTRIES 64
#define CACHE_MS      300000 /* hadoop.security.groups.cache.secs */

struct cached_user {
    char name[USER_NAME_MAX];
    int64_t loaded_ms;
    size_t group_count;
    char groups[USER_GROUPS_MAX][64];
};
/* One per process, as the user database is. */
static struct cached_user *cache[CACHE_ENTRIES];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

/* hadoop.user.group.static.mapping.overrides: "user=group1,group2;user2=". Of this process, like the cache. */
static const char *fixed_groups = "";

void fs_user_fix_groups(const char *overrides)
{
    fixed_groups = overrides;
}

/* Whether the overrides name the user. */
static bool groups_fixed(const char *name, char groups[USER_GROUPS_MAX][64], size_t *ret_count)
{
    static const char between[] = " \t\n;", behind_group[] = " \t\n,;";
    size_t name_len = strlen(name);
    for (const char *at = fixed_groups + strspn(fixed_groups, between); *at; at += strspn(at, between)) {
        size_t len = strcspn(at, " \t\n=;"), used = 0;
        bool is_ours = len == name_len && !memcmp(at, name, len);
        at += len;
        at += strspn(at, " \t\n=");
        while (*at && *at != ';') {
            size_t group_len = strcspn(at, behind_group);
            if (group_len && is_ours && used < USER_GROUPS_MAX)
                snprintf(groups[used++], 64, "%.*s", (int)group_len, at);
            at += group_len;
            at += strspn(at, " \t\n,");
        }
        if (is_ours) {
            *ret_count = used;
            return true;
        }
    }
    return false;
}

static size_t groups_query(const char *name, char groups[USER_GROUPS_MAX][64])
{
    size_t fixed = 0;
    if (groups_fixed(name, groups, &fixed))
        return fixed;
    struct passwd entry, *found = NULL;
    char memory[16384];
    if (getpwnam_r(name, &entry, memory, sizeof memory, &found) || !found)
        return 0;
    gid_t ids[USER_GROUPS_MAX];
    int count = USER_GROUPS_MAX;
    if (getgrouplist(name, entry.pw_gid, ids, &count) < 0)
        count = USER_GROUPS_MAX;
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        struct group g, *group = NULL;
        char group_memory[16384];
        if (!getgrgid_r(ids[i], &g, group_memory, sizeof group_memory, &group) && group)
            snprintf(groups[used++], 64, "%s", group->gr_name);
    }
    return used;
}

static unsigned slot_of(const char *name)
{
    unsigned h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h % CACHE_ENTRIES;
}

static void groups_load(struct fs_user *u)
{
    if (strlen(u->name) >= USER_NAME_MAX)
        return;
    int64_t now_ms = clock_mono_ms();
    unsigned slot = slot_of(u->name);
    pthread_mutex_lock(&cache_lock);
    struct cached_user *c = cache[slot];
    if (c && !strcmp(c->name, u->name) && now_ms - c->loaded_ms < CACHE_MS) {
        u->group_count = c->group_count;
        memcpy(u->groups, c->groups, c->group_count * sizeof c->groups[0]);
        pthread_mutex_unlock(&cache_lock);
        return;
    }
    pthread_mutex_unlock(&cache_lock);
    u->group_count = groups_query(u->name, u->groups);
    struct cached_user *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return;
    snprintf(fresh->name, sizeof fresh->name, "%s", u->name);
    fresh->loaded_ms = now_ms;
    fresh->group_count = u->group_count;
    memcpy(fresh->groups, u->groups, u->group_count * sizeof u->groups[0]);
    pthread_mutex_lock(&cache_lock);
    free(cache[slot]);
    cache[slot] = fresh;
    pthread_mutex_unlock(&cache_lock);
}

void fs_user_forget_groups(void)
{
    pthread_mutex_lock(&cache_lock);
    for (size_t i = 0; i < CACHE_ENTRIES; i++) {
        free(cache[i]);
        cache[i] = NULL;
    }
    pthread_mutex_unlock(&cache_lock);
}

void fs_user_load(struct fs_user *u, const struct fsdir *dir, const char *name)
{
    u->name = name;
    u->group_count = 0;
    u->is_super = !dir->permissions || !strcmp(name, dir->superuser);
    if (u->is_super && !strcmp(name, dir->superuser))
        return; /* who may do everything needs no groups */
    groups_load(u);
    u->is_super = u->is_super || fs_user_in_group(u, dir->supergroup);
}

bool fs_user_in_group(const struct fs_user *u, const char *group)
{
    for (size_t i = 0; i < u->group_count; i++)
        if (!strcmp(u->groups[i], group))
            return true;
    return false;
}

/* ---- checks ---- */

/* Named users and the groups, as far as the mask (the mode's group bits) lets them. Of several groups one that allows
 * it is enough. */
static bool acl_allows(const struct fs_user *u, const struct inode *n, unsigned access)
{
    unsigned mask = (unsigned)n->mode >> 3;
    bool is_named = false;
    for (size_t i = 0; i < n->acl_count && n->acl[i].scope == ACL_ACCESS; i++) {
        const struct acl_entry *e = &n->acl[i];
        bool is_group = e->type == ACL_GROUP;
        if (is_group ? !fs_user_in_group(u, e->name ? e->name : n->group) : !e->name || strcmp(u->name, e->name))
            continue;
        bool is_allowed = (e->rwx & mask & access) == access;
        if (is_allowed || !is_group)
            return is_allowed;
        is_named = true;
    }
    return !is_named && (n->mode & access) == access;
}

bool access_allowed(const struct fs_user *u, const struct inode *n, unsigned access)
{
    if (u->is_super)
        return true;
    if (n->acl_count && n->acl[0].scope == ACL_ACCESS && strcmp(u->name, n->owner))
        return acl_allows(u, n, access);
    unsigned shift = !strcmp(u->name, n->owner) ? 6 : fs_user_in_group(u, n->group) ? 3 : 0;
    return ((unsigned)(n->mode >> shift) & access) == access;
}

static const char *access_name(unsigned access)
{
    static const char *const names[] = {"NONE", "EXECUTE",      "WRITE",      "WRITE_EXECUTE",
                                        "READ", "READ_EXECUTE", "READ_WRITE", "ALL"};
    return names[access & 7];
}

static const char *mode_text(const struct inode *n, char out[11])
{
    static const char letters[] = "rwxrwxrwx";
    out[0] = inode_is_dir(n) ? 'd' : '-';
    for (int i = 0; i < 9; i++)
        out[1 + i] = n->mode & (0400 >> i) ? letters[i] : '-';
    if (n->mode & 01000)
        out[9] = n->mode & 1 ? 't' : 'T';
    out[10] = 0;
    return out;
}

int access_check(const struct fs_user *u, const struct inode *n, unsigned access, const char *path, struct err *reterr)
{
    if (access_allowed(u, n, access))
        return 0;
    char mode[11];
    return err_set(reterr, ERR_ACCESS, "Permission denied: user=%s, access=%s, inode=\"%s\":%s:%s:%s", u->name,
                   access_name(access), path, n->owner, n->group, mode_text(n, mode));
}

int access_check_owner(const struct fs_user *u, const struct inode *n, const char *path, struct err *reterr)
{
    if (u->is_super || !strcmp(u->name, n->owner))
        return 0;
    return err_set(reterr, ERR_ACCESS, "Permission denied. user=%s is not the owner of inode=%s", u->name, path);
}

int access_check_sticky(const struct fs_user *u, const struct inode *parent, const struct inode *child,
                        const char *path, struct err *reterr)
{
    if (u->is_super || !(parent->mode & 01000) || !strcmp(u->name, parent->owner) || !strcmp(u->name, child->owner))
        return 0;
    char mode[11], parent_mode[11];
    const char *slash = strrchr(path, '/');
    int parent_len = slash && slash > path ? (int)(slash - path) : 1;
    return err_set(reterr, ERR_ACCESS,
                   "Permission denied by sticky bit: user=%s, path=\"%s\":%s:%s:%s, parent=\"%.*s\":%s:%s:%s", u->name,
                   path, child->owner, child->group, mode_text(child, mode), parent_len, path, parent->owner,
                   parent->group, mode_text(parent, parent_mode));
}

int access_check_super(const struct fs_user *u, struct err *reterr)
{
    if (u->is_super)
        return 0;
    return err_set(reterr, ERR_ACCESS, "Access denied for user %s. Superuser privilege is required", u->name);
}
