/* What lives on in snapshots only: of a directory what was taken out of it, of a file the blocks it had. */
#include <string.h>

#include "namenode/namespace/history_internal.h"

/* The inode as the snapshot has it; NULL if it is where it was, or seen as of dir->as_of. */
static int deleted_inode(struct txn *t, const struct inode *dir, struct slice key, uint64_t id, struct inode **ret,
                         bool *ret_moved, struct err *reterr)
{
    uint64_t tag = be64_get(key.base + key.len - 8), visible = 0;
    const char *name = arena_strndup(&t->arena, (const char *)key.base + 9, key.len - 9 - 9);
    struct inode *now = NULL;
    *ret = NULL;
    int rc = history_child_id(t, dir->id, name, dir->as_of, &visible, reterr);
    if (rc || visible == id)
        return rc;
    rc = txn_peek(t, id, &now, reterr);
    *ret_moved = !rc && now->parent != INODE_NONE;
    if (*ret_moved && dir->as_of)
        return 0;
    if (rc && rc != ERR_NOT_FOUND) /* the reaper has been there: only versions are left */
        return rc;
    rc = history_inode(t, id, tag, ret, reterr);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int history_each_deleted(struct txn *t, const struct inode *dir, history_deleted_fn each, void *context,
                         struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    struct key first;
    key_of(&first, 'D', dir->id);
    uint64_t last = 0; /* versions of one name follow each other */
    int rc = 0;
    for (store_iter_seek(it, first.bytes, first.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len < 9 + 9 || key.base[0] != 'D' || be64_get(key.base + 1) != dir->id)
            break;
        struct version v = {0};
        struct inode *n = NULL;
        if (t->snapshot) /* a walk: there may be many */
            txn_reset_if_large(t);
        rc = version_decode(store_iter_value(it), &t->arena, &v, reterr);
        if (rc || !v.child || v.child == last)
            continue;
        last = v.child;
        bool is_moved = false;
        rc = deleted_inode(t, dir, key, v.child, &n, &is_moved, reterr);
        if (!rc && n)
            rc = each(context, n, is_moved, reterr);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

int history_grow_last_block(struct txn *t, struct inode *n, struct err *reterr)
{
    struct file_block *last = inode_last_block(n);
    struct block_record record = {0};
    int rc = last ? txn_block(t, last->id, &record, reterr) : 0;
    if (!rc && last && record.bytes > last->length_bytes)
        last->length_bytes = record.bytes;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}
