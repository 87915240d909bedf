/* How a file's pieces (blocks and holes) have to change so that it becomes what was written: which pieces go, and how
 * the bytes in their place are cut into new blocks and holes. Decides only; edit.c does it.
 *
 * A block that is touched is cut at multiples of a unit: units with changed bytes become blocks of their own, so that
 * the next change near by writes little, and what lies between them is kept together. A whole unit without data becomes
 * a hole. A file that grows in small steps has its last, short block written anew until that is a unit long. */
#ifndef CAIRN_FUSE_POSIX_EDIT_PLAN_H
#define CAIRN_FUSE_POSIX_EDIT_PLAN_H

#include "fuse/posix/extents.h"

#define EDIT_UNIT_MIN_BYTES  ((int64_t)256 << 10)
#define EDIT_UNIT_MAX_BYTES  ((int64_t)4 << 20)
#define EDIT_CLEAN_MAX_BYTES ((int64_t)16 << 20) /* unchanged bytes that are kept together when a block is cut */

struct piece {
    int64_t length;           /* bytes, > 0 */
    uint64_t block_id, stamp; /* block_id 0: a hole, or one that is still to be written */
    bool is_hole;
};
static inline bool piece_is_unwritten(const struct piece *p)
{
    return !p->is_hole && !p->block_id;
}

struct edit_span {
    size_t index, old_count; /* pieces that go */
    int64_t start;           /* offset of the first one, and of the first new piece */
    struct piece *new;
    size_t new_count, new_capacity;
};

struct edit_plan { /* {0} is empty */
    struct edit_span *spans;
    size_t count, capacity;
    int64_t shift;   /* what is to be written comes from so many bytes before its place */
    uint64_t stream; /* 0, or the session whose lost stream is whole with that: see posix_data.h */
};

/* A power of two between the bounds: a file of any size becomes at most some hundreds of pieces, unless it is huge. */
int64_t edit_unit(int64_t size);

/* pieces: of the file as it is. size: as it is to be; extents reach no further. block_bytes: the file's, no block may
 * be longer. */
void edit_plan_make(const struct piece *pieces, size_t count, const struct extents *changed, int64_t size, int64_t unit,
                    int64_t block_bytes, struct edit_plan *ret);
/* The other way to change a file: these pieces, which have their blocks already, lie over what is there from `at` on. A
 * piece that is only covered in part has its rest written anew. */
void edit_plan_put(const struct piece *pieces, size_t count, int64_t at, const struct piece *put, size_t put_count,
                   struct edit_plan *ret);
/* What was appended, from `from` to `end` as it was written, goes behind the last piece. */
void edit_plan_append(const struct piece *pieces, size_t count, int64_t from, int64_t end, int64_t block_bytes,
                      struct edit_plan *ret);
int64_t
edit_plan_upload_bytes(const struct edit_plan *plan); /* of its new pieces, those that are still to be written */
void edit_plan_free(struct edit_plan *plan);

#endif
