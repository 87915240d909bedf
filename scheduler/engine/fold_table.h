/* Adds values of equal keys up in bounded memory: a hash table that hands its records on when it is full. One thread.
 */
#ifndef CAIRN_SCHEDULER_ENGINE_FOLD_TABLE_H
#define CAIRN_SCHEDULER_ENGINE_FOLD_TABLE_H

#include "common/buf.h"

struct fold_table;
typedef void fold_add(void *into, const void *from);
typedef void fold_give(void *context, struct slice key, struct slice value);

struct fold_table *fold_table_new(size_t memory_bytes, size_t value_bytes, fold_add *add, fold_give *give,
                                  void *give_context);
void fold_table_free(struct fold_table *t);
/* key.base: never NULL. value: value_bytes of them. A key that is too large for the table is handed on at once. */
void fold_table_add(struct fold_table *t, struct slice key, const void *value);
void fold_table_empty(struct fold_table *t); /* hands all on */

#endif
