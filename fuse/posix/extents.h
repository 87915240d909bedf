/* Which bytes of a file are changed and not saved yet: ordered ranges that do not touch each other unless their kinds
 * differ. The bytes themselves are elsewhere (staging.h); a range of zeros has none. Not thread-safe. */
#ifndef CAIRN_FUSE_POSIX_EXTENTS_H
#define CAIRN_FUSE_POSIX_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
    int64_t start, end; /* bytes; end is behind the last one */
    bool is_zero;
};

struct extents { /* {0} is empty */
    struct extent *items;
    size_t count, capacity;
    int64_t data_bytes; /* of those that are not zero */
};

/* What was there in the range before is replaced. */
void extents_add(struct extents *e, int64_t start, int64_t end, bool is_zero);
void extents_remove(struct extents *e, int64_t start, int64_t end); /* nothing in the range */
void extents_cut(struct extents *e, int64_t size);                  /* nothing at and behind size */
void extents_clear(struct extents *e);                              /* and frees */
static inline int64_t extents_end(const struct extents *e)          /* of the last one; 0: there is none */
{
    return e->count ? e->items[e->count - 1].end : 0;
}
/* The first one that ends behind offset; NULL: none. Valid until the next change. */
const struct extent *extents_from(const struct extents *e, int64_t offset);

#endif
