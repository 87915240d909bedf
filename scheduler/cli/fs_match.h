/* Whether a path's "scheme://authority" means the job's own file system. */
#ifndef CAIRN_SCHEDULER_CLI_FS_MATCH_H
#define CAIRN_SCHEDULER_CLI_FS_MATCH_H

#include "client/lib/dfs.h"

/* uri NULL: the path named none. Ports default to 8020, and names are resolved: hdfs://localhost is
 * hdfs://127.0.0.1:8020. ERR_UNSUPPORTED: another one; `what` and `text` are for the message. */
int fs_must_match(const struct dfs *fs, const char *uri, const char *what, const char *text,
                  struct err *reterr) MUST_CHECK;

#endif
