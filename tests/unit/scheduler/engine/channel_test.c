/* A channel between two threads: every byte arrives once and in order, whatever the sizes; and each end notices the
 * other's end. */
#include "tests/unit/check.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/engine/channel.h"

struct pair {
    uint8_t *memory;
    struct channel writer, reader;
    unsigned seed;
    int records;
};

static void pair_open(struct pair *p)
{
    int full[2], freed[2];
    p->memory = malloc(CHANNEL_BYTES);
    assert_int_equal(pipe(full), 0);
    assert_int_equal(pipe(freed), 0);
    channel_init(&p->writer, p->memory, full[1], freed[0]);
    channel_init(&p->reader, p->memory, full[0], freed[1]);
}

static size_t next_size(unsigned *seed)
{
    switch (rand_r(seed) % 8) {
    case 0: return 0;
    case 1: return (size_t)rand_r(seed) % 3000000;
    case 2: return CHANNEL_SLOT_BYTES - (size_t)rand_r(seed) % 20;
    case 3: return (size_t)rand_r(seed) % CHANNEL_SLOT_BYTES;
    default: return (size_t)rand_r(seed) % 200;
    }
}

static uint8_t byte_of(int record, size_t at)
{
    return (uint8_t)(record * 31 + (int)(at * 7 + at / 256));
}

static void *write_records(void *arg)
{
    struct pair *p = arg;
    unsigned seed = p->seed;
    uint8_t *bytes = malloc(3000000);
    for (int i = 0; i < p->records && !p->writer.over; i++) {
        size_t len = next_size(&seed);
        uint32_t head = (uint32_t)len;
        for (size_t k = 0; k < len; k++)
            bytes[k] = byte_of(i, k);
        bool whole = 4 + len <= CHANNEL_SLOT_BYTES;
        uint8_t *to = channel_reserve(&p->writer, whole ? 4 + len : 4);
        if (!to)
            break;
        memcpy(to, &head, 4);
        if (whole)
            memcpy(to + 4, bytes, len);
        else
            channel_write(&p->writer, bytes, len);
        if (rand_r(&seed) % 4 == 0)
            sched_yield();
    }
    channel_flush(&p->writer);
    channel_close(&p->writer);
    free(bytes);
    return NULL;
}

static void every_record_arrives(void **state)
{
    for (unsigned seed = 1; seed <= 12; seed++) {
        struct pair p = {.seed = seed, .records = 300};
        pthread_t thread;
        pair_open(&p);
        assert_int_equal(pthread_create(&thread, NULL, write_records, &p), 0);
        unsigned sizes = seed;
        for (int i = 0; i < p.records; i++) {
            size_t len = next_size(&sizes);
            uint32_t head;
            struct slice s = channel_take(&p.reader, 4);
            assert_non_null(s.base);
            memcpy(&head, s.base, 4);
            assert_int_equal(head, len);
            s = channel_take(&p.reader, len);
            assert_non_null(s.base);
            for (size_t k = 0; k < len; k++)
                if (s.base[k] != byte_of(i, k))
                    fail_msg("record %d differs at %zu of %zu", i, k, len);
            (void)rand_r(&sizes);
        }
        assert_null(channel_take(&p.reader, 1).base);
        assert_int_equal(channel_chunk(&p.reader).len, 0);
        pthread_join(thread, NULL);
        channel_close(&p.reader);
        free(p.memory);
    }
}

static void a_reader_that_leaves_ends_the_writer(void **state)
{
    struct pair p = {.seed = 1, .records = 100000};
    pthread_t thread;
    pair_open(&p);
    assert_int_equal(pthread_create(&thread, NULL, write_records, &p), 0);
    assert_non_null(channel_take(&p.reader, 4).base);
    channel_close(&p.reader);
    pthread_join(thread, NULL);
    assert_true(p.writer.over);
    assert_null(channel_reserve(&p.writer, 1));
    free(p.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_arrives),
        cmocka_unit_test(a_reader_that_leaves_ends_the_writer),
    };
    signal(SIGPIPE, SIG_IGN); /* as in a daemon, and in a program's process */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
