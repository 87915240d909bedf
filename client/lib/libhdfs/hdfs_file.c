/* Open files: reading, writing, and what belongs to one stream. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/libhdfs/hdfs_internal.h"
#include "common/mem.h"

#define PATH_ARENA_BYTES (1u << 20)

struct hdfsStreamBuilder {
    hdfsFS fs;
    char *path;
    int flags;
    int16_t replication;
    int64_t block_bytes;
};

/* ---- opening ---- */

static int open_write(hdfsFS fs, const char *path, const struct hdfsStreamBuilder *b, struct file_writer **ret,
                      struct err *reterr)
{
    if (b->flags & O_APPEND)
        return file_writer_append(fs->dfs, path, false, ret, reterr);
    struct file_create how = {
        .mode = (uint16_t)(0666 & ~fs->umask),
        .overwrite = !(b->flags & O_EXCL),
        .create_parent = true,
        .replication = (uint32_t)b->replication,
        .block_bytes = b->block_bytes,
    };
    return file_writer_create(fs->dfs, path, &how, ret, reterr);
}

static hdfsFile open_stream(const struct hdfsStreamBuilder *b)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, PATH_ARENA_BYTES);
    struct err why;
    const char *path;
    struct hdfsFile_internal opened = {0};
    int mode = b->flags & O_ACCMODE;
    if (mode == O_RDWR) {
        (void)hdfs_fail_errno(ENOTSUP, "%s: a file is opened for reading or for writing, not for both", b->path);
        return NULL;
    }
    if (b->replication < 0 || b->block_bytes < 0) {
        (void)hdfs_fail_errno(EINVAL, "%s: negative replication or block size", b->path);
        return NULL;
    }
    int rc = hdfs_path(b->fs, b->path, &a, &path, &why);
    if (rc == 0)
        rc = mode == O_RDONLY ? file_reader_open(b->fs->dfs, path, &opened.reader, &why)
                              : open_write(b->fs, path, b, &opened.writer, &why);
    if (rc < 0) {
        (void)hdfs_fail(rc, &why);
        return NULL;
    }
    hdfsFile file = mem_new(struct hdfsFile_internal);
    *file = opened;
    return file;
}

hdfsFile hdfsOpenFile(hdfsFS fs, const char *path, int flags, int bufferSize, short replication, tSize blocksize)
{
    (void)bufferSize;
    struct hdfsStreamBuilder b = {fs, (char *)path, flags, replication, blocksize};
    return open_stream(&b);
}

struct hdfsStreamBuilder *hdfsStreamBuilderAlloc(hdfsFS fs, const char *path, int flags)
{
    if (!fs || !path) {
        (void)hdfs_fail_errno(EINVAL, "no file system, or no path");
        return NULL;
    }
    struct hdfsStreamBuilder *b = mem_new(struct hdfsStreamBuilder);
    *b = (struct hdfsStreamBuilder){.fs = fs, .path = mem_strdup(path), .flags = flags};
    return b;
}

void hdfsStreamBuilderFree(struct hdfsStreamBuilder *bld)
{
    if (!bld)
        return;
    free(bld->path);
    free(bld);
}

int hdfsStreamBuilderSetBufferSize(struct hdfsStreamBuilder *bld, int32_t bufferSize)
{
    (void)bld, (void)bufferSize;
    return 0;
}

static int only_for_writing(const struct hdfsStreamBuilder *b)
{
    return (b->flags & O_ACCMODE) == O_WRONLY ? 0 : hdfs_fail_errno(EINVAL, "only files that are written have this");
}

int hdfsStreamBuilderSetReplication(struct hdfsStreamBuilder *bld, int16_t replication)
{
    bld->replication = replication;
    return only_for_writing(bld);
}

int hdfsStreamBuilderSetDefaultBlockSize(struct hdfsStreamBuilder *bld, int64_t defaultBlockSize)
{
    bld->block_bytes = defaultBlockSize;
    return only_for_writing(bld);
}

hdfsFile hdfsStreamBuilderBuild(struct hdfsStreamBuilder *bld)
{
    hdfsFile file = open_stream(bld);
    if (file)
        hdfsStreamBuilderFree(bld);
    return file;
}

int hdfsCloseFile(hdfsFS fs, hdfsFile file)
{
    (void)fs;
    if (!file)
        return hdfs_fail_errno(EBADF, "no file");
    struct err why;
    int rc = file->writer ? file_writer_close(file->writer, &why) : 0;
    file_reader_close(file->reader);
    free(file);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsFileIsOpenForRead(hdfsFile file)
{
    return file->reader != NULL;
}

int hdfsFileIsOpenForWrite(hdfsFile file)
{
    return file->writer != NULL;
}

/* ---- opening with options ---- */

struct hdfsOpenFileBuilder {
    hdfsFS fs;
    char *path, *unknown; /* unknown: an option that must be honoured and is not known */
};
struct hdfsOpenFileFuture {
    hdfsFile file; /* opened by Build, since that waits for one answer of the namenode only; until it is fetched */
    int code;
    struct err why;
};

hdfsOpenFileBuilder *hdfsOpenFileBuilderAlloc(hdfsFS fs, const char *path)
{
    if (!fs || !path) {
        (void)hdfs_fail_errno(EINVAL, "no file system, or no path");
        return NULL;
    }
    hdfsOpenFileBuilder *b = mem_new(hdfsOpenFileBuilder);
    b->fs = fs;
    b->path = mem_strdup(path);
    return b;
}

hdfsOpenFileBuilder *hdfsOpenFileBuilderMust(hdfsOpenFileBuilder *builder, const char *key, const char *value)
{
    (void)value; /* the standard options are hints about how the file will be read */
    if (strncmp(key, "fs.option.openfile.", 19) != 0 && !builder->unknown)
        builder->unknown = mem_strdup(key);
    return builder;
}

hdfsOpenFileBuilder *hdfsOpenFileBuilderOpt(hdfsOpenFileBuilder *builder, const char *key, const char *value)
{
    (void)key, (void)value;
    return builder;
}

hdfsOpenFileFuture *hdfsOpenFileBuilderBuild(hdfsOpenFileBuilder *builder)
{
    if (builder->unknown) {
        (void)hdfs_fail_errno(EINVAL, "unknown mandatory option '%s'", builder->unknown);
        return NULL;
    }
    AUTO(arena_free) struct arena a;
    arena_init(&a, PATH_ARENA_BYTES);
    hdfsOpenFileFuture *f = mem_new(hdfsOpenFileFuture);
    const char *path;
    struct file_reader *reader = NULL;
    f->code = hdfs_path(builder->fs, builder->path, &a, &path, &f->why);
    if (f->code == 0)
        f->code = file_reader_open(builder->fs->dfs, path, &reader, &f->why);
    if (f->code == 0) {
        f->file = mem_new(struct hdfsFile_internal);
        f->file->reader = reader;
    }
    return f;
}

void hdfsOpenFileBuilderFree(hdfsOpenFileBuilder *builder)
{
    if (!builder)
        return;
    free(builder->path);
    free(builder->unknown);
    free(builder);
}

hdfsFile hdfsOpenFileFutureGet(hdfsOpenFileFuture *future)
{
    if (future->code < 0)
        (void)hdfs_fail(future->code, &future->why);
    else if (!future->file)
        (void)hdfs_fail_errno(EINVAL, "the file was already fetched or cancelled");
    return STEAL(future->file);
}

hdfsFile hdfsOpenFileFutureGetWithTimeout(hdfsOpenFileFuture *future, int64_t timeout, javaConcurrentTimeUnit timeUnit)
{
    (void)timeout, (void)timeUnit; /* it is there already */
    return hdfsOpenFileFutureGet(future);
}

int hdfsOpenFileFutureCancel(hdfsOpenFileFuture *future, int mayInterruptIfRunning)
{
    (void)mayInterruptIfRunning;
    return hdfs_fail_errno(EBUSY, future->code < 0 ? "it failed already" : "it is open already");
}

void hdfsOpenFileFutureFree(hdfsOpenFileFuture *future)
{
    if (!future)
        return;
    if (future->file)
        (void)hdfsCloseFile(NULL, future->file);
    free(future);
}

/* ---- reading ---- */

static int want_reader(hdfsFile file)
{
    return file && file->reader ? 0 : hdfs_fail_errno(EINVAL, "the file is not open for reading");
}

tSize hdfsRead(hdfsFS fs, hdfsFile file, void *buffer, tSize length)
{
    (void)fs;
    if (want_reader(file) < 0)
        return -1;
    if (length < 0)
        return hdfs_fail_errno(EINVAL, "negative length");
    struct err why;
    size_t n;
    int rc = file_reader_read(file->reader, buffer, (size_t)length, &n, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : (tSize)n;
}

tSize hdfsPread(hdfsFS fs, hdfsFile file, tOffset position, void *buffer, tSize length)
{
    (void)fs;
    if (want_reader(file) < 0)
        return -1;
    if (length < 0)
        return hdfs_fail_errno(EINVAL, "negative length");
    struct err why;
    size_t n;
    int rc = file_reader_pread(file->reader, buffer, (size_t)length, position, &n, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : (tSize)n;
}

int hdfsPreadFully(hdfsFS fs, hdfsFile file, tOffset position, void *buffer, tSize length)
{
    tSize n = hdfsPread(fs, file, position, buffer, length);
    if (n < 0)
        return -1;
    return n == length ? 0 : hdfs_fail_errno(EIO, "the file ends %d bytes too early", length - n);
}

int hdfsSeek(hdfsFS fs, hdfsFile file, tOffset desiredPos)
{
    (void)fs;
    if (want_reader(file) < 0)
        return -1;
    struct err why;
    int rc = file_reader_seek(file->reader, desiredPos, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

tOffset hdfsTell(hdfsFS fs, hdfsFile file)
{
    (void)fs;
    if (!file)
        return hdfs_fail_errno(EBADF, "no file");
    return file->reader ? file_reader_tell(file->reader) : file_writer_tell(file->writer);
}

int hdfsAvailable(hdfsFS fs, hdfsFile file)
{
    (void)fs;
    if (want_reader(file) < 0)
        return -1;
    int64_t left = file_reader_length(file->reader) - file_reader_tell(file->reader);
    return left > INT_MAX ? INT_MAX : (int)left;
}

int hdfsUnbufferFile(hdfsFile file)
{
    if (!file || !file->reader)
        return hdfs_fail_errno(ENOTSUP, "the file is not open for reading");
    file_reader_unbuffer(file->reader);
    return 0;
}

int hdfsFileGetReadStatistics(hdfsFile file, struct hdfsReadStatistics **stats)
{
    if (want_reader(file) < 0)
        return -1;
    struct file_reader_stats now, *from = &file->cleared;
    file_reader_stats(file->reader, &now);
    *stats = mem_new(struct hdfsReadStatistics);
    **stats = (struct hdfsReadStatistics){
        .totalBytesRead = (uint64_t)(now.bytes_read - from->bytes_read),
        .totalLocalBytesRead = (uint64_t)(now.bytes_local - from->bytes_local),
        .totalShortCircuitBytesRead = (uint64_t)(now.bytes_short_circuit - from->bytes_short_circuit),
        .totalZeroCopyBytesRead = (uint64_t)(now.bytes_mapped - from->bytes_mapped),
    };
    return 0;
}

int64_t hdfsReadStatisticsGetRemoteBytesRead(const struct hdfsReadStatistics *stats)
{
    return (int64_t)(stats->totalBytesRead - stats->totalLocalBytesRead);
}

int hdfsFileClearReadStatistics(hdfsFile file)
{
    if (want_reader(file) < 0)
        return -1;
    file_reader_stats(file->reader, &file->cleared);
    return 0;
}

void hdfsFileFreeReadStatistics(struct hdfsReadStatistics *stats)
{
    free(stats);
}

int hdfsGetHedgedReadMetrics(hdfsFS fs, struct hdfsHedgedReadMetrics **metrics)
{
    struct dfs_hedged_stats stats;
    dfs_hedged_stats(fs->dfs, &stats);
    *metrics = mem_new(struct hdfsHedgedReadMetrics);
    **metrics = (struct hdfsHedgedReadMetrics){.hedgedReadOps = (uint64_t)stats.ops,
                                               .hedgedReadOpsWin = (uint64_t)stats.wins,
                                               .hedgedReadOpsInCurThread = (uint64_t)stats.in_current_thread};
    return 0;
}

void hdfsFreeHedgedReadMetrics(struct hdfsHedgedReadMetrics *metrics)
{
    free(metrics);
}

/* ---- writing ---- */

static int want_writer(hdfsFile file)
{
    return file && file->writer ? 0 : hdfs_fail_errno(EINVAL, "the file is not open for writing");
}

tSize hdfsWrite(hdfsFS fs, hdfsFile file, const void *buffer, tSize length)
{
    (void)fs;
    if (want_writer(file) < 0)
        return -1;
    if (length < 0)
        return hdfs_fail_errno(EINVAL, "negative length");
    struct err why;
    int rc = file_writer_write(file->writer, buffer, (size_t)length, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : length;
}

int hdfsFlush(hdfsFS fs, hdfsFile file)
{
    (void)fs;
    return want_writer(file); /* full packets are on their way already */
}

int hdfsHFlush(hdfsFS fs, hdfsFile file)
{
    (void)fs;
    if (want_writer(file) < 0)
        return -1;
    struct err why;
    int rc = file_writer_hflush(file->writer, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}

int hdfsHSync(hdfsFS fs, hdfsFile file)
{
    (void)fs;
    if (want_writer(file) < 0)
        return -1;
    struct err why;
    int rc = file_writer_hsync(file->writer, &why);
    return rc < 0 ? hdfs_fail(rc, &why) : 0;
}
