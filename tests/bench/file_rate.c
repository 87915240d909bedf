/* Asks a file system for one thing, many times, from one thread or several, each with files of its own.
 *   file_rate OPERATION FOLDER THREADS AMOUNT
 * write, fsync (write, and fsync before the close), read: AMOUNT MiB in all, in pieces of 1 MiB; read drops what the
 * kernel has cached of the files of that mount first, reread does not. random: AMOUNT reads of 4 KiB at random places
 * of the first file that write made. make: AMOUNT files of 4 KiB made, written and closed; stat, rename, unlink: each
 * of those that were made. warm: touches AMOUNT MiB of memory, since memory that a virtual machine gets for the first
 * time costs more than a file system does. Prints how many MiB or operations it did in a second. Each 4 KiB of a file
 * begin with what says where they belong, and reading checks that. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define PIECE_BYTES (1 << 20)
#define PAGE_BYTES  4096

struct worker {
    pthread_t thread;
    int index;
    long amount; /* of this one */
    char *piece; /* PIECE_BYTES */
};

static const char *folder;

static void die(const char *what)
{
    fprintf(stderr, "file_rate: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- streams ---- */

static void stream_path(int index, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/stream-%d", folder, index);
}

static uint64_t mark_of(int index, off_t offset)
{
    return (uint64_t)offset ^ (uint64_t)(index + 1) << 48;
}

static void mark(struct worker *w, off_t offset)
{
    for (off_t i = 0; i < PIECE_BYTES; i += PAGE_BYTES) {
        uint64_t value = mark_of(w->index, offset + i);
        memcpy(w->piece + i, &value, sizeof value);
    }
}

static void check(const char *bytes, size_t len, int index, off_t offset)
{
    for (size_t i = 0; i < len; i += PAGE_BYTES) {
        uint64_t value;
        memcpy(&value, bytes + i, sizeof value);
        if (value != mark_of(index, offset + (off_t)i)) {
            fprintf(stderr, "file_rate: stream %d: wrong bytes at %lld\n", index, (long long)offset + (long long)i);
            exit(1);
        }
    }
}

static void write_stream(struct worker *w, int sync)
{
    char path[PATH_MAX];
    stream_path(w->index, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        die(path);
    for (long i = 0; i < w->amount; i++) {
        mark(w, i * (off_t)PIECE_BYTES);
        if (write(fd, w->piece, PIECE_BYTES) != PIECE_BYTES)
            die(path);
    }
    if (sync && fsync(fd) < 0)
        die(path);
    if (close(fd) < 0)
        die(path);
}

static void op_write(struct worker *w)
{
    write_stream(w, 0);
}

static void op_fsync(struct worker *w)
{
    write_stream(w, 1);
}

static int open_stream(int index)
{
    char path[PATH_MAX];
    stream_path(index, path);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        die(path);
    return fd;
}

static void op_read(struct worker *w)
{
    int fd = open_stream(w->index);
    for (long i = 0; i < w->amount; i++) {
        if (read(fd, w->piece, PIECE_BYTES) != PIECE_BYTES)
            die("read");
        check(w->piece, PIECE_BYTES, w->index, i * (off_t)PIECE_BYTES);
    }
    close(fd);
}

static void op_random(struct worker *w)
{
    struct stat st;
    int fd = open_stream(0);
    unsigned short seed[3] = {1, 2, (unsigned short)w->index};
    if (fstat(fd, &st) < 0 || st.st_size < PAGE_BYTES)
        die("the first stream");
    for (long i = 0; i < w->amount; i++) {
        off_t at = nrand48(seed) % (st.st_size / PAGE_BYTES) * PAGE_BYTES;
        if (pread(fd, w->piece, PAGE_BYTES, at) != PAGE_BYTES)
            die("pread");
        check(w->piece, PAGE_BYTES, 0, at);
    }
    close(fd);
}

/* What this mount's kernel has of the files; what lies below a mount keeps its own. */
static void drop_streams(int count)
{
    for (int i = 0; i < count; i++) {
        int fd = open_stream(i);
        if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
            die("posix_fadvise");
        close(fd);
    }
}

/* ---- small files ---- */

static void small_path(const struct worker *w, long i, const char *suffix, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/small-%d-%ld%s", folder, w->index, i, suffix);
}

static void op_make(struct worker *w)
{
    char path[PATH_MAX];
    for (long i = 0; i < w->amount; i++) {
        small_path(w, i, "", path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd < 0 || write(fd, w->piece, PAGE_BYTES) != PAGE_BYTES || close(fd) < 0)
            die(path);
    }
}

static void op_stat(struct worker *w)
{
    char path[PATH_MAX];
    struct stat st;
    for (long i = 0; i < w->amount; i++) {
        small_path(w, i, "", path);
        if (stat(path, &st) < 0 || st.st_size != PAGE_BYTES)
            die(path);
    }
}

static void op_rename(struct worker *w)
{
    char path[PATH_MAX], moved[PATH_MAX];
    for (long i = 0; i < w->amount; i++) {
        small_path(w, i, "", path);
        small_path(w, i, "-moved", moved);
        if (rename(path, moved) < 0)
            die(path);
    }
}

static void op_unlink(struct worker *w)
{
    char path[PATH_MAX];
    for (long i = 0; i < w->amount; i++) {
        small_path(w, i, "-moved", path);
        if (unlink(path) < 0)
            die(path);
    }
}

/* ---- ---- */

static void op_warm(struct worker *w)
{
    size_t len = (size_t)w->amount * PIECE_BYTES;
    char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("mmap");
    for (size_t i = 0; i < len; i += PAGE_BYTES)
        memory[i] = 1;
    munmap(memory, len);
}

static const struct operation {
    const char *name;
    void (*run)(struct worker *);
    int drops;
} operations[] = {
    {"write", op_write, 0},   {"fsync", op_fsync, 0},     {"read", op_read, 1}, {"reread", op_read, 0},
    {"random", op_random, 1}, {"rerandom", op_random, 0}, {"make", op_make, 0}, {"stat", op_stat, 0},
    {"rename", op_rename, 0}, {"unlink", op_unlink, 0},   {"warm", op_warm, 0},
};

static const struct operation *operation_named(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}

static const struct operation *chosen;

static void *run(void *arg)
{
    chosen->run(arg);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    chosen = argc == 5 ? operation_named(argv[1]) : NULL;
    int threads = argc == 5 ? atoi(argv[3]) : 0;
    long each = threads > 0 ? atol(argv[4]) / threads : 0;
    if (!chosen || threads < 1 || threads > THREADS_MAX || each < 1) {
        fprintf(stderr, "usage: file_rate OPERATION FOLDER THREADS AMOUNT (THREADS 1 to %d)\n", THREADS_MAX);
        return 2;
    }
    folder = argv[2];
    if (chosen->drops)
        drop_streams(chosen->run == op_random ? 1 : threads);
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.index = i, .amount = each, .piece = malloc(PIECE_BYTES)};
        if (!workers[i].piece)
            die("memory");
        memset(workers[i].piece, i + 1, PIECE_BYTES);
    }
    double start = now_s();
    for (int i = 0; i < threads; i++)
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
            die("pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    printf("%.3f\n", (double)(each * threads) / (now_s() - start));
    return 0;
}
