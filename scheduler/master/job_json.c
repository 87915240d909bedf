#include "scheduler/master/job_json.h"

#include "common/json_out.h"

static const char *const state_names[] = {
    [CAIRN__JOB_STATE__JOB_WAITING] = "WAITING",       [CAIRN__JOB_STATE__JOB_RUNNING] = "RUNNING",
    [CAIRN__JOB_STATE__JOB_COMMITTING] = "COMMITTING", [CAIRN__JOB_STATE__JOB_SUCCEEDED] = "SUCCEEDED",
    [CAIRN__JOB_STATE__JOB_FAILED] = "FAILED",         [CAIRN__JOB_STATE__JOB_KILLED] = "KILLED"};
static const char *const attempt_names[] = {[CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED] = "ASSIGNED",
                                            [CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING] = "RUNNING",
                                            [CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED] = "SUCCEEDED",
                                            [CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED] = "FAILED",
                                            [CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED] = "KILLED"};
static const char *const locality_names[] = {[0] = "",
                                             [CAIRN__LOCALITY__LOCALITY_NODE] = "node-local",
                                             [CAIRN__LOCALITY__LOCALITY_RACK] = "rack-local",
                                             [CAIRN__LOCALITY__LOCALITY_ANY] = "remote",
                                             [CAIRN__LOCALITY__LOCALITY_NONE] = ""};

const char *job_state_text(Cairn__JobState state)
{
    return (size_t)state < ARRAY_COUNT(state_names) ? state_names[state] : "UNKNOWN";
}

const char *attempt_state_text(Cairn__AttemptState state)
{
    return (size_t)state < ARRAY_COUNT(attempt_names) && attempt_names[state] ? attempt_names[state] : "UNKNOWN";
}

const char *locality_text(Cairn__Locality locality)
{
    return (size_t)locality < ARRAY_COUNT(locality_names) ? locality_names[locality] : "";
}

void job_json(struct buf *b, const Cairn__JobStatusProto *s, bool counters)
{
    json_begin(b, NULL, '{');
    json_text(b, "id", s->jobid);
    json_text(b, "name", s->name);
    json_text(b, "user", s->user);
    json_text(b, "pool", s->pool ? s->pool : "default");
    json_int(b, "priority", s->priority);
    json_text(b, "state", job_state_text(s->state));
    json_text(b, "output", s->output ? s->output : "");
    json_int(b, "submitted_at_ms", s->submittedatms);
    json_int(b, "started_at_ms", s->has_startedatms ? s->startedatms : 0);
    json_int(b, "finished_at_ms", s->has_finishedatms ? s->finishedatms : 0);
    json_int(b, "maps", s->maps);
    json_int(b, "maps_done", s->mapsdone);
    json_int(b, "maps_failed", s->mapsfailed);
    json_int(b, "maps_running", s->mapsrunning);
    json_int(b, "maps_placed", s->mapsplaced);
    json_int(b, "maps_local", s->mapslocal);
    json_int(b, "reduces", s->reduces);
    json_int(b, "reduces_done", s->reducesdone);
    json_int(b, "reduces_failed", s->reducesfailed);
    json_int(b, "reduces_running", s->reducesrunning);
    json_double(b, "map_progress", (double)s->mapprogress);
    json_double(b, "shuffle_progress", (double)s->shuffleprogress);
    json_double(b, "reduce_progress", (double)s->reduceprogress);
    if (s->diagnostics)
        json_text(b, "diagnostics", s->diagnostics);
    if (s->waitingfor)
        json_text(b, "waiting_for", s->waitingfor);
    if (counters) {
        json_begin(b, "counters", '[');
        for (size_t i = 0; i < s->n_counters; i++) {
            json_begin(b, NULL, '{');
            json_text(b, "group", s->counters[i]->group);
            json_text(b, "name", s->counters[i]->name);
            json_int(b, "value", s->counters[i]->value);
            json_end(b, '}');
        }
        json_end(b, ']');
    }
    json_end(b, '}');
}

static void attempt_json(struct buf *b, const Cairn__AttemptProto *at)
{
    json_begin(b, NULL, '{');
    json_text(b, "id", at->attemptid);
    json_text(b, "state", attempt_state_text(at->state));
    json_text(b, "locality", locality_text(at->locality));
    if (at->localityreason)
        json_text(b, "locality_reason", at->localityreason);
    json_bool(b, "speculative", at->speculative);
    json_text(b, "worker", at->worker);
    json_text(b, "http_address", at->httpaddress);
    json_int(b, "started_at_ms", at->startedatms);
    json_int(b, "finished_at_ms", at->has_finishedatms ? at->finishedatms : 0);
    json_double(b, "progress", (double)at->progress);
    if (at->status)
        json_text(b, "status", at->status);
    if (at->diagnostics)
        json_text(b, "diagnostics", at->diagnostics);
    json_end(b, '}');
}

static void spec_json(struct buf *b, const Cairn__JobSpecProto *spec)
{
    json_begin(b, "request", '{');
    json_begin(b, "inputs", '[');
    for (size_t i = 0; i < spec->n_inputs; i++)
        json_text(b, NULL, spec->inputs[i]);
    json_end(b, ']');
    json_text(b, "mapper", spec->mapper);
    json_text(b, "combiner", spec->combiner);
    json_text(b, "reducer", spec->reducer);
    json_begin(b, "properties", '{');
    for (size_t i = 0; i < spec->n_properties; i++)
        json_text(b, spec->properties[i]->name, spec->properties[i]->value);
    json_end(b, '}');
    json_end(b, '}');
}

void job_record_json(struct buf *b, const Cairn__JobRecordProto *record)
{
    json_begin(b, NULL, '{');
    json_key(b, "job");
    job_json(b, record->status, true);
    json_begin(b, "attempts", '[');
    for (size_t i = 0; i < record->n_attempts; i++)
        attempt_json(b, record->attempts[i]);
    json_end(b, ']');
    if (record->spec)
        spec_json(b, record->spec);
    json_end(b, '}');
    buf_append_str(b, "\n");
}
