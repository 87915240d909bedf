/* libhdfs: files of an HDFS cluster from C. The functions, structs and values are those of Hadoop 3.4's libhdfs, so
 * programs built for that one run with this one, which needs no JVM.
 *
 * Unless said otherwise functions return 0 or a pointer on success, -1 or NULL with errno on failure;
 * hdfsGetLastExceptionRootCause tells more. Paths are "hdfs://host:port/a/b", "/a/b", or relative to the working
 * directory. A file system may be used by many threads, a file by one, except for hdfsPread. Nothing is printed. */
#ifndef LIBHDFS_HDFS_H
#define LIBHDFS_HDFS_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(__GNUC__)
#define LIBHDFS_EXTERNAL __attribute__((visibility("default")))
#else
#define LIBHDFS_EXTERNAL
#endif

#ifndef EINTERNAL
#define EINTERNAL 255
#endif

#define ELASTIC_BYTE_BUFFER_POOL_CLASS "org/apache/hadoop/io/ElasticByteBufferPool"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t tSize;   /* of a read or write */
typedef time_t tTime;    /* seconds */
typedef int64_t tOffset; /* in a file */
typedef uint16_t tPort;
typedef enum tObjectKind { kObjectKindFile = 'F', kObjectKindDirectory = 'D' } tObjectKind;
typedef enum javaConcurrentTimeUnit {
    jNanoseconds,
    jMicroseconds,
    jMilliseconds,
    jSeconds,
    jMinutes,
    jHours,
    jDays
} javaConcurrentTimeUnit;

struct hdfs_internal;
typedef struct hdfs_internal *hdfsFS;
struct hdfsFile_internal;
typedef struct hdfsFile_internal *hdfsFile;
struct hdfsBuilder;
struct hdfsStreamBuilder;
typedef struct hdfsOpenFileBuilder hdfsOpenFileBuilder;
typedef struct hdfsOpenFileFuture hdfsOpenFileFuture;
struct hadoopRzOptions;
struct hadoopRzBuffer;

/* ---- connecting ---- */

/* nn: a host or "hdfs://host", a nameservice, or "default" for what the configuration says; port 0: the one in nn, or
 * the usual one. $HADOOP_CONF_DIR's *-site.xml apply. Every connection is an instance of its own. */
LIBHDFS_EXTERNAL hdfsFS hdfsConnect(const char *nn, tPort port);
LIBHDFS_EXTERNAL hdfsFS hdfsConnectNewInstance(const char *nn, tPort port);
LIBHDFS_EXTERNAL hdfsFS hdfsConnectAsUser(const char *nn, tPort port, const char *user);
LIBHDFS_EXTERNAL hdfsFS hdfsConnectAsUserNewInstance(const char *nn, tPort port, const char *user);
LIBHDFS_EXTERNAL int hdfsDisconnect(hdfsFS fs); /* close its files first */

LIBHDFS_EXTERNAL struct hdfsBuilder *hdfsNewBuilder(void);
LIBHDFS_EXTERNAL void hdfsFreeBuilder(struct hdfsBuilder *bld);
LIBHDFS_EXTERNAL void hdfsBuilderSetForceNewInstance(struct hdfsBuilder *bld);
LIBHDFS_EXTERNAL void hdfsBuilderSetNameNode(struct hdfsBuilder *bld, const char *nn);
LIBHDFS_EXTERNAL void hdfsBuilderSetNameNodePort(struct hdfsBuilder *bld, tPort port);
LIBHDFS_EXTERNAL void hdfsBuilderSetUserName(struct hdfsBuilder *bld, const char *userName);
LIBHDFS_EXTERNAL void hdfsBuilderSetKerbTicketCachePath(struct hdfsBuilder *bld, const char *kerbTicketCachePath);
LIBHDFS_EXTERNAL int hdfsBuilderConfSetStr(struct hdfsBuilder *bld, const char *key, const char *val);
LIBHDFS_EXTERNAL hdfsFS hdfsBuilderConnect(struct hdfsBuilder *bld); /* frees the builder in any case */

/* Of the configuration that a connection would start with. *val NULL: not set. */
LIBHDFS_EXTERNAL int hdfsConfGetStr(const char *key, char **val);
LIBHDFS_EXTERNAL int hdfsConfGetInt(const char *key, int32_t *val); /* unchanged if not set */
LIBHDFS_EXTERNAL void hdfsConfStrFree(char *val);

/* ---- opening and closing files ---- */

/* flags: O_RDONLY; O_WRONLY creates or replaces (O_EXCL: only creates); O_WRONLY | O_APPEND. bufferSize is not used;
 * replication 0 and blocksize 0 mean the configured ones. */
LIBHDFS_EXTERNAL hdfsFile hdfsOpenFile(hdfsFS fs, const char *path, int flags, int bufferSize, short replication,
                                       tSize blocksize);
LIBHDFS_EXTERNAL int hdfsCloseFile(hdfsFS fs,
                                   hdfsFile file); /* frees it in any case; an error means data may be lost */

LIBHDFS_EXTERNAL struct hdfsStreamBuilder *hdfsStreamBuilderAlloc(hdfsFS fs, const char *path, int flags);
LIBHDFS_EXTERNAL void hdfsStreamBuilderFree(struct hdfsStreamBuilder *bld);
LIBHDFS_EXTERNAL int hdfsStreamBuilderSetBufferSize(struct hdfsStreamBuilder *bld, int32_t bufferSize);
LIBHDFS_EXTERNAL int hdfsStreamBuilderSetReplication(struct hdfsStreamBuilder *bld, int16_t replication);
LIBHDFS_EXTERNAL int hdfsStreamBuilderSetDefaultBlockSize(struct hdfsStreamBuilder *bld, int64_t defaultBlockSize);
LIBHDFS_EXTERNAL hdfsFile hdfsStreamBuilderBuild(struct hdfsStreamBuilder *bld); /* frees it on success */

/* Opening for reading with options ("fs.option.openfile..."): Must fails on one that is not known, Opt does not. */
LIBHDFS_EXTERNAL hdfsOpenFileBuilder *hdfsOpenFileBuilderAlloc(hdfsFS fs, const char *path);
LIBHDFS_EXTERNAL hdfsOpenFileBuilder *hdfsOpenFileBuilderMust(hdfsOpenFileBuilder *builder, const char *key,
                                                              const char *value);
LIBHDFS_EXTERNAL hdfsOpenFileBuilder *hdfsOpenFileBuilderOpt(hdfsOpenFileBuilder *builder, const char *key,
                                                             const char *value);
LIBHDFS_EXTERNAL hdfsOpenFileFuture *hdfsOpenFileBuilderBuild(hdfsOpenFileBuilder *builder);
LIBHDFS_EXTERNAL void hdfsOpenFileBuilderFree(hdfsOpenFileBuilder *builder);
LIBHDFS_EXTERNAL hdfsFile hdfsOpenFileFutureGet(hdfsOpenFileFuture *future);
LIBHDFS_EXTERNAL hdfsFile hdfsOpenFileFutureGetWithTimeout(hdfsOpenFileFuture *future, int64_t timeout,
                                                           javaConcurrentTimeUnit timeUnit);
LIBHDFS_EXTERNAL int hdfsOpenFileFutureCancel(hdfsOpenFileFuture *future, int mayInterruptIfRunning);
LIBHDFS_EXTERNAL void hdfsOpenFileFutureFree(hdfsOpenFileFuture *future);

LIBHDFS_EXTERNAL int hdfsFileIsOpenForRead(hdfsFile file);  /* 1 or 0 */
LIBHDFS_EXTERNAL int hdfsFileIsOpenForWrite(hdfsFile file); /* 1 or 0 */

/* ---- reading ---- */

LIBHDFS_EXTERNAL tSize hdfsRead(hdfsFS fs, hdfsFile file, void *buffer, tSize length); /* bytes read; 0 = end of file */
LIBHDFS_EXTERNAL tSize hdfsPread(hdfsFS fs, hdfsFile file, tOffset position, void *buffer, tSize length);
LIBHDFS_EXTERNAL int hdfsPreadFully(hdfsFS fs, hdfsFile file, tOffset position, void *buffer, tSize length);
LIBHDFS_EXTERNAL int hdfsSeek(hdfsFS fs, hdfsFile file, tOffset desiredPos);
LIBHDFS_EXTERNAL tOffset hdfsTell(hdfsFS fs, hdfsFile file);
LIBHDFS_EXTERNAL int hdfsAvailable(hdfsFS fs, hdfsFile file); /* bytes to the end, at most INT_MAX */
LIBHDFS_EXTERNAL int hdfsUnbufferFile(hdfsFile file);         /* gives connections back until the next read */

struct hdfsReadStatistics {
    uint64_t totalBytesRead;
    uint64_t totalLocalBytesRead;
    uint64_t totalShortCircuitBytesRead;
    uint64_t totalZeroCopyBytesRead;
};
LIBHDFS_EXTERNAL int hdfsFileGetReadStatistics(hdfsFile file, struct hdfsReadStatistics **stats);
LIBHDFS_EXTERNAL int64_t hdfsReadStatisticsGetRemoteBytesRead(const struct hdfsReadStatistics *stats);
LIBHDFS_EXTERNAL int hdfsFileClearReadStatistics(hdfsFile file);
LIBHDFS_EXTERNAL void hdfsFileFreeReadStatistics(struct hdfsReadStatistics *stats);

/* dfs.client.hedged.read.threadpool.size above 0: hdfsPread asks a second datanode when the first is slow. */
struct hdfsHedgedReadMetrics {
    uint64_t hedgedReadOps;
    uint64_t hedgedReadOpsWin;
    uint64_t hedgedReadOpsInCurThread;
};
LIBHDFS_EXTERNAL int hdfsGetHedgedReadMetrics(hdfsFS fs, struct hdfsHedgedReadMetrics **metrics);
LIBHDFS_EXTERNAL void hdfsFreeHedgedReadMetrics(struct hdfsHedgedReadMetrics *metrics);

/* "Zero-copy" reading: a piece of a replica on this host, mapped; else, if a pool class is set, a copy, otherwise it
 * fails with EPROTONOSUPPORT. Free the buffer before the file is closed. */
LIBHDFS_EXTERNAL struct hadoopRzOptions *hadoopRzOptionsAlloc(void);
LIBHDFS_EXTERNAL int hadoopRzOptionsSetSkipChecksum(struct hadoopRzOptions *opts, int skip);
LIBHDFS_EXTERNAL int hadoopRzOptionsSetByteBufferPool(struct hadoopRzOptions *opts, const char *className);
LIBHDFS_EXTERNAL void hadoopRzOptionsFree(struct hadoopRzOptions *opts);
LIBHDFS_EXTERNAL struct hadoopRzBuffer *hadoopReadZero(hdfsFile file, struct hadoopRzOptions *opts, int32_t maxLength);
LIBHDFS_EXTERNAL int32_t hadoopRzBufferLength(const struct hadoopRzBuffer *buffer);
LIBHDFS_EXTERNAL const void *hadoopRzBufferGet(const struct hadoopRzBuffer *buffer); /* NULL at the end of the file */
LIBHDFS_EXTERNAL void hadoopRzBufferFree(hdfsFile file, struct hadoopRzBuffer *buffer);

/* ---- writing ---- */

LIBHDFS_EXTERNAL tSize hdfsWrite(hdfsFS fs, hdfsFile file, const void *buffer, tSize length); /* all of it, or -1 */
LIBHDFS_EXTERNAL int hdfsFlush(hdfsFS fs, hdfsFile file);  /* promises nothing to readers */
LIBHDFS_EXTERNAL int hdfsHFlush(hdfsFS fs, hdfsFile file); /* new readers see it */
LIBHDFS_EXTERNAL int hdfsHSync(hdfsFS fs, hdfsFile file);  /* and it is on the datanodes' disks */
LIBHDFS_EXTERNAL int hdfsTruncateFile(hdfsFS fs, const char *path, tOffset newlength); /* 1 done, 0 under way, -1 */

/* ---- files and directories ---- */

LIBHDFS_EXTERNAL int hdfsExists(hdfsFS fs, const char *path);
LIBHDFS_EXTERNAL int hdfsCopy(hdfsFS srcFS, const char *src, hdfsFS dstFS, const char *dst);
LIBHDFS_EXTERNAL int hdfsMove(hdfsFS srcFS, const char *src, hdfsFS dstFS, const char *dst);
LIBHDFS_EXTERNAL int hdfsDelete(hdfsFS fs, const char *path, int recursive);
LIBHDFS_EXTERNAL int hdfsRename(hdfsFS fs, const char *oldPath, const char *newPath);
LIBHDFS_EXTERNAL char *hdfsGetWorkingDirectory(hdfsFS fs, char *buffer, size_t bufferSize);
LIBHDFS_EXTERNAL int hdfsSetWorkingDirectory(hdfsFS fs, const char *path);
LIBHDFS_EXTERNAL int hdfsCreateDirectory(hdfsFS fs, const char *path); /* with its parents */
LIBHDFS_EXTERNAL int hdfsSetReplication(hdfsFS fs, const char *path, int16_t replication);
LIBHDFS_EXTERNAL int hdfsChown(hdfsFS fs, const char *path, const char *owner, const char *group); /* NULL: leave it */
LIBHDFS_EXTERNAL int hdfsChmod(hdfsFS fs, const char *path, short mode);
LIBHDFS_EXTERNAL int hdfsUtime(hdfsFS fs, const char *path, tTime mtime, tTime atime); /* -1: leave it */

typedef struct {
    tObjectKind mKind;
    char *mName; /* whole URI */
    tTime mLastMod;
    tOffset mSize;
    short mReplication;
    tOffset mBlockSize;
    char *mOwner;
    char *mGroup;
    short mPermissions;
    tTime mLastAccess;
} hdfsFileInfo;
LIBHDFS_EXTERNAL hdfsFileInfo *hdfsGetPathInfo(hdfsFS fs, const char *path);
LIBHDFS_EXTERNAL hdfsFileInfo *hdfsListDirectory(hdfsFS fs, const char *path,
                                                 int *numEntries); /* empty: NULL, errno 0 */
LIBHDFS_EXTERNAL void hdfsFreeFileInfo(hdfsFileInfo *infos, int numEntries);
LIBHDFS_EXTERNAL int hdfsFileIsEncrypted(hdfsFileInfo *info); /* 1 or 0 */

/* For every block of the range the names of the hosts that have it; both levels end with NULL. */
LIBHDFS_EXTERNAL char ***hdfsGetHosts(hdfsFS fs, const char *path, tOffset start, tOffset length);
LIBHDFS_EXTERNAL void hdfsFreeHosts(char ***blockHosts);

/* ---- the cluster ---- */

LIBHDFS_EXTERNAL tOffset hdfsGetDefaultBlockSize(hdfsFS fs);
LIBHDFS_EXTERNAL tOffset hdfsGetDefaultBlockSizeAtPath(hdfsFS fs, const char *path);
LIBHDFS_EXTERNAL tOffset hdfsGetCapacity(hdfsFS fs);
LIBHDFS_EXTERNAL tOffset hdfsGetUsed(hdfsFS fs);

/* ---- errors ---- */

/* Of this thread's last failure; NULL before there was one. Valid until the next; not to be freed. */
LIBHDFS_EXTERNAL char *hdfsGetLastExceptionRootCause(void);
LIBHDFS_EXTERNAL char *hdfsGetLastExceptionStackTrace(void);

#ifdef __cplusplus
}
#endif

#undef LIBHDFS_EXTERNAL
#endif
