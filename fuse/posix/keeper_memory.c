#include "fuse/posix/keeper_memory.h"

#include <stddef.h>
#include <sys/mman.h>

struct keeper_memory *keeper_memory_new(void)
{
    void *p = mmap(NULL, sizeof(struct keeper_memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p; /* pages that nobody touches cost nothing */
}

/* Open addressing. A place stays with its inode, at 0 too, until another needs it: so searches end at a free one. */
bool keeper_count_open(struct keeper_memory *k, uint64_t inode, int change, uint32_t *ret)
{
    size_t unused = KEEPER_OPENS_MAX;
    for (size_t i = 0; i < KEEPER_OPENS_MAX; i++) {
        size_t at = (inode + i) % KEEPER_OPENS_MAX;
        uint64_t there = k->opens[at].inode;
        if (there && there != inode && k->opens[at].opens == 0 && unused == KEEPER_OPENS_MAX)
            unused = at;
        if (there && there != inode)
            continue;
        if (!there && unused != KEEPER_OPENS_MAX)
            at = unused;
        if (!there && change <= 0)
            return false;
        k->opens[at].inode = inode;
        uint32_t opens = k->opens[at].opens;
        if (change > 0 || opens > 0)
            opens += (uint32_t)change;
        k->opens[at].opens = opens;
        *ret = opens;
        return true;
    }
    return false;
}
