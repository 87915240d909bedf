#include "namenode/namespace/links.h"

#include <errno.h>
#include <string.h>

#include "namenode/namespace/change_log.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/keys.h"

/* ---- table 'l' ---- */

int links_stored(struct txn *t, uint64_t inode, struct inode_link **ret, size_t *ret_count, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    AUTO(buf_free) struct buf list = {0};
    struct key first;
    int rc = 0;
    key_of_link(&first, inode, INODE_NONE, NULL);
    for (store_iter_seek(it, first.bytes, first.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it), value = store_iter_value(it);
        if (key.len < first.len + 8 || memcmp(key.base, first.bytes, first.len))
            break;
        if (value.len != 8)
            rc = err_set(reterr, ERR_IO, "metadata store: a link of inode %llu is damaged", (unsigned long long)inode);
        struct inode_link link = {
            .parent = be64_get(key.base + 9),
            .name = arena_strndup(&t->arena, (const char *)key.base + 17, key.len - 17),
            .entered = rc ? 0 : be64_get(value.base),
        };
        buf_append(&list, &link, sizeof link);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    if (rc)
        return rc;
    *ret_count = list.len / sizeof **ret;
    *ret = arena_array(&t->arena, struct inode_link, *ret_count + 1); /* room for one more */
    if (list.len)
        memcpy(*ret, list.base, list.len);
    return 0;
}

int txn_load_links(struct txn *t, struct inode *n, struct err *reterr)
{
    size_t count = 0;
    if (n->has_links || !n->more_links)
        return 0;
    int rc = links_stored(t, n->id, &n->links, &count, reterr);
    if (!rc && count != n->more_links)
        rc = err_set(reterr, ERR_IO, "metadata store: inode %llu has %u more links, but %zu are known",
                     (unsigned long long)n->id, n->more_links, count);
    n->has_links = !rc;
    return rc;
}

static void link_put(struct txn *t, struct inode *n, uint64_t parent, const char *name)
{
    struct inode_link link = {parent, arena_strdup(&t->arena, name), t->counters.last_snapshot};
    struct inode_link *grown = arena_array(&t->arena, struct inode_link, n->more_links + 1);
    if (n->more_links)
        memcpy(grown, n->links, n->more_links * sizeof *grown);
    grown[n->more_links++] = link;
    n->links = grown;
    n->has_links = true;
    struct key k;
    uint8_t entered[8];
    key_of_link(&k, n->id, parent, name);
    be64_put(entered, link.entered);
    store_batch_put(txn_batch(t), k.bytes, k.len, entered, sizeof entered);
}

static void link_drop(struct txn *t, struct inode *n, size_t index)
{
    struct key k;
    key_of_link(&k, n->id, n->links[index].parent, n->links[index].name);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
    n->links[index] = n->links[--n->more_links];
}

/* The index of this link; more_links if it is the first name. */
static int find_link(struct txn *t, struct inode *n, uint64_t parent, const char *name, size_t *ret, struct err *reterr)
{
    int rc = txn_load_links(t, n, reterr);
    if (rc)
        return rc;
    *ret = n->more_links;
    if (inode_is_first_link(n, parent, name, strlen(name)))
        return 0;
    for (size_t i = 0; i < n->more_links; i++)
        if (n->links[i].parent == parent && !strcmp(n->links[i].name, name)) {
            *ret = i;
            return 0;
        }
    return err_set(reterr, ERR_IO, "metadata store: inode %llu does not know of its name '%s' in inode %llu",
                   (unsigned long long)n->id, name, (unsigned long long)parent);
}

/* ---- entries ---- */

static void entry_changes(struct txn *t, const struct inode *parent, const char *name, bool is_there)
{
    struct entry_change c = {parent->id, arena_strdup(&t->arena, name), is_there};
    if (history_is_used(t->dir) || change_log_is_wanted(t->dir->changes))
        buf_append(&t->entries, &c, sizeof c);
}

static void touch(struct txn *t, struct inode *parent, struct inode *child)
{
    child->ctime_ns = parent->mtime_ns = parent->ctime_ns = t->now_ns;
    txn_dirty(parent);
    txn_dirty(child);
}

static void entry_put(struct txn *t, struct inode *parent, const char *name, struct inode *child)
{
    struct key k;
    uint8_t number[8];
    key_of_dentry(&k, parent->id, name, strlen(name));
    be64_put(number, child->id);
    store_batch_put(txn_batch(t), k.bytes, k.len, number, sizeof number);
    entry_changes(t, parent, name, true);
    parent->child_count++;
    parent->subdir_count += inode_is_dir(child);
    touch(t, parent, child);
}

static void entry_drop(struct txn *t, struct inode *parent, const char *name, struct inode *child)
{
    struct key k;
    key_of_dentry(&k, parent->id, name, strlen(name));
    store_batch_delete(txn_batch(t), k.bytes, k.len);
    entry_changes(t, parent, name, false);
    parent->child_count--;
    parent->subdir_count -= inode_is_dir(child);
    touch(t, parent, child);
}

static void first_link_put(struct txn *t, struct inode *child, uint64_t parent, const char *name)
{
    child->parent = parent;
    child->name = arena_strdup(&t->arena, name);
}

void txn_link(struct txn *t, struct inode *parent, const char *name, struct inode *child)
{
    first_link_put(t, child, parent->id, name);
    entry_put(t, parent, child->name, child);
}

int txn_add_link(struct txn *t, struct inode *parent, const char *name, struct inode *child, struct err *reterr)
{
    if (child->more_links + 1 >= LINKS_MAX)
        return err_posix(reterr, EMLINK, "inode %llu has %u names already", (unsigned long long)child->id,
                         child->more_links + 1);
    int rc = txn_load_links(t, child, reterr);
    if (rc)
        return rc;
    link_put(t, child, parent->id, name);
    entry_put(t, parent, name, child);
    return 0;
}

int txn_unlink(struct txn *t, struct inode *parent, const char *name, struct inode *child, struct err *reterr)
{
    size_t index = 0;
    int rc = find_link(t, child, parent->id, name, &index, reterr);
    if (rc)
        return rc;
    entry_drop(t, parent, name, child);
    if (index < child->more_links) {
        link_drop(t, child, index);
    } else if (child->more_links) {
        struct inode_link next = child->links[0];
        link_drop(t, child, 0);
        child->was_promoted = child->was_promoted || next.parent != child->parent;
        first_link_put(t, child, next.parent, next.name);
    } else {
        child->parent = INODE_NONE;
    }
    return 0;
}

/* The inode's own record of this name. */
static int rename_link(struct txn *t, const struct entry *from, const struct entry *to, struct err *reterr)
{
    size_t index = 0;
    struct inode *n = from->child;
    int rc = find_link(t, n, from->parent->id, from->name, &index, reterr);
    if (rc)
        return rc;
    if (index == n->more_links) {
        first_link_put(t, n, to->parent->id, to->name);
        return 0;
    }
    link_drop(t, n, index);
    link_put(t, n, to->parent->id, to->name);
    return 0;
}

int txn_move(struct txn *t, const struct entry *from, const struct entry *to, struct err *reterr)
{
    int rc = rename_link(t, from, to, reterr);
    if (rc)
        return rc;
    entry_drop(t, from->parent, from->name, from->child);
    entry_put(t, to->parent, to->name, from->child);
    return 0;
}

int txn_exchange(struct txn *t, const struct entry *a, const struct entry *b, struct err *reterr)
{
    int rc = rename_link(t, a, b, reterr);
    rc = rc ? rc : rename_link(t, b, a, reterr);
    if (rc)
        return rc;
    entry_drop(t, a->parent, a->name, a->child);
    entry_drop(t, b->parent, b->name, b->child);
    entry_put(t, a->parent, a->name, b->child);
    entry_put(t, b->parent, b->name, a->child);
    return 0;
}
