/* "Zero-copy" reads: a piece of the file as it lies in memory, if a datanode of this host has it, else a copy in a
 * buffer of ours, if the caller set a pool for that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/libhdfs/hdfs_internal.h"
#include "common/mem.h"

struct hadoopRzOptions {
    bool has_pool, skip_checksums;
};
struct hadoopRzBuffer {
    int32_t length;
    const void *bytes; /* NULL at the end of the file */
    void *copy;        /* or */
    struct file_mapping *mapping;
};

struct hadoopRzOptions *hadoopRzOptionsAlloc(void)
{
    return mem_new(struct hadoopRzOptions);
}

int hadoopRzOptionsSetSkipChecksum(struct hadoopRzOptions *opts, int skip)
{
    opts->skip_checksums = skip != 0; /* allowed, not done: verifying costs little beside what it finds */
    return 0;
}

int hadoopRzOptionsSetByteBufferPool(struct hadoopRzOptions *opts, const char *className)
{
    if (className && strcmp(className, ELASTIC_BYTE_BUFFER_POOL_CLASS) != 0)
        return hdfs_fail_errno(EINVAL, "there is no buffer pool but " ELASTIC_BYTE_BUFFER_POOL_CLASS ", not %s",
                               className);
    opts->has_pool = className != NULL;
    return 0;
}

void hadoopRzOptionsFree(struct hadoopRzOptions *opts)
{
    free(opts);
}

static int read_copy(struct file_reader *r, struct hadoopRzBuffer *b, size_t max)
{
    struct err why;
    size_t n = 0;
    b->copy = mem_alloc(max);
    int rc = file_reader_read(r, b->copy, max, &n, &why);
    if (rc < 0)
        return hdfs_fail(rc, &why);
    b->bytes = b->copy;
    b->length = (int32_t)n;
    return 0;
}

static int fill(struct file_reader *r, const struct hadoopRzOptions *opts, struct hadoopRzBuffer *b, int32_t max)
{
    struct err why;
    size_t n;
    int64_t left = file_reader_length(r) - file_reader_tell(r);
    size_t want = max < left ? (size_t)max : (size_t)left;
    if (want == 0)
        return 0;
    if (file_reader_map(r, want, &b->bytes, &n, &b->mapping, &why) == 0) {
        b->length = (int32_t)n;
        return 0;
    }
    if (opts->has_pool)
        return read_copy(r, b, want);
    return hdfs_fail_errno(EPROTONOSUPPORT, "zero-copy reads are not available here (%s), and no buffer pool is set",
                           why.text);
}

struct hadoopRzBuffer *hadoopReadZero(hdfsFile file, struct hadoopRzOptions *opts, int32_t maxLength)
{
    if (!file || !file->reader || maxLength < 0) {
        (void)hdfs_fail_errno(EINVAL, "the file is not open for reading, or the length is negative");
        return NULL;
    }
    struct hadoopRzBuffer *b = mem_new(struct hadoopRzBuffer);
    if (fill(file->reader, opts, b, maxLength) == 0)
        return b;
    int errnum = errno;
    hadoopRzBufferFree(file, b);
    errno = errnum;
    return NULL;
}

int32_t hadoopRzBufferLength(const struct hadoopRzBuffer *buffer)
{
    return buffer->length;
}

const void *hadoopRzBufferGet(const struct hadoopRzBuffer *buffer)
{
    return buffer->bytes;
}

void hadoopRzBufferFree(hdfsFile file, struct hadoopRzBuffer *buffer)
{
    (void)file;
    file_mapping_free(buffer->mapping);
    free(buffer->copy);
    free(buffer);
}
