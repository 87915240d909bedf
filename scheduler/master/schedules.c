#include "scheduler/master/schedules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/lib/dfs.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/message.h"
#include "scheduler/master/cron.h"

#define NOTE_PREFIX    "cron/"
#define NAME_MAX_BYTES 128
#define SCHEDULES_MAX  1000
#define LOOK_MS        500

struct schedules {
    struct master *master;
    const struct config *config;
    pthread_mutex_t lock; /* guards all that follows, and the notes */
    pthread_cond_t wake;
    bool stopping;
    pthread_t thread;
};

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_BYTES && !strpbrk(name, "/\n") && name[0] != '.';
}

static int put_locked(struct schedules *s, const Cairn__ScheduleProto *schedule, struct err *reterr)
{
    struct buf b = {0};
    char *note = mem_printf(NOTE_PREFIX "%s", schedule->name);
    message_pack(&b, &schedule->base);
    int rc = job_store_put_note(master_store(s->master), note, b.base, b.len, reterr);
    buf_free(&b);
    free(note);
    return rc;
}

struct listing {
    struct arena *arena;
    Cairn__ScheduleProto *list[SCHEDULES_MAX];
    size_t count;
};

static void list_one(const char *name, struct slice bytes, void *arg)
{
    struct listing *l = arg;
    ProtobufCMessage *m = NULL;
    struct err err = {0};
    if (l->count == SCHEDULES_MAX)
        return;
    if (message_unpack(&cairn__schedule_proto__descriptor, bytes, l->arena, &m, &err) < 0)
        log_error("scheduler", "note=%s cannot be read: err=%s", name, err.text);
    else
        l->list[l->count++] = (Cairn__ScheduleProto *)m;
}

static int find_locked(struct schedules *s, const char *name, struct arena *a, Cairn__ScheduleProto **ret,
                       struct err *reterr)
{
    struct buf b = {0};
    bool found = false;
    ProtobufCMessage *m = NULL;
    char *note = mem_printf(NOTE_PREFIX "%s", name);
    int rc = job_store_get_note(master_store(s->master), note, &b, &found, reterr);
    if (rc == 0 && !found)
        rc = err_set(reterr, ERR_NOT_FOUND, "there is no recurring job '%s'", name);
    if (rc == 0)
        rc = message_unpack(&cairn__schedule_proto__descriptor, buf_slice(&b), a, &m, reterr);
    *ret = (Cairn__ScheduleProto *)m;
    buf_free(&b);
    free(note);
    return rc;
}

static int may_change(const Cairn__ScheduleProto *schedule, const char *user, struct err *reterr)
{
    if (!strcmp(schedule->job->user, user) || !strcmp(user, "root"))
        return 0;
    return err_set(reterr, ERR_ACCESS, "the recurring job '%s' belongs to %s", schedule->name, schedule->job->user);
}

int schedules_put(struct schedules *s, const Cairn__ScheduleProto *schedule, const char *user, int64_t *ret_next_ms,
                  struct err *reterr)
{
    struct cron cron;
    if (!name_is_valid(schedule->name))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%.64s' is no name for a recurring job", schedule->name);
    int rc = cron_parse(schedule->cron, &cron, reterr);
    if (rc == 0)
        rc = job_spec_check(schedule->job, reterr); /* or each of its runs would say so, to nobody */
    if (rc < 0)
        return rc;
    int64_t next_s = cron_next(&cron, clock_wall_ms() / 1000);
    if (next_s < 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is never", schedule->cron);
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    Cairn__ScheduleProto mine = *schedule, *before = NULL;
    Cairn__JobSpecProto job = *schedule->job;
    job.user = (char *)user;
    job.has_planlater = job.planlater = true;
    mine.job = &job;
    mine.has_nextatms = true;
    mine.nextatms = *ret_next_ms = next_s * 1000;
    pthread_mutex_lock(&s->lock);
    rc = find_locked(s, schedule->name, &a, &before, reterr);
    rc = rc == 0 ? may_change(before, user, reterr) : rc == ERR_NOT_FOUND ? 0 : rc;
    if (rc == 0)
        rc = put_locked(s, &mine, reterr);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    arena_free(&a);
    return rc;
}

int schedules_remove(struct schedules *s, const char *name, const char *user, struct err *reterr)
{
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    Cairn__ScheduleProto *schedule = NULL;
    pthread_mutex_lock(&s->lock);
    int rc = name_is_valid(name) ? find_locked(s, name, &a, &schedule, reterr)
                                 : err_set(reterr, ERR_NOT_FOUND, "'%.64s' is no name of a recurring job", name);
    if (rc == 0)
        rc = may_change(schedule, user, reterr);
    char *note = mem_printf(NOTE_PREFIX "%s", name);
    if (rc == 0)
        rc = job_store_put_note(master_store(s->master), note, NULL, 0, reterr);
    pthread_mutex_unlock(&s->lock);
    free(note);
    if (rc == 0 && schedule->job->stagingdir) { /* the files its runs were given */
        struct dfs *fs = NULL;
        struct err err = {0};
        bool deleted;
        if (dfs_connect(s->config, schedule->job->fsuri, schedule->job->user, &fs, &err) < 0 ||
            dfs_delete(fs, schedule->job->stagingdir, true, &deleted, &err) < 0)
            log_warn("scheduler", "path=%s stays: err=%s", schedule->job->stagingdir, err.text);
        dfs_unref(fs);
    }
    arena_free(&a);
    return rc;
}

int schedules_list(struct schedules *s, struct arena *a, Cairn__ListSchedulesResponseProto *ret, struct err *reterr)
{
    struct listing *l = mem_new(struct listing);
    l->arena = a;
    pthread_mutex_lock(&s->lock);
    int rc = job_store_each_note(master_store(s->master), NOTE_PREFIX, list_one, l, reterr);
    pthread_mutex_unlock(&s->lock);
    ret->schedules = arena_memdup(a, l->list, (l->count ? l->count : 1) * sizeof *l->list);
    ret->n_schedules = l->count;
    free(l);
    return rc;
}

/* ---- a run ---- */

static bool is_over(struct schedules *s, const char *job_id)
{
    struct sched *core = master_lock(s->master);
    const struct job *j = sched_job(core, job_id);
    bool over = !j || job_is_over(j);
    master_unlock(s->master);
    return over;
}

/* %Y %m %d %H %M %S are those of the time that was due. */
static int path_at(const char *pattern, int64_t at_ms, struct arena *a, char **ret, struct err *reterr)
{
    struct buf b = {0};
    time_t at = (time_t)(at_ms / 1000);
    struct tm tm;
    int rc = 0;
    localtime_r(&at, &tm);
    for (const char *c = pattern; rc == 0 && *c; c++) {
        if (*c != '%') {
            buf_append(&b, c, 1);
            continue;
        }
        switch (*++c) {
        case 'Y': buf_printf(&b, "%04d", tm.tm_year + 1900); break;
        case 'm': buf_printf(&b, "%02d", tm.tm_mon + 1); break;
        case 'd': buf_printf(&b, "%02d", tm.tm_mday); break;
        case 'H': buf_printf(&b, "%02d", tm.tm_hour); break;
        case 'M': buf_printf(&b, "%02d", tm.tm_min); break;
        case 'S': buf_printf(&b, "%02d", tm.tm_sec); break;
        case '%': buf_append_str(&b, "%"); break;
        default:
            rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "output '%s': only %%Y %%m %%d %%H %%M %%S and %%%% are known",
                         pattern);
        }
    }
    char *text = buf_detach(&b);
    *ret = arena_strdup(a, text ? text : "");
    free(text);
    return rc;
}

static int make_output(const struct schedules *s, const Cairn__JobSpecProto *job, struct arena *a, struct err *reterr)
{
    struct dfs *fs = NULL;
    struct dfs_status status;
    struct err err = {0};
    int rc = dfs_connect(s->config, job->fsuri, job->user, &fs, reterr);
    if (rc == 0 && dfs_stat(fs, job->output, a, &status, &err) == 0)
        rc = err_set(reterr, ERR_EXISTS, "output %s is there already", job->output);
    if (rc == 0)
        rc = dfs_mkdirs(fs, arena_printf(a, "%s/_temporary/0", job->output), 0755, true, reterr);
    dfs_unref(fs);
    return rc;
}

static int submit_run(struct schedules *s, Cairn__ScheduleProto *schedule, struct arena *a, struct err *reterr)
{
    Cairn__JobSpecProto job = *schedule->job;
    char id[JOB_ID_MAX];
    master_new_job_id(s->master, id);
    job.jobid = id;
    job.stagingdir = NULL; /* the next run needs its files, too */
    int rc = path_at(job.output, schedule->nextatms, a, &job.output, reterr);
    if (rc == 0 && job.replaces)
        rc = path_at(job.replaces, schedule->nextatms, a, &job.replaces, reterr);
    if (rc == 0 && (job.replaces || job.sink)) {
        job.output = arena_printf(a, "%s.%s", job.output, id);
    }
    if (rc == 0)
        rc = make_output(s, &job, a, reterr);
    if (rc == 0)
        rc = master_submit(s->master, &job, job.user, reterr);
    if (rc == 0)
        schedule->lastjobid = arena_strdup(a, id);
    return rc;
}

static void run_due_locked(struct schedules *s, Cairn__ScheduleProto *schedule, int64_t now_ms, struct arena *a)
{
    struct cron cron;
    struct err err = {0};
    bool late = now_ms - schedule->nextatms > 60000; /* the scheduler was away: the next time will do */
    schedule->problem = NULL;
    if (!late && schedule->lastjobid && !is_over(s, schedule->lastjobid)) {
        schedule->has_skipped = true;
        schedule->skipped++;
        log_warn("scheduler", "recurring='%s' is not run: %s is not over yet", schedule->name, schedule->lastjobid);
    } else if (!late) {
        schedule->has_runs = true;
        schedule->runs++;
        if (submit_run(s, schedule, a, &err) < 0) {
            schedule->problem = err.text;
            log_error("scheduler", "recurring='%s' is not run: err=%s", schedule->name, err.text);
        }
    }
    int64_t next_s = cron_parse(schedule->cron, &cron, &err) == 0 ? cron_next(&cron, now_ms / 1000) : -1;
    schedule->nextatms = next_s < 0 ? INT64_MAX : next_s * 1000;
    if (put_locked(s, schedule, &err) < 0)
        log_error("scheduler", "recurring='%s': err=%s", schedule->name, err.text);
}

static void *schedules_thread(void *arg)
{
    struct schedules *s = arg;
    struct listing *l = mem_new(struct listing);
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct arena a;
        struct err err = {0};
        arena_init(&a, 4 * JOB_ARENA_BYTES);
        *l = (struct listing){.arena = &a};
        if (job_store_each_note(master_store(s->master), NOTE_PREFIX, list_one, l, &err) < 0)
            log_error("scheduler", "recurring jobs: err=%s", err.text);
        int64_t now_ms = clock_wall_ms();
        for (size_t i = 0; i < l->count; i++)
            if (l->list[i]->nextatms <= now_ms)
                run_due_locked(s, l->list[i], now_ms, &a);
        arena_free(&a);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS % 1000 * 1000000;
        until.tv_sec += LOOK_MS / 1000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!s->stopping)
            pthread_cond_timedwait(&s->wake, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    free(l);
    return NULL;
}

int schedules_start(struct master *m, const struct config *config, struct schedules **ret, struct err *reterr)
{
    struct schedules *s = mem_new(struct schedules);
    s->master = m;
    s->config = config;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    int errnum = pthread_create(&s->thread, NULL, schedules_thread, s);
    if (errnum) {
        free(s);
        return err_errno(reterr, errnum, "start a thread");
    }
    *ret = s;
    return 0;
}

void schedules_stop(struct schedules *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s);
}
