#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/node.h"

#define NODE_SLOTS    4096
#define VERSION_SLOTS 16384

/* What the kernel's pages of a file are of. A collision only costs their being read again. */
struct version {
    uint64_t id, size, mtime_ns, ctime_ns;
};

struct node_table {
    struct node_store *store;
    pthread_mutex_t lock; /* never held across I/O */
    size_t count;
    struct node *slots[NODE_SLOTS];
    struct version versions[VERSION_SLOTS];
};

struct node_table *node_table_new(struct node_store *store)
{
    struct node_table *t = mem_new(struct node_table);
    t->store = store;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void node_free(struct node *n)
{
    node_unload(n);
    extents_clear(&n->changed);
    staging_free(n->staging);
    pthread_rwlock_destroy(&n->lock);
    free(n);
}

void node_table_free(struct node_table *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct node **slot_of(struct node_table *t, uint64_t id)
{
    struct node **at = &t->slots[id % NODE_SLOTS];
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

struct node *node_find(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    struct node *n = *slot_of(t, id);
    if (n)
        n->opens++;
    pthread_mutex_unlock(&t->lock);
    return n;
}

bool node_is_open(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    bool open = *slot_of(t, id) != NULL;
    pthread_mutex_unlock(&t->lock);
    return open;
}

bool node_any_open(struct node_table *t)
{
    pthread_mutex_lock(&t->lock);
    bool any = t->count > 0;
    pthread_mutex_unlock(&t->lock);
    return any;
}

static void release_held(struct node_table *t, uint64_t id)
{
    struct err err = {0};
    if (posix_release(t->store->fs, t->store->session, &id, 1, &err) < 0)
        log_warn("mount", "a file unlinked while open is not removed yet: inode=%" PRIu64 " err=%s", id, err.text);
}

void node_held(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    struct node *n = *slot_of(t, id);
    if (n)
        n->is_held = true;
    pthread_mutex_unlock(&t->lock);
    if (!n)
        release_held(t, id);
}

static void node_remember(struct node *n, const struct posix_attr *attr)
{
    n->size = n->saved_size = (int64_t)attr->size;
    n->saved_mtime_ns = attr->mtime_ns;
    n->saved_ctime_ns = attr->ctime_ns;
    n->replication = attr->replication;
}

struct node *node_open(struct node_table *t, const struct posix_attr *attr)
{
    struct node *fresh = mem_new(struct node), *n;
    fresh->id = attr->id;
    snprintf(fresh->path, sizeof fresh->path, "/.reserved/.inodes/%" PRIu64, attr->id);
    fresh->unsaved_size = -1;
    pthread_rwlock_init(&fresh->lock, NULL);
    node_remember(fresh, attr);
    pthread_mutex_lock(&t->lock);
    struct node **at = slot_of(t, attr->id);
    n = *at ? *at : fresh;
    *at = n;
    t->count += n == fresh;
    n->opens++;
    pthread_mutex_unlock(&t->lock);
    if (n != fresh) {
        node_free(fresh);
        node_look(n, attr);
    }
    return n;
}

void node_look(struct node *n, const struct posix_attr *attr)
{
    pthread_rwlock_wrlock(&n->lock);
    if (!n->writer && !n->is_edited &&
        ((uint64_t)n->saved_size != attr->size || n->saved_mtime_ns != attr->mtime_ns ||
         n->saved_ctime_ns != attr->ctime_ns)) {
        node_unload(n);
        node_remember(n, attr);
    }
    pthread_rwlock_unlock(&n->lock);
}

bool node_is_same_version(struct node_table *t, const struct posix_attr *attr)
{
    struct version now = {attr->id, attr->size, attr->mtime_ns, attr->ctime_ns};
    pthread_mutex_lock(&t->lock);
    struct version *v = &t->versions[attr->id % VERSION_SLOTS];
    bool same = memcmp(v, &now, sizeof now) == 0;
    *v = now;
    pthread_mutex_unlock(&t->lock);
    return same;
}

/* Taken out under the lock, so that nobody finds it any more; ended without the lock. */
static struct node *node_take_out(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    struct node *last = NULL;
    if (--n->opens == 0) {
        *slot_of(t, n->id) = n->next;
        t->count--;
        last = n;
    }
    pthread_mutex_unlock(&t->lock);
    return last;
}

void node_close(struct node_table *t, struct node *n)
{
    struct err err = {0};
    if (n->opens == 1 && node_save(t->store, n, &err) < 0 && !n->is_held)
        log_error("mount", "a file could not be saved after its last close: inode=%" PRIu64 " err=%s", n->id, err.text);
    if (!node_take_out(t, n))
        return;
    if (n->is_held)
        release_held(t, n->id);
    node_free(n);
}

void node_invalidate(struct node_table *t, uint64_t id)
{
    struct node *n = node_find(t, id);
    if (!n)
        return;
    n->is_stale = true;
    node_close(t, n);
}

/* One after another, each with a reference, since saving blocks. */
size_t node_save_all(struct node_table *t)
{
    size_t failed = 0;
    for (size_t i = 0; i < NODE_SLOTS; i++) {
        for (;;) {
            pthread_mutex_lock(&t->lock);
            struct node *n = t->slots[i];
            while (n && n->unsaved_size < 0)
                n = n->next;
            if (n)
                n->opens++;
            pthread_mutex_unlock(&t->lock);
            if (!n)
                break;
            struct err err = {0};
            int rc = node_save(t->store, n, &err);
            if (rc < 0) {
                log_error("mount", "lost at unmount: inode=%" PRIu64 " err=%s", n->id, err.text);
                n->unsaved_size = -1;
                failed++;
            }
            node_take_out(t, n);
        }
    }
    return failed;
}
