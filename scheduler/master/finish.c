/* The slow ends of jobs. Committing: every winning attempt wrote into a folder of its own under OUTPUT/_temporary/0;
 * the files in those folders are renamed into OUTPUT, then _temporary goes and _SUCCESS appears. So readers that wait
 * for _SUCCESS see everything or nothing, and no attempt needs permission to commit.
 *
 * A job that replaces a folder has an OUTPUT beside it until it is complete; then the old one is renamed away and the
 * new one to its name, at once where the namenode can do that. Every step can be done again: a commit goes on after a
 * kill of the scheduler or the namenode at any point between two of them. */
#include "scheduler/master/master.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/lib/dfs.h"
#include "client/lib/posix.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "scheduler/cli/splits.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/part_file.h"
#include "scheduler/master/job_json.h"
#include "scheduler/master/move_outputs.h"
#include "scheduler/sink/sink.h"

#define FINISH_ARENA_BYTES      (512u << 20)
#define DIAGNOSTIC_ATTEMPTS_MAX 20000 /* in a job's record */
#define AWAY_MAX_MS             (15 * 60 * 1000)
#define AWAY_PAUSE_MS           300
#define TRIES_MAX               3 /* of errors that do not say that the file system is away */

static void add_winners(struct finish_work *w, const struct job *j)
{
    const struct task_info *tasks = j->reduce_count ? j->reduces : j->maps;
    uint32_t count = j->reduce_count ? j->reduce_count : j->map_count;
    w->winners = arena_array(&w->arena, char *, count);
    for (uint32_t i = 0; i < count; i++) {
        char id[ATTEMPT_ID_MAX];
        if (tasks[i].state != TASK_DONE)
            continue; /* the job does without it */
        job_attempt_id(j, j->attempts[tasks[i].winner], id);
        w->winners[w->winner_count++] = arena_strdup(&w->arena, id);
    }
}

/* The old one is gone with the job, under a name of the job's, or it stays as _replaced_NAME until the next time. */
static void describe_replacement(struct finish_work *w, const Cairn__JobSpecProto *spec)
{
    const char *how = job_conf_get(spec, "cairn.job.replace"), *slash = strrchr(spec->replaces, '/');
    w->replaces = arena_strdup(&w->arena, spec->replaces);
    w->keeps_aside = how && !strcasecmp(how, "keep");
    if (w->keeps_aside && slash)
        w->aside =
            arena_printf(&w->arena, "%.*s/_replaced_%s", (int)(slash - spec->replaces), spec->replaces, slash + 1);
    else
        w->aside = arena_printf(&w->arena, "%s.old", spec->output);
}

static void describe(struct finish_work *w, const Cairn__JobSpecProto *spec, Cairn__JobState state)
{
    struct arena *a = &w->arena;
    w->job_id = arena_strdup(a, spec->jobid);
    w->user = arena_strdup(a, spec->user);
    w->fs_uri = arena_strdup(a, spec->fsuri);
    w->output = arena_strdup(a, spec->output);
    w->staging_dir = spec->stagingdir ? arena_strdup(a, spec->stagingdir) : NULL;
    if (spec->replaces)
        describe_replacement(w, spec);
    w->sink = spec->sink ? arena_strdup(a, spec->sink) : NULL;
    w->lazy = spec->lazyoutput;
    w->part_suffix = part_file_suffix(spec);
    w->mark_success = job_conf_bool(spec, "mapreduce.fileoutputcommitter.marksuccessfuljobs", true);
    w->succeeded = state == CAIRN__JOB_STATE__JOB_SUCCEEDED;
}

struct finish_work *finish_work_new(const struct job *j, enum sched_action_kind kind, int64_t epoch_ms)
{
    struct finish_work *w = mem_new(struct finish_work);
    struct arena *a = &w->arena;
    arena_init(a, FINISH_ARENA_BYTES);
    w->kind = kind;
    w->resumed = j->committing_before;
    w->incarnation = j->incarnation;
    describe(w, j->spec, j->state);
    if (kind == SCHED_COMMIT)
        add_winners(w, j);
    if (kind == SCHED_PLAN) {
        Cairn__JobSpecProto *spec = NULL;
        if (job_spec_copy(j->spec, a, &spec, NULL) == 0) /* it fitted into the job's arena, which is smaller */
            w->spec = spec;
    }
    if (kind != SCHED_OVER)
        return w;
    w->record = arena_new(a, Cairn__JobRecordProto);
    cairn__job_record_proto__init(w->record);
    w->record->status = arena_new(a, Cairn__JobStatusProto);
    job_status_message(j, epoch_ms, a, w->record->status);
    Cairn__JobSpecProto *spec = NULL, *small = job_spec_without_splits(j->spec, a);
    w->record->spec = job_spec_copy(small, a, &spec, NULL) == 0 ? spec : small;
    if (w->record->spec->sink) /* that there was one is all that is asked later: its password is not kept */
        w->record->spec->sink = "postgresql:";
    size_t first = j->attempt_count > DIAGNOSTIC_ATTEMPTS_MAX ? j->attempt_count - DIAGNOSTIC_ATTEMPTS_MAX : 0;
    w->record->attempts = arena_array(a, Cairn__AttemptProto *, j->attempt_count - first);
    for (size_t i = first; i < j->attempt_count; i++)
        w->record->attempts[w->record->n_attempts++] = attempt_message(j, j->attempts[i], epoch_ms, a);
    return w;
}

struct finish_work *finish_work_again(struct arena *a, Cairn__JobRecordProto *record)
{
    struct finish_work *w = mem_new(struct finish_work);
    w->arena = *a;
    w->kind = SCHED_OVER;
    w->record = record;
    describe(w, record->spec, record->status->state);
    return w;
}

void finish_work_free(struct finish_work *w)
{
    arena_free(&w->arena);
    free(w);
}

static int write_success(struct dfs *fs, const char *output, struct err *reterr)
{
    char *path = mem_printf("%s/_SUCCESS", output);
    struct file_writer *writer = NULL;
    struct file_create how = {.mode = 0644, .overwrite = true};
    int rc = file_writer_create(fs, path, &how, &writer, reterr);
    free(path);
    return rc < 0 ? rc : file_writer_close(writer, reterr);
}

static int remove_temporary(struct dfs *fs, const char *output, struct err *reterr)
{
    char *path = mem_printf("%s/_temporary", output);
    bool deleted;
    int rc = dfs_delete(fs, path, true, &deleted, reterr);
    free(path);
    return rc;
}

/* ---- taking another folder's place ---- */

static int exists(struct dfs *fs, const char *path, bool *ret, struct err *reterr)
{
    struct arena a;
    struct dfs_status status;
    arena_init(&a, 1 << 20);
    int rc = dfs_stat(fs, path, &a, &status, reterr);
    arena_free(&a);
    *ret = rc == 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static bool is_no_posix(int rc)
{
    return rc == ERR_NO_SUCH_PROTOCOL || rc == ERR_NO_SUCH_METHOD || rc == ERR_UNSUPPORTED || rc == ERR_RPC_SERVER;
}

static int replace_folder(struct dfs *fs, const struct finish_work *w, struct err *reterr)
{
    bool made = false, there = false, deleted;
    int rc = exists(fs, w->output, &made, reterr);
    if (rc == 0 && made)
        rc = exists(fs, w->replaces, &there, reterr);
    if (rc == 0 && there && (rc = dfs_delete(fs, w->aside, true, &deleted, reterr)) == 0) {
        rc = posix_replace(fs, w->replaces, w->output, w->aside, reterr);
        made = rc != 0;
        if (is_no_posix(rc)) /* not our namenode: there will be a moment without either */
            rc = dfs_rename2(fs, w->replaces, w->aside, false, false, reterr);
    }
    if (rc == 0 && made)
        rc = dfs_rename2(fs, w->output, w->replaces, false, false, reterr);
    if (rc == 0 && !w->keeps_aside)
        rc = dfs_delete(fs, w->aside, true, &deleted, reterr);
    return rc;
}

/* ---- into a table ---- */

static int commit_sink(struct dfs *fs, const struct finish_work *w, struct err *reterr)
{
    struct arena a;
    struct sink sink;
    int64_t rows = 0;
    arena_init(&a, 1 << 20);
    int rc = sink_parse(w->sink, &a, &sink, reterr);
    if (rc == 0)
        rc = sink_commit(&sink, w->job_id, fs, w->output, &rows, reterr);
    if (rc == 0)
        log_info("scheduler", "job=%s table=%s rows=%lld", w->job_id, sink.table, (long long)rows);
    arena_free(&a);
    return rc;
}

/* ---- the commit ---- */

static int commit_once(const struct config *config, const struct finish_work *w, struct err *reterr)
{
    struct dfs *fs = NULL;
    bool there = true;
    int rc = dfs_connect(config, w->fs_uri, w->user, &fs, reterr);
    if (rc == 0 && w->replaces && w->resumed)
        rc = exists(fs, w->output, &there, reterr);
    if (rc == 0 && there)
        rc = move_outputs(fs, w, reterr);
    if (rc == 0 && there)
        rc = remove_temporary(fs, w->output, reterr);
    if (rc == 0 && there && w->mark_success)
        rc = write_success(fs, w->output, reterr);
    if (rc == 0 && w->replaces)
        rc = replace_folder(fs, w, reterr);
    if (rc == 0 && w->sink)
        rc = commit_sink(fs, w, reterr);
    dfs_unref(fs);
    return rc;
}

static bool is_away(int rc)
{
    return rc == ERR_CONNECT || rc == ERR_TIMEOUT || rc == ERR_SAFE_MODE || rc == ERR_STANDBY || rc == ERR_RETRIABLE;
}

int finish_commit(const struct config *config, struct finish_work *w, struct master *m, struct err *reterr)
{
    int64_t until = clock_mono_ms() + AWAY_MAX_MS;
    for (int tries = 1;; tries++) {
        int rc = commit_once(config, w, reterr);
        bool again = is_away(rc) ? clock_mono_ms() < until : tries < TRIES_MAX;
        if (rc == 0 || !again || master_is_stopping(m))
            return rc;
        log_warn("scheduler", "job=%s commit is tried again: err=%s", w->job_id, reterr ? reterr->text : "");
        w->resumed = true; /* whatever was done, and whatever reply was lost, may have happened */
        clock_sleep_ms(AWAY_PAUSE_MS);
    }
}

/* ---- splits of a job whose input was not there when it was submitted ---- */

int finish_plan(const struct config *config, const struct finish_work *w, struct arena *a, Cairn__JobSpecProto **ret,
                struct err *reterr)
{
    struct dfs *fs = NULL;
    size_t files = 0;
    if (!w->spec)
        return err_set(reterr, ERR_NO_MEMORY, "%s is too large", w->job_id);
    struct arena scratch;
    arena_init(&scratch, FINISH_ARENA_BYTES);
    Cairn__JobSpecProto spec = *w->spec;
    spec.has_planlater = spec.planlater = false;
    struct job_request request = {.inputs = (const char **)spec.inputs,
                                  .input_count = spec.n_inputs,
                                  .tagged = (const char **)spec.taggedinputs,
                                  .tagged_count = spec.n_taggedinputs};
    int rc = dfs_connect(config, w->fs_uri, w->user, &fs, reterr);
    if (rc == 0)
        rc = splits_compute(fs, &request, &spec, &scratch, &files, reterr);
    if (rc == 0)
        rc = job_spec_copy(&spec, a, ret, reterr);
    dfs_unref(fs);
    arena_free(&scratch);
    return rc;
}

/* ---- history ---- */

void finish_history(const struct config *config, const struct finish_work *w)
{
    const char *dir = config_str(config, "cairn.scheduler.history-dir");
    if (!dir[0])
        return;
    struct dfs *fs = NULL;
    struct err err = {0};
    struct buf b = {0};
    struct file_writer *writer = NULL;
    struct file_create how = {.mode = 0644, .overwrite = true};
    char *path = mem_printf("%s/%s.json", dir, w->job_id);
    job_record_json(&b, w->record);
    int rc = dfs_connect(config, w->fs_uri, NULL, &fs, &err);
    if (rc == 0)
        rc = dfs_mkdirs(fs, dir, 0755, true, &err);
    if (rc == 0)
        rc = file_writer_create(fs, path, &how, &writer, &err);
    if (rc == 0 && (rc = file_writer_write(writer, b.base, b.len, &err)) < 0)
        file_writer_abort(writer);
    else if (rc == 0)
        rc = file_writer_close(writer, &err);
    if (rc < 0)
        log_warn("scheduler", "job=%s path=%s is not written: err=%s", w->job_id, path, err.text);
    dfs_unref(fs);
    buf_free(&b);
    free(path);
}

void finish_clean(const struct config *config, const struct finish_work *w)
{
    struct dfs *fs = NULL;
    struct err err = {0};
    bool deleted;
    if (dfs_connect(config, w->fs_uri, w->user, &fs, &err) < 0) {
        log_warn("scheduler", "job=%s nothing is cleaned up: err=%s", w->job_id, err.text);
        return;
    }
    if (w->staging_dir && dfs_delete(fs, w->staging_dir, true, &deleted, &err) < 0)
        log_warn("scheduler", "job=%s path=%s stays: err=%s", w->job_id, w->staging_dir, err.text);
    if (w->sink && dfs_delete(fs, w->output, true, &deleted, &err) < 0)
        log_warn("scheduler", "job=%s path=%s stays: err=%s", w->job_id, w->output, err.text);
    if (!w->succeeded && !w->sink) {
        if (remove_temporary(fs, w->output, &err) < 0)
            log_warn("scheduler", "job=%s path=%s/_temporary stays: err=%s", w->job_id, w->output, err.text);
        if (dfs_delete(fs, w->output, false, &deleted, &err) < 0 && err.code != ERR_NOT_EMPTY)
            log_debug("scheduler", "job=%s path=%s stays: err=%s", w->job_id, w->output, err.text);
    }
    dfs_unref(fs);
}
