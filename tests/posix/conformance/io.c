/* read, write and their relatives, lseek, truncate, fallocate, mmap, fsync, copy_file_range. */
#include "check.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <setjmp.h>

static int fd_of(const char *path, int flags)
{
    return MUST(open(path, flags | O_CREAT, 0644));
}

/* Whether [offset, offset + length) of the file is all c. */
static bool range_is(int fd, off_t offset, size_t length, char c)
{
    char *buffer = malloc(length);
    bool same = pread(fd, buffer, length, offset) == (ssize_t)length;
    for (size_t i = 0; same && i < length; i++)
        same = buffer[i] == c;
    free(buffer);
    return same;
}

static void fill(const char *path, size_t length, char c)
{
    char *bytes = repeated(c, length);
    int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    MUST(write(fd, bytes, length));
    MUST(close(fd));
    free(bytes);
}

static void *bad_address(void)
{
    return mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void subject_read_write(void)
{
    char buffer[64] = {0};
    int fd = fd_of("f", O_RDWR);
    IS(10, write(fd, "0123456789", 10));
    IS(10, lseek(fd, 0, SEEK_CUR), "after a write");
    IS(0, read(fd, buffer, 10), "at the end");
    IS(4, pread(fd, buffer, 4, 6));
    IS(3, pread(fd, buffer, 9, 7), "over the end");
    IS(0, pread(fd, buffer, 9, 100), "beyond the end");
    IS(10, lseek(fd, 0, SEEK_CUR), "after pread");
    IS(2, pwrite(fd, "XY", 2, 3));
    HOLDS(file_has("f", "012XY56789", 10));
    IS(2, pwrite(fd, "!!", 2, 20), "beyond the end");
    HOLDS(file_has("f", "012XY56789\0\0\0\0\0\0\0\0\0\0!!", 22), "a gap is zeros");
    IS(0, write(fd, "x", 0), "no bytes");

    struct iovec in[3] = {{buffer, 3}, {buffer + 10, 0}, {buffer + 20, 4}};
    MUST(lseek(fd, 0, SEEK_SET));
    IS(7, readv(fd, in, 3));
    HOLDS(!memcmp(buffer, "012", 3) && !memcmp(buffer + 20, "XY56", 4), "readv");
    IS(7, preadv(fd, in, 3, 2));
    struct iovec out[2] = {{"abc", 3}, {"de", 2}};
    MUST(lseek(fd, 0, SEEK_SET));
    IS(5, writev(fd, out, 2));
    IS(5, pwritev(fd, out, 2, 5));
    HOLDS(range_is(fd, 9, 1, 'e') && range_is(fd, 5, 1, 'a'), "pwritev");
    volatile int negative = -1, many = IOV_MAX + 1; /* hidden from the compiler, which warns */
    FAILS(EINVAL, readv(fd, in, negative));
    FAILS(EINVAL, readv(fd, in, many));
    FAILS(EINVAL, pread(fd, buffer, 1, -1));
    FAILS(EINVAL, pwrite(fd, buffer, 1, -1));
    FAILS(EBADF, read(999, buffer, 1));
    FAILS(EBADF, write(-1, buffer, 1));
    void *bad = bad_address();
    FAILS(EFAULT, pread(fd, bad, 8, 0));
    FAILS(EFAULT, pwrite(fd, bad, 8, 0));
    IS(22, stat_of("f").st_size, "after EFAULT");

    MUST(mkfifo("fifo", 0644));
    int reader = MUST(open("fifo", O_RDONLY | O_NONBLOCK)), writer = MUST(open("fifo", O_WRONLY));
    FAILS(EAGAIN, read(reader, buffer, 1), "an empty FIFO");
    IS(3, write(writer, "abc", 3), "a FIFO");
    IS(3, read(reader, buffer, 9), "a FIFO");
    FAILS(ESPIPE, pread(reader, buffer, 1, 0), "a FIFO");
    FAILS(ESPIPE, lseek(reader, 0, SEEK_SET), "a FIFO");
    FAILS(EINVAL, ftruncate(writer, 0), "a FIFO");
    MUST(close(reader));
    FAILS(EPIPE, write(writer, "x", 1), "a FIFO without reader");

    struct rlimit limit = {100, RLIM_INFINITY}, unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    FAILS(EFBIG, pwrite(fd, "x", 1, 100), "RLIMIT_FSIZE");
    IS(2, pwrite(fd, "xyz", 3, 98), "RLIMIT_FSIZE cuts a write");
    FAILS(EFBIG, truncate("f", 101), "RLIMIT_FSIZE");
    setrlimit(RLIMIT_FSIZE, &unlimited);

    size_t large = 5 << 20;
    char *block = repeated('B', large);
    IS(large, pwrite(fd, block, large, 4095), "5 MiB");
    HOLDS(range_is(fd, 4095, large, 'B'), "5 MiB read back");
    HOLDS(range_is(fd, 100, 3995, 0), "the gap before it");
    off_t far = (1ll << 40) + 1;
    IS(1, pwrite(fd, "F", 1, far), "at 1 TiB");
    IS(far + 1, stat_of("f").st_size, "after a write at 1 TiB");
    HOLDS(range_is(fd, far - 1000, 1000, 0) && range_is(fd, far, 1, 'F'), "at 1 TiB");
    HOLDS(stat_of("f").st_blocks * 512ll < 100 << 20, "a sparse file takes little room");

    put_file("t", "time");
    int t = fd_of("t", O_RDWR);
    watch("t"), MUST(write(t, "T", 1)), STAMPS(MTIME | CTIME, "t", "write");
    watch("t"), MUST(pwrite(t, "T", 1, 9)), STAMPS(MTIME | CTIME, "t", "pwrite");
    watch("t"), MUST(write(t, "T", 0)), STAMPS(0, "t", "write of no bytes");
    watch("t"), MUST(pread(t, buffer, 1, 0)), STAMPS(ATIME, "t", "pread");
    watch("t"), MUST(pread(t, buffer, 0, 0)), STAMPS(0, "t", "pread of no bytes");
    watch("."), MUST(write(t, "T", 1)), STAMPS(0, ".", "write to a file in it");
}

/* What moves bytes without a copy in the program. */
void subject_splice(void)
{
    enum { SIZE = 200000 };
    int ends[2], from = fd_of("from", O_RDWR), to = fd_of("to", O_RDWR);
    fill("from", SIZE, 's');
    off_t offset = 1000;
    IS(SIZE - 1000, sendfile(to, from, &offset, SIZE));
    IS(SIZE, offset, "sendfile moves the offset it was given");
    IS(0, lseek(from, 0, SEEK_CUR), "sendfile leaves the descriptor's offset");
    HOLDS(range_is(to, 0, SIZE - 1000, 's'), "sendfile");
    MUST(pipe(ends));
    MUST(ftruncate(to, 0));
    loff_t in = 5000, out = 77;
    IS(10000, splice(from, &in, ends[1], NULL, 10000, 0), "out of a file");
    IS(10000, splice(ends[0], NULL, to, &out, 10000, 0), "into a file");
    HOLDS(range_is(to, 77, 10000, 's') && range_is(to, 0, 77, 0), "splice");
    IS(10077, stat_of("to").st_size, "splice");
    char buffer[9000];
    struct iovec vector = {buffer, sizeof(buffer)};
    memset(buffer, 'v', sizeof(buffer));
    IS(sizeof(buffer), vmsplice(ends[1], &vector, 1, 0));
    out = 0;
    IS(sizeof(buffer), splice(ends[0], NULL, to, &out, sizeof(buffer), 0), "from memory into a file");
    HOLDS(range_is(to, 0, sizeof(buffer), 'v'), "vmsplice");
    vector.iov_len = 5;
    IS(5, pwritev2(to, &vector, 1, 0, RWF_APPEND));
    HOLDS(range_is(to, 10077, 5, 'v'), "RWF_APPEND");
    IS(5, pwritev2(to, &vector, 1, 3, RWF_DSYNC));
    FAILS(EINVAL, splice(from, &in, to, &out, 10, 0), "no pipe");
    FAILS(ESPIPE, splice(ends[0], &in, to, &out, 10, 0), "an offset of a pipe");
    FAILS(EINVAL, splice(ends[0], NULL, MUST(open("to", O_WRONLY | O_APPEND)), NULL, 10, 0), "O_APPEND");
}

void subject_seek(void)
{
    fill("f", 100, 'x');
    int fd = fd_of("f", O_RDWR);
    IS(100, lseek(fd, 0, SEEK_END));
    IS(150, lseek(fd, 50, SEEK_CUR), "beyond the end");
    IS(100, stat_of("f").st_size, "after seeking beyond the end");
    IS(90, lseek(fd, -10, SEEK_END));
    FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
    FAILS(EINVAL, lseek(fd, -101, SEEK_END));
    FAILS(EINVAL, lseek(fd, 0, 99));
    FAILS(EBADF, lseek(999, 0, SEEK_SET));
    IS(90, lseek(fd, 0, SEEK_CUR), "a refused seek moves nothing");
    IS(0, lseek(fd, 0, SEEK_DATA), "no hole");
    IS(100, lseek(fd, 0, SEEK_HOLE), "no hole: the end");
    IS(99, lseek(fd, 99, SEEK_DATA));
    FAILS(ENXIO, lseek(fd, 100, SEEK_DATA));
    FAILS(ENXIO, lseek(fd, 100, SEEK_HOLE));
    FAILS(ENXIO, lseek(fd, 101, SEEK_HOLE));
    FAILS(ENXIO, lseek(fd, -1, SEEK_HOLE));
    FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));

    enum { MIB = 1 << 20 }; /* holes are shown in units of at most this */
    int sparse = fd_of("sparse", O_RDWR);
    MUST(ftruncate(sparse, 8 * MIB));
    FAILS(ENXIO, lseek(sparse, 0, SEEK_DATA), "nothing but a hole");
    IS(0, lseek(sparse, 0, SEEK_HOLE), "nothing but a hole");
    char *data = repeated('d', MIB);
    MUST(pwrite(sparse, data, MIB, 4 * MIB));
    MUST(fsync(sparse));
    IS(4 * MIB, lseek(sparse, 0, SEEK_DATA), "data after a hole");
    IS(5 * MIB, lseek(sparse, 4 * MIB, SEEK_HOLE), "a hole after data");
    IS(4 * MIB + 7, lseek(sparse, 4 * MIB + 7, SEEK_DATA), "within data");
    IS(6 * MIB, lseek(sparse, 6 * MIB, SEEK_HOLE), "within a hole");
    FAILS(ENXIO, lseek(sparse, 6 * MIB, SEEK_DATA), "in the last hole");
    HOLDS(stat_of("sparse").st_blocks * 512 <= 2 * MIB, "holes take no room");

    int mapped = fd_of("mapped", O_RDWR), reader = MUST(open("mapped", O_RDONLY));
    MUST(ftruncate(mapped, 8 * MIB));
    char *map = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
    MUST(map == MAP_FAILED ? -1 : 0);
    for (int i = 0; i < 2; i++) {
        map[(i ? 2 : 5) * MIB] = 'm';
        IS((i ? 2 : 5) * MIB, lseek(i ? reader : mapped, 0, SEEK_DATA), "written through a mapping, and not synced");
    }
    HOLDS(map[2 * MIB] == 'm' && map[5 * MIB] == 'm', "what is mapped stays");
}

void subject_truncate(void)
{
    fill("f", 10000, 'x');
    int fd = fd_of("f", O_RDWR);
    OK(truncate("f", 5000));
    IS(5000, stat_of("f").st_size, "to shorter");
    OK(ftruncate(fd, 10000));
    IS(10000, stat_of("f").st_size, "to longer");
    HOLDS(range_is(fd, 0, 5000, 'x') && range_is(fd, 5000, 5000, 0), "what was cut comes back as zeros");
    OK(ftruncate(fd, 0));
    IS(0, stat_of("f").st_size, "to nothing");
    OK(ftruncate(fd, 1ll << 40));
    IS(1ll << 40, stat_of("f").st_size, "to 1 TiB");
    OK(ftruncate(fd, 3));
    IS(0, lseek(fd, 0, SEEK_CUR), "ftruncate does not move the offset");
    FAILS(EINVAL, truncate("f", -1));
    FAILS(EINVAL, ftruncate(fd, -1));
    MUST(mkdir("d", 0755));
    FAILS(EISDIR, truncate("d", 0));
    MUST(mkfifo("fifo", 0644));
    FAILS(EINVAL, truncate("fifo", 0));
    FAILS(EBADF, ftruncate(999, 0));
    check_row(EFBIG, EINVAL, truncate("f", INT64_MAX), "truncate to the largest off_t");
    MUST(chmod("f", 0444));
    AS(ALICE) FAILS(EACCES, truncate("f", 0));
    OK(ftruncate(fd, 2), "a descriptor stays writable whatever the mode is");
    MUST(chmod("f", 0644));

    fill("f", 100, 'x');
    watch("f"), MUST(truncate("f", 50)), STAMPS(MTIME | CTIME, "f", "truncate to shorter");
    watch("f"), MUST(truncate("f", 70)), STAMPS(MTIME | CTIME, "f", "truncate to longer");
    watch("f"), MUST(ftruncate(fd, 10)), STAMPS(MTIME | CTIME, "f", "ftruncate to shorter");
    watch("f"), MUST(ftruncate(fd, 10)), STAMPS(MTIME | CTIME, "f", "ftruncate to the same size");
    watch("f"), (void)!truncate("f", -1), STAMPS(0, "f", "truncate that failed");
}

void subject_fallocate(void)
{
    enum { K = 1 << 16 };
    int fd = fd_of("f", O_RDWR);
    OK(fallocate(fd, 0, 0, 2 * K));
    IS(2 * K, stat_of("f").st_size, "fallocate");
    HOLDS(range_is(fd, 0, 2 * K, 0), "what was allocated reads as zeros");
    OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * K));
    IS(2 * K, stat_of("f").st_size, "KEEP_SIZE");
    fill("f", 4 * K, 'x');
    OK(fallocate(fd, 0, K, K), "over data");
    HOLDS(range_is(fd, 0, 4 * K, 'x'), "fallocate over data leaves it");
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, K, K));
    HOLDS(range_is(fd, K, K, 0) && range_is(fd, 0, K, 'x') && range_is(fd, 2 * K, 2 * K, 'x'), "punch");
    IS(4 * K, stat_of("f").st_size, "punch");
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * K + 100, 1000), "not aligned");
    HOLDS(range_is(fd, 2 * K + 100, 1000, 0) && range_is(fd, 2 * K, 100, 'x') && range_is(fd, 2 * K + 1100, 100, 'x'),
          "punch, not aligned");
    OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * K, 9 * K), "over the end");
    IS(4 * K, stat_of("f").st_size, "punch over the end");
    HOLDS(range_is(fd, 3 * K, K, 0), "punch over the end");
    fill("f", 2 * K, 'x');
    OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 100, K));
    HOLDS(range_is(fd, 100, K, 0) && range_is(fd, 0, 100, 'x') && range_is(fd, K + 100, 100, 'x'), "ZERO_RANGE");
    OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, K, 4 * K));
    IS(2 * K, stat_of("f").st_size, "ZERO_RANGE with KEEP_SIZE");
    OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, K, 4 * K));
    IS(5 * K, stat_of("f").st_size, "ZERO_RANGE");
    IS(0, posix_fallocate(fd, 0, 6 * K));
    IS(6 * K, stat_of("f").st_size, "posix_fallocate");

    FAILS(EINVAL, fallocate(fd, 0, -1, 10));
    FAILS(EINVAL, fallocate(fd, 0, 0, 0));
    FAILS(EINVAL, fallocate(fd, 0, 0, -1));
    FAILS(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), "without KEEP_SIZE");
    FAILS(EBADF, fallocate(MUST(open("f", O_RDONLY)), 0, 0, 10));
    FAILS(EBADF, fallocate(999, 0, 0, 10));
    FAILS(EFBIG, fallocate(fd, 0, INT64_MAX - 1, 10));
    MUST(mkfifo("fifo", 0644));
    FAILS(ESPIPE, fallocate(MUST(open("fifo", O_RDWR)), 0, 0, 10), "a FIFO");
    fill("f", K, 'x');
    watch("f"), MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 100)),
        STAMPS(MTIME | CTIME, "f", "punch");
    watch("f"), MUST(fallocate(fd, 0, 0, 2 * K)), STAMPS(MTIME | CTIME, "f", "fallocate to longer");
}

static sigjmp_buf after_bus;

static void on_bus(int number)
{
    siglongjmp(after_bus, 1);
}

static bool touching_raises_sigbus(volatile char *address)
{
    signal(SIGBUS, on_bus);
    if (sigsetjmp(after_bus, 1))
        return true;
    (void)*address;
    return false;
}

void subject_mmap(void)
{
    size_t page = sysconf(_SC_PAGESIZE);
    fill("f", 3 * page + 100, 'x');
    int fd = fd_of("f", O_RDWR);
    char *shared = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    HOLDS(shared != MAP_FAILED, "shared, writable");
    if (shared == MAP_FAILED)
        return;
    HOLDS(shared[0] == 'x' && shared[3 * page + 99] == 'x' && !shared[3 * page + 100], "the last page ends in zeros");
    memcpy(shared + page - 2, "mmap", 4);
    OK(msync(shared, 4 * page, MS_SYNC));
    char buffer[8];
    HOLDS(pread(fd, buffer, 4, page - 2) == 4 && !memcmp(buffer, "mmap", 4), "written by mmap, read by pread");
    MUST(pwrite(fd, "PWRITE", 6, 2 * page));
    HOLDS(!memcmp(shared + 2 * page, "PWRITE", 6), "written by pwrite, read by mmap");
    shared[3 * page + 500] = 'z'; /* beyond the end of the file */
    MUST(msync(shared, 4 * page, MS_SYNC));
    MUST(ftruncate(fd, 4 * page));
    HOLDS(range_is(fd, 3 * page + 100, 100, 0), "what was mapped beyond the end is zeros after truncate to longer");

    char *private = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    private[0] = 'P';
    HOLDS(range_is(fd, 0, 1, 'x') && shared[0] == 'x', "a private change is not seen");
    MUST(close(fd));
    shared[1] = 'S';
    MUST(munmap(shared, 4 * page));
    fd = fd_of("f", O_RDWR);
    HOLDS(range_is(fd, 1, 1, 'S'), "written after close, before munmap");

    shared = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(ftruncate(fd, page));
    HOLDS(!touching_raises_sigbus(shared), "within the file");
    HOLDS(touching_raises_sigbus(shared + 2 * page), "pages that truncate cut off raise SIGBUS");
    char *nothing = bad_address();
    MUST(munmap(nothing, page));
    FAILS(ENOMEM, msync(nothing, page, MS_SYNC), "nothing is mapped there");
    FAILS(EINVAL, msync(shared, page, MS_SYNC | MS_ASYNC));
    FAILS(EINVAL, msync(shared + 1, page, MS_SYNC));
    FAILS(EACCES, (long)mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, MUST(open("f", O_RDONLY)), 0));
    FAILS(EACCES, (long)mmap(NULL, page, PROT_READ, MAP_SHARED, MUST(open("f", O_WRONLY)), 0));
    FAILS(EINVAL, (long)mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0));
    FAILS(EINVAL, (long)mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 1));
    FAILS(EBADF, (long)mmap(NULL, page, PROT_READ, MAP_SHARED, 999, 0));
    FAILS(ENODEV, (long)mmap(NULL, page, PROT_READ, MAP_SHARED, MUST(open(".", O_RDONLY)), 0), "a directory");
    HOLDS(mmap(NULL, page, PROT_READ, MAP_PRIVATE, MUST(open("f", O_RDONLY)), 0) != MAP_FAILED,
          "private, read-only descriptor");

    watch("f");
    shared[5] = 't';
    MUST(msync(shared, page, MS_SYNC));
    STAMPS(MTIME | CTIME | MAYBE_ATIME, "f", "a write by mmap, and msync");

    /* a file that was unlinked stays mapped */
    fill("gone", page, 'g');
    int gone = fd_of("gone", O_RDWR);
    char *map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, gone, 0);
    MUST(unlink("gone"));
    MUST(close(gone));
    map[1] = 'G';
    OK(msync(map, page, MS_SYNC), "an unlinked file");
    HOLDS(map[0] == 'g' && map[1] == 'G', "an unlinked file");
}

void subject_sync(void)
{
    fill("f", 100000, 's');
    int fd = fd_of("f", O_RDWR);
    MUST(pwrite(fd, "x", 1, 50000));
    OK(fsync(fd));
    OK(fdatasync(fd));
    OK(fsync(MUST(open("f", O_RDONLY))), "a descriptor that only reads");
    OK(fsync(MUST(open(".", O_RDONLY))), "a directory");
    OK(syncfs(fd));
    OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
    FAILS(EBADF, fsync(999));
    FAILS(EBADF, fdatasync(-1));
    FAILS(EBADF, close(999));
    MUST(mkfifo("fifo", 0644));
    FAILS(EINVAL, fsync(MUST(open("fifo", O_RDWR))), "a FIFO");
    OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ? -1 : 0);
    HOLDS(range_is(fd, 50000, 1, 'x'), "read again after the cache was dropped");
}

void subject_copy_range(void)
{
    enum { SIZE = 300000 };
    fill("from", SIZE, 'c');
    int from = fd_of("from", O_RDWR), to = fd_of("to", O_RDWR);
    off_t in = 0, out = 0;
    IS(SIZE, copy_file_range(from, &in, to, &out, SIZE, 0));
    IS(SIZE, in, "offset of the source");
    IS(SIZE, out, "offset of the target");
    HOLDS(range_is(to, 0, SIZE, 'c'));
    IS(0, copy_file_range(from, &in, to, &out, SIZE, 0), "at the end");
    in = 100, out = SIZE + 7;
    IS(SIZE - 100, copy_file_range(from, &in, to, &out, SIZE, 0), "to the end only, and beyond the end of the target");
    HOLDS(range_is(to, SIZE, 7, 0), "the gap");
    HOLDS(range_is(to, SIZE + 7, SIZE - 100, 'c'));
    IS(0, lseek(from, 0, SEEK_CUR), "given offsets leave the descriptor's");
    IS(1000, copy_file_range(from, NULL, to, NULL, 1000, 0), "the descriptor's offsets");
    IS(1000, lseek(from, 0, SEEK_CUR));
    fill("from", SIZE, 'd');
    HOLDS(range_is(to, 0, SIZE, 'c'), "a copy stays as it is when the source is written");
    in = 0, out = SIZE / 2;
    IS(1000, copy_file_range(from, &in, from, &out, 1000, 0), "within one file");
    in = 0, out = 500;
    FAILS(EINVAL, copy_file_range(from, &in, from, &out, 1000, 0), "overlapping");
    FAILS(EINVAL, copy_file_range(from, &in, to, &out, 10, 99), "flags");
    FAILS(EBADF, copy_file_range(MUST(open("from", O_WRONLY)), &in, to, &out, 10, 0));
    FAILS(EBADF, copy_file_range(from, &in, MUST(open("to", O_RDONLY)), &out, 10, 0));
    FAILS(EBADF, copy_file_range(from, &in, MUST(open("to", O_WRONLY | O_APPEND)), &out, 10, 0), "O_APPEND");
    FAILS(EISDIR, copy_file_range(MUST(open(".", O_RDONLY)), &in, to, &out, 10, 0));
    MUST(mkfifo("fifo", 0644));
    FAILS(EINVAL, copy_file_range(MUST(open("fifo", O_RDWR)), &in, to, &out, 10, 0), "a FIFO");
    MUST(chmod("to", 06777));
    watch("from"), watch("to");
    in = out = 0;
    MUST(copy_file_range(from, &in, to, &out, 10, 0));
    STAMPS(MTIME | CTIME, "to", "copy_file_range to it");
    STAMPS(ATIME, "from", "copy_file_range from it");
}
