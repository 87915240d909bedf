/* What the scheduler remembers of jobs: order, replacement, pruning, and a second opening. */
#include "tests/unit/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "proto/message.h"
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
    char db[64];
    snprintf(db, sizeof db, "%s/jobs.db", dir);
    assert_int_equal(mkdir(db, 0755), 0);
    assert_int_equal(job_store_open(dir, 3, &s, NULL), 0);
    struct stat st;
    assert_int_equal(stat(db, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
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

/* ---- what is needed to go on ---- */

static int begin(struct job_store *s, const char *id, struct err *err)
{
    Cairn__JobStatusProto status = CAIRN__JOB_STATUS_PROTO__INIT;
    Cairn__JobSpecProto spec = CAIRN__JOB_SPEC_PROTO__INIT;
    Cairn__JobRecordProto record = CAIRN__JOB_RECORD_PROTO__INIT;
    Cairn__LiveJobProto live = CAIRN__LIVE_JOB_PROTO__INIT;
    status.jobid = spec.jobid = (char *)id;
    status.name = status.user = spec.name = spec.user = spec.fsuri = spec.output = spec.mapper = "x";
    status.state = CAIRN__JOB_STATE__JOB_RUNNING;
    spec.inputformat = CAIRN__INPUT_FORMAT__INPUT_TEXT;
    record.status = &status;
    record.spec = live.spec = &spec;
    return job_store_begin(s, &record, &live, err);
}

static void put_attempt(struct job_store *s, const char *job_id, const char *attempt_id, Cairn__AttemptState state)
{
    Cairn__AttemptProto at = CAIRN__ATTEMPT_PROTO__INIT;
    Cairn__AttemptRecordProto r = CAIRN__ATTEMPT_RECORD_PROTO__INIT;
    at.attemptid = (char *)attempt_id;
    at.worker = at.httpaddress = "w";
    at.state = state;
    r.attempt = &at;
    r.instance = "i";
    struct job_store_attempt kept = {0};
    snprintf(kept.job_id, sizeof kept.job_id, "%s", job_id);
    snprintf(kept.attempt_id, sizeof kept.attempt_id, "%s", attempt_id);
    message_pack(&kept.bytes, &r.base);
    assert_int_equal(job_store_put_attempts(s, &kept, NULL), 0);
    buf_free(&kept.bytes);
}

static int see_live(const struct job_store_live *job, void *arg)
{
    struct seen *seen = arg;
    snprintf(seen->ids[seen->count++], sizeof seen->ids[0], "%s %zu %d", job->live->spec->jobid, job->attempt_count,
             job->attempt_count ? (int)job->attempts[0]->attempt->state : 0);
    return 0;
}

static struct seen list_live(struct job_store *s)
{
    struct seen seen = {0};
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(job_store_each_live(s, &a, see_live, &seen, NULL), 0);
    arena_free(&a);
    return seen;
}

static void live_jobs_have_their_attempts_until_they_are_forgotten(void **state)
{
    char dir[] = "/tmp/cairn-jobs.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct job_store *s = NULL;
    struct err err = {0};
    assert_int_equal(job_store_open(dir, 1, &s, NULL), 0);
    assert_int_equal(begin(s, "job_5_0001", &err), 0);
    assert_int_equal(begin(s, "job_5_0002", &err), 0); /* more than are remembered, but none of them is over */
    assert_int_equal(begin(s, "job_5_0002", &err), ERR_EXISTS);
    put_attempt(s, "job_5_0001", "attempt_5_0001_m_000000_0", CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    put_attempt(s, "job_5_0001", "attempt_5_0001_m_000000_0", CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED);
    put_attempt(s, "job_5_0003", "attempt_5_0003_m_000000_0", CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED); /* of nobody */
    job_store_close(s);
    assert_int_equal(job_store_open(dir, 1, &s, NULL), 0);
    struct seen seen = list_live(s);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.ids[0], "job_5_0001 1 5"); /* the last that was said of it */
    assert_string_equal(seen.ids[1], "job_5_0002 0 0");
    assert_int_equal(job_store_forget_live(s, "job_5_0001", NULL), 0);
    assert_int_equal(list_live(s).count, 1);
    assert_int_equal(list(s, 16).count, 2);
    job_store_close(s);
    assert_int_equal(file_remove_tree(dir, NULL), 0);
}

static void note_each(const char *name, struct slice bytes, void *arg)
{
    struct seen *seen = arg;
    snprintf(seen->ids[seen->count++], sizeof seen->ids[0], "%s=%.*s", name, (int)bytes.len, (const char *)bytes.base);
}

static void notes_are_kept_by_name(void **state)
{
    char dir[] = "/tmp/cairn-jobs.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct job_store *s = NULL;
    struct buf b = {0};
    bool found = true;
    assert_int_equal(job_store_open(dir, 1, &s, NULL), 0);
    assert_int_equal(job_store_get_note(s, "a/x", &b, &found, NULL), 0);
    assert_false(found);
    assert_int_equal(job_store_put_note(s, "a/x", "1", 1, NULL), 0);
    assert_int_equal(job_store_put_note(s, "a/y", "", 0, NULL), 0);
    assert_int_equal(job_store_put_note(s, "b/z", "3", 1, NULL), 0);
    assert_int_equal(job_store_get_note(s, "a/y", &b, &found, NULL), 0);
    assert_true(found && b.len == 0);
    struct seen seen = {0};
    assert_int_equal(job_store_each_note(s, "a/", note_each, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.ids[0], "a/x=1");
    assert_int_equal(job_store_put_note(s, "a/x", NULL, 0, NULL), 0);
    assert_int_equal(job_store_get_note(s, "a/x", &b, &found, NULL), 0);
    assert_false(found);
    buf_free(&b);
    job_store_close(s);
    assert_int_equal(file_remove_tree(dir, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_first_replaced_pruned_and_there_after_reopening),
        cmocka_unit_test(live_jobs_have_their_attempts_until_they_are_forgotten),
        cmocka_unit_test(notes_are_kept_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
