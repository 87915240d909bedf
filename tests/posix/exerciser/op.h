/* Operations of the exerciser as data: drawn from a seed, written as lines of text and read back, so that a sequence
 * that failed can be run again and cut shorter. Any operation may come in any state: one that has nothing to do does
 * nothing. */
#ifndef CAIRN_TESTS_POSIX_EXERCISER_OP_H
#define CAIRN_TESTS_POSIX_EXERCISER_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// clang-format off
/* kind, name in a log, how often it is drawn */
#define FILE_OPS(X) \
    X(WRITE, "write", 16) X(APPEND, "append", 4) X(READ, "read", 12) X(TRUNCATE, "truncate", 5) \
    X(ALLOCATE, "allocate", 2) X(KEEP, "keep", 1) X(PUNCH, "punch", 4) X(ZERO, "zero", 2) \
    X(MAP_READ, "mapread", 6) X(MAP_WRITE, "mapwrite", 10) X(SYNC, "sync", 1) X(DATA_SYNC, "datasync", 1) \
    X(COPY, "copy", 4) X(REOPEN, "reopen", 3) X(CHECK, "check", 1) X(SEEK, "seek", 3)
#define NAME_OPS(X) \
    X(MAKE, "make", 10) X(MKDIR, "mkdir", 8) X(LINK, "link", 6) X(SYMLINK, "symlink", 3) X(RENAME, "rename", 10) \
    X(NOREPLACE, "noreplace", 3) X(EXCHANGE, "exchange", 4) X(UNLINK, "unlink", 8) X(RMDIR, "rmdir", 5) \
    X(LIST, "list", 1)
// clang-format on

#define OP_ENUM(kind, name, weight) OP_##kind,
enum op_kind { FILE_OPS(OP_ENUM) NAME_OPS(OP_ENUM) OP_KINDS };

/* Otherwise it is on names. */
static inline bool op_is_on_files(enum op_kind kind)
{
    return kind < OP_MAKE;
}

struct op {
    enum op_kind kind;
    unsigned file, other;        /* files: which one, and the target of a copy. Names: two paths, as numbers */
    uint64_t offset, length, to; /* to: where a copy goes */
    uint32_t seed;               /* of the bytes that are written, and of choices */
};

struct op_limits {
    unsigned files;  /* 0: no operations on files */
    unsigned paths;  /* 0: none on names */
    uint64_t size;   /* of a file, at most */
    uint64_t length; /* of one operation, at most */
    bool without[OP_KINDS];
};

/* splitmix64: the next number of the sequence that *state stands for. */
uint64_t random_next(uint64_t *state);

struct op op_draw(uint64_t *random, const struct op_limits *limits);
const char *op_name(enum op_kind kind);
/* OP_KINDS if there is none of that name. */
enum op_kind op_kind_named(const char *name);
void op_print(FILE *file, const struct op *op);
/* False at the end and, with a message on stderr, for a line that is no operation within the limits. */
bool op_parse(FILE *file, const struct op_limits *limits, struct op *ret_op);

#endif
