/* A file that says which name stands for which number, where the accounts of this machine do not:
 *     uid spark 185
 *     gid analysts 2000      # the rest of a line is a comment
 * What is not in it goes by the machine's accounts. */
#ifndef CAIRN_FUSE_ID_TABLE_H
#define CAIRN_FUSE_ID_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct id_table;
int id_table_load(const char *path, struct id_table **ret, struct err *reterr) MUST_CHECK;
void id_table_free(struct id_table *t); /* NULL is fine, also below: an empty one */
bool id_table_number(const struct id_table *t, bool group, const char *name, uint32_t *ret);
const char *id_table_name(const struct id_table *t, bool group, uint32_t number); /* NULL: not in it; borrowed */

#endif
