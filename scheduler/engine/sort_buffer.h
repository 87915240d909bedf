/* Records in one bounded block of memory: bytes grow from the front, one small entry per record from the back; sorting
 * moves only the entries. Order: partition, key bytes; equal keys in an order that depends on the input alone. One
 * thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_SORT_BUFFER_H
#define CAIRN_SCHEDULER_ENGINE_SORT_BUFFER_H

#include "scheduler/engine/run_file.h"

struct sort_buffer;
struct sort_buffer *sort_buffer_new(size_t bytes); /* at most 2 GiB; memory is touched only as it fills */
void sort_buffer_free(struct sort_buffer *s);

/* false: no room for it (sort, write out, clear, try again; if it is empty the record alone is too large). */
bool sort_buffer_add(struct sort_buffer *s, uint32_t partition, const struct record *r);
void sort_buffer_sort(struct sort_buffer *s);
void sort_buffer_clear(struct sort_buffer *s);
size_t sort_buffer_count(const struct sort_buffer *s);
/* After sorting: record i; borrowed until the next add or clear. */
struct record sort_buffer_at(const struct sort_buffer *s, size_t i, uint32_t *ret_partition);
/* After sorting: has some key more than one record? */
bool sort_buffer_repeats_a_key(const struct sort_buffer *s);

#endif
