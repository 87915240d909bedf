#include "namenode/namespace/user.h"

#include <string.h>

void fs_user_load(struct fs_user *u, const struct fsdir *dir, const char *name)
{
    u->name = name;
    u->groups.count = u->groups.len = 0;
    u->is_super = !dir->permissions || !strcmp(name, dir->superuser);
    if (u->is_super && !strcmp(name, dir->superuser))
        return; /* who may do everything needs no groups */
    user_groups_load(&u->groups, name);
    u->is_super = u->is_super || fs_user_in_group(u, dir->supergroup);
}

bool fs_user_in_group(const struct fs_user *u, const char *group)
{
    return user_groups_has(&u->groups, group);
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
