#include "fuse/plain/inode_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "common/digest.h"
#include "common/mem.h"

#define INODE_ROOT_NUMBER   1
#define INODE_BUCKETS_FIRST 1024

struct inode_table {
    pthread_mutex_t lock;
    struct inode root;
    struct inode **buckets; /* by (parent, name); detached inodes are not in it */
    size_t bucket_count, count;
    uint64_t hidden_count;
};

static size_t inode_hash(const struct inode_table *t, const struct inode *parent, const char *name)
{
    return (xxh3_of(name, strlen(name)) ^ (uintptr_t)parent * 0x9E3779B97F4A7C15u) & (t->bucket_count - 1);
}

struct inode_table *inode_table_new(void)
{
    struct inode_table *t = mem_new(struct inode_table);
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->root.lock, NULL);
    t->root.refs = 1; /* never goes */
    t->root.name = mem_strdup("");
    t->root.written_length = -1;
    t->bucket_count = INODE_BUCKETS_FIRST;
    t->buckets = mem_calloc(t->bucket_count, sizeof *t->buckets);
    return t;
}

static void inode_destroy(struct inode *inode)
{
    pthread_mutex_destroy(&inode->lock);
    free(inode->name);
    free(inode);
}

void inode_table_free(struct inode_table *t)
{
    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct inode *inode = t->buckets[i], *next; inode; inode = next) {
            next = inode->hash_next;
            inode_destroy(inode);
        }
    free(t->buckets);
    free(t->root.name);
    pthread_mutex_destroy(&t->root.lock);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

struct inode *inode_of(struct inode_table *t, uint64_t ino)
{
    return ino == INODE_ROOT_NUMBER ? &t->root : (struct inode *)(uintptr_t)ino;
}

uint64_t inode_number(const struct inode_table *t, const struct inode *inode)
{
    return inode == &t->root ? INODE_ROOT_NUMBER : (uint64_t)(uintptr_t)inode;
}

static void inode_grow_locked(struct inode_table *t)
{
    size_t old_count = t->bucket_count;
    struct inode **old = t->buckets;
    t->bucket_count *= 2;
    t->buckets = mem_calloc(t->bucket_count, sizeof *t->buckets);
    for (size_t i = 0; i < old_count; i++)
        for (struct inode *inode = old[i], *next; inode; inode = next) {
            next = inode->hash_next;
            size_t at = inode_hash(t, inode->parent, inode->name);
            inode->hash_next = t->buckets[at];
            t->buckets[at] = inode;
        }
    free(old);
}

static struct inode **inode_find_locked(struct inode_table *t, const struct inode *parent, const char *name)
{
    struct inode **at = &t->buckets[inode_hash(t, parent, name)];
    while (*at && ((*at)->parent != parent || strcmp((*at)->name, name) != 0))
        at = &(*at)->hash_next;
    return at;
}

static void inode_insert_locked(struct inode_table *t, struct inode *inode)
{
    if (t->count >= t->bucket_count)
        inode_grow_locked(t);
    size_t at = inode_hash(t, inode->parent, inode->name);
    inode->hash_next = t->buckets[at];
    t->buckets[at] = inode;
    t->count++;
}

static void inode_detach_locked(struct inode_table *t, struct inode **at)
{
    struct inode *inode = *at;
    *at = inode->hash_next;
    inode->hash_next = NULL;
    inode->detached = true;
    t->count--;
}

/* Frees the inode if nothing holds it, and then maybe its ancestors. */
static void inode_release_locked(struct inode_table *t, struct inode *inode)
{
    while (inode != &t->root && inode->lookups == 0 && inode->refs == 0) {
        struct inode *parent = inode->parent;
        if (!inode->detached)
            inode_detach_locked(t, inode_find_locked(t, parent, inode->name));
        inode_destroy(inode);
        parent->refs--;
        inode = parent;
    }
}

struct inode *inode_lookup(struct inode_table *t, struct inode *parent, const char *name, uint64_t file_id)
{
    pthread_mutex_lock(&t->lock);
    struct inode **at = inode_find_locked(t, parent, name), *inode = *at;
    if (inode && inode->file_id && file_id && inode->file_id != file_id) {
        parent->refs++; /* releasing the old child must not take its parent away */
        inode_detach_locked(t, at);
        inode_release_locked(t, inode);
        parent->refs--;
        inode = NULL;
    }
    if (!inode) {
        inode = mem_new(struct inode);
        pthread_mutex_init(&inode->lock, NULL);
        inode->parent = parent;
        inode->name = mem_strdup(name);
        inode->seen_length = -1;
        inode->written_length = -1;
        parent->refs++;
        inode_insert_locked(t, inode);
    }
    if (file_id)
        inode->file_id = file_id;
    inode->lookups++;
    pthread_mutex_unlock(&t->lock);
    return inode;
}

bool inode_is_unlinked(struct inode_table *t, struct inode *inode)
{
    pthread_mutex_lock(&t->lock);
    bool unlinked = inode->detached || inode->remove_at_close;
    pthread_mutex_unlock(&t->lock);
    return unlinked;
}

void inode_forget(struct inode_table *t, struct inode *inode, uint64_t lookups)
{
    if (inode == &t->root)
        return;
    pthread_mutex_lock(&t->lock);
    assert(inode->lookups >= lookups);
    inode->lookups -= lookups;
    inode_release_locked(t, inode);
    pthread_mutex_unlock(&t->lock);
}

void inode_ref(struct inode_table *t, struct inode *inode)
{
    pthread_mutex_lock(&t->lock);
    inode->refs++;
    pthread_mutex_unlock(&t->lock);
}

void inode_unref(struct inode_table *t, struct inode *inode)
{
    pthread_mutex_lock(&t->lock);
    assert(inode->refs > 0);
    inode->refs--;
    inode_release_locked(t, inode);
    pthread_mutex_unlock(&t->lock);
}

const char *inode_path(struct inode_table *t, const char *prefix, struct inode *inode, const char *name,
                       struct arena *a)
{
    pthread_mutex_lock(&t->lock);
    size_t prefix_len = strlen(prefix), len = prefix_len + (name ? strlen(name) + 1 : 0) + 1;
    bool detached = false;
    for (const struct inode *i = inode; i != &t->root; i = i->parent) {
        len += strlen(i->name) + 1;
        detached |= i->detached;
    }
    char *path = detached ? NULL : arena_alloc(a, len + 1);
    if (path) {
        char *end = path + len - 1;
        *end = 0;
        if (name) {
            end -= strlen(name);
            memcpy(end, name, strlen(name));
            *--end = '/';
        }
        for (const struct inode *i = inode; i != &t->root; i = i->parent) {
            size_t n = strlen(i->name);
            end -= n;
            memcpy(end, i->name, n);
            *--end = '/';
        }
        memcpy(path, prefix, prefix_len);
        if (path[0] == 0)
            memcpy(path, "/", 2);
    }
    pthread_mutex_unlock(&t->lock);
    return path;
}

void inode_renamed(struct inode_table *t, struct inode *from, const char *name, struct inode *to, const char *new_name)
{
    pthread_mutex_lock(&t->lock);
    struct inode **over = inode_find_locked(t, to, new_name);
    struct inode *replaced = *over;
    struct inode **at = inode_find_locked(t, from, name);
    struct inode *moved = *at;
    if (replaced && replaced != moved)
        inode_detach_locked(t, over);
    at = inode_find_locked(t, from, name);
    if (moved && replaced != moved) {
        inode_detach_locked(t, at);
        moved->detached = false;
        free(moved->name);
        moved->name = mem_strdup(new_name);
        to->refs++;
        moved->parent = to;
        inode_insert_locked(t, moved);
        from->refs--;
        inode_release_locked(t, from);
    }
    if (replaced && replaced != moved)
        inode_release_locked(t, replaced);
    pthread_mutex_unlock(&t->lock);
}

void inode_unlinked(struct inode_table *t, struct inode *parent, const char *name)
{
    pthread_mutex_lock(&t->lock);
    struct inode **at = inode_find_locked(t, parent, name);
    if (*at) {
        struct inode *inode = *at;
        inode_detach_locked(t, at);
        inode_release_locked(t, inode);
    }
    pthread_mutex_unlock(&t->lock);
}

void inode_opened(struct inode_table *t, struct inode *inode)
{
    pthread_mutex_lock(&t->lock);
    inode->refs++;
    inode->opens++;
    pthread_mutex_unlock(&t->lock);
}

struct dfs *inode_closed(struct inode_table *t, struct inode *inode)
{
    pthread_mutex_lock(&t->lock);
    assert(inode->opens > 0);
    struct dfs *remover = --inode->opens == 0 ? STEAL(inode->remover) : NULL;
    pthread_mutex_unlock(&t->lock);
    return remover;
}

uint64_t inode_hide(struct inode_table *t, struct inode *parent, const char *name)
{
    pthread_mutex_lock(&t->lock);
    const struct inode *inode = *inode_find_locked(t, parent, name);
    uint64_t number = inode && inode->opens && !inode->remove_at_close ? ++t->hidden_count : 0;
    pthread_mutex_unlock(&t->lock);
    return number;
}

bool inode_hidden(struct inode_table *t, struct inode *parent, const char *hidden_name, struct dfs *remover)
{
    pthread_mutex_lock(&t->lock);
    struct inode *inode = *inode_find_locked(t, parent, hidden_name);
    bool is_open = inode && inode->opens;
    if (is_open) {
        inode->remove_at_close = true;
        inode->remover = remover;
    }
    pthread_mutex_unlock(&t->lock);
    return is_open;
}

void inode_each(struct inode_table *t, void (*fn)(struct inode *inode, void *arg), void *arg)
{
    pthread_mutex_lock(&t->lock);
    size_t count = 0;
    struct inode **all = mem_calloc(t->count, sizeof *all);
    for (size_t i = 0; i < t->bucket_count; i++)
        for (struct inode *inode = t->buckets[i]; inode; inode = inode->hash_next) {
            inode->refs++;
            all[count++] = inode;
        }
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        fn(all[i], arg);
        inode_unref(t, all[i]);
    }
    free(all);
}
