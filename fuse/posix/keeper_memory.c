#include "fuse/posix/keeper_memory.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRUITLESS_MS  1000
#define FRUITLESS_MAX 10

static struct keeper_memory *map(int fd)
{
    void *p = mmap(NULL, sizeof(struct keeper_memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p; /* pages that nobody touches cost nothing */
}

struct keeper_memory *keeper_memory_new(void)
{
    int fd = memfd_create("cairn-mount", MFD_CLOEXEC);
    struct keeper_memory *k = fd >= 0 && ftruncate(fd, sizeof *k) == 0 ? map(fd) : NULL;
    if (k && getrandom(k->caller, sizeof k->caller, 0) == sizeof k->caller) {
        k->layout = KEEPER_LAYOUT;
        k->fd = fd;
        return k;
    }
    if (k)
        munmap(k, sizeof *k);
    if (fd >= 0)
        close(fd);
    return NULL;
}

struct keeper_memory *keeper_memory_map(int fd)
{
    struct stat st;
    bool fits = fstat(fd, &st) == 0 && st.st_size == sizeof(struct keeper_memory);
    struct keeper_memory *k = fits ? map(fd) : NULL;
    if (!k || k->layout == KEEPER_LAYOUT)
        return k;
    munmap(k, sizeof *k);
    return NULL;
}

/* ---- requests ---- */

static struct keeper_request *place_of(struct keeper_memory *k, uint64_t unique)
{
    for (size_t i = 0; i < KEEPER_REQUESTS_MAX; i++)
        if (k->requests[(unique + i) % KEEPER_REQUESTS_MAX].unique == unique)
            return &k->requests[(unique + i) % KEEPER_REQUESTS_MAX];
    return NULL;
}

static void give_up(struct keeper_request *r)
{
    r->done = 0;
    r->unique = 0;
}

void keeper_next_process(struct keeper_memory *k, int64_t now_ms)
{
    bool was_fruitless = k->process && !k->has_answered && now_ms - k->process_since_ms < FRUITLESS_MS;
    k->fruitless = was_fruitless ? k->fruitless + 1 : 0;
    k->process_since_ms = now_ms;
    k->has_answered = false;
    k->process++;
    for (size_t i = 0; i < KEEPER_REQUESTS_MAX; i++)
        if (k->requests[i].unique && k->requests[i].process + 1 < k->process)
            give_up(&k->requests[i]);
}

bool keeper_is_fruitless(const struct keeper_memory *k)
{
    return k->fruitless >= FRUITLESS_MAX;
}

struct keeper_request *keeper_request_taken(struct keeper_memory *k, uint64_t unique, bool is_again)
{
    struct keeper_request *r = is_again ? place_of(k, unique) : NULL;
    for (size_t i = 0; !r && i < KEEPER_REQUESTS_MAX; i++) {
        uint64_t none = 0;
        if (atomic_compare_exchange_strong(&k->requests[(unique + i) % KEEPER_REQUESTS_MAX].unique, &none, unique))
            r = &k->requests[(unique + i) % KEEPER_REQUESTS_MAX];
    }
    if (r)
        r->process = k->process;
    return r;
}

void keeper_request_answered(struct keeper_memory *k, uint64_t unique)
{
    struct keeper_request *r = place_of(k, unique);
    if (!k->has_answered)
        k->has_answered = true;
    if (r)
        give_up(r);
}

/* ---- appends ---- */

#define UNDER_WAY ((uint64_t)1 << 63)

void keeper_append_begins(struct keeper_request *r, uint64_t inode, int64_t end)
{
    r->inode = (uint32_t)inode;
    r->done = (uint64_t)end | UNDER_WAY;
}

void keeper_append_staged(struct keeper_request *r)
{
    r->done &= ~UNDER_WAY;
}

bool keeper_append_is_done(const struct keeper_request *r)
{
    uint64_t done = r->done;
    return done && !(done & UNDER_WAY);
}

void keeper_appends_settle(struct keeper_memory *k, uint64_t inode, int64_t end)
{
    for (size_t i = 0; i < KEEPER_REQUESTS_MAX; i++) {
        struct keeper_request *r = &k->requests[i];
        uint64_t done = r->done;
        if ((done & UNDER_WAY) && r->inode == (uint32_t)inode)
            r->done = (int64_t)(done & ~UNDER_WAY) <= end ? done & ~UNDER_WAY : 0;
    }
}

/* ---- handles ---- */

#define PLACES_TRIED 64

/* An inode's count is in one of a few places behind its own. A place at 0 is anybody's. */
_Atomic int32_t *keeper_backing(struct keeper_memory *k, uint64_t inode, uint32_t *ret_opens)
{
    for (size_t i = 0; i < PLACES_TRIED; i++) {
        size_t at = (inode + i) % KEEPER_OPENS_MAX;
        if (k->opens[at].inode == inode) {
            *ret_opens = k->opens[at].opens;
            return &k->opens[at].backing;
        }
    }
    return NULL;
}

bool keeper_count_open(struct keeper_memory *k, uint64_t inode, int change, uint32_t *ret)
{
    size_t found = KEEPER_OPENS_MAX;
    for (size_t i = 0; i < PLACES_TRIED; i++) {
        size_t at = (inode + i) % KEEPER_OPENS_MAX;
        if (k->opens[at].inode == inode) {
            found = at;
            break;
        }
        if (found == KEEPER_OPENS_MAX && k->opens[at].opens == 0)
            found = at;
    }
    bool is_there = found != KEEPER_OPENS_MAX && k->opens[found].inode == inode;
    if (found == KEEPER_OPENS_MAX || (!is_there && change <= 0))
        return false;
    uint32_t opens = is_there ? k->opens[found].opens : 0;
    if (change > 0 || opens > 0)
        opens += (uint32_t)change;
    k->opens[found].inode = inode;
    k->opens[found].opens = opens;
    *ret = opens;
    return true;
}
