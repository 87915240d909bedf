/* Jobs that come in. A job that was accepted is in the store before its submitter hears so, with all that is needed to
 * run it; after a restart they come in once more, from there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/master/master.h"

/* The specification outlives the call: an own copy in the job's own arena. */
static int job_from_spec(const Cairn__JobSpecProto *from, const char *user, struct job **ret, struct err *reterr)
{
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    Cairn__JobSpecProto *spec = NULL;
    int rc = job_spec_copy(from, &a, &spec, reterr);
    if (rc == 0) {
        spec->user = arena_strdup(&a, user); /* who calls counts, not what the message says */
        rc = job_new(&a, spec, master_now_ms(), ret, reterr);
    }
    arena_free(&a);
    return rc;
}

/* How far a job has come, wherever it is known. */
static int state_of(struct master *m, const char *job_id, Cairn__JobState *ret, struct err *reterr)
{
    const struct job *j = sched_job(master_sched_locked(m), job_id);
    if (j) {
        *ret = j->state;
        return 0;
    }
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    Cairn__JobRecordProto *record = NULL;
    int rc = job_store_get(master_store(m), job_id, &a, &record, reterr);
    if (rc == 0)
        *ret = record->status->state;
    arena_free(&a);
    return rc;
}

/* cairn.job.after: those that have succeeded already need not be waited for. */
static int resolve_after_locked(struct master *m, struct job *j, struct err *reterr)
{
    const char *text = job_conf_get(j->spec, "cairn.job.after");
    if (!text || j->state != CAIRN__JOB_STATE__JOB_WAITING)
        return 0;
    char *copy = mem_strdup(text), *save = NULL;
    int rc = 0;
    for (char *id = strtok_r(copy, ", ", &save); rc == 0 && id; id = strtok_r(NULL, ", ", &save)) {
        Cairn__JobState state = CAIRN__JOB_STATE__JOB_FAILED;
        if ((rc = state_of(m, id, &state, reterr)) < 0)
            break;
        if (state == CAIRN__JOB_STATE__JOB_SUCCEEDED)
            continue;
        if (state > CAIRN__JOB_STATE__JOB_SUCCEEDED) {
            rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s, which it waits for, did not succeed", id);
            break;
        }
        j->after = mem_realloc_array(j->after, j->after_count + 1, sizeof *j->after);
        j->after[j->after_count++] = mem_strdup(id);
    }
    free(copy);
    return rc;
}

static int begin_record(struct master *m, const struct job *j, struct err *reterr)
{
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    Cairn__JobStatusProto status;
    job_status_message(j, master_epoch_ms(m), &a, &status);
    Cairn__JobRecordProto record = CAIRN__JOB_RECORD_PROTO__INIT;
    record.status = &status;
    record.spec = job_spec_without_splits(j->spec, &a);
    Cairn__LiveJobProto live = CAIRN__LIVE_JOB_PROTO__INIT;
    live.spec = (Cairn__JobSpecProto *)j->spec;
    int rc = job_store_begin(master_store(m), &record, &live, reterr);
    arena_free(&a);
    return rc;
}

static bool was_submitted_by(struct master *m, const char *job_id, const char *user)
{
    struct arena a;
    Cairn__JobRecordProto *record = NULL;
    arena_init(&a, JOB_ARENA_BYTES);
    bool same = job_store_get(master_store(m), job_id, &a, &record, NULL) == 0 && !strcmp(record->spec->user, user);
    arena_free(&a);
    return same;
}

int master_submit(struct master *m, const Cairn__JobSpecProto *spec, const char *user, struct err *reterr)
{
    struct job *job = NULL;
    int rc = job_from_spec(spec, user, &job, reterr);
    if (rc < 0)
        return rc;
    if ((rc = begin_record(m, job, reterr)) < 0) {
        /* Whose answer was lost when the scheduler was restarted asks again. */
        if (rc == ERR_EXISTS && was_submitted_by(m, spec->jobid, user))
            rc = 0;
        job_free(job);
        return rc;
    }
    struct sched_actions actions = {0};
    struct sched *s = master_lock(m);
    rc = resolve_after_locked(m, job, reterr);
    log_info("scheduler", "submit job=%s user=%s name='%s' maps=%u reduces=%u", job->spec->jobid, job->spec->user,
             job->spec->name, job->map_count, job->reduce_count);
    char id[JOB_ID_MAX];
    snprintf(id, sizeof id, "%s", job->spec->jobid);
    sched_submit(s, master_now_ms(), job, &actions);
    if (rc < 0) /* it is kept by now, so it ends as any other */
        sched_kill(s, master_now_ms(), id, reterr ? reterr->text : "it waits for a job that does not succeed",
                   &actions);
    master_apply_locked(m, &actions);
    master_unlock(m);
    return rc;
}

int master_kill(struct master *m, const char *job_id, const char *user, bool *ret_killed, struct err *reterr)
{
    struct sched_actions actions = {0};
    char *why = mem_printf("killed by %s", user);
    int rc = 0;
    *ret_killed = false;
    struct sched *s = master_lock(m);
    const struct job *j = sched_job(s, job_id);
    if (j && strcmp(j->spec->user, user) && strcmp(user, "root"))
        rc = err_set(reterr, ERR_ACCESS, "%s belongs to %s", job_id, j->spec->user);
    else if (j)
        *ret_killed = sched_kill(s, master_now_ms(), job_id, why, &actions);
    struct finish_work *kept = *ret_killed ? finish_work_new(j, SCHED_OVER, master_epoch_ms(m)) : NULL;
    master_apply_locked(m, &actions);
    master_unlock(m);
    free(why);
    if (kept) { /* who was told that it is killed does not see it run after a restart */
        rc = job_store_put(master_store(m), kept->record, reterr);
        finish_work_free(kept);
    }
    if (rc == 0 && !j) {
        struct arena a;
        Cairn__JobRecordProto *record;
        arena_init(&a, JOB_ARENA_BYTES);
        rc = job_store_get(master_store(m), job_id, &a, &record, reterr);
        arena_free(&a);
    }
    return rc;
}

/* ---- after a restart ---- */

static bool had_begun_to_commit(struct master *m, const char *job_id)
{
    struct buf b = {0};
    bool begun = false;
    char *note = mem_printf("commit/%s", job_id);
    if (job_store_get_note(master_store(m), note, &b, &begun, NULL) < 0)
        begun = true; /* the careful assumption: what is in place already is left there */
    free(note);
    buf_free(&b);
    return begun;
}

static int recover_job(struct master *m, const struct job_store_live *kept, const Cairn__JobRecordProto *record,
                       struct err *reterr)
{
    struct job *job = NULL;
    Cairn__LiveJobProto live = *kept->live;
    live.incarnation++;
    int rc = job_from_spec(live.spec, live.spec->user, &job, reterr);
    if (rc == 0)
        rc = job_store_put_live(master_store(m), &live, reterr);
    if (rc < 0) {
        job_free(job);
        return rc;
    }
    struct sched_recovery how = {.attempts = (const Cairn__AttemptRecordProto *const *)kept->attempts,
                                 .attempt_count = kept->attempt_count,
                                 .submitted_ms = record->status->submittedatms - master_epoch_ms(m),
                                 .epoch_ms = master_epoch_ms(m),
                                 .incarnation = live.incarnation,
                                 .committing = had_begun_to_commit(m, live.spec->jobid)};
    struct sched_actions actions = {0};
    struct err err = {0};
    struct sched *s = master_lock(m);
    int after = resolve_after_locked(m, job, &err);
    sched_recover(s, master_now_ms(), job, &how, &actions);
    if (after < 0)
        sched_kill(s, master_now_ms(), live.spec->jobid, err.text, &actions);
    log_info("scheduler", "job=%s goes on: maps=%u/%u reduces=%u/%u restarts=%u", live.spec->jobid, job->maps_done,
             job->map_count, job->reduces_done, job->reduce_count, live.incarnation);
    master_apply_locked(m, &actions);
    master_unlock(m);
    return 0;
}

static int recover_one(const struct job_store_live *kept, void *arg)
{
    struct master *m = arg;
    struct err err = {0};
    struct arena *a = mem_new(struct arena);
    arena_init(a, JOB_ARENA_BYTES);
    Cairn__JobRecordProto *record = NULL;
    const char *id = kept->live->spec->jobid;
    int rc = job_store_get(master_store(m), id, a, &record, &err);
    if (rc == 0 && record->status->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED) {
        struct finish_work *w = finish_work_again(a, record);
        master_lock(m);
        master_finish_later_locked(m, w);
        master_unlock(m);
        free(a); /* what was in it is the work's now */
        return 0;
    }
    if (rc == 0)
        rc = recover_job(m, kept, record, &err);
    if (rc < 0) /* one that cannot be read must not keep the others from going on */
        log_error("scheduler", "job=%s cannot go on: err=%s", id, err.text);
    arena_free(a);
    free(a);
    return 0;
}

int master_recover(struct master *m, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 4 * JOB_ARENA_BYTES);
    int rc = job_store_each_live(master_store(m), &a, recover_one, m, reterr);
    arena_free(&a);
    return rc;
}
