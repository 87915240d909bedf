#include "fuse/posix/acl_xattr.h"

#include <endian.h>
#include <string.h>

#define ACL_VERSION     2
#define ACL_ENTRIES_MAX 1024
#define ACL_NO_ID       UINT32_MAX

enum acl_tag { TAG_USER_OBJ = 1, TAG_USER = 2, TAG_GROUP_OBJ = 4, TAG_GROUP = 8, TAG_MASK = 16, TAG_OTHER = 32 };

struct acl_record { /* as it travels, little endian */
    uint16_t tag, rwx;
    uint32_t id;
};

static void add(struct buf *to, enum acl_tag tag, unsigned rwx, uint32_t id)
{
    struct acl_record r = {htole16(tag), htole16((uint16_t)rwx), htole32(id)};
    if (to->len == 0) {
        uint32_t version = htole32(ACL_VERSION);
        buf_append(to, &version, sizeof version);
    }
    buf_append(to, &r, sizeof r);
}

static const struct dfs_acl_entry *find(const struct dfs_acl *acl, bool is_default, enum dfs_acl_type type)
{
    for (size_t i = 0; i < acl->count; i++)
        if (acl->entries[i].is_default == is_default && acl->entries[i].type == type && !acl->entries[i].name)
            return &acl->entries[i];
    return NULL;
}

static bool has_any(const struct dfs_acl *acl, bool is_default)
{
    for (size_t i = 0; i < acl->count; i++)
        if (acl->entries[i].is_default == is_default)
            return true;
    return false;
}

static void add_named(const struct dfs_acl *acl, bool is_default, enum dfs_acl_type type, struct users *users,
                      struct buf *to)
{
    for (size_t i = 0; i < acl->count; i++) {
        const struct dfs_acl_entry *e = &acl->entries[i];
        if (e->is_default != is_default || e->type != type || !e->name)
            continue;
        if (type == DFS_ACL_USER)
            add(to, TAG_USER, e->rwx, users_uid(users, e->name));
        else
            add(to, TAG_GROUP, e->rwx, users_gid(users, e->name));
    }
}

/* What the mode says of an access list: its group bits are the mask. */
static unsigned bits_of(const struct dfs_acl *acl, bool is_default, enum dfs_acl_type type)
{
    const struct dfs_acl_entry *e = find(acl, is_default, type);
    if (is_default || (type == DFS_ACL_GROUP && e))
        return e ? e->rwx : 0;
    return acl->mode >> (type == DFS_ACL_USER ? 6 : type == DFS_ACL_OTHER ? 0 : 3) & 7;
}

void acl_to_xattr(const struct dfs_acl *acl, bool is_default, struct users *users, struct buf *to)
{
    if (!has_any(acl, is_default))
        return;
    add(to, TAG_USER_OBJ, bits_of(acl, is_default, DFS_ACL_USER), ACL_NO_ID);
    add_named(acl, is_default, DFS_ACL_USER, users, to);
    add(to, TAG_GROUP_OBJ, bits_of(acl, is_default, DFS_ACL_GROUP), ACL_NO_ID);
    add_named(acl, is_default, DFS_ACL_GROUP, users, to);
    if (!is_default || find(acl, true, DFS_ACL_MASK))
        add(to, TAG_MASK, bits_of(acl, is_default, DFS_ACL_MASK), ACL_NO_ID);
    add(to, TAG_OTHER, bits_of(acl, is_default, DFS_ACL_OTHER), ACL_NO_ID);
}

static int entry_of(const struct acl_record *r, bool is_default, struct users *users, struct arena *a,
                    struct dfs_acl_entry *ret, struct err *reterr)
{
    struct dfs_acl_entry e = {.is_default = is_default, .rwx = le16toh(r->rwx)};
    uint32_t id = le32toh(r->id);
    switch (le16toh(r->tag)) {
    case TAG_USER: e.name = users_uid_name(users, id, a); /* fallthrough */
    case TAG_USER_OBJ: e.type = DFS_ACL_USER; break;
    case TAG_GROUP: e.name = users_gid_name(users, id, a); /* fallthrough */
    case TAG_GROUP_OBJ: e.type = DFS_ACL_GROUP; break;
    case TAG_MASK: e.type = DFS_ACL_MASK; break;
    case TAG_OTHER: e.type = DFS_ACL_OTHER; break;
    default: return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "unknown tag %u in an access control list", le16toh(r->tag));
    }
    if (e.rwx > 7)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "permissions %#o in an access control list", e.rwx);
    *ret = e;
    return 0;
}

int acl_from_xattr(const char *value, size_t size, bool is_default, struct users *users, struct arena *a,
                   struct dfs_acl_entry **ret, size_t *ret_count, struct err *reterr)
{
    uint32_t version;
    struct acl_record r;
    size_t count = size >= sizeof version ? (size - sizeof version) / sizeof r : 0;
    if (size < sizeof version || (size - sizeof version) % sizeof r || count > ACL_ENTRIES_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%zu bytes are no access control list", size);
    memcpy(&version, value, sizeof version);
    if (le32toh(version) != ACL_VERSION)
        return err_set(reterr, ERR_UNSUPPORTED, "access control list of version %u", le32toh(version));
    struct dfs_acl_entry *entries = arena_array(a, struct dfs_acl_entry, count + 1);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        memcpy(&r, value + sizeof version + i * sizeof r, sizeof r);
        rc = entry_of(&r, is_default, users, a, &entries[i], reterr);
    }
    if (rc < 0)
        return rc;
    *ret = entries;
    *ret_count = count;
    return 0;
}

void acl_add_names(const struct dfs_acl *acl, struct buf *names)
{
    static const char access[] = "system.posix_acl_access", inherited[] = "system.posix_acl_default";
    if (has_any(acl, false))
        buf_append(names, access, sizeof access);
    if (has_any(acl, true))
        buf_append(names, inherited, sizeof inherited);
}
