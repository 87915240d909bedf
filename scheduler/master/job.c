#include "scheduler/master/job.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"

static int job_spec_check(const Cairn__JobSpecProto *spec, struct err *reterr)
{
    if (!job_id_is_valid(spec->jobid))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is not a job id", spec->jobid);
    if (spec->output[0] != '/' || !spec->output[1])
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "output '%s' is not an absolute path", spec->output);
    if (spec->n_splits > JOB_TASKS_MAX || spec->reduces > JOB_TASKS_MAX)
        return err_set(reterr, ERR_TOO_LARGE,
                       "%zu maps and %u reduces; at most %d of each (larger splits: -D "
                       "mapreduce.input.fileinputformat.split.minsize=BYTES)",
                       spec->n_splits, spec->reduces, JOB_TASKS_MAX);
    if (spec->reduces && !spec->reducer)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%u reduces but no reducer", spec->reduces);
    for (size_t i = 0; i < spec->n_splits; i++) {
        const Cairn__SplitProto *split = spec->splits[i];
        if (split->start < 0 || split->length < 0 || split->start > INT64_MAX - split->length)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "split %zu of %s: bad range", i, split->path);
        for (size_t j = 0; j < split->n_holders; j++)
            if (split->holders[j] >= spec->n_holders)
                return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "split %zu of %s: holder %u of %zu", i, split->path,
                               split->holders[j], spec->n_holders);
    }
    return job_conf_check(spec, reterr);
}

static struct task_info *tasks_new(uint32_t count)
{
    struct task_info *tasks = mem_calloc(count, sizeof *tasks);
    for (uint32_t i = 0; i < count; i++)
        tasks[i].winner = -1;
    return tasks;
}

int job_new(struct arena *arena, const Cairn__JobSpecProto *spec, int64_t now_ms, struct job **ret, struct err *reterr)
{
    int rc = job_spec_check(spec, reterr);
    if (rc < 0)
        return rc;
    struct job *j = mem_new(struct job);
    j->arena = *arena;
    *arena = (struct arena){0};
    j->spec = spec;
    j->state = CAIRN__JOB_STATE__JOB_RUNNING;
    j->submitted_ms = now_ms;
    j->map_count = j->maps_pending = (uint32_t)spec->n_splits;
    j->reduce_count = j->reduces_pending = spec->reduces;
    j->maps = tasks_new(j->map_count);
    j->reduces = tasks_new(j->reduce_count);
    j->max_attempts_map = (uint32_t)job_conf_int(spec, "mapreduce.map.maxattempts", 4);
    j->max_attempts_reduce = (uint32_t)job_conf_int(spec, "mapreduce.reduce.maxattempts", 4);
    const char *slow_start = job_conf_get(spec, "mapreduce.job.reduce.slowstart.completedmaps");
    j->slow_start = slow_start ? strtod(slow_start, NULL) : 0.05;
    j->version = 1;
    *ret = j;
    return 0;
}

static void attempt_free(struct attempt *a)
{
    free(a->worker_name);
    free(a->http_address);
    free(a->status);
    free(a->diagnostics);
    free(a->counters);
    free(a);
}

void job_free(struct job *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->attempt_count; i++)
        attempt_free(j->attempts[i]);
    for (size_t i = 0; i < j->counter_count; i++) {
        free(j->counters[i].group);
        free(j->counters[i].name);
    }
    free(j->attempts);
    free(j->events);
    free(j->maps);
    free(j->reduces);
    free(j->diagnostics);
    arena_free(&j->arena);
    free(j);
}

bool job_is_over(const struct job *j)
{
    return j->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED;
}

struct task_info *job_task(struct job *j, bool map, uint32_t task)
{
    return map ? &j->maps[task] : &j->reduces[task];
}

struct attempt *job_attempt(const struct job *j, const struct attempt_id *id, size_t *ret_index)
{
    for (size_t i = j->attempt_count; i-- > 0;) { /* the recent ones are asked for */
        struct attempt *a = j->attempts[i];
        if (a->map == id->map && a->task == id->partition && a->number == id->attempt) {
            *ret_index = i;
            return a;
        }
    }
    return NULL;
}

struct attempt *job_attempt_new(struct job *j, bool map, uint32_t task, int64_t now_ms)
{
    if (j->attempt_count == j->attempt_capacity) {
        j->attempt_capacity = j->attempt_capacity ? 2 * j->attempt_capacity : 16;
        j->attempts = mem_realloc_array(j->attempts, j->attempt_capacity, sizeof *j->attempts);
    }
    struct attempt *a = mem_new(struct attempt);
    *a = (struct attempt){.map = map,
                          .task = task,
                          .number = job_task(j, map, task)->attempts++,
                          .state = CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED,
                          .started_ms = now_ms};
    j->attempts[j->attempt_count++] = a;
    return a;
}

void job_attempt_id(const struct job *j, const struct attempt *a, char out[ATTEMPT_ID_MAX])
{
    struct attempt_id id = {.map = a->map, .partition = a->task, .attempt = a->number};
    memcpy(id.job, j->spec->jobid, strlen(j->spec->jobid) + 1);
    attempt_id_format(&id, out);
}

void job_add_event(struct job *j, uint32_t map, uint32_t attempt, bool lost)
{
    if (j->event_count == j->event_capacity) {
        j->event_capacity = j->event_capacity ? 2 * j->event_capacity : 16;
        j->events = mem_realloc_array(j->events, j->event_capacity, sizeof *j->events);
    }
    j->events[j->event_count++] = (struct map_event){map, lost, attempt};
}

void job_set_text(char **where, const char *text)
{
    free(*where);
    *where = text && text[0] ? mem_strndup(text, strnlen(text, JOB_TEXT_MAX)) : NULL;
}

/* ---- counters ---- */

static int64_t counter_index(struct job *j, const char *group, const char *name)
{
    for (size_t i = 0; i < j->counter_count; i++)
        if (!strcmp(j->counters[i].name, name) && !strcmp(j->counters[i].group, group))
            return (int64_t)i;
    if (j->counter_count == JOB_COUNTERS_MAX || strlen(group) > JOB_COUNTER_NAME_MAX ||
        strlen(name) > JOB_COUNTER_NAME_MAX)
        return -1;
    j->counters[j->counter_count] = (struct job_counter){mem_strdup(group), mem_strdup(name), 0};
    return (int64_t)j->counter_count++;
}

static void counter_add(struct job *j, size_t counter, int64_t delta)
{
    j->counters[counter].value = (int64_t)((uint64_t)j->counters[counter].value + (uint64_t)delta);
}

void job_count(struct job *j, const char *group, const char *name, int64_t delta)
{
    int64_t at = counter_index(j, group, name);
    if (at >= 0)
        counter_add(j, (size_t)at, delta);
}

void attempt_keep_counters(struct job *j, struct attempt *a, Cairn__CounterProto *const *counters, size_t count)
{
    free(a->counters);
    a->counters = mem_calloc(count, sizeof *a->counters);
    a->counter_count = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t at = counter_index(j, counters[i]->group, counters[i]->name);
        if (at >= 0)
            a->counters[a->counter_count++] = (struct counter_value){(uint32_t)at, counters[i]->value};
    }
}

void attempt_apply_counters(struct job *j, const struct attempt *a, int sign)
{
    for (size_t i = 0; i < a->counter_count; i++)
        counter_add(j, a->counters[i].counter, sign > 0 ? a->counters[i].value : -a->counters[i].value);
}

/* ---- messages ---- */

static float progress_of(const struct job *j, bool map)
{
    uint32_t count = map ? j->map_count : j->reduce_count;
    if (count == 0)
        return 1;
    double sum = map ? j->maps_done : j->reduces_done;
    for (size_t i = 0; i < j->attempt_count; i++) {
        const struct attempt *a = j->attempts[i];
        if (a->map == map && a->state == CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING)
            sum += a->progress;
    }
    sum /= count;
    return sum > 1 ? 1 : (float)sum;
}

static Cairn__CounterProto **counter_messages(const struct job *j, struct arena *a)
{
    Cairn__CounterProto **list = arena_array(a, Cairn__CounterProto *, j->counter_count);
    for (size_t i = 0; i < j->counter_count; i++) {
        list[i] = arena_new(a, Cairn__CounterProto);
        cairn__counter_proto__init(list[i]);
        list[i]->group = arena_strdup(a, j->counters[i].group);
        list[i]->name = arena_strdup(a, j->counters[i].name);
        list[i]->value = j->counters[i].value;
    }
    return list;
}

void job_status_message(const struct job *j, int64_t epoch_ms, struct arena *a, Cairn__JobStatusProto *ret)
{
    cairn__job_status_proto__init(ret);
    ret->jobid = arena_strdup(a, j->spec->jobid);
    ret->name = arena_strdup(a, j->spec->name);
    ret->user = arena_strdup(a, j->spec->user);
    ret->output = arena_strdup(a, j->spec->output);
    ret->state = j->state;
    ret->submittedatms = j->submitted_ms + epoch_ms;
    ret->has_startedatms = j->started_ms != 0;
    ret->startedatms = j->started_ms + epoch_ms;
    ret->has_finishedatms = j->finished_ms != 0;
    ret->finishedatms = j->finished_ms + epoch_ms;
    ret->maps = j->map_count;
    ret->mapsdone = j->maps_done;
    ret->reduces = j->reduce_count;
    ret->reducesdone = j->reduces_done;
    ret->mapprogress = progress_of(j, true);
    ret->reduceprogress = progress_of(j, false);
    ret->diagnostics = j->diagnostics ? arena_strdup(a, j->diagnostics) : NULL;
    ret->counters = counter_messages(j, a);
    ret->n_counters = j->counter_count;
    ret->has_mapsrunning = ret->has_reducesrunning = ret->has_version = true;
    ret->mapsrunning = j->maps_running;
    ret->reducesrunning = j->reduces_running;
    ret->version = j->version;
    if (j->waiting_for && !job_is_over(j))
        ret->waitingfor = arena_strdup(a, j->waiting_for);
}

Cairn__AttemptProto *attempt_message(const struct job *j, const struct attempt *at, int64_t epoch_ms, struct arena *a)
{
    Cairn__AttemptProto *m = arena_new(a, Cairn__AttemptProto);
    cairn__attempt_proto__init(m);
    char id[ATTEMPT_ID_MAX];
    job_attempt_id(j, at, id);
    m->attemptid = arena_strdup(a, id);
    m->state = at->state;
    m->worker = arena_strdup(a, at->worker_name);
    m->httpaddress = arena_strdup(a, at->http_address);
    m->startedatms = at->started_ms + epoch_ms;
    m->has_finishedatms = at->finished_ms != 0;
    m->finishedatms = at->finished_ms + epoch_ms;
    m->has_progress = m->has_locality = true;
    m->progress = at->progress;
    m->locality = at->locality;
    m->status = at->status ? arena_strdup(a, at->status) : NULL;
    m->diagnostics = at->diagnostics ? arena_strdup(a, at->diagnostics) : NULL;
    return m;
}

Cairn__JobSpecProto *job_spec_without_splits(const Cairn__JobSpecProto *spec, struct arena *a)
{
    Cairn__JobSpecProto *copy = arena_memdup(a, spec, sizeof *spec);
    copy->n_splits = copy->n_holders = 0;
    copy->splits = NULL;
    copy->holders = NULL;
    copy->has_maps = true;
    copy->maps = (uint32_t)spec->n_splits;
    return copy;
}
