#include "fuse/posix/held_locks.h"

#include <stdlib.h>

#include "common/mem.h"

static void add(struct held_locks *h, const struct posix_lock *lock)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 4;
        h->items = mem_realloc_array(h->items, h->capacity, sizeof *h->items);
    }
    h->items[h->count++] = *lock;
}

static bool is_replaced(const struct posix_lock *there, const struct posix_lock *by)
{
    return there->owner == by->owner && there->whole == by->whole && there->start <= by->end && there->end >= by->start;
}

void held_locks_set(struct held_locks *h, const struct posix_lock *lock)
{
    for (size_t i = 0; i < h->count;) {
        struct posix_lock there = h->items[i], left = there, right = there;
        if (!is_replaced(&there, lock)) {
            i++;
            continue;
        }
        h->items[i] = h->items[--h->count];
        if (there.start < lock->start) {
            left.end = lock->start - 1;
            add(h, &left);
        }
        if (there.end > lock->end) {
            right.start = lock->end + 1;
            add(h, &right);
        }
    }
    if (lock->type != POSIX_LOCK_NONE)
        add(h, lock);
}

void held_locks_clear(struct held_locks *h)
{
    free(h->items);
    *h = (struct held_locks){0};
}
