/* What the files of the libhdfs API share. */
#ifndef CAIRN_CLIENT_LIB_LIBHDFS_HDFS_INTERNAL_H
#define CAIRN_CLIENT_LIB_LIBHDFS_HDFS_INTERNAL_H

#include <pthread.h>

#include "client/include/hdfs.h"
#include "client/lib/dfs.h"

#define HDFS_ANSWER_MAX_BYTES ((size_t)1 << 30) /* of what a caller asked to have in memory */

struct hdfs_internal {
    struct dfs *dfs;
    uint16_t umask;
    pthread_mutex_t lock;
    char *working_dir; /* under the lock */
};
struct hdfsFile_internal {
    struct file_reader *reader; /* one of the two */
    struct file_writer *writer;
    struct file_reader_stats cleared; /* what the statistics count from */
};

/* Sets errno and this thread's last error; returns -1. */
int hdfs_fail(int code, const struct err *why);
int hdfs_fail_errno(int errnum, const char *format, ...) PRINTF_LIKE(2, 3);
/* An absolute path on this file system. ERR_ILLEGAL_ARGUMENT: it names another one. */
int hdfs_path(hdfsFS fs, const char *text, struct arena *a, const char **ret, struct err *reterr) MUST_CHECK;
/* Settings as a connection starts with: $HADOOP_CONF_DIR, the environment. */
int hdfs_config(struct config **ret, struct err *reterr) MUST_CHECK;

#endif
