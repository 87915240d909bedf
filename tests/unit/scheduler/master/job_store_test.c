/* What the scheduler remembers of jobs: order, replacement, pruning, and a second opening. */
#include "tests/unit/check.h"

#include <unistd.h>

#include "common/file.h"
#include "scheduler/master/job_store.h"

static void put(struct job_store *s, const char *id, Cairn__JobState state)
{
    Cairn__JobStatusProto status = CAIRN__JOB_STATUS_PROTO__INIT;
    Cairn__JobSpecProto spec = CAIRN__JOB_SPEC_PROTO__INIT;
    Cairn__JobRecordProto record = CAIRN__JOB_RECORD_PROTO__INIT;
    status.jobid = spec.jobid = (char *)id;
    status.name = status.user = spec.name = spec.user = spec.fsuri = spec.output = spec.mapper = "x";
    status.state = state;
    spec.inputformat = CAIRN__INPUT_FORMAT__INPUT_TEXT;
    record.status = &status;
    record.spec = &spec;
    assert_int_equal(job_store_put(s, &record, NULL), 0);
}

struct seen {
    char ids[16][64];
    size_t count, stop_at;
};

static bool see(const Cairn__JobRecordProto *record, void *arg)
{
    struct seen *seen = arg;
    snprintf(seen->ids[seen->count++], sizeof seen->ids[0], "%s", record->status->jobid);
    return seen->count < seen->stop_at;
}

static struct seen list(struct job_store *s, size_t stop_at)
{
    struct seen seen = {.stop_at = stop_at};
    assert_int_equal(job_store_each(s, see, &seen, NULL), 0);
    return seen;
}

static void newest_first_replaced_pruned_and_there_after_reopening(void **state)
{
    char dir[] = "/tmp/cairn-jobs.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct job_store *s = NULL;
    assert_int_equal(job_store_open(dir, 3, &s, NULL), 0);
    put(s, "job_100_9999", CAIRN__JOB_STATE__JOB_SUCCEEDED);
    put(s, "job_100_10000", CAIRN__JOB_STATE__JOB_RUNNING); /* by number, not by letters */
    put(s, "job_100_10000", CAIRN__JOB_STATE__JOB_FAILED);
    put(s, "job_99_0001", CAIRN__JOB_STATE__JOB_SUCCEEDED);
    struct seen seen = list(s, 16);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.ids[0], "job_100_10000");
    assert_string_equal(seen.ids[1], "job_100_9999");
    assert_string_equal(seen.ids[2], "job_99_0001");
    put(s, "job_101_0001", CAIRN__JOB_STATE__JOB_KILLED); /* the oldest goes */
    seen = list(s, 16);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.ids[2], "job_100_9999");
    assert_int_equal(list(s, 1).count, 1);
    job_store_close(s);

    assert_int_equal(job_store_open(dir, 3, &s, NULL), 0);
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__JobRecordProto *record = NULL;
    assert_int_equal(job_store_get(s, "job_100_10000", &a, &record, NULL), 0);
    assert_int_equal(record->status->state, CAIRN__JOB_STATE__JOB_FAILED);
    assert_int_equal(job_store_get(s, "job_99_0001", &a, &record, NULL), ERR_NOT_FOUND);
    assert_int_equal(job_store_get(s, "../../etc", &a, &record, NULL), ERR_NOT_FOUND);
    arena_free(&a);
    job_store_close(s);
    assert_int_equal(file_remove_tree(dir, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(newest_first_replaced_pruned_and_there_after_reopening)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
