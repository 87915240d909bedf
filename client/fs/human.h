/* Numbers, permissions and tables the way Hadoop's shell prints them. Any thread may call. */
#ifndef CAIRN_CLIENT_FS_HUMAN_H
#define CAIRN_CLIENT_FS_HUMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/lib/dfs.h"
#include "common/arena.h"

#define HUMAN_MAX 64

/* Fixed-point as Java's Formatter writes it: the shortest decimal that reads back as `value`, rounded half up. */
const char *human_fixed(double value, int decimals, char out[HUMAN_MAX]);
/* 1536 -> "1.5 K" (unit "", 1 decimal), "1.50 KB" (unit "B", 2 decimals). */
const char *human_prefixed(int64_t n, const char *unit, int decimals, char out[HUMAN_MAX]);
/* "1.5 K" if human, else "1536". */
const char *human_size(int64_t n, bool human, char out[HUMAN_MAX]);
const char *human_bytes(int64_t n, char out[HUMAN_MAX]);                       /* "1.50 KB" */
const char *human_percent(double fraction, int decimals, char out[HUMAN_MAX]); /* "12.50%", "NaN%" */
/* "50t", "5m", "12": a number with an optional binary prefix. 0 or ERR_ILLEGAL_ARGUMENT. */
int human_parse_prefixed(const char *text, int64_t *ret, struct err *reterr) MUST_CHECK;

/* "rwxr-xr-x", with t or T for the sticky bit. */
const char *mode_symbols(uint16_t mode, char out[10]);

/* A table whose columns are as wide as their widest cell. Rows are kept until it is printed. */
struct table {
    struct arena arena;
    const char **cells;
    size_t rows, rows_max, columns;
    bool right[8]; /* columns that are aligned right */
    bool header;   /* the first row is a header; a table of nothing else is not printed */
};
void table_init(struct table *t, size_t columns);
void table_row(struct table *t, const char *const *cells);
void table_print(struct table *t, FILE *to); /* and frees it */

#endif
