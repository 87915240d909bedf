/* Looking at inodes and entries as of a snapshot, and at the list of a directory's snapshots. */
#include <string.h>

#include "cairn/store.pb-c.h"
#include "namenode/namespace/history_internal.h"
#include "proto/message.h"

void history_settle(struct inode *n)
{
    if (n->truncate_length != BLOCKS_NO_TRUNCATE && n->block_count) /* it is about to be cut to this */
        inode_last_block(n)->length_bytes = n->truncate_length;
    n->truncate_length = BLOCKS_NO_TRUNCATE;
    n->is_open = false;
    n->truncate_source = 0;
    while (n->block_count && !inode_last_block(n)->length_bytes)
        n->block_count--;
    for (size_t i = 0; i < n->block_count; i++)
        n->blocks[i].state = BLOCK_COMPLETE;
}

int history_inode(struct txn *t, uint64_t id, uint64_t as_of, struct inode **ret, struct err *reterr)
{
    if (!as_of)
        return txn_peek(t, id, ret, reterr);
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    struct key key;
    key_of_inode_version(&key, id, as_of);
    struct inode *n = NULL;
    store_iter_seek(it, key.bytes, key.len);
    int rc = version_inode_at(t, it, id, &n, reterr);
    store_iter_free(it);
    if (!rc && !n)
        rc = txn_peek(t, id, &n, reterr);
    if (rc)
        return rc;
    history_settle(n);
    n->as_of = as_of;
    *ret = n;
    return 0;
}

int history_child_id(struct txn *t, uint64_t parent, const char *name, uint64_t as_of, uint64_t *ret,
                     struct err *reterr)
{
    size_t name_len = strlen(name);
    struct key version, now;
    key_of_entry_version(&version, parent, name, name_len, as_of);
    key_of_dentry(&now, parent, name, name_len);
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    store_iter_seek(it, version.bytes, version.len);
    struct slice key = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
    bool found = as_of && key.len == version.len && !memcmp(key.base, version.bytes, version.len - 8);
    struct version v = {0};
    int rc = found ? version_decode(store_iter_value(it), &t->arena, &v, reterr) : 0;
    rc = rc || key.base ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    *ret = v.child;
    if (rc || found)
        return rc;
    AUTO(store_value_free) struct store_value value = {0};
    rc = store_get(t->dir->store, t->snapshot, now.bytes, now.len, &value, reterr);
    *ret = value.len == 8 ? be64_get((const uint8_t *)value.base) : 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int history_child(struct txn *t, const struct inode *parent, const char *name, struct inode **ret, struct err *reterr)
{
    uint64_t id = 0, mtime_ns = 0;
    bool is_list = parent->as_of == AS_OF_LIST;
    *ret = NULL;
    int rc = is_list ? history_find(t, parent->id, name, &id, &mtime_ns, reterr)
                     : history_child_id(t, parent->id, name, parent->as_of, &id, reterr);
    if (rc || !id)
        return rc;
    rc = is_list ? history_inode(t, parent->id, id, ret, reterr) : history_inode(t, id, parent->as_of, ret, reterr);
    if (!rc && is_list) {
        (*ret)->name = arena_strdup(&t->arena, name);
        (*ret)->mtime_ns = mtime_ns;
    }
    return rc;
}

/* ---- the list ---- */

struct inode *history_list(struct txn *t, const struct inode *dir)
{
    struct inode *n = arena_new(&t->arena, struct inode);
    n->id = dir->id;
    n->type = INODE_DIRECTORY;
    n->name = ".snapshot";
    n->parent = dir->id;
    n->mode = 0777;
    n->owner = n->group = "";
    n->child_count = dir->snapshot_count;
    n->as_of = AS_OF_LIST;
    return n;
}

int history_find(struct txn *t, uint64_t dir, const char *name, uint64_t *ret_id, uint64_t *ret_mtime_ns,
                 struct err *reterr)
{
    size_t name_len = strlen(name);
    *ret_id = 0;
    if (!name_len || name_len > KEY_NAME_MAX)
        return 0;
    struct key key;
    key_of_snapshot(&key, dir, name, name_len);
    AUTO(store_value_free) struct store_value value = {0};
    int rc = store_get(t->dir->store, t->snapshot, key.bytes, key.len, &value, reterr);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    Cairn__SnapshotRecord *r = cairn__snapshot_record__unpack(NULL, value.len, (const uint8_t *)value.base);
    if (!r)
        return err_set(reterr, ERR_IO, "metadata store: the record of snapshot '%s' is damaged", name);
    *ret_id = r->id;
    *ret_mtime_ns = r->mtime_ns;
    cairn__snapshot_record__free_unpacked(r, NULL);
    return 0;
}
