/* One part-NNNNN of a job's output, written into the attempt's own folder under OUTPUT/_temporary/0; the scheduler
 * moves the folder of the attempt that won into place when the whole job is done. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_PART_FILE_H
#define CAIRN_SCHEDULER_ENGINE_PART_FILE_H

#include "scheduler/engine/task.h"

struct part_file;
/* Created at once, or with -lazyOutput at the first byte. */
int part_file_new(struct task *t, struct part_file **ret, struct err *reterr) MUST_CHECK;
int part_file_write(struct part_file *p, const void *bytes, size_t len, struct err *reterr) MUST_CHECK;
/* Ends the last line if the command has not, closes the file. Frees p in any case. */
int part_file_finish(struct part_file *p, struct err *reterr) MUST_CHECK;
void part_file_abort(struct part_file *p); /* NULL is fine */

/* A command's stdout into p until its end; counts lines as `records`. */
struct stream_child;
int part_file_copy(struct part_file *p, struct stream_child *child, enum counter_index records,
                   struct err *reterr) MUST_CHECK;

#endif
