/* A fuzz target is a file NAME_fuzz.c with
 *
 *     FUZZ_SEEDS(NAME) { fuzz_seed(seeds, bytes, len); ... }    well-formed inputs to begin with
 *     FUZZ_RUN(NAME) { ... in ... }                             must not crash, hang or leak, whatever `in`
 * is
 *
 * `make fuzz` builds it with libFuzzer. tests/unit/fuzz/replay_test.c includes it, and runs the seeds and
 * simple mutations of them in every `make unit`, with any compiler. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/mem.h"

struct fuzz_seeds {
    struct buf list[64];
    size_t count;
};

static inline void fuzz_seed(struct fuzz_seeds *seeds, const void *bytes, size_t len)
{
    if (seeds->count == sizeof seeds->list / sizeof *seeds->list)
        abort();
    buf_append(&seeds->list[seeds->count++], bytes, len);
}

#ifdef FUZZ_REPLAY
#define FUZZ_SEEDS(name) static void name##_seeds(struct fuzz_seeds *seeds)
#define FUZZ_RUN(name)   static void name##_run(struct slice in)
#else
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
static void fuzz_seeds_make(struct fuzz_seeds *seeds);
static void fuzz_run(struct slice in);
#define FUZZ_SEEDS(name) static void fuzz_seeds_make(struct fuzz_seeds *seeds)
#define FUZZ_RUN(name)                                                                                                 \
    int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)                                                       \
    {                                                                                                                  \
        fuzz_run((struct slice){bytes, len});                                                                          \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void fuzz_run(struct slice in)

/* Puts the seeds into the corpus folder, which is the last argument. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = (*argv)[*argc - 1];
    struct stat st;
    if (*argc < 2 || stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    struct fuzz_seeds *seeds = mem_new(struct fuzz_seeds);
    fuzz_seeds_make(seeds);
    for (size_t i = 0; i < seeds->count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/seed-%zu", folder, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, seeds->list[i].base, seeds->list[i].len) != (ssize_t)seeds->list[i].len)
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        buf_free(&seeds->list[i]);
    }
    free(seeds);
    return 0;
}
#endif

#endif
