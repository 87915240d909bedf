/* The two halves of the exerciser: files with their bytes, and a tree of names. Each does an operation on the file
 * system and on a model in memory and compares. Not for several threads. */
#ifndef CAIRN_TESTS_POSIX_EXERCISER_MODEL_H
#define CAIRN_TESTS_POSIX_EXERCISER_MODEL_H

#include "op.h"

/* Where it happens: one folder, or the same one seen through two mounts. */
struct place {
    const char *sides[2];
    unsigned side_count;
};

/* What is wrong, in words; empty while nothing is. */
struct finding {
    char text[400];
};
bool found(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3))); /* true */

/* ---- bytes ---- */
struct files;
struct files *files_open(const struct place *place, const struct op_limits *limits, struct finding *ret_finding);
void files_do(struct files *files, const struct op *op, struct finding *ret_finding);
void files_check_all(struct files *files, struct finding *ret_finding);
void files_close(struct files *files); /* NULL is fine */

/* ---- names ---- */
enum { TREE_PATHS = 5 + 5 * 5 + 5 * 5 * 5 }; /* a, .. e; a/a, ..; a/a/a, .. */
struct tree;
struct tree *tree_open(const struct place *place, struct finding *ret_finding);
void tree_do(struct tree *tree, const struct op *op, struct finding *ret_finding);
void tree_check_all(struct tree *tree, struct finding *ret_finding);
void tree_close(struct tree *tree);

#endif
