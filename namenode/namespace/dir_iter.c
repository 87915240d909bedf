/* Entries of a directory: as it is now, as of a snapshot (the current entries merged with versions), or of the list of
 * its snapshots. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/keys.h"

#define VERSION_MEMORY_MAX (64u << 20)

static char table_of(const struct dir_iter *d)
{
    return d->as_of == AS_OF_LIST ? 'S' : 'd';
}

void dir_iter_open(struct dir_iter *d, struct txn *t, const struct inode *dir, const char *after, size_t after_len)
{
    *d = (struct dir_iter){
        .it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot), .parent = dir->id, .as_of = dir->as_of};
    if (after_len > KEY_NAME_MAX)
        after_len = KEY_NAME_MAX;
    struct key k;
    key_of_dentry(&k, dir->id, after, after_len);
    k.bytes[0] = (uint8_t)table_of(d);
    store_iter_seek(d->it, k.bytes, k.len);
    if (after_len || table_of(d) == 'S') { /* what is without a name there says that snapshots may be taken */
        struct slice at = store_iter_valid(d->it) ? store_iter_key(d->it) : (struct slice){0};
        if (at.len == k.len && !memcmp(at.base, k.bytes, k.len))
            store_iter_next(d->it);
    }
    if (!d->as_of || d->as_of == AS_OF_LIST)
        return;
    d->name_memory = mem_alloc(KEY_NAME_MAX);
    d->versions = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    if (after_len)
        key_of_entry_version(&k, dir->id, after, after_len, UINT64_MAX);
    else
        key_of(&k, 'D', dir->id);
    store_iter_seek(d->versions, k.bytes, k.len);
}

/* The name an iterator is at; base NULL: no more of this directory. */
static struct slice name_at(const struct store_iter *it, char table, uint64_t parent, size_t tail)
{
    struct slice key = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
    if (key.len < 9 + tail || key.base[0] != (uint8_t)table || be64_get(key.base + 1) != parent)
        return (struct slice){0};
    return (struct slice){key.base + 9, key.len - 9 - tail};
}

/* ---- now, and the list ---- */

static bool next_current(struct dir_iter *d)
{
    if (d->name)
        store_iter_next(d->it);
    struct slice name = name_at(d->it, table_of(d), d->parent, 0), value;
    if (!name.base)
        return false;
    value = store_iter_value(d->it);
    if (table_of(d) == 'd' && value.len != 8)
        return false;
    d->name = (const char *)name.base;
    d->name_len = name.len;
    d->child = table_of(d) == 'd' ? be64_get(value.base) : 0;
    return true;
}

/* ---- as of a snapshot ---- */

static int compare(struct slice a, struct slice b)
{
    int order = memcmp(a.base, b.base, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The version that holds: the first of this name with a tag not below as_of. Passes all versions of the name. */
static void take_version(struct dir_iter *d, struct slice name, uint64_t *ret_child)
{
    bool found = false;
    struct slice at;
    for (; (at = name_at(d->versions, 'D', d->parent, 9)).base && !compare(at, name); store_iter_next(d->versions)) {
        if (found || be64_get(at.base + at.len + 1) < d->as_of)
            continue;
        struct arena a;
        struct version v = {0};
        arena_init(&a, VERSION_MEMORY_MAX);
        found = true;
        d->is_damaged = d->is_damaged || version_decode(store_iter_value(d->versions), &a, &v, NULL);
        *ret_child = v.child;
        arena_free(&a);
    }
}

static bool next_as_of(struct dir_iter *d)
{
    for (;;) {
        struct slice now = name_at(d->it, 'd', d->parent, 0), old = name_at(d->versions, 'D', d->parent, 9);
        if (!now.base && !old.base)
            return false;
        int order = !now.base ? 1 : !old.base ? -1 : compare(now, old);
        struct slice name = order <= 0 ? now : old;
        d->name_len = name.len <= KEY_NAME_MAX ? name.len : KEY_NAME_MAX;
        memcpy(d->name_memory, name.base, d->name_len);
        d->name = d->name_memory;
        d->child = 0;
        if (order <= 0) {
            struct slice value = store_iter_value(d->it);
            d->child = value.len == 8 ? be64_get(value.base) : 0;
            store_iter_next(d->it);
        }
        if (order >= 0)
            take_version(d, (struct slice){(const uint8_t *)d->name_memory, d->name_len}, &d->child);
        if (d->child)
            return true;
    }
}

bool dir_iter_next(struct dir_iter *d)
{
    return d->versions ? next_as_of(d) : next_current(d);
}

int dir_iter_inode(struct dir_iter *d, struct txn *t, struct inode **ret, struct err *reterr)
{
    if (d->as_of == AS_OF_LIST) {
        struct inode list = {.id = d->parent, .as_of = AS_OF_LIST};
        int rc = history_child(t, &list, arena_strndup(&t->arena, d->name, d->name_len), ret, reterr);
        return rc || *ret ? rc : err_set(reterr, ERR_IO, "metadata store: a snapshot is gone while it is listed");
    }
    int rc = d->as_of ? history_inode(t, d->child, d->as_of, ret, reterr) : txn_peek(t, d->child, ret, reterr);
    if (rc || inode_is_first_link(*ret, d->parent, d->name, d->name_len))
        return rc;
    (*ret)->is_other_link = (*ret)->more_links != 0;
    (*ret)->name = arena_strndup(&t->arena, d->name, d->name_len);
    return 0;
}

int dir_iter_close(struct dir_iter *d, struct err *reterr)
{
    int rc = store_iter_status(d->it, reterr);
    if (!rc && d->versions)
        rc = store_iter_status(d->versions, reterr);
    if (!rc && d->is_damaged)
        rc = err_set(reterr, ERR_IO, "metadata store: a version of an entry of inode %llu is damaged",
                     (unsigned long long)d->parent);
    store_iter_freep(&d->it);
    store_iter_freep(&d->versions);
    free(d->name_memory);
    return rc;
}
