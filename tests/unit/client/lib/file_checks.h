/* One file of a fake cluster: written, and looked at from both sides. */
#ifndef TESTS_UNIT_CLIENT_LIB_FILE_CHECKS_H
#define TESTS_UNIT_CLIENT_LIB_FILE_CHECKS_H

#include "tests/unit/check.h"

#include "tests/unit/client/lib/fake_cluster.h"

#define BLOCK_BYTES (256 * 1024)

static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = mem_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

static struct file_writer *create(struct dfs *fs)
{
    struct file_create how = {.mode = 0644, .overwrite = true, .replication = 3, .block_bytes = BLOCK_BYTES};
    struct file_writer *w = NULL;
    assert_int_equal(file_writer_create(fs, "/f", &how, &w, NULL), 0);
    return w;
}

static void expect_write(struct file_writer *w, const uint8_t *bytes, size_t len)
{
    struct err e;
    if (file_writer_write(w, bytes, len, &e) < 0)
        fail_msg("write: %s", e.text);
}

static void expect_close(struct file_writer *w)
{
    struct err e;
    if (file_writer_close(w, &e) < 0)
        fail_msg("close: %s", e.text);
}

static void expect_content(struct dfs *fs, const uint8_t *bytes, size_t len)
{
    struct err e;
    struct file_reader *r;
    if (file_reader_open(fs, "/f", &r, &e) < 0)
        fail_msg("open: %s", e.text);
    assert_int_equal(file_reader_length(r), len);
    uint8_t *got = mem_alloc(len + 100);
    size_t done = 0, n;
    do {
        if (file_reader_read(r, got + done, len + 100 - done < 10000 ? len + 100 - done : 10000, &n, &e) < 0)
            fail_msg("read: %s", e.text);
        done += n;
    } while (n);
    assert_int_equal(done, len);
    assert_memory_equal(got, bytes, len);
    memset(got, 0, len);
    if (file_reader_pread(r, got, len + 100, 0, &n, &e) < 0)
        fail_msg("pread: %s", e.text);
    assert_int_equal(n, len);
    assert_memory_equal(got, bytes, len);
    file_reader_close(r);
    free(got);
}

/* Every node that the namenode believes in has the same bytes. */
static void expect_replicas(struct fake_cluster *c, int at_least)
{
    assert_true(c->complete);
    for (size_t i = 0; i < c->block_count; i++) {
        struct fake_block *b = &c->blocks[i];
        int count = 0;
        for (int j = 0; j < FAKE_NODES && b->in_file; j++) {
            if (!b->nodes[j] || (c->nodes[j].dead && !b->replicas[j].finalized))
                continue;
            count++;
            assert_true(b->replicas[j].finalized);
            assert_true(b->replicas[j].gen_stamp == b->gen_stamp);
            assert_int_equal(b->replicas[j].data.len, b->bytes);
        }
        assert_true(!b->in_file || count >= at_least);
    }
}

#endif
