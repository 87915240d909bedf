/* Goes over operands and, if asked, below them: what each command does per path stands in the hooks. A path that fails
 * is reported and the others go on. Directories are read page by page; only sorted ones are held whole. */
#ifndef CAIRN_CLIENT_FS_WALK_H
#define CAIRN_CLIENT_FS_WALK_H

#include "client/fs/item.h"

struct walk {
    struct shell *sh;
    void *context; /* the command's own */
    bool recursive;
    bool sorted;  /* hold and sort each directory */
    size_t group; /* entries handed to on_group at a time; 0 => one */
    int depth;    /* 0 for operands */
    /* All may be NULL but on_path. */
    int (*on_argument)(struct walk *w, struct item *it, struct err *reterr); /* default: walk_item */
    int (*on_missing)(struct walk *w, struct item *it, struct err *reterr);  /* default: "No such file or directory" */
    void (*on_group)(struct walk *w, const struct item *parent, struct item *items, size_t count); /* may reorder */
    int (*on_path)(struct walk *w, struct item *it, struct err *reterr);
    int (*on_descend)(struct walk *w, struct item *it, struct err *reterr); /* default: walk_children */
    int (*after_path)(struct walk *w, struct item *it, struct err *reterr);
};

/* Expands and walks all operands. */
int walk_args(struct walk *w, struct args *args, struct err *reterr) MUST_CHECK;
/* Expands all operands into sh->arena; for commands that look at them together first. Failures are reported; only
 * misuse is returned. */
int walk_expand(struct shell *sh, struct args *args, struct item **ret, size_t *ret_count,
                struct err *reterr) MUST_CHECK;
int walk_items(struct walk *w, struct item *items, size_t count, struct err *reterr) MUST_CHECK;
/* on_path, below it if recursive, after_path. */
int walk_item(struct walk *w, struct item *it, struct err *reterr) MUST_CHECK;
/* A group: on_group, then walk_item for each, failures reported. */
int walk_group(struct walk *w, const struct item *parent, struct item *items, size_t count,
               struct err *reterr) MUST_CHECK;
int walk_children(struct walk *w, struct item *dir, struct err *reterr) MUST_CHECK;

#endif
