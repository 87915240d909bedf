/* Commands with a destination (put, get, cp, mv): where each source goes, Hadoop's rules for what may be there already,
 * and the copy itself: bytes go to `name._COPYING_`, which takes the final name when it is complete. */
#ifndef CAIRN_CLIENT_FS_COPY_H
#define CAIRN_CLIENT_FS_COPY_H

#include "client/fs/progress.h"
#include "client/fs/walk.h"

struct copy_pool;

struct copy {
    struct walk walk; /* context = this; on_argument and on_descend are copy_argument and copy_descend */
    struct item dst;  /* of the level being walked */
    bool overwrite, direct, lazy, side_files;
    bool keep_times, keep_owner, keep_permission, keep_acl, keep_xattrs;
    int threads; /* files copied at once */
    /* What is done with one source and its target; default copy_path. */
    int (*on_pair)(struct copy *c, struct item *src, struct item *target, struct err *reterr);
    struct copy_pool *pool;
    struct progress *progress;
};

void copy_init(struct copy *c, struct shell *sh);
/* The last operand as destination: a cluster path (a pattern must match one) or a local one; "." when it is the only.
 */
int copy_destination(struct copy *c, struct args *args, struct err *reterr) MUST_CHECK;
int copy_local_destination(struct copy *c, struct args *args, struct err *reterr) MUST_CHECK;
/* Checks the destination against the number of sources, then walks them; waits for all copies. */
int copy_run(struct copy *c, struct item *sources, size_t count, struct err *reterr) MUST_CHECK;
int copy_target(struct copy *c, const struct item *src, struct arena *a, struct item *ret,
                struct err *reterr) MUST_CHECK;
/* Standard input (or any source) into target; length -1: unknown. */
int copy_stream(struct copy *c, struct source *in, const char *name, int64_t length, struct item *target,
                struct err *reterr) MUST_CHECK;
int copy_path(struct copy *c, struct item *src, struct item *target, struct err *reterr) MUST_CHECK;
/* All of `in` into `out`. */
int copy_bytes(struct source *in, struct sink *out, struct progress *p, struct err *reterr) MUST_CHECK;
/* "7", "" and NULL as -t gives them. */
int copy_threads(struct shell *sh, const char *text, int *ret, struct err *reterr) MUST_CHECK;
struct source *source_stdin(void);

#endif
