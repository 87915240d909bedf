#include "namenode/namespace/txn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "namenode/namespace/block_ids.h"
#include "namenode/namespace/change_log.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/opens.h"
#include "namenode/namespace/quota.h"

#define ERASED_AT_ONCE_BLOCKS 100        /* a file with more of them is left to the reaper */
#define TXN_MEMORY_MAX        (1u << 30) /* a page of a listing or the blocks of a huge file stay far below */
#define WALK_MEMORY_MAX       (16u << 20)

void txn_begin(struct txn *t, struct fsdir *dir, uint64_t now_ns)
{
    *t = (struct txn){.dir = dir, .counters = dir->counters, .now_ns = now_ns};
    arena_init(&t->arena, TXN_MEMORY_MAX);
}

void txn_begin_snapshot(struct txn *t, struct fsdir *dir)
{
    *t = (struct txn){.dir = dir};
    t->snapshot = store_snapshot_take(dir->store);
    arena_init(&t->arena, TXN_MEMORY_MAX);
}

void txn_end(struct txn *t)
{
    store_snapshot_drop(t->dir->store, t->snapshot);
    store_batch_free(t->batch);
    free(t->inodes);
    free(t->closed);
    free(t->freed);
    buf_free(&t->entries);
    buf_free(&t->changed);
    buf_free(&t->drops);
    buf_free(&t->lingering);
    buf_free(&t->replications);
    buf_free(&t->holds);
    buf_free(&t->history);
    buf_free(&t->versions);
    buf_free(&t->kept_entries);
    arena_free(&t->arena);
}

void txn_reset(struct txn *t)
{
    assert(!t->batch);
    t->inode_count = 0;
    t->unresolved = NULL;
    arena_reset(&t->arena);
}

bool txn_reset_if_large(struct txn *t)
{
    bool is_large = t->arena.total > WALK_MEMORY_MAX;
    if (is_large)
        txn_reset(t);
    return is_large;
}

/* ---- looking ---- */

static void remember(struct txn *t, struct inode *n)
{
    if (t->inode_count == t->inode_capacity) {
        t->inode_capacity = t->inode_capacity ? t->inode_capacity * 2 : 16;
        t->inodes = mem_realloc_array(t->inodes, t->inode_capacity, sizeof(struct inode *));
    }
    t->inodes[t->inode_count++] = n;
}

int txn_peek(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr)
{
    struct key k;
    key_of(&k, 'i', id);
    AUTO(store_value_free) struct store_value v = {0};
    if (t->arena.total > t->arena.max_bytes / 2) /* before there is no room for anything else either */
        return err_set(reterr, ERR_IO, "more than %zu MiB of metadata would have to be looked at in one go",
                       t->arena.max_bytes >> 21);
    int rc = store_get(t->dir->store, t->snapshot, k.bytes, k.len, &v, reterr);
    if (rc == ERR_NOT_FOUND)
        return err_set(reterr, rc, "inode %llu does not exist", (unsigned long long)id);
    return rc ? rc : inode_decode(id, (struct slice){(uint8_t *)v.base, v.len}, &t->arena, ret, reterr);
}

int txn_inode(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr)
{
    for (size_t i = t->inode_count; i-- > 0;)
        if (t->inodes[i]->id == id) {
            *ret = t->inodes[i];
            return 0;
        }
    int rc = txn_peek(t, id, ret, reterr);
    if (!rc &&
        !t->snapshot) /* that an inode is one object matters to changes only; long walks need not search for it */
        remember(t, *ret);
    return rc;
}

int txn_child(struct txn *t, const struct inode *parent, const char *name, struct inode **ret, struct err *reterr)
{
    size_t name_len = strlen(name);
    if (name_len > KEY_NAME_MAX) {
        *ret = NULL;
        return 0;
    }
    if (parent->as_of)
        return history_child(t, parent, name, ret, reterr);
    struct key k;
    key_of_dentry(&k, parent->id, name, name_len);
    AUTO(store_value_free) struct store_value v = {0};
    int rc = store_get(t->dir->store, t->snapshot, k.bytes, k.len, &v, reterr);
    if (rc == ERR_NOT_FOUND) {
        *ret = NULL;
        return 0;
    }
    if (rc)
        return rc;
    if (v.len != 8)
        return err_set(reterr, ERR_IO, "metadata store: entry '%s' of inode %llu is damaged", name,
                       (unsigned long long)parent->id);
    rc = txn_inode(t, be64_get((const uint8_t *)v.base), ret, reterr);
    return rc == ERR_NOT_FOUND ? err_prefix(reterr, ERR_IO, "metadata store: entry '%s' points nowhere", name) : rc;
}

int txn_block(struct txn *t, uint64_t block_id, struct block_record *ret, struct err *reterr)
{
    struct key k;
    key_of(&k, 'b', block_id);
    AUTO(store_value_free) struct store_value v = {0};
    int rc = store_get(t->dir->store, t->snapshot, k.bytes, k.len, &v, reterr);
    if (rc == ERR_NOT_FOUND)
        return err_set(reterr, rc, "block %llu belongs to no file", (unsigned long long)block_id);
    return rc ? rc : block_record_decode(block_id, (struct slice){(uint8_t *)v.base, v.len}, ret, reterr);
}

#define DEPTH_MAX 20000 /* renames of directories may go past the limit of a path's depth, but not endlessly */

/* From n up to the root; ERR_NOT_FOUND if it does not hang there. chain: NULL, or where to note the inodes passed. */
static int walk_up(struct txn *t, struct inode *n, struct inode ***chain, size_t *ret_count, struct err *reterr)
{
    size_t count = 0, capacity = 0;
    for (; n->id != INODE_ROOT; count++) {
        if (n->parent == INODE_NONE || count == DEPTH_MAX)
            return err_set(reterr, ERR_NOT_FOUND, "inode %llu was deleted", (unsigned long long)n->id);
        if (chain && count == capacity) {
            capacity = capacity ? capacity * 2 : 32;
            struct inode **grown = arena_array(&t->arena, struct inode *, capacity);
            if (count)
                memcpy(grown, *chain, count * sizeof(struct inode *));
            *chain = grown;
        }
        if (chain)
            (*chain)[count] = n;
        int rc = txn_inode(t, n->parent, &n, reterr);
        if (rc)
            return rc;
    }
    *ret_count = count;
    return 0;
}

/* Under another name than its first. */
static struct inode *as_named(struct txn *t, const struct inode *n, const struct inode_link *link)
{
    struct inode *copy = arena_memdup(&t->arena, n, sizeof *n);
    copy->parent = link->parent;
    copy->name = link->name;
    return copy;
}

static size_t other_links(struct txn *t, const struct inode *n, struct inode_link **ret)
{
    size_t count = n->more_links;
    *ret = n->links;
    return n->has_links || !count ? count : links_stored(t, n->id, ret, &count, NULL) ? 0 : count;
}

/* By its first name, else by another that hangs in the tree. */
static int walk_up_any(struct txn *t, struct inode *n, struct inode ***chain, size_t *ret_count, struct err *reterr)
{
    struct inode_link *links;
    int rc = walk_up(t, n, chain, ret_count, reterr);
    size_t count = rc == ERR_NOT_FOUND ? other_links(t, n, &links) : 0;
    for (size_t i = 0; rc == ERR_NOT_FOUND && i < count; i++) {
        if (chain)
            *chain = NULL;
        rc = walk_up(t, as_named(t, n, &links[i]), chain, ret_count, reterr);
    }
    return rc;
}

uint32_t txn_count_names(struct txn *t, struct inode *n)
{
    struct inode_link *links;
    size_t depth, count = other_links(t, n, &links);
    uint32_t names = walk_up(t, n, NULL, &depth, NULL) == 0;
    for (size_t i = 0; i < count; i++)
        names += walk_up(t, as_named(t, n, &links[i]), NULL, &depth, NULL) == 0;
    return names;
}

int txn_path(struct txn *t, struct inode *n, const char **ret, struct err *reterr)
{
    struct inode **chain = NULL;
    size_t count = 0, len = 1;
    int rc = walk_up_any(t, n, &chain, &count, reterr);
    if (rc == ERR_NOT_FOUND && txn_is_kept(t, n)) {
        *ret = arena_printf(&t->arena, PATH_OF_INODES "%llu", (unsigned long long)n->id);
        return 0;
    }
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++)
        len += strlen(chain[i]->name) + 1;
    char *path = arena_alloc(&t->arena, len + 1), *to = path;
    for (size_t i = count; i-- > 0;)
        to += sprintf(to, "/%s", chain[i]->name);
    if (!count)
        memcpy(path, "/", 2);
    *ret = path;
    return 0;
}

bool txn_has_name(struct txn *t, struct inode *n)
{
    size_t count = 0;
    return walk_up_any(t, n, NULL, &count, NULL) == 0;
}

bool txn_is_kept(const struct txn *t, const struct inode *n)
{
    return n->is_held || (!inode_is_dir(n) && n->parent != INODE_NONE && opens_any(t->dir->opens, n->id));
}

bool txn_is_attached(struct txn *t, struct inode *n)
{
    return n->is_held || txn_has_name(t, n) || txn_is_kept(t, n);
}

/* ---- changing ---- */

struct store_batch *txn_batch(struct txn *t)
{
    assert(!t->snapshot);
    if (!t->batch)
        t->batch = store_batch_new();
    return t->batch;
}

static void mark_put(struct txn *t, char table, uint64_t id)
{
    struct key k;
    key_of(&k, table, id);
    store_batch_put(txn_batch(t), k.bytes, k.len, "", 0);
}

static void key_drop(struct txn *t, char table, uint64_t id)
{
    struct key k;
    key_of(&k, table, id);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
}

static void block_put(struct txn *t, const struct inode *n, const struct file_block *b)
{
    if (file_block_is_hole(b))
        return;
    struct buf record = {0};
    struct key k;
    key_of(&k, 'b', b->id);
    block_record_encode(n, b, &record);
    store_batch_put(txn_batch(t), k.bytes, k.len, record.base, record.len);
    buf_free(&record);
}

struct inode *txn_new_inode(struct txn *t, enum inode_type type, uint16_t mode, const char *owner, const char *group)
{
    struct inode *n = arena_new(&t->arena, struct inode);
    n->id = t->counters.next_inode++;
    n->type = type;
    n->name = "";
    n->mode = mode;
    n->owner = arena_strdup(&t->arena, owner);
    n->group = arena_strdup(&t->arena, group);
    n->mtime_ns = n->ctime_ns = t->now_ns;
    n->atime_ns = type == INODE_DIRECTORY ? 0 : t->now_ns; /* as HDFS: a directory has one only when it was given one */
    n->truncate_length = BLOCKS_NO_TRUNCATE;
    n->dirty = n->is_new = true;
    n->entered = n->saved = t->counters.last_snapshot;
    t->counters.inodes++;
    t->counters.directories += type == INODE_DIRECTORY;
    t->counters.symlinks += type == INODE_SYMLINK;
    remember(t, n);
    return n;
}

void txn_hold(struct txn *t, uint64_t session, struct inode *n)
{
    struct inode_hold h = {session, n->id};
    struct key k;
    key_of_hold(&k, n->id, session);
    store_batch_put(txn_batch(t), k.bytes, k.len, "", 0);
    buf_append(&t->holds, &h, sizeof h);
    n->is_held = true;
    txn_dirty(n);
}

static void hold_if_open(struct txn *t, struct inode *n)
{
    const struct opening *list;
    size_t count = inode_is_dir(n) ? 0 : opens_of(t->dir->opens, n->id, &list);
    for (size_t i = 0; i < count; i++)
        if (list[i].session != t->session) /* whose own removal says whether it is to be held */
            txn_hold(t, list[i].session, n);
}

void txn_discard(struct txn *t, struct inode *n)
{
    if (n->parent != INODE_NONE)
        return;
    hold_if_open(t, n);
    if (n->is_held)
        return;
    if (n->is_open)
        txn_close_file(t, n);
    if (!n->child_count && n->block_count <= ERASED_AT_ONCE_BLOCKS) {
        txn_erase(t, n);
        return;
    }
    txn_dirty(n);
    mark_put(t, 'r', n->id);
    t->discard_count++;
}

void txn_erase_discarded(struct txn *t, struct inode *n)
{
    key_drop(t, 'r', n->id);
    txn_erase(t, n);
}

void txn_free_block(struct txn *t, uint64_t id, bool is_complete)
{
    key_drop(t, 'b', id);
    t->counters.blocks--;
    t->counters.complete_blocks -= is_complete;
    if ((t->freed_count & (t->freed_count - 1)) == 0) /* doubled at each power of two */
        t->freed = mem_realloc_array(t->freed, t->freed_count ? 2 * t->freed_count : 1, sizeof *t->freed);
    t->freed[t->freed_count++] = id;
}

void txn_free_lingering(struct txn *t, uint64_t id)
{
    key_drop(t, 'g', id);
    txn_free_block(t, id, true);
}

static void block_drop(struct txn *t, const struct inode *n, const struct file_block *b, bool lingers)
{
    struct block_drop d = {.inode = n->id, .block = *b, .lingers = lingers, .is_source = b->id == n->truncate_source};
    if (!file_block_is_hole(b))
        buf_append(&t->drops, &d, sizeof d);
}

void txn_erase(struct txn *t, struct inode *n)
{
    for (size_t i = 0; i < n->block_count; i++)
        block_drop(t, n, &n->blocks[i], false);
    if (n->is_open)
        key_drop(t, 'o', n->id);
    key_drop(t, 'i', n->id);
    if (n->quota)
        quota_forget(t, n);
    n->dirty = false;
    n->is_erased = true;
    t->counters.inodes--;
    t->counters.directories -= inode_is_dir(n);
    t->counters.symlinks -= n->type == INODE_SYMLINK;
}

void txn_open_file(struct txn *t, struct inode *n, const char *client_name, const char *client_machine)
{
    n->is_open = true;
    n->client_name = arena_strdup(&t->arena, client_name);
    n->client_machine = arena_strdup(&t->arena, client_machine);
    txn_dirty(n);
    mark_put(t, 'o', n->id);
}

void txn_close_file(struct txn *t, struct inode *n)
{
    t->closed = mem_realloc_array(t->closed, t->closed_count + 1, sizeof *t->closed);
    t->closed[t->closed_count++] = n->id;
    n->is_open = false;
    n->recovery_stamp = 0;
    n->truncate_length = BLOCKS_NO_TRUNCATE;
    if (n->truncate_source)
        block_drop(t, n, &(struct file_block){.id = n->truncate_source, .state = BLOCK_COMPLETE}, false);
    n->truncate_source = n->written_ns = n->session = 0;
    txn_dirty(n);
    key_drop(t, 'o', n->id);
}

uint64_t txn_next_stamp(struct txn *t)
{
    txn_batch(t); /* a number given out is never given out again, even if nothing else is changed */
    return t->counters.next_stamp++;
}

void txn_new_block(struct txn *t, uint64_t *ret_id, uint64_t *ret_stamp)
{
    *ret_id = t->counters.next_block++;
    *ret_stamp = txn_next_stamp(t);
}

struct file_block *txn_add_block(struct txn *t, struct inode *n)
{
    struct file_block *b = inode_add_block(n, &t->arena);
    txn_new_block(t, &b->id, &b->stamp);
    b->state = BLOCK_UNDER_CONSTRUCTION;
    t->counters.blocks++;
    txn_dirty(n);
    block_put(t, n, b);
    return b;
}

void txn_set_block(struct txn *t, struct inode *n, struct file_block *b, uint64_t stamp, uint64_t length_bytes,
                   enum block_state state)
{
    t->counters.complete_blocks += state == BLOCK_COMPLETE;
    t->counters.complete_blocks -= b->state == BLOCK_COMPLETE;
    n->content_changed = n->content_changed || b->length_bytes != length_bytes;
    b->stamp = stamp;
    b->length_bytes = length_bytes;
    b->state = state;
    txn_dirty(n);
    block_put(t, n, b);
}

void txn_drop_last_block(struct txn *t, struct inode *n)
{
    block_drop(t, n, inode_last_block(n), false);
    n->block_count--;
    n->content_changed = true;
    txn_dirty(n);
}

void txn_cut_hole(struct txn *t, struct inode *n, uint64_t length_bytes)
{
    (void)t;
    assert(file_block_is_hole(inode_last_block(n)));
    inode_last_block(n)->length_bytes = length_bytes;
    n->content_changed = true;
    txn_dirty(n);
}

void txn_edit_blocks(struct txn *t, struct inode *n, struct file_block *blocks, size_t count)
{
    struct inode then = *n;
    n->blocks = blocks;
    n->block_count = n->block_capacity = count;
    struct block_ids before = block_ids_of(&then, &t->arena), after = block_ids_of(n, &t->arena);
    for (size_t i = 0; i < then.block_count; i++)
        if (!block_ids_have(&after, i, then.blocks[i].id))
            block_drop(t, n, &then.blocks[i], true);
    for (size_t i = 0; i < count; i++) {
        if (file_block_is_hole(&blocks[i]) || block_ids_have(&before, i, blocks[i].id))
            continue;
        t->counters.blocks++;
        t->counters.complete_blocks++;
        block_put(t, n, &blocks[i]);
    }
    n->content_changed = true;
    txn_dirty(n);
}

struct file_block *txn_copy_last_block(struct txn *t, struct inode *n, uint64_t length_bytes)
{
    struct file_block *b = inode_last_block(n);
    n->truncate_source = b->id;
    n->truncate_length = length_bytes;
    txn_new_block(t, &b->id, &b->stamp);
    b->state = BLOCK_UNDER_CONSTRUCTION; /* the file has its old length until the copy is there */
    t->counters.blocks++;
    txn_dirty(n);
    block_put(t, n, b);
    return b;
}

static void inode_put(struct txn *t, const struct inode *n, struct buf *record)
{
    struct key k;
    buf_clear(record);
    inode_encode(n, record);
    key_of(&k, 'i', n->id);
    store_batch_put(txn_batch(t), k.bytes, k.len, record->base, record->len);
}

static void blocks_put_replication(struct txn *t, const struct inode *n)
{
    for (size_t i = 0; i < n->block_count; i++) {
        struct block_replication r = {n->blocks[i].id, inode_block_replication(n)};
        block_put(t, n, &n->blocks[i]);
        if (!file_block_is_hole(&n->blocks[i]))
            buf_append(&t->replications, &r, sizeof r);
    }
}

void txn_set_replication(struct txn *t, struct inode *n, uint16_t replication, uint16_t kept)
{
    n->replication = replication;
    n->kept_replication = kept > replication ? kept : 0;
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    blocks_put_replication(t, n);
}

void txn_lower_replication(struct txn *t, struct inode *n, uint16_t kept)
{
    AUTO(buf_free) struct buf record = {0};
    n->kept_replication = kept > n->replication ? kept : 0;
    inode_put(t, n, &record);
    blocks_put_replication(t, n);
}

void txn_move_blocks(struct txn *t, struct inode *to, struct inode *from)
{
    for (size_t i = 0; i < from->block_count; i++) {
        struct file_block *b = inode_add_block(to, &t->arena);
        *b = from->blocks[i];
        block_put(t, to, b);
    }
    from->block_count = 0;
    to->content_changed = from->content_changed = true;
    txn_dirty(to);
    txn_dirty(from);
}

/* ---- committing ---- */

static int changes_list(struct txn *t, struct inode_change **ret, size_t *ret_count, struct err *reterr)
{
    struct inode_change *list = arena_array(&t->arena, struct inode_change, t->inode_count);
    size_t count = 0;
    for (size_t i = 0; i < t->inode_count; i++) {
        struct inode *n = t->inodes[i];
        if ((!n->dirty && !n->is_erased) || (n->is_new && n->is_erased))
            continue;
        struct inode_change *c = &list[count++];
        c->after = n->is_erased ? NULL : n;
        int rc = n->is_new ? 0 : txn_peek(t, n->id, &c->before, reterr);
        if (rc)
            return rc;
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

/* Calls those who keep something beside the inodes; the list is made only if there is one. */
static int before_write(struct txn *t, struct err *reterr)
{
    bool has_history = history_is_used(t->dir), has_quota = quota_is_charged(t);
    struct inode_change *changes = NULL;
    size_t count = 0;
    int rc = has_history || has_quota ? changes_list(t, &changes, &count, reterr) : 0;
    if (!rc && has_history)
        rc = history_record(t, changes, count, reterr);
    if (!rc && has_quota) /* by now it is known what snapshots will hold */
        rc = quota_charge(t, changes, count, reterr);
    return rc;
}

static void blocks_free_dropped(struct txn *t)
{
    const struct block_drop *drops = (void *)t->drops.base;
    for (size_t i = 0; i < t->drops.len / sizeof *drops; i++) {
        const struct file_block *b = &drops[i].block;
        if (drops[i].is_kept)
            continue;
        if (drops[i].lingers) {
            mark_put(t, 'g', b->id);
            buf_append(&t->lingering, &b->id, sizeof b->id);
        } else {
            txn_free_block(t, b->id, b->state == BLOCK_COMPLETE);
        }
    }
    buf_clear(&t->drops);
    buf_clear(&t->entries);
}

/* For who listens; the entries first, so that nobody looks at a directory by names that are gone. */
static void changes_note(struct txn *t)
{
    const struct entry_change *entries = (void *)t->entries.base;
    if (!change_log_is_wanted(t->dir->changes))
        return;
    for (size_t i = 0; !t->is_reaping && i < t->entries.len / sizeof *entries; i++) {
        struct change c = {t->session, entries[i].parent, entries[i].name, false};
        buf_append(&t->changed, &c, sizeof c);
    }
    for (size_t i = 0; i < t->inode_count; i++) {
        const struct inode *n = t->inodes[i];
        struct change c = {t->session, n->id, NULL, n->content_changed};
        bool is_seen = !n->is_new && !(t->is_reaping && n->parent == INODE_NONE && !n->is_held);
        if (n->dirty && is_seen && (n->content_changed || n->ctime_ns != n->ctime_before))
            buf_append(&t->changed, &c, sizeof c);
    }
}

static void changes_tell(struct txn *t)
{
    const struct change *list = (void *)t->changed.base;
    for (size_t i = 0; i < t->changed.len / sizeof *list; i++)
        change_log_add(t->dir->changes, list[i].session, list[i].id, list[i].name, list[i].content);
    buf_clear(&t->changed);
}

static void inodes_put(struct txn *t)
{
    struct buf record = {0};
    size_t kept = 0;
    for (size_t i = 0; i < t->inode_count; i++) {
        struct inode *n = t->inodes[i];
        if (n->is_erased)
            continue;
        t->inodes[kept++] = n;
        if (!n->dirty)
            continue;
        n->dirty = n->is_new = n->was_promoted = n->content_changed = false;
        n->ctime_before = n->ctime_ns;
        inode_put(t, n, &record);
    }
    t->inode_count = kept;
    buf_free(&record);
}

int txn_commit(struct txn *t, struct err *reterr)
{
    struct fsdir *dir = t->dir;
    int rc = before_write(t, reterr);
    if (rc)
        return rc;
    changes_note(t);
    inodes_put(t);
    blocks_free_dropped(t);
    if (!t->batch)
        return 0;
    if (*dir->write_error)
        return err_set(reterr, ERR_IO, "The namenode takes no changes since its metadata could not be written: %s",
                       dir->write_error);
    fsdir_counters_put(&t->counters, &dir->counters, t->batch);
    if (t->has_retry && t->is_final)
        retry_ring_put(dir->retries, t->batch, &t->retry, t->now_ns / 1000000);
    rc = store_write(dir->store, t->batch, reterr);
    if (rc) {
        snprintf(dir->write_error, sizeof dir->write_error, "%s", reterr ? reterr->text : "write failed");
        log_error("namespace", "%s; no more changes are taken: make room or repair the disk, then restart the namenode",
                  dir->write_error);
        return rc;
    }
    store_batch_free(STEAL(t->batch));
    dir->counters = t->counters;
    if (t->is_final)
        t->has_retry = false;
    quota_charged(t);
    history_apply(t);
    buf_clear(&t->versions);
    buf_clear(&t->kept_entries);
    changes_tell(t);
    t->seq = dir->journal ? journal_written(dir->journal) : 0;
    return 0;
}
