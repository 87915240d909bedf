#include "fuse/posix/held_locks.h"

static void add(struct held_locks *h, const struct posix_lock *lock)
{
    if (h->count == HELD_LOCKS_MAX)
        return;
    h->items[h->count] = *lock;
    h->count++;
}

static void drop(struct held_locks *h, uint32_t index)
{
    h->items[index] = h->items[h->count - 1];
    h->count--;
}

static bool is_replaced(const struct posix_lock *there, const struct posix_lock *by)
{
    return there->id == by->id && there->owner == by->owner && there->whole == by->whole && there->start <= by->end &&
           there->end >= by->start;
}

/* What is left on both sides is there before what it is left of goes. */
void held_locks_set(struct held_locks *h, const struct posix_lock *lock)
{
    for (uint32_t i = 0, end = h->count; i < end;) {
        struct posix_lock there = h->items[i], left = there, right = there;
        if (!is_replaced(&there, lock)) {
            i++;
            continue;
        }
        left.end = lock->start - 1;
        right.start = lock->end + 1;
        if (there.start < lock->start)
            add(h, &left);
        if (there.end > lock->end)
            add(h, &right);
        drop(h, i);
        end = h->count < end ? h->count : end;
    }
    if (lock->type != POSIX_LOCK_NONE)
        add(h, lock);
}

bool held_locks_have(const struct held_locks *h, const struct posix_lock *lock)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const struct posix_lock *l = &h->items[i];
        if (is_replaced(l, lock) && l->start == lock->start && l->end == lock->end && l->type == lock->type)
            return true;
    }
    return false;
}

bool held_locks_owner(const struct held_locks *h, uint64_t inode, uint64_t handle, uint64_t *ret)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const struct posix_lock *l = &h->items[i];
        if (l->id == inode && !l->whole && l->handle == handle) {
            *ret = l->owner;
            return true;
        }
    }
    return false;
}

void held_locks_end_file(struct held_locks *h, uint64_t inode)
{
    for (uint32_t i = 0; i < h->count;)
        if (h->items[i].id == inode)
            drop(h, i);
        else
            i++;
}
