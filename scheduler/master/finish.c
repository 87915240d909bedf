/* The slow ends of jobs. Committing: every winning attempt wrote into a folder of its own under OUTPUT/_temporary/0;
 * the files in those folders are renamed into OUTPUT, then _temporary goes and _SUCCESS appears. So readers that wait
 * for _SUCCESS see everything or nothing, and no attempt needs permission to commit. */
#include "scheduler/master/master.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs.h"
#include "client/lib/dfs_path.h"
#include "common/log.h"
#include "common/mem.h"
#include "scheduler/engine/job_conf.h"

#define FINISH_ARENA_BYTES      (512u << 20)
#define DIAGNOSTIC_ATTEMPTS_MAX 20000 /* in a job's record */

static void add_winners(struct finish_work *w, const struct job *j)
{
    const struct task_info *tasks = j->reduce_count ? j->reduces : j->maps;
    uint32_t count = j->reduce_count ? j->reduce_count : j->map_count;
    w->winners = arena_array(&w->arena, char *, count);
    for (uint32_t i = 0; i < count; i++) {
        char id[ATTEMPT_ID_MAX];
        job_attempt_id(j, j->attempts[tasks[i].winner], id);
        w->winners[w->winner_count++] = arena_strdup(&w->arena, id);
    }
}

struct finish_work *finish_work_new(const struct job *j, enum sched_action_kind kind, int64_t epoch_ms)
{
    struct finish_work *w = mem_new(struct finish_work);
    struct arena *a = &w->arena;
    arena_init(a, FINISH_ARENA_BYTES);
    w->kind = kind;
    w->job_id = arena_strdup(a, j->spec->jobid);
    w->user = arena_strdup(a, j->spec->user);
    w->fs_uri = arena_strdup(a, j->spec->fsuri);
    w->output = arena_strdup(a, j->spec->output);
    w->staging_dir = j->spec->stagingdir ? arena_strdup(a, j->spec->stagingdir) : NULL;
    w->lazy = j->spec->lazyoutput;
    w->mark_success = job_conf_bool(j->spec, "mapreduce.fileoutputcommitter.marksuccessfuljobs", true);
    w->succeeded = j->state == CAIRN__JOB_STATE__JOB_SUCCEEDED;
    if (kind == SCHED_COMMIT) {
        add_winners(w, j);
        return w;
    }
    w->record = arena_new(a, Cairn__JobRecordProto);
    cairn__job_record_proto__init(w->record);
    w->record->status = arena_new(a, Cairn__JobStatusProto);
    job_status_message(j, epoch_ms, a, w->record->status);
    w->record->spec = job_spec_without_splits(j->spec, a);
    size_t first = j->attempt_count > DIAGNOSTIC_ATTEMPTS_MAX ? j->attempt_count - DIAGNOSTIC_ATTEMPTS_MAX : 0;
    w->record->attempts = arena_array(a, Cairn__AttemptProto *, j->attempt_count - first);
    for (size_t i = first; i < j->attempt_count; i++)
        w->record->attempts[w->record->n_attempts++] = attempt_message(j, j->attempts[i], epoch_ms, a);
    return w;
}

void finish_work_free(struct finish_work *w)
{
    arena_free(&w->arena);
    free(w);
}

static int move_attempt_output(struct dfs *fs, const struct finish_work *w, const char *attempt, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 64 << 20);
    const char *dir = arena_printf(&a, "%s/_temporary/0/%s", w->output, attempt);
    struct dfs_listing listing = {0};
    int rc = dfs_list_all(fs, dir, &a, &listing, reterr);
    if (rc == ERR_NOT_FOUND && w->lazy) { /* it wrote nothing */
        arena_free(&a);
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < listing.count; i++) {
        const char *name = listing.entries[i].name;
        rc = dfs_rename2(fs, dfs_path_join(&a, dir, name), dfs_path_join(&a, w->output, name), false, false, reterr);
    }
    arena_free(&a);
    return rc;
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

int finish_commit(const struct config *config, const struct finish_work *w, struct err *reterr)
{
    struct dfs *fs = NULL;
    int rc = dfs_connect(config, w->fs_uri, w->user, &fs, reterr);
    for (size_t i = 0; rc == 0 && i < w->winner_count; i++)
        if ((rc = move_attempt_output(fs, w, w->winners[i], reterr)) < 0)
            err_prefix(reterr, rc, "%s", w->winners[i]);
    if (rc == 0)
        rc = remove_temporary(fs, w->output, reterr);
    if (rc == 0 && w->mark_success)
        rc = write_success(fs, w->output, reterr);
    dfs_unref(fs);
    return rc;
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
    if (!w->succeeded) {
        if (remove_temporary(fs, w->output, &err) < 0)
            log_warn("scheduler", "job=%s path=%s/_temporary stays: err=%s", w->job_id, w->output, err.text);
        if (dfs_delete(fs, w->output, false, &deleted, &err) < 0 && err.code != ERR_NOT_EMPTY)
            log_debug("scheduler", "job=%s path=%s stays: err=%s", w->job_id, w->output, err.text);
    }
    dfs_unref(fs);
}
