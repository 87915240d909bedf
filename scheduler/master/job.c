#include "scheduler/master/job.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "proto/message.h"
#include "scheduler/engine/job_conf.h"

#define ASK_MEMORY_MB 128 /* of a task that says nothing */

int job_spec_check(const Cairn__JobSpecProto *spec, struct err *reterr)
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
        tasks[i].winner = tasks[i].last = -1;
    return tasks;
}

/* ---- which maps a node holds ---- */

static void index_free(struct job *j)
{
    for (size_t h = 0; j->held && h < j->spec->n_holders; h++)
        free(j->held[h].maps);
    free(j->held);
    free(j->homeless.maps);
    j->held = NULL;
    j->homeless = (struct map_list){0};
}

static void index_build(struct job *j)
{
    j->held = mem_calloc(j->spec->n_holders, sizeof *j->held);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t m = 0; m < j->map_count; m++)
            for (size_t i = 0; i < j->spec->splits[m]->n_holders; i++) {
                struct map_list *list = &j->held[j->spec->splits[m]->holders[i]];
                if (pass)
                    list->maps[list->count] = m;
                list->count++;
            }
        for (size_t h = 0; pass == 0 && h < j->spec->n_holders; h++) {
            j->held[h].maps = mem_calloc(j->held[h].count, sizeof *j->held[h].maps);
            j->held[h].count = 0;
        }
    }
    j->every = (struct map_list){.count = j->map_count};
    j->homeless_generation = UINT64_MAX;
}

void job_rewind(struct job *j)
{
    for (size_t h = 0; h < j->spec->n_holders; h++)
        j->held[h].cursor = 0;
    j->homeless.cursor = j->every.cursor = 0;
}

static void take_spec(struct job *j, const Cairn__JobSpecProto *spec)
{
    j->spec = spec;
    j->map_count = j->maps_pending = (uint32_t)spec->n_splits;
    j->reduce_count = j->reduces_pending = spec->reduces;
    j->maps = tasks_new(j->map_count);
    j->reduces = tasks_new(j->reduce_count);
    uint64_t bytes = 0; /* may wrap when someone lies */
    for (size_t i = 0; i < spec->n_splits; i++)
        bytes += (uint64_t)spec->splits[i]->length;
    j->input_bytes = (int64_t)bytes;
    index_build(j);
}

static uint32_t conf_count(const Cairn__JobSpecProto *spec, const char *name, int64_t fallback)
{
    int64_t value = job_conf_int(spec, name, fallback);
    return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

int job_new(struct arena *arena, const Cairn__JobSpecProto *spec, int64_t now_ms, struct job **ret, struct err *reterr)
{
    int rc = job_spec_check(spec, reterr);
    if (rc < 0)
        return rc;
    struct job *j = mem_new(struct job);
    j->arena = *arena;
    *arena = (struct arena){0};
    j->state = spec->planlater ? CAIRN__JOB_STATE__JOB_WAITING : CAIRN__JOB_STATE__JOB_RUNNING;
    j->submitted_ms = now_ms;
    take_spec(j, spec);
    j->max_attempts_map = conf_count(spec, "mapreduce.map.maxattempts", 4);
    j->max_attempts_reduce = conf_count(spec, "mapreduce.reduce.maxattempts", 4);
    j->maps_failed_percent_max = conf_count(spec, "mapreduce.map.failures.maxpercent", 0);
    j->reduces_failed_percent_max = conf_count(spec, "mapreduce.reduce.failures.maxpercent", 0);
    j->worker_failures_max = conf_count(spec, "mapreduce.job.maxtaskfailures.per.tracker", 3);
    j->map_ask = (struct ask){conf_count(spec, "mapreduce.map.memory.mb", ASK_MEMORY_MB),
                              conf_count(spec, "mapreduce.map.cpu.vcores", 1)};
    j->reduce_ask = (struct ask){conf_count(spec, "mapreduce.reduce.memory.mb", ASK_MEMORY_MB),
                                 conf_count(spec, "mapreduce.reduce.cpu.vcores", 1)};
    j->speculate_maps = job_conf_bool(spec, "mapreduce.map.speculative", true);
    j->speculate_reduces = job_conf_bool(spec, "mapreduce.reduce.speculative", true);
    j->priority = job_conf_priority(spec);
    j->slow_start = job_conf_share(spec, "mapreduce.job.reduce.slowstart.completedmaps", 0.05);
    j->version = 1;
    *ret = j;
    return 0;
}

int job_plan(struct job *j, struct arena *arena, const Cairn__JobSpecProto *spec, struct err *reterr)
{
    int rc = job_spec_check(spec, reterr);
    if (rc < 0)
        return rc;
    index_free(j);
    free(j->maps);
    free(j->reduces);
    arena_free(&j->arena);
    j->arena = *arena;
    *arena = (struct arena){0};
    take_spec(j, spec);
    j->interned = NULL;
    j->interned_count = 0;
    j->version++;
    return 0;
}

struct ask job_ask(const struct job *j, bool map)
{
    return map ? j->map_ask : j->reduce_ask;
}

static void attempt_free(struct attempt *a)
{
    free(a->status);
    free(a->diagnostics);
    free(a->why_not_local);
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
    index_free(j);
    free(j->attempts);
    free(j->live);
    free(j->worker_failures);
    free(j->interned);
    for (size_t i = 0; i < j->after_count; i++)
        free(j->after[i]);
    free(j->after);
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
    if (id->partition >= (id->map ? j->map_count : j->reduce_count))
        return NULL;
    int64_t i = (id->map ? j->maps : j->reduces)[id->partition].last;
    while (i >= 0 && j->attempts[i]->number != id->attempt)
        i = j->attempts[i]->before;
    if (i < 0)
        return NULL;
    *ret_index = (size_t)i;
    return j->attempts[i];
}

struct attempt *job_attempt_new(struct job *j, bool map, uint32_t task, int64_t now_ms)
{
    if (j->attempt_count == j->attempt_capacity) {
        j->attempt_capacity = j->attempt_capacity ? 2 * j->attempt_capacity : 16;
        j->attempts = mem_realloc_array(j->attempts, j->attempt_capacity, sizeof *j->attempts);
    }
    if (j->live_count == j->live_capacity) {
        j->live_capacity = j->live_capacity ? 2 * j->live_capacity : 16;
        j->live = mem_realloc_array(j->live, j->live_capacity, sizeof *j->live);
    }
    struct task_info *t = job_task(j, map, task);
    struct attempt *a = mem_new(struct attempt);
    *a = (struct attempt){.map = map,
                          .task = task,
                          .number = t->attempts++,
                          .state = CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED,
                          .started_ms = now_ms,
                          .before = t->last};
    t->last = (int64_t)j->attempt_count;
    j->attempts[j->attempt_count++] = a;
    j->live[j->live_count++] = a;
    return a;
}

void job_attempt_ended(struct job *j, struct attempt *a)
{
    for (size_t i = 0; i < j->live_count; i++)
        if (j->live[i] == a) {
            j->live[i] = j->live[--j->live_count];
            return;
        }
}

const char *job_intern(struct job *j, const char *text)
{
    for (size_t i = j->interned_count; i-- > 0;)
        if (!strcmp(j->interned[i], text))
            return j->interned[i];
    j->interned = mem_realloc_array(j->interned, j->interned_count + 1, sizeof *j->interned);
    return j->interned[j->interned_count++] = arena_strdup(&j->arena, text);
}

/* ---- workers this job has had trouble with ---- */

uint32_t job_worker_failures(const struct job *j, uint64_t worker_id)
{
    for (size_t i = 0; i < j->worker_failure_count; i++)
        if (j->worker_failures[i].worker_id == worker_id)
            return j->worker_failures[i].count;
    return 0;
}

void job_worker_failed(struct job *j, uint64_t worker_id)
{
    size_t i = 0;
    while (i < j->worker_failure_count && j->worker_failures[i].worker_id != worker_id)
        i++;
    if (i == j->worker_failure_count) {
        j->worker_failures = mem_realloc_array(j->worker_failures, i + 1, sizeof *j->worker_failures);
        j->worker_failures[j->worker_failure_count++] = (struct worker_failures){worker_id, 0};
    }
    j->worker_failures[i].count++;
}

void job_rename_worker(struct job *j, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < j->attempt_count; i++)
        if (j->attempts[i]->worker_id == from)
            j->attempts[i]->worker_id = to;
    for (size_t i = 0; i < j->worker_failure_count; i++)
        if (j->worker_failures[i].worker_id == from)
            j->worker_failures[i].worker_id = to;
    for (uint32_t i = 0; i < j->map_count + j->reduce_count; i++) {
        struct task_info *t = i < j->map_count ? &j->maps[i] : &j->reduces[i - j->map_count];
        for (int k = 0; k < TASK_FAILED_ON_MAX; k++)
            if (t->failed_on[k] == from)
                t->failed_on[k] = to;
    }
}

uint64_t job_event_base(const struct job *j)
{
    return j->incarnation * JOB_EVENTS_PER_INCARNATION;
}

void job_attempt_id(const struct job *j, const struct attempt *a, char out[ATTEMPT_ID_MAX])
{
    struct attempt_id id = {.map = a->map, .partition = a->task, .attempt = a->number};
    memcpy(id.job, j->spec->jobid, strlen(j->spec->jobid) + 1);
    attempt_id_format(&id, out);
}

bool job_maps_are_over(const struct job *j)
{
    return j->maps_done + j->maps_failed == j->map_count;
}

bool job_reduces_are_over(const struct job *j)
{
    return j->reduces_done + j->reduces_failed == j->reduce_count;
}

bool job_may_lose_one(const struct job *j, bool map)
{
    uint64_t lost = map ? j->maps_failed : j->reduces_failed, of = map ? j->map_count : j->reduce_count;
    return (lost + 1) * 100 <= of * (map ? j->maps_failed_percent_max : j->reduces_failed_percent_max);
}

void job_add_event(struct job *j, uint32_t map, uint32_t attempt, enum map_event_kind kind)
{
    if (j->event_count == j->event_capacity) {
        j->event_capacity = j->event_capacity ? 2 * j->event_capacity : 16;
        j->events = mem_realloc_array(j->events, j->event_capacity, sizeof *j->events);
    }
    j->events[j->event_count++] = (struct map_event){map, kind, attempt};
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
    double sum = map ? j->maps_done + j->maps_failed : j->reduces_done + j->reduces_failed;
    for (size_t i = 0; i < j->live_count; i++)
        if (j->live[i]->map == map)
            sum += j->live[i]->progress;
    sum /= count;
    return sum > 1 ? 1 : (float)sum;
}

/* A reduce spends its first third fetching (shuffle), the next merging. */
static float shuffle_progress(const struct job *j)
{
    double sum = j->reduces_done + j->reduces_failed;
    for (size_t i = 0; i < j->live_count; i++)
        if (!j->live[i]->map)
            sum += j->live[i]->progress < 1 / 3.0f ? j->live[i]->progress * 3 : 1;
    return j->reduce_count == 0 ? 1 : sum > j->reduce_count ? 1 : (float)(sum / j->reduce_count);
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

Cairn__CounterProto **attempt_counter_messages(const struct job *j, const struct attempt *at, struct arena *a)
{
    Cairn__CounterProto **list = arena_array(a, Cairn__CounterProto *, at->counter_count);
    for (size_t i = 0; i < at->counter_count; i++) {
        list[i] = arena_new(a, Cairn__CounterProto);
        cairn__counter_proto__init(list[i]);
        list[i]->group = j->counters[at->counters[i].counter].group;
        list[i]->name = j->counters[at->counters[i].counter].name;
        list[i]->value = at->counters[i].value;
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
    ret->has_shuffleprogress = ret->has_priority = ret->has_mapslocal = ret->has_mapsplaced = true;
    ret->shuffleprogress = shuffle_progress(j);
    ret->pool = j->pool ? arena_strdup(a, j->pool->name) : NULL;
    ret->priority = j->priority;
    ret->mapslocal = j->maps_local;
    ret->mapsplaced = j->maps_placed;
    ret->has_mapsfailed = ret->has_reducesfailed = true;
    ret->mapsfailed = j->maps_failed;
    ret->reducesfailed = j->reduces_failed;
    ret->has_inputbytes = true;
    ret->inputbytes = j->input_bytes;
    if (j->waiting_for[0] && !job_is_over(j))
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
    m->localityreason = at->why_not_local ? arena_strdup(a, at->why_not_local) : NULL;
    m->has_speculative = m->speculative = at->speculative;
    return m;
}

int job_spec_copy(const Cairn__JobSpecProto *from, struct arena *a, Cairn__JobSpecProto **ret, struct err *reterr)
{
    struct buf bytes = {0};
    ProtobufCMessage *m = NULL;
    message_pack(&bytes, &from->base);
    int rc = message_unpack(&cairn__job_spec_proto__descriptor, buf_slice(&bytes), a, &m, reterr);
    buf_free(&bytes);
    if (rc == 0)
        *ret = (Cairn__JobSpecProto *)m;
    return rc;
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
