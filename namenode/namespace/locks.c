#include "namenode/namespace/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/id_map.h"

struct held { /* of one inode */
    uint64_t inode;
    struct file_lock *list; /* by start; flock's have the whole range */
    size_t count, capacity;
    struct held *next, **link; /* all inodes that have locks */
};
struct locks {
    struct id_map inodes; /* -> struct held */
    struct held *first;
    size_t count;
};

struct locks *locks_new(void)
{
    return mem_new(struct locks);
}

static void held_free(struct locks *l, struct held *h)
{
    id_map_remove(&l->inodes, h->inode);
    *h->link = h->next;
    if (h->next)
        h->next->link = h->link;
    free(h->list);
    free(h);
}

void locks_free(struct locks *l)
{
    if (!l)
        return;
    while (l->first)
        held_free(l, l->first);
    id_map_free(&l->inodes, NULL);
    free(l);
}

size_t locks_count(const struct locks *l)
{
    return l->count;
}

static bool is_same_owner(const struct file_lock *a, const struct file_lock *b)
{
    return a->session == b->session && a->owner == b->owner;
}

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
    return a->whole == b->whole && a->start <= b->end && b->start <= a->end;
}

static bool is_in_the_way(const struct file_lock *there, const struct file_lock *want)
{
    return want->type != LOCK_NONE && overlap(there, want) && !is_same_owner(there, want) &&
           (there->type == LOCK_EXCLUSIVE || want->type == LOCK_EXCLUSIVE);
}

bool locks_conflict(const struct locks *l, uint64_t inode, const struct file_lock *want, struct file_lock *ret)
{
    const struct held *h = id_map_get(&l->inodes, inode);
    for (size_t i = 0; h && i < h->count; i++)
        if (is_in_the_way(&h->list[i], want)) {
            *ret = h->list[i];
            return true;
        }
    return false;
}

/* ---- setting ---- */

static struct held *held_of(struct locks *l, uint64_t inode)
{
    struct held *h = id_map_get(&l->inodes, inode);
    if (h)
        return h;
    h = mem_new(struct held);
    h->inode = inode;
    h->next = l->first;
    h->link = &l->first;
    if (h->next)
        h->next->link = &h->next;
    l->first = h;
    id_map_put(&l->inodes, inode, h);
    return h;
}

static void append(struct held *h, struct file_lock lock)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? 2 * h->capacity : 4;
        h->list = mem_realloc_array(h->list, h->capacity, sizeof *h->list);
    }
    h->list[h->count++] = lock;
}

/* What is left of a lock of the same owner beside the range that is set now. */
static void append_rest(struct held *to, const struct file_lock *old, const struct file_lock *now)
{
    struct file_lock part = *old;
    if (old->start < now->start) {
        part.end = now->start - 1;
        append(to, part);
    }
    if (old->end > now->end) {
        part = *old;
        part.start = now->end + 1;
        append(to, part);
    }
}

static bool can_be_one(const struct file_lock *a, const struct file_lock *b)
{
    bool touch = a->start <= b->end || a->start - 1 == b->end;
    touch = touch && (b->start <= a->end || b->start - 1 == a->end);
    return a->whole == b->whole && a->type == b->type && is_same_owner(a, b) && touch;
}

static int by_start(const void *a, const void *b)
{
    const struct file_lock *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

int locks_set(struct locks *l, uint64_t inode, const struct file_lock *lock, struct err *reterr)
{
    struct held *h = held_of(l, inode), next = {0};
    struct file_lock now = *lock;
    for (size_t i = 0; i < h->count && lock->type != LOCK_NONE; i++) /* grows by what it can be one with */
        if (can_be_one(&h->list[i], &now)) {
            now.start = h->list[i].start < now.start ? h->list[i].start : now.start;
            now.end = h->list[i].end > now.end ? h->list[i].end : now.end;
        }
    for (size_t i = 0; i < h->count; i++)
        if (overlap(&h->list[i], &now) && is_same_owner(&h->list[i], &now))
            append_rest(&next, &h->list[i], &now);
        else
            append(&next, h->list[i]);
    if (lock->type != LOCK_NONE)
        append(&next, now);
    if (next.count > h->count && (next.count > LOCKS_PER_INODE_MAX || l->count + next.count - h->count > LOCKS_MAX)) {
        size_t of_inode = h->count;
        free(next.list);
        if (!of_inode)
            held_free(l, h);
        return err_posix(reterr, ENOLCK, "there are too many locks: %zu, of inode %llu %zu", l->count,
                         (unsigned long long)inode, of_inode);
    }
    if (next.count)
        qsort(next.list, next.count, sizeof *next.list, by_start);
    l->count = l->count - h->count + next.count;
    free(h->list);
    h->list = next.list;
    h->count = next.count;
    h->capacity = next.capacity;
    if (!h->count)
        held_free(l, h);
    return 0;
}

/* Takes a session's out of one inode's; true if there were some. */
static bool end_session_in(struct locks *l, struct held *h, uint64_t session)
{
    size_t kept = 0, before = h->count;
    for (size_t i = 0; i < before; i++)
        if (h->list[i].session != session)
            h->list[kept++] = h->list[i];
    h->count = kept;
    l->count -= before - kept;
    if (!kept)
        held_free(l, h);
    return kept < before;
}

bool locks_end_file(struct locks *l, uint64_t session, uint64_t inode)
{
    struct held *h = id_map_get(&l->inodes, inode);
    return h && end_session_in(l, h, session);
}

void locks_end_session(struct locks *l, uint64_t session, void (*on_freed)(void *context, uint64_t inode),
                       void *context)
{
    for (struct held *h = l->first, *next; h; h = next) {
        uint64_t inode = h->inode;
        next = h->next;
        if (end_session_in(l, h, session))
            on_freed(context, inode);
    }
}

/* ---- circles ---- */

/* Does `by` wait, over whatever others, for something that `owner` has? seen: those of `waiting` looked at already. */
static bool waits_for(const struct locks *l, const struct lock_wait *by, const struct file_lock *owner,
                      const struct lock_wait *waiting, size_t count, bool *seen, size_t *stack)
{
    size_t depth = 0;
    for (const struct lock_wait *at = by;;) {
        const struct held *h = id_map_get(&l->inodes, at->inode);
        for (size_t i = 0; h && i < h->count; i++) {
            const struct file_lock *there = &h->list[i];
            if (!is_in_the_way(there, &at->want))
                continue;
            if (at != by && is_same_owner(there, owner))
                return true;
            for (size_t k = 0; k < count; k++)
                if (!seen[k] && is_same_owner(&waiting[k].want, there)) {
                    seen[k] = true;
                    stack[depth++] = k;
                }
        }
        if (!depth)
            return false;
        at = &waiting[stack[--depth]];
    }
}

bool locks_deadlock(const struct locks *l, const struct lock_wait *want, const struct lock_wait *waiting, size_t count)
{
    if (want->want.whole || !count)
        return false;
    bool *seen = mem_calloc(count, sizeof *seen);
    size_t *stack = mem_calloc(count, sizeof *stack);
    bool found = waits_for(l, want, &want->want, waiting, count, seen, stack);
    free(seen);
    free(stack);
    return found;
}
