/* The output of a map that reduces will fetch: collected, partitioned, sorted, combined and spilled in bounded memory,
 * and in the end one run file. One thread (a combiner gets a feeding thread of its own while it runs). */
#ifndef CAIRN_SCHEDULER_ENGINE_MAP_OUTPUT_H
#define CAIRN_SCHEDULER_ENGINE_MAP_OUTPUT_H

#include "scheduler/engine/partition.h"
#include "scheduler/engine/run_file.h"
#include "scheduler/engine/task.h"

struct map_output;
/* dir: must exist; spills go there, and dir/file.out in the end. */
int map_output_new(struct task *t, const char *dir, struct map_output **ret, struct err *reterr) MUST_CHECK;
int map_output_add(struct map_output *o, const struct record *r, struct err *reterr) MUST_CHECK;
int map_output_finish(struct map_output *o, struct err *reterr) MUST_CHECK; /* o is still to be freed */
void map_output_free(struct map_output *o);                                 /* NULL is fine; removes spills */

#endif
