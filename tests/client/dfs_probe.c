/* Drives libcairn by hand and from tests: dfs_probe URI COMMAND ARGS. Options come as -D name=value in front of the URI.
 *   put LOCAL PATH | get PATH LOCAL | append LOCAL PATH | cat PATH | stat PATH | ls PATH | rm PATH | checksum PATH
 *   flushes PATH STEP COUNT   hflush after every STEP bytes and compare what a new reader sees
 *   slowput LOCAL PATH MS     pause after every MiB
 *   random PATH LOCAL COUNT   preads compared with the local file */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/dfs.h"
#include "client/lib/dfs_path.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"

#define CHUNK (1 << 20)

static void check(int rc, const struct err *e, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, err_name(rc), e->text);
    exit(1);
}

static int open_local(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void copy_in(struct file_writer *w, const char *local, int pause_ms)
{
    struct err e;
    int fd = open_local(local, O_RDONLY);
    char *buf = mem_alloc(CHUNK);
    for (ssize_t n; (n = read(fd, buf, CHUNK)) > 0;) {
        check(file_writer_write(w, buf, (size_t)n, &e), &e, "write");
        if (pause_ms)
            clock_sleep_ms(pause_ms);
    }
    close(fd);
    free(buf);
    check(file_writer_close(w, &e), &e, "close");
}

static void copy_out(struct dfs *fs, const char *path, const char *local)
{
    struct err e;
    struct file_reader *r;
    check(file_reader_open(fs, path, &r, &e), &e, "open");
    int fd = local ? open_local(local, O_WRONLY | O_CREAT | O_TRUNC) : 1;
    char *buf = mem_alloc(CHUNK);
    size_t n;
    do {
        check(file_reader_read(r, buf, CHUNK, &n, &e), &e, "read");
        check(write(fd, buf, n) == (ssize_t)n ? 0 : ERR_IO, &e, "local write");
    } while (n);
    struct file_reader_stats s;
    file_reader_stats(r, &s);
    fprintf(stderr, "read %" PRId64 " local %" PRId64 " corrupt %" PRId64 " failovers %" PRId64 "\n", s.bytes_read, s.bytes_local,
            s.checksum_failures, s.replica_failovers);
    file_reader_close(r);
    free(buf);
    if (local)
        close(fd);
}

static void flushes(struct dfs *fs, const char *path, size_t step, int count)
{
    struct err e;
    struct file_writer *w;
    struct file_create how = {.mode = 0644, .overwrite = true, .create_parent = true};
    check(file_writer_create(fs, path, &how, &w, &e), &e, "create");
    size_t total = 0;
    uint8_t *data = mem_alloc(step * (size_t)count), *seen = mem_alloc(step * (size_t)count);
    for (size_t i = 0; i < step * (size_t)count; i++)
        data[i] = (uint8_t)(i * 7919 >> 5);
    for (int i = 0; i < count; i++) {
        check(file_writer_write(w, data + total, step, &e), &e, "write");
        total += step;
        check(i % 3 == 2 ? file_writer_hsync(w, &e) : file_writer_hflush(w, &e), &e, "flush");
        struct file_reader *r;
        check(file_reader_open(fs, path, &r, &e), &e, "open");
        size_t n;
        check(file_reader_pread(r, seen, step * (size_t)count, 0, &n, &e), &e, "pread");
        if (n != total || memcmp(seen, data, n) != 0) {
            fprintf(stderr, "flush %d: %zu bytes written, %zu seen, %s\n", i, total, n, memcmp(seen, data, n) ? "different" : "equal");
            exit(1);
        }
        file_reader_close(r);
    }
    check(file_writer_close(w, &e), &e, "close");
    free(data);
    free(seen);
}

static void random_reads(struct dfs *fs, const char *path, const char *local, int count)
{
    struct err e;
    struct file_reader *r;
    check(file_reader_open(fs, path, &r, &e), &e, "open");
    int fd = open_local(local, O_RDONLY);
    int64_t length = file_reader_length(r);
    char *a = mem_alloc(CHUNK), *b = mem_alloc(CHUNK);
    srandom(1);
    for (int i = 0; i < count; i++) {
        int64_t offset = random() % (length + 1);
        size_t len = (size_t)random() % CHUNK, n;
        check(file_reader_pread(r, a, len, offset, &n, &e), &e, "pread");
        ssize_t m = pread(fd, b, len, offset);
        if (m != (ssize_t)n || memcmp(a, b, n) != 0) {
            fprintf(stderr, "pread %zu at %" PRId64 ": %zu bytes, %zd expected, or different\n", len, offset, n, m);
            exit(1);
        }
        check(file_reader_seek(r, offset, &e), &e, "seek");
        check(file_reader_read(r, a, len, &n, &e), &e, "read");
        if (m != (ssize_t)n || memcmp(a, b, n) != 0) {
            fprintf(stderr, "read %zu at %" PRId64 ": %zu bytes, %zd expected, or different\n", len, offset, n, m);
            exit(1);
        }
    }
    file_reader_close(r);
    close(fd);
    free(a);
    free(b);
}

int main(int argc, char **argv)
{
    struct err e;
    struct config *config = config_new();
    int at = 1;
    for (; at + 1 < argc && strcmp(argv[at], "-D") == 0; at += 2) {
        char *eq = strchr(argv[at + 1], '=');
        if (!eq)
            return 2;
        *eq = 0;
        check(config_set(config, argv[at + 1], eq + 1, "-D", &e), &e, "-D");
    }
    if (argc - at < 3)
        return 2;
    struct dfs *fs;
    check(dfs_connect(config, argv[at], NULL, &fs, &e), &e, "connect");
    const char *command = argv[at + 1];
    char **args = argv + at + 2;
    int64_t begin_ns = clock_mono_ns();
    struct arena a;
    arena_init(&a, 256 << 20);
    struct file_writer *w;
    struct file_create how = {.mode = 0644, .overwrite = true, .create_parent = true};
    if (strcmp(command, "put") == 0 || strcmp(command, "slowput") == 0) {
        check(file_writer_create(fs, args[1], &how, &w, &e), &e, "create");
        copy_in(w, args[0], command[0] == 's' ? atoi(args[2]) : 0);
    } else if (strcmp(command, "append") == 0) {
        check(file_writer_append(fs, args[1], false, &w, &e), &e, "append");
        copy_in(w, args[0], 0);
    } else if (strcmp(command, "get") == 0) {
        copy_out(fs, args[0], args[1]);
    } else if (strcmp(command, "cat") == 0) {
        copy_out(fs, args[0], NULL);
    } else if (strcmp(command, "flushes") == 0) {
        flushes(fs, args[0], strtoul(args[1], NULL, 10), atoi(args[2]));
    } else if (strcmp(command, "random") == 0) {
        random_reads(fs, args[0], args[1], atoi(args[2]));
    } else if (strcmp(command, "stat") == 0) {
        struct dfs_status s;
        check(dfs_stat(fs, args[0], &a, &s, &e), &e, "stat");
        printf("%d %" PRId64 " %o %s %s %" PRId64 "\n", s.type, s.length, s.mode, s.owner, s.group, s.mtime_ms);
    } else if (strcmp(command, "ls") == 0) {
        struct dfs_listing l;
        check(dfs_list_all(fs, args[0], &a, &l, &e), &e, "ls");
        for (size_t i = 0; i < l.count; i++)
            printf("%s %" PRId64 "\n", l.entries[i].name, l.entries[i].length);
    } else if (strcmp(command, "rm") == 0) {
        bool done;
        check(dfs_delete(fs, args[0], true, &done, &e), &e, "rm");
    } else if (strcmp(command, "checksum") == 0) {
        const char *algorithm, *hex;
        check(dfs_checksum(fs, args[0], &a, &algorithm, &hex, &e), &e, "checksum");
        printf("%s\t%s\t%s\n", args[0], algorithm, hex);
    } else if (strcmp(command, "glob") == 0) {
        struct dfs_match *m;
        size_t n;
        check(dfs_glob(fs, args[0], &a, &m, &n, &e), &e, "glob");
        for (size_t i = 0; i < n; i++)
            printf("%s\n", m[i].path);
    } else {
        return 2;
    }
    fprintf(stderr, "%s took %.1f ms\n", command, (double)(clock_mono_ns() - begin_ns) / 1e6);
    arena_free(&a);
    dfs_unref(fs);
    config_free(config);
    return 0;
}
