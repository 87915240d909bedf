/* Files of a job that comes over REST: they are in the file system already. */
#ifndef CAIRN_SCHEDULER_MASTER_REST_FILES_H
#define CAIRN_SCHEDULER_MASTER_REST_FILES_H

#include <jansson.h>

#include "cairn/scheduler.pb-c.h"
#include "client/lib/dfs.h"

/* "files" and "archives" of the request: arrays of "/path" or "/path#name". Texts live in the arena.
 * ERR_ILLEGAL_ARGUMENT; ERR_NOT_FOUND: there is none of that path, or it is a folder. */
int rest_take_files(json_t *root, struct dfs *fs, struct arena *a, Cairn__JobSpecProto *job,
                    struct err *reterr) MUST_CHECK;

#endif
