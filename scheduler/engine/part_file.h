/* One part-NNNNN of a job's output, written into the attempt's own folder under OUTPUT/_temporary/0; the scheduler
 * moves the folder of the attempt that won into place when the whole job is done. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_PART_FILE_H
#define CAIRN_SCHEDULER_ENGINE_PART_FILE_H

#include "scheduler/engine/program.h"

#define PART_FILE_NAME "part-%05u%s"                          /* partition, suffix */
const char *part_file_suffix(const Cairn__JobSpecProto *job); /* "" or that of the output's compression, like ".gz" */

/* Whether the output is the program's bytes as they come (struct program_use): text without settings that look into it.
 */
bool part_file_takes_bytes(const Cairn__JobSpecProto *job);
/* All that a program gives, in the job's output format, until its end; counts records. The file is created at once, or
 * with -lazyOutput at the first byte. */
int part_file_take(struct task *t, struct program *program, enum counter_index records, struct err *reterr) MUST_CHECK;

#endif
