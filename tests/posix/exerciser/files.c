/* Files and the bytes they must have. With two mounts a file is open on one side at a time: what was written and closed
 * on one is there when it is opened on the other (close-to-open). */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    unsigned number, side;
    int fd;
    uint8_t *bytes;
    uint64_t size;
};

struct files {
    const struct place *place;
    struct op_limits limits;
    uint8_t *buffer;
    struct file *all;
};

bool found(struct finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
    return true;
}

static void failed(struct finding *finding, const char *call)
{
    found(finding, "%s: %s", call, strerror(errno));
}

/* No two writes give the same bytes, none of them is 0, and each says where it belongs. */
static void make_bytes(uint8_t *bytes, uint32_t seed, uint64_t offset, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = 1 + ((seed ^ (offset + i) * 2654435761u) >> (8 + (offset + i) % 3)) % 255;
}

static void compare(const struct file *file, uint64_t offset, const uint8_t *seen, uint64_t length, const char *by,
                    struct finding *finding)
{
    if (!memcmp(file->bytes + offset, seen, length))
        return;
    uint64_t first = 0, wrong = 0;
    for (uint64_t i = length; i-- > 0;)
        if (file->bytes[offset + i] != seen[i])
            first = i, wrong++;
    found(finding,
          "file %u: %s of %llu bytes at %llu: %llu wrong, the first at %llu (0x%llx): 0x%02x, not 0x%02x; size %llu",
          file->number, by, (unsigned long long)length, (unsigned long long)offset, (unsigned long long)wrong,
          (unsigned long long)(offset + first), (unsigned long long)(offset + first), seen[first],
          file->bytes[offset + first], (unsigned long long)file->size);
}

static void open_file(struct files *files, struct file *file, int flags, struct finding *finding)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/file%u", files->place->sides[file->side], file->number);
    file->fd = open(path, O_RDWR | flags, 0644);
    if (file->fd < 0)
        failed(finding, path);
}

/* The bytes beyond the end stay 0 in the model, so growing is only a new size. */
static void set_size(struct file *file, uint64_t size)
{
    if (size < file->size)
        memset(file->bytes + size, 0, file->size - size);
    file->size = size;
}

static void grow(struct file *file, uint64_t size)
{
    if (size > file->size)
        file->size = size;
}

static void check_size(struct file *file, struct finding *finding)
{
    struct stat st;
    if (fstat(file->fd, &st))
        failed(finding, "fstat");
    else if ((uint64_t)st.st_size != file->size)
        found(finding, "file %u: size is %lld, not %llu", file->number, (long long)st.st_size,
              (unsigned long long)file->size);
}

static void do_read(struct files *files, struct file *file, uint64_t offset, uint64_t length, struct finding *finding)
{
    uint64_t there = offset >= file->size ? 0 : file->size - offset < length ? file->size - offset : length;
    ssize_t got = pread(file->fd, files->buffer, length, offset);
    if (got < 0)
        failed(finding, "pread");
    else if ((uint64_t)got != there)
        found(finding, "file %u: pread of %llu bytes at %llu gave %zd, not %llu", file->number,
              (unsigned long long)length, (unsigned long long)offset, got, (unsigned long long)there);
    else
        compare(file, offset, files->buffer, got, "pread", finding);
}

static void do_write(struct files *files, struct file *file, const struct op *op, bool append, struct finding *finding)
{
    uint64_t offset = append ? file->size : op->offset, length = op->length;
    if (length > files->limits.size - offset)
        length = files->limits.size - offset;
    if (!length)
        return;
    make_bytes(files->buffer, op->seed, offset, length);
    if (append && (lseek(file->fd, 0, SEEK_END) != (off_t)offset || fcntl(file->fd, F_SETFL, O_APPEND))) {
        found(finding, "file %u: lseek to the end did not lead to %llu", file->number, (unsigned long long)offset);
        return;
    }
    ssize_t put = append ? write(file->fd, files->buffer, length) : pwrite(file->fd, files->buffer, length, offset);
    if (append)
        (void)fcntl(file->fd, F_SETFL, 0);
    if (put != (ssize_t)length) {
        found(finding, "file %u: write of %llu bytes gave %zd (%s)", file->number, (unsigned long long)length, put,
              strerror(errno));
        return;
    }
    memcpy(file->bytes + offset, files->buffer, length);
    grow(file, offset + length);
}

static void do_fallocate(struct file *file, const struct op *op, int mode, struct finding *finding)
{
    if (!op->length)
        return;
    if (fallocate(file->fd, mode, op->offset, op->length)) {
        failed(finding, "fallocate");
        return;
    }
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        memset(file->bytes + op->offset, 0, op->length);
    if (!(mode & FALLOC_FL_KEEP_SIZE))
        grow(file, op->offset + op->length);
}

/* A page that holds the end of the file reads as zeros behind it. */
static void check_tail(const struct file *file, const uint8_t *map, uint64_t start, uint64_t length,
                       struct finding *finding)
{
    uint64_t page = sysconf(_SC_PAGESIZE), end = (start + length + page - 1) / page * page;
    for (uint64_t i = file->size; i < end && start + length == file->size; i++)
        if (map[i - start]) {
            found(finding, "file %u: mapped byte %llu behind the end is 0x%02x, not 0", file->number,
                  (unsigned long long)i, map[i - start]);
            return;
        }
}

static void do_map(struct files *files, struct file *file, const struct op *op, bool write, struct finding *finding)
{
    if (op->offset >= file->size || !op->length)
        return;
    uint64_t length = file->size - op->offset < op->length ? file->size - op->offset : op->length;
    uint64_t start = op->offset - op->offset % sysconf(_SC_PAGESIZE), skip = op->offset - start;
    uint8_t *map = mmap(NULL, skip + length, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, file->fd, start);
    if (map == MAP_FAILED) {
        failed(finding, "mmap");
        return;
    }
    if (write) {
        make_bytes(file->bytes + op->offset, op->seed, op->offset, length);
        memcpy(map + skip, file->bytes + op->offset, length);
        if (op->seed % 4 == 0 && msync(map, skip + length, MS_SYNC))
            failed(finding, "msync");
    } else {
        compare(file, start, map, skip + length, "mapped read", finding);
        check_tail(file, map, start, skip + length, finding);
    }
    munmap(map, skip + length);
}

/* Not between two mounts: that is not one file system for the kernel. The same file: not where it overlaps. */
static void do_copy(struct files *files, struct file *from, const struct op *op, struct finding *finding)
{
    struct file *to = &files->all[op->other];
    uint64_t length = op->length;
    if (length > files->limits.size - op->to)
        length = files->limits.size - op->to;
    bool overlaps = from == to && op->offset < op->to + length && op->to < op->offset + length;
    if (from->side != to->side || overlaps || op->offset >= from->size)
        return;
    if (length > from->size - op->offset)
        length = from->size - op->offset;
    off_t in = op->offset, out = op->to;
    for (uint64_t done = 0; done < length;) {
        ssize_t n = copy_file_range(from->fd, &in, to->fd, &out, length - done, 0);
        if (n <= 0) {
            n < 0 ? failed(finding, "copy_file_range")
                  : (void)found(finding, "copy_file_range: the end, %llu bytes early",
                                (unsigned long long)(length - done));
            return;
        }
        done += n;
    }
    memmove(to->bytes + op->to, from->bytes + op->offset, length);
    grow(to, op->to + length);
    if (!*finding->text)
        check_size(to, finding);
}

static void do_truncate(struct file *file, const struct op *op, struct finding *finding)
{
    if (ftruncate(file->fd, op->offset))
        failed(finding, "ftruncate");
    set_size(file, op->offset);
}

static void check_file(struct files *files, struct file *file, struct finding *finding)
{
    check_size(file, finding);
    for (uint64_t at = 0; at < file->size && !*finding->text; at += files->limits.size / 4)
        do_read(files, file, at, files->limits.size / 4, finding);
}

static void do_reopen(struct files *files, struct file *file, const struct op *op, struct finding *finding)
{
    if (op->seed % 4 == 0 && fsync(file->fd))
        failed(finding, "fsync");
    int fd = file->fd;
    file->fd = -1;
    if (close(fd))
        failed(finding, "close");
    file->side = (op->seed / 4) % files->place->side_count;
    open_file(files, file, 0, finding);
    if (!*finding->text)
        check_file(files, file, finding);
}

static bool is_zero(const struct file *file, uint64_t from, uint64_t to)
{
    while (from < to && !file->bytes[from])
        from++;
    return from == to;
}

/* A file system may call zeros data, but never data a hole. */
static void do_seek(struct file *file, uint64_t offset, struct finding *finding)
{
    off_t data = lseek(file->fd, offset, SEEK_DATA);
    bool none = data < 0 && errno == ENXIO;
    off_t hole = lseek(file->fd, offset, SEEK_HOLE);
    bool outside = hole < 0 && errno == ENXIO;
    if (data < 0 ? !none : (uint64_t)data < offset || (uint64_t)data >= file->size)
        found(finding, "file %u: SEEK_DATA from %llu gave %lld; size %llu", file->number, (unsigned long long)offset,
              (long long)data, (unsigned long long)file->size);
    else if (offset < file->size && !is_zero(file, offset, none ? file->size : (uint64_t)data))
        found(finding, "file %u: SEEK_DATA from %llu gave %lld, but there is data before", file->number,
              (unsigned long long)offset, (long long)data);
    else if (outside != (offset >= file->size) ||
             (!outside && ((uint64_t)hole < offset || (uint64_t)hole > file->size)))
        found(finding, "file %u: SEEK_HOLE from %llu gave %lld; size %llu", file->number, (unsigned long long)offset,
              (long long)hole, (unsigned long long)file->size);
    else if (!outside && hole < (off_t)file->size && file->bytes[hole])
        found(finding, "file %u: SEEK_HOLE from %llu gave %lld, where data is", file->number,
              (unsigned long long)offset, (long long)hole);
}

void files_do(struct files *files, const struct op *op, struct finding *ret_finding)
{
    struct file *file = &files->all[op->file];
    switch (op->kind) {
    case OP_WRITE: do_write(files, file, op, false, ret_finding); break;
    case OP_APPEND: do_write(files, file, op, true, ret_finding); break;
    case OP_READ: do_read(files, file, op->offset, op->length, ret_finding); break;
    case OP_TRUNCATE: do_truncate(file, op, ret_finding); break;
    case OP_ALLOCATE: do_fallocate(file, op, 0, ret_finding); break;
    case OP_KEEP: do_fallocate(file, op, FALLOC_FL_KEEP_SIZE, ret_finding); break;
    case OP_PUNCH: do_fallocate(file, op, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ret_finding); break;
    case OP_ZERO: do_fallocate(file, op, FALLOC_FL_ZERO_RANGE, ret_finding); break;
    case OP_MAP_READ: do_map(files, file, op, false, ret_finding); break;
    case OP_MAP_WRITE: do_map(files, file, op, true, ret_finding); break;
    case OP_SYNC: fsync(file->fd) ? failed(ret_finding, "fsync") : (void)0; break;
    case OP_DATA_SYNC: fdatasync(file->fd) ? failed(ret_finding, "fdatasync") : (void)0; break;
    case OP_COPY: do_copy(files, file, op, ret_finding); break;
    case OP_REOPEN: do_reopen(files, file, op, ret_finding); break;
    case OP_SEEK: do_seek(file, op->offset, ret_finding); break;
    case OP_CHECK: check_file(files, file, ret_finding); break;
    default: abort();
    }
    if (!*ret_finding->text)
        check_size(file, ret_finding);
}

void files_check_all(struct files *files, struct finding *ret_finding)
{
    struct op reopen = {.kind = OP_REOPEN};
    for (unsigned i = 0; i < files->limits.files && !*ret_finding->text; i++)
        for (unsigned side = 0; side < files->place->side_count && !*ret_finding->text; side++) {
            reopen.seed = side * 4;
            do_reopen(files, &files->all[i], &reopen, ret_finding);
        }
}

struct files *files_open(const struct place *place, const struct op_limits *limits, struct finding *ret_finding)
{
    struct files *files = calloc(1, sizeof(*files));
    files->place = place;
    files->limits = *limits;
    files->buffer = malloc(limits->size);
    files->all = calloc(limits->files, sizeof(*files->all));
    for (unsigned i = 0; i < limits->files; i++) {
        files->all[i] = (struct file){.number = i, .fd = -1, .bytes = calloc(1, limits->size)};
        if (!*ret_finding->text)
            open_file(files, &files->all[i], O_CREAT | O_EXCL, ret_finding);
    }
    return files;
}

void files_close(struct files *files)
{
    for (unsigned i = 0; files && i < files->limits.files; i++) {
        if (files->all[i].fd >= 0)
            close(files->all[i].fd);
        free(files->all[i].bytes);
    }
    if (files) {
        free(files->all);
        free(files->buffer);
        free(files);
    }
}
