/* Output of maps on the same node: taken where it lies, verified, and never removed. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "scheduler/engine/shuffle_internal.h"

#define JOB     "job_1795251022102_0001"
#define MAP(n)  "attempt_1795251022102_0001_m_00000" n "_0"
#define RECORDS 1000

struct place {
    char dir[32], ours[128], map[160];
    Cairn__JobSpecProto job;
    Cairn__TaskSpecProto spec;
    struct task task;
    struct shuffle *shuffle;
};

static void write_output(const char *path)
{
    struct run_writer *w = NULL;
    assert_int_equal(run_writer_new(path, 3, BLOCK_RAW, &w, NULL), 0);
    for (int i = 0; i < RECORDS; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%08d", i);
        struct record r = {(const uint8_t *)key, (const uint8_t *)"value", (uint32_t)n, 5};
        assert_int_equal(run_writer_add(w, 1, &r, NULL), 0);
    }
    assert_int_equal(run_writer_finish(w, NULL, NULL), 0);
}

static int set_up(void **state)
{
    struct place *p = mem_new(struct place);
    strcpy(p->dir, "/tmp/cairn-shuffle.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->ours, sizeof p->ours, "%s/attempt_1795251022102_0001_r_000001_0", p->dir);
    char folder[128];
    snprintf(folder, sizeof folder, "%s/" MAP("0"), p->dir);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(p->map, sizeof p->map, "%s/" SHUFFLE_OUTPUT_NAME, folder);
    write_output(p->map);
    cairn__job_spec_proto__init(&p->job);
    cairn__task_spec_proto__init(&p->spec);
    p->job.jobid = JOB;
    p->job.maps = 2;
    p->spec.outputdir = p->ours;
    p->spec.partition = 1;
    p->task =
        (struct task){.spec = &p->spec, .job = &p->job, .sort_bytes = 1 << 20, .sort_factor = 64, .local_dir = p->dir};
    p->shuffle = shuffle_new(&p->task);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    shuffle_free(p->shuffle);
    assert_int_equal(file_remove_tree(p->dir, NULL), 0);
    free(p);
    return 0;
}

static int64_t taken(struct place *p, const char *attempt)
{
    int64_t bytes = -1;
    assert_int_equal(shuffle_take_local(p->shuffle, attempt, &bytes, NULL), 0);
    return bytes;
}

static void output_is_merged_from_where_it_lies(void **state)
{
    struct place *p = *state;
    assert_true(taken(p, MAP("0")) > RECORDS * 13);
    assert_int_equal(p->shuffle->run_count, 1);
    p->task.counters = counters_new();
    struct merge *m = NULL;
    struct record r;
    int records = 0;
    assert_int_equal(shuffle_merge(p->shuffle, &m, NULL), 0);
    for (bool more = true; merge_next(m, &r, &more, NULL) == 0 && more; records++)
        assert_int_equal(r.key_len, 8);
    assert_int_equal(records, RECORDS);
    merge_free(m);
    counters_free(p->task.counters);
    shuffle_free(p->shuffle);
    p->shuffle = NULL;
    assert_int_equal(access(p->map, F_OK), 0);
}

static void nothing_for_us_is_no_run(void **state)
{
    struct place *p = *state;
    p->spec.partition = 2;
    assert_int_equal(taken(p, MAP("0")), RUN_HEADER_BYTES);
    assert_int_equal(p->shuffle->run_count, 0);
}

static void what_is_not_here_is_left_to_be_fetched(void **state)
{
    struct place *p = *state;
    assert_int_equal(taken(p, MAP("1")), 0);
    assert_int_equal(taken(p, "../" MAP("0")), 0);
    assert_int_equal(taken(p, "attempt_1795251022102_0002_m_000000_0"), 0);
    assert_int_equal(taken(p, "attempt_1795251022102_0001_r_000000_0"), 0);
    p->task.sort_factor = 1; /* fewer than there are maps */
    assert_int_equal(taken(p, MAP("0")), 0);
    assert_int_equal(p->shuffle->run_count, 0);
}

static void a_link_is_not_followed(void **state)
{
    struct place *p = *state;
    char aside[200];
    snprintf(aside, sizeof aside, "%s.aside", p->map);
    assert_int_equal(rename(p->map, aside), 0);
    assert_int_equal(symlink(aside, p->map), 0);
    assert_int_equal(taken(p, MAP("0")), 0);
}

static void damage_is_noticed(void **state)
{
    struct place *p = *state;
    struct run_extent where;
    assert_int_equal(run_index_read(p->map, 1, &where, NULL), 0);
    int fd = open(p->map, O_RDWR);
    for (int64_t at = 0; at < where.bytes; at += at < RUN_HEADER_BYTES ? 1 : 1009) {
        uint8_t good, bad;
        int64_t bytes = -1;
        assert_int_equal(pread(fd, &good, 1, where.offset + at), 1);
        bad = good ^ 0x41;
        assert_int_equal(pwrite(fd, &bad, 1, where.offset + at), 1);
        bool counts = at >= 16 && at < 24; /* how many records: the digest is of the payload, the merge finds out */
        assert_int_equal(shuffle_take_local(p->shuffle, MAP("0"), &bytes, NULL), counts ? 0 : ERR_CHECKSUM);
        assert_true(counts || bytes == 0);
        assert_int_equal(pwrite(fd, &good, 1, where.offset + at), 1);
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(output_is_merged_from_where_it_lies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_for_us_is_no_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_here_is_left_to_be_fetched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_noticed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
