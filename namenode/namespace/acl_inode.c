/* ACLs of inodes: kept in the mode and in inode.acl, changed by clients, inherited by new children. */
#include <string.h>

#include "namenode/namespace/acl.h"

#define MINIMAL 3 /* entries of an ACL that a mode can say */

static struct acl_entry unnamed(enum acl_scope scope, enum acl_type type, unsigned rwx)
{
    return (struct acl_entry){(uint8_t)scope, (uint8_t)type, (uint8_t)(rwx & 7), NULL};
}

void acl_of_inode(const struct inode *n, struct acl *ret)
{
    size_t i = 0, count = 0;
    bool is_extended = acl_has_access_entries(n);
    ret->entries[count++] = unnamed(ACL_ACCESS, ACL_USER, n->mode >> 6);
    for (; i < n->acl_count && n->acl[i].scope == ACL_ACCESS && count < ACL_DRAFT_MAX - MINIMAL; i++)
        ret->entries[count++] = n->acl[i];
    ret->entries[count++] = unnamed(ACL_ACCESS, is_extended ? ACL_MASK : ACL_GROUP, n->mode >> 3);
    ret->entries[count++] = unnamed(ACL_ACCESS, ACL_OTHER, n->mode);
    for (; i < n->acl_count && count < ACL_DRAFT_MAX; i++)
        ret->entries[count++] = n->acl[i];
    ret->count = count;
}

/* acl: sorted and complete, so the owner's entry is the first of the access entries, the others' the last, and before
 * that comes the mask or the group's. */
static void put(struct inode *n, const struct acl *acl, struct arena *a)
{
    const struct acl_entry *e = acl->entries;
    size_t access = 0;
    while (access < acl->count && e[access].scope == ACL_ACCESS)
        access++;
    size_t named = access > MINIMAL ? access - MINIMAL : 0, defaults = acl->count - access;
    n->mode = (uint16_t)((n->mode & 07000) | e[0].rwx << 6 | e[access - 2].rwx << 3 | e[access - 1].rwx);
    n->acl_count = named + defaults;
    n->acl = arena_array(a, struct acl_entry, n->acl_count);
    memcpy(n->acl, e + 1, named * sizeof *e);
    memcpy(n->acl + named, e + access, defaults * sizeof *e);
    for (size_t i = 0; i < n->acl_count; i++)
        if (n->acl[i].name)
            n->acl[i].name = arena_strdup(a, n->acl[i].name);
}

int acl_store(struct inode *n, const struct acl *acl, struct arena *a, const char *path, struct err *reterr)
{
    if (acl->entries[acl->count - 1].scope == ACL_DEFAULT && !inode_is_dir(n))
        return err_set(reterr, ERR_ACL, "Invalid ACL: only directories may have a default ACL. Path: %s", path);
    put(n, acl, a);
    return 0;
}

/* ---- new children ---- */

/* What a default entry lets through of the mode that was asked for. */
static unsigned filtered(const struct acl_entry *e, unsigned mode, bool is_minimal)
{
    if (e->type == ACL_USER && !e->name)
        return e->rwx & mode >> 6;
    if (e->type == ACL_MASK || (e->type == ACL_GROUP && is_minimal))
        return e->rwx & mode >> 3;
    return e->type == ACL_OTHER ? e->rwx & mode : e->rwx;
}

void acl_inherit(const struct fsdir *dir, const struct inode *parent, struct inode *child, struct create_mode mode,
                 struct arena *a)
{
    size_t first = 0;
    child->mode = mode.masked;
    while (first < parent->acl_count && parent->acl[first].scope == ACL_ACCESS)
        first++;
    size_t defaults = parent->acl_count - first;
    if (!defaults || child->type == INODE_SYMLINK || 2 * defaults > ACL_DRAFT_MAX)
        return;
    struct acl acl = {0};
    unsigned asked = dir->posix_acl_inheritance && mode.has_unmasked ? mode.unmasked : mode.masked;
    for (size_t i = first; i < parent->acl_count; i++) {
        struct acl_entry e = parent->acl[i];
        e.scope = ACL_ACCESS;
        e.rwx = filtered(&e, asked, defaults == MINIMAL) & 7;
        acl.entries[acl.count++] = e;
    }
    for (size_t i = first; inode_is_dir(child) && i < parent->acl_count; i++)
        acl.entries[acl.count++] = parent->acl[i];
    child->mode = (uint16_t)asked; /* for its sticky bit */
    put(child, &acl, a);
}

/* ---- operations ---- */

int acl_check_enabled(const struct fsdir *dir, struct err *reterr)
{
    if (dir->acls)
        return 0;
    return err_set(reterr, ERR_ACL,
                   "The ACL operation has been rejected.  Support for ACLs has been disabled by setting "
                   "dfs.namenode.acls.enabled to false.");
}

static void remove_all(struct inode *n)
{
    for (size_t i = 0; i < n->acl_count && n->acl[i].scope == ACL_ACCESS; i++)
        if (n->acl[i].type == ACL_GROUP && !n->acl[i].name)
            n->mode = (uint16_t)((n->mode & ~070u) | n->acl[i].rwx << 3);
    n->acl_count = 0;
}

static int changed(const struct acl *old, enum acl_change change, struct acl *spec, struct acl *ret, struct err *reterr)
{
    int rc = spec ? acl_check_spec(spec, reterr) : 0;
    if (rc)
        return rc;
    switch (change) {
    case ACL_MODIFY: return acl_merge(old, spec, ret, reterr);
    case ACL_REMOVE_ENTRIES: return acl_remove(old, spec, ret, reterr);
    case ACL_REMOVE_DEFAULT: return acl_remove_default(old, ret, reterr);
    default: return acl_replace(old, spec, ret, reterr);
    }
}

int tree_change_acl(struct txn *t, const struct fs_user *u, const char *text, enum acl_change change, struct acl *spec,
                    struct err *reterr)
{
    struct path p;
    int rc = acl_check_enabled(t->dir, reterr);
    rc = rc ? rc : path_resolve(t, u, text, PATH_MAY_MISS, &p, reterr);
    if (!rc && !path_target(&p))
        rc = err_set(reterr, ERR_NOT_FOUND, "Directory/File does not exist %s", p.text);
    rc = rc ? rc : access_check_owner(u, path_target(&p), p.text, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    if (change == ACL_REMOVE || (change == ACL_SET && !spec->count)) {
        remove_all(n);
        return 0;
    }
    struct acl *old = arena_new(&t->arena, struct acl), *made = arena_new(&t->arena, struct acl);
    struct err why = {0};
    acl_of_inode(n, old);
    rc = changed(old, change, spec, made, &why);
    rc = rc ? rc : acl_store(n, made, &t->arena, p.text, &why);
    return rc ? err_set(reterr, rc, "%s Path: %s", why.text, p.text) : 0;
}
