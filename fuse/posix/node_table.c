#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/first_block.h"
#include "fuse/posix/new_attributes.h"

#define NODE_SLOTS     4096
#define VERSION_SLOTS  16384
#define UNSYNCED_SLOTS 16384

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
    uint64_t unsynced[UNSYNCED_SLOTS]; /* files that were closed so, by their numbers; the last one of each slot */
    size_t kept;
    pthread_cond_t kept_more;
    uint64_t *left;
    _Atomic size_t left_count;
};

struct node_table *node_table_new(struct node_store *store)
{
    struct node_table *t = mem_new(struct node_table);
    t->store = store;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->kept_more, NULL);
    t->left_count = staging_area_left(store->staging, &t->left);
    return t;
}

static void node_free(struct node *n)
{
    node_unload(n);
    extents_clear(&n->changed);
    staging_free(n->staging);
    new_attributes_free(n);
    pthread_rwlock_destroy(&n->lock);
    pthread_mutex_destroy(&n->locks_lock);
    free(n);
}

/* What is still open in a mount that ends; what could not be saved is left as it is staged. */
static void free_settled(struct node *n)
{
    for (struct node *next; n; n = next) {
        next = n->next;
        if (n->unsaved_size < 0 && !n->writer && !n->staging)
            node_free(n);
    }
}

void node_table_free(struct node_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < NODE_SLOTS; i++)
        free_settled(t->slots[i]);
    free(t->left);
    pthread_cond_destroy(&t->kept_more);
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

static struct node *get_locked(struct node_table *t, uint64_t id)
{
    struct node *n = *slot_of(t, id);
    if (n)
        n->refs++;
    return n;
}

struct node *node_get(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    struct node *n = get_locked(t, id);
    pthread_mutex_unlock(&t->lock);
    return n;
}

/* By the table, or by a process before this one. */
static bool is_open_locked(struct node_table *t, uint64_t id)
{
    uint32_t opens = 0;
    return *slot_of(t, id) || (keeper_count_open(t->store->memory, id, 0, &opens) && opens > 0);
}

bool node_is_open(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    bool open = is_open_locked(t, id);
    pthread_mutex_unlock(&t->lock);
    return open;
}

bool node_has_handles(struct node_table *t, uint64_t id)
{
    uint32_t opens = 0;
    pthread_mutex_lock(&t->lock);
    const struct node *n = *slot_of(t, id);
    bool has = n ? n->opens > 0 : keeper_count_open(t->store->memory, id, 0, &opens) && opens > 0;
    pthread_mutex_unlock(&t->lock);
    return has;
}

bool node_is_shared(struct node_table *t, const struct node *n)
{
    pthread_mutex_lock(&t->lock);
    bool is_shared = n->opens > 1;
    pthread_mutex_unlock(&t->lock);
    return is_shared;
}

bool node_any_open(struct node_table *t)
{
    pthread_mutex_lock(&t->lock);
    bool any = t->count > 0 || t->store->memory->process > 1; /* what was open when that one died, may still be */
    pthread_mutex_unlock(&t->lock);
    return any;
}

static void release_held(struct node_table *t, uint64_t id)
{
    struct err err = {0};
    if (posix_release(t->store->fs, t->store->memory->session, &id, 1, &err) < 0)
        log_warn("mount", "a file unlinked while open is not removed yet: inode=%" PRIu64 " err=%s", id, err.text);
}

static uint32_t namings_locked(struct node_table *t, uint64_t id)
{
    const struct node *n = *slot_of(t, id);
    return n ? n->namings : 0;
}

uint32_t node_namings(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    uint32_t namings = namings_locked(t, id);
    pthread_mutex_unlock(&t->lock);
    return namings;
}

void node_named(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    n->namings++;
    n->is_held = false;
    pthread_mutex_unlock(&t->lock);
}

void node_held(struct node_table *t, uint64_t id, uint32_t namings)
{
    pthread_mutex_lock(&t->lock);
    struct node *n = *slot_of(t, id);
    bool open = is_open_locked(t, id), was_named = namings != namings_locked(t, id);
    if (n && !was_named)
        n->is_held = true; /* one that is not loaded is told by its attributes */
    pthread_mutex_unlock(&t->lock);
    if (!open)
        release_held(t, id);
}

static void node_remember(struct node *n, const struct posix_attr *attr)
{
    n->size = n->saved_size = (int64_t)attr->size;
    n->saved_mtime_ns = attr->mtime_ns;
    n->saved_ctime_ns = attr->ctime_ns;
    n->replication = attr->replication;
    bool is_short = attr->block_bytes > 0 && attr->block_bytes < EDIT_CLEAN_MAX_BYTES;
    n->block_bytes = is_short ? (int64_t)attr->block_bytes : EDIT_CLEAN_MAX_BYTES;
}

/* While nobody has it open, whether its bytes are on the disks is remembered here. */
static void unsynced_note_locked(struct node_table *t, const struct node *n)
{
    uint64_t *slot = &t->unsynced[n->id % UNSYNCED_SLOTS];
    if (n->is_unsynced)
        *slot = n->id;
    else if (*slot == n->id)
        *slot = 0;
}

static void note_privileges(struct node *n, const struct posix_attr *attr)
{
    if (attr->mode & (S_ISUID | S_ISGID))
        n->may_be_setid = true;
    if (attr->has_xattrs)
        n->may_be_capable = true;
}

static struct node *node_new(const struct posix_attr *attr)
{
    struct node *n = mem_new(struct node);
    n->id = attr->id;
    snprintf(n->path, sizeof n->path, "/.reserved/.inodes/%" PRIu64, attr->id);
    n->unsaved_size = n->appended_from = -1;
    n->is_held = attr->nlink == 0;
    pthread_rwlock_init(&n->lock, NULL);
    pthread_mutex_init(&n->locks_lock, NULL);
    node_remember(n, attr);
    note_privileges(n, attr);
    return n;
}

/* The count is the keeper's, if it has room, so that it is right after a process died. */
static uint32_t count_opens(struct node_table *t, struct node *n, int change)
{
    uint32_t opens;
    if (!keeper_count_open(t->store->memory, n->id, change, &opens)) {
        opens = change < 0 && n->opens == 0 ? 0 : n->opens + (uint32_t)change;
        if (change > 0)
            t->store->memory->has_uncounted = true;
    }
    n->opens = opens;
    return opens;
}

/* All handles together hold one reference. */
static void hold_for_handles(struct node *n)
{
    n->refs += n->is_counted ? 0 : 1;
    n->is_counted = true;
}

static bool claim_left(struct node_table *t, uint64_t id)
{
    pthread_mutex_lock(&t->lock);
    size_t i = 0;
    while (i < t->left_count && t->left[i] != id)
        i++;
    bool found = i < t->left_count;
    if (found)
        t->left[i] = t->left[--t->left_count];
    pthread_mutex_unlock(&t->lock);
    return found;
}

/* Whoever comes meanwhile waits for the node's lock. */
static void take_up_left(struct node_table *t, struct node *n)
{
    struct err err = {0};
    if (!t->left_count)
        return;
    pthread_rwlock_wrlock(&n->lock);
    bool is_left = claim_left(t, n->id);
    if (is_left && node_resume(t->store, n, &err) < 0)
        log_error("mount", "what was staged before a process died cannot be read: inode=%" PRIu64 " err=%s", n->id,
                  err.text);
    pthread_rwlock_unlock(&n->lock);
    if (is_left)
        node_keep(t, n);
}

struct node *node_of_attr(struct node_table *t, const struct posix_attr *attr, struct known_since since)
{
    struct node *n = node_get(t, attr->id), *fresh = n ? NULL : node_new(attr);
    if (fresh) {
        pthread_mutex_lock(&t->lock);
        n = get_locked(t, attr->id);
        if (!n) {
            n = fresh;
            n->refs = 1;
            n->is_unsynced = t->unsynced[n->id % UNSYNCED_SLOTS] == n->id;
            *slot_of(t, attr->id) = n;
            t->count++;
            if (count_opens(t, n, 0) > 0) /* by a process before this one */
                hold_for_handles(n);
        }
        pthread_mutex_unlock(&t->lock);
    }
    if (fresh && n != fresh)
        node_free(fresh);
    if (n != fresh)
        node_look(n, attr);
    else if (known_names_were_noted(t->store->known, since, n->id, NULL)) /* from here on it would be told */
        n->is_stale = n->may_be_setid = n->may_be_capable = true;
    take_up_left(t, n);
    return n;
}

int node_need(struct node_table *t, uint64_t id, struct node **ret, struct err *reterr)
{
    AUTO_ARENA(a, 1 << 20);
    struct posix_attr attr;
    *ret = node_get(t, id);
    struct known_since since = known_names_now(t->store->known);
    int rc = *ret ? 0 : posix_getattr(t->store->fs, id, &a, &attr, reterr);
    if (*ret)
        take_up_left(t, *ret);
    if (rc == 0 && !*ret) {
        *ret = node_of_attr(t, &attr, since);
        node_note_lock(*ret, true); /* whoever had it open before may have had locks */
        node_note_lock(*ret, false);
    }
    return rc;
}

void node_look(struct node *n, const struct posix_attr *attr)
{
    pthread_rwlock_wrlock(&n->lock);
    if (!n->writer && !n->is_edited &&
        ((uint64_t)n->saved_size != attr->size || n->saved_mtime_ns != attr->mtime_ns ||
         n->saved_ctime_ns != attr->ctime_ns))
        n->is_stale = true; /* it may be the attributes that are old: a save may have come between */
    pthread_rwlock_unlock(&n->lock);
    note_privileges(n, attr);
}

/* Written here, so by nobody else, since the version that the kernel has pages of? It has in them what it is about to
 * write before it says so: taken from it then, it would ask for them as far as the file went, and have zeros behind
 * that. */
static bool is_written_since(struct node *n, const struct version *v)
{
    pthread_rwlock_rdlock(&n->lock);
    bool yes = n->writer && v->id == n->id && v->mtime_ns == n->saved_mtime_ns && v->ctime_ns == n->saved_ctime_ns;
    pthread_rwlock_unlock(&n->lock);
    return yes;
}

bool node_is_same_version(struct node_table *t, struct node *n, const struct posix_attr *attr)
{
    struct version now = {attr->id, attr->size, attr->mtime_ns, attr->ctime_ns};
    pthread_mutex_lock(&t->lock);
    struct version *v = &t->versions[attr->id % VERSION_SLOTS], kept = *v;
    pthread_mutex_unlock(&t->lock);
    if (memcmp(&kept, &now, sizeof now) == 0 || is_written_since(n, &kept))
        return true;
    pthread_mutex_lock(&t->lock);
    *v = now;
    pthread_mutex_unlock(&t->lock);
    return false;
}

static void keep_locked(struct node_table *t, struct node *n)
{
    t->kept += n->is_kept ? 0 : 1;
    n->refs += n->is_kept ? 0 : 1;
    n->is_kept = true;
    pthread_cond_broadcast(&t->kept_more);
}

/* What is not saved has a handle, which holds it, unless those were too many to be counted over a death. */
void node_put(struct node_table *t, struct node *n)
{
    if (n->was_changed && atomic_exchange(&n->was_changed, false))
        known_names_inode_changed(t->store->known, n->id);
    pthread_mutex_lock(&t->lock);
    if (n->refs == 1 && n->unsaved_size >= 0 && !n->is_held)
        keep_locked(t, n);
    bool last = --n->refs == 0;
    if (last) {
        *slot_of(t, n->id) = n->next;
        t->count--;
        unsynced_note_locked(t, n);
    }
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    first_block_give_back(t->store, n);
    node_free(n);
}

void node_opened(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    count_opens(t, n, 1);
    hold_for_handles(n);
    pthread_mutex_unlock(&t->lock);
}

/* A held file goes. Locks that belong to an open file, and not to a process, end with it: the kernel does not say so.
 * Who opens the file now and locks it must not lose that again. */
static void end_locks(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&n->locks_lock);
    pthread_mutex_lock(&t->lock);
    bool reopened = n->opens > 0;
    pthread_mutex_unlock(&t->lock);
    if (!reopened && (n->is_held || n->has_range_locks || n->has_whole_locks)) {
        release_held(t, n->id);
        n->has_range_locks = n->has_whole_locks = false;
        pthread_mutex_lock(&t->store->held_lock);
        held_locks_end_file(&t->store->memory->locks, n->id);
        pthread_mutex_unlock(&t->store->held_lock);
    }
    pthread_mutex_unlock(&n->locks_lock);
}

static bool is_gone(struct node_table *t, uint64_t id)
{
    AUTO_ARENA(a, 1 << 20);
    struct posix_attr attr;
    return posix_getattr(t->store->fs, id, &a, &attr, NULL) == ERR_STALE;
}

int node_settle(struct node_table *t, struct node *n, struct err *reterr)
{
    int rc = n->is_held ? 0 : node_save(t->store, n, reterr);
    bool is_lost = n->is_held || (rc < 0 && is_gone(t, n->id));
    if (is_lost)
        node_forget(n);
    end_locks(t, n);
    return is_lost ? 0 : rc;
}

void node_released(struct node_table *t, struct node *n)
{
    struct err err = {0};
    pthread_mutex_lock(&t->lock);
    bool last = count_opens(t, n, -1) == 0, was_counted = last && n->is_counted;
    n->is_counted = n->is_counted && !last;
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    if (node_settle(t, n, &err) < 0) {
        log_error("mount", "a file could not be saved after its last close, and stays staged: inode=%" PRIu64 " err=%s",
                  n->id, err.text);
        node_keep(t, n);
    } else {
        node_unkeep(t, n);
    }
    if (was_counted)
        node_put(t, n);
}

/* ---- what could not be saved ---- */

void node_keep(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    keep_locked(t, n);
    pthread_mutex_unlock(&t->lock);
}

void node_unkeep(struct node_table *t, struct node *n)
{
    pthread_mutex_lock(&t->lock);
    bool was_kept = n->is_kept;
    t->kept -= was_kept;
    n->is_kept = false;
    pthread_mutex_unlock(&t->lock);
    if (was_kept)
        node_put(t, n);
}

bool node_is_kept(struct node_table *t, const struct node *n, bool *ret_open)
{
    pthread_mutex_lock(&t->lock);
    bool kept = n->is_kept;
    *ret_open = n->opens > 0;
    pthread_mutex_unlock(&t->lock);
    return kept;
}

size_t node_kept(struct node_table *t)
{
    pthread_mutex_lock(&t->lock);
    size_t count = t->kept + t->left_count;
    pthread_mutex_unlock(&t->lock);
    return count;
}

void node_wait_kept(struct node_table *t, const _Atomic bool *is_ending, size_t kept, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    pthread_mutex_lock(&t->lock);
    while (!*is_ending && t->kept + t->left_count <= kept && (kept == 0 || clock_mono_ms() < until_ms))
        if (kept == 0)
            pthread_cond_wait(&t->kept_more, &t->lock);
        else
            pthread_cond_clockwait(&t->kept_more, &t->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&t->lock);
}

void node_wake_waiter(struct node_table *t, _Atomic bool *is_ending)
{
    pthread_mutex_lock(&t->lock);
    *is_ending = true;
    pthread_cond_broadcast(&t->kept_more);
    pthread_mutex_unlock(&t->lock);
}

size_t node_left(struct node_table *t, uint64_t **ret)
{
    pthread_mutex_lock(&t->lock);
    size_t count = t->left_count;
    *ret = mem_calloc(count + 1, sizeof **ret);
    if (count)
        memcpy(*ret, t->left, count * sizeof **ret);
    pthread_mutex_unlock(&t->lock);
    return count;
}

void node_drop_left(struct node_table *t, uint64_t id)
{
    if (claim_left(t, id))
        staging_area_discard(t->store->staging, id);
}

void node_invalidate(struct node_table *t, uint64_t id, bool content)
{
    struct node *n = node_get(t, id);
    if (!n)
        return;
    if (content)
        n->is_stale = true;
    n->may_be_setid = n->may_be_capable = true;
    new_attributes_outdated(n);
    node_put(t, n);
}

void node_each(struct node_table *t, void (*fn)(struct node *n, void *arg), void *arg)
{
    for (size_t i = 0; i < NODE_SLOTS; i++) {
        pthread_mutex_lock(&t->lock);
        struct node *n = t->slots[i];
        if (n)
            n->refs++;
        pthread_mutex_unlock(&t->lock);
        while (n) {
            fn(n, arg);
            pthread_mutex_lock(&t->lock);
            struct node *next = n->next; /* n is in the chain as long as it has a reference */
            if (next)
                next->refs++;
            pthread_mutex_unlock(&t->lock);
            node_put(t, n);
            n = next;
        }
    }
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
                n->refs++;
            pthread_mutex_unlock(&t->lock);
            if (!n)
                break;
            struct err err = {0};
            int rc = node_save(t->store, n, &err);
            if (rc < 0) {
                log_error("mount", "not saved at unmount, stays staged: inode=%" PRIu64 " err=%s", n->id, err.text);
                n->unsaved_size = -1;
                failed++;
            }
            node_put(t, n);
        }
    }
    return failed;
}
