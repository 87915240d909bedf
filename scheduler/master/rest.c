/* The REST API, on the pages' port and on 6066: docs/jobs.md says what it takes. Who one is, is said as in Hadoop
 * without Kerberos: ?user.name=. What changes something wants JSON or DELETE, so that no page of somebody else's makes
 * a browser send it. */
#include "scheduler/master/rest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/lib/dfs.h"
#include "common/log.h"
#include "common/mem.h"
#include "scheduler/master/job_json.h"
#include "scheduler/master/rest_files.h"

#define REST_ARENA_BYTES (64u << 20)
#define REST_BODY_BYTES  (4u << 20)
#define LIST_MAX         1000

/* ---- looking ---- */

struct listing {
    struct buf *to;
    int left;
};

static bool list_record(const Cairn__JobRecordProto *record, void *arg)
{
    struct listing *l = arg;
    if (record->status->state < CAIRN__JOB_STATE__JOB_SUCCEEDED)
        return true; /* listed among those that run */
    job_json(l->to, record->status, false);
    return --l->left > 0;
}

static void list_jobs(struct http_request *request, struct http_reply *reply, void *context)
{
    struct master *m = context;
    struct buf *b = &reply->body;
    reply->content_type = "application/json";
    json_begin(b, NULL, '[');
    struct arena a;
    arena_init(&a, REST_ARENA_BYTES);
    struct sched *s = master_lock(m);
    const struct job *j;
    for (size_t i = 0; (j = sched_job_at(s, i)); i++) {
        Cairn__JobStatusProto status;
        job_status_message(j, master_epoch_ms(m), &a, &status);
        job_json(b, &status, false);
    }
    master_unlock(m);
    arena_free(&a);
    struct listing l = {b, LIST_MAX};
    struct err err = {0};
    if (job_store_each(master_store(m), list_record, &l, &err) < 0) {
        buf_clear(b);
        http_fail(reply, 500, "%s", err.text);
        return;
    }
    json_end(b, ']');
    buf_append_str(b, "\n");
}

Cairn__JobRecordProto *rest_job_record(struct master *m, const char *job_id, struct arena *a, struct err *err)
{
    Cairn__JobRecordProto *record = arena_new(a, Cairn__JobRecordProto);
    struct sched *s = master_lock(m);
    const struct job *j = sched_job(s, job_id);
    if (j) {
        record->status = arena_new(a, Cairn__JobStatusProto);
        job_status_message(j, master_epoch_ms(m), a, record->status);
        record->attempts = arena_array(a, Cairn__AttemptProto *, j->attempt_count);
        for (size_t i = 0; i < j->attempt_count; i++)
            record->attempts[record->n_attempts++] = attempt_message(j, j->attempts[i], master_epoch_ms(m), a);
    }
    master_unlock(m);
    return j || job_store_get(master_store(m), job_id, a, &record, err) == 0 ? record : NULL;
}

static void show_job(struct http_request *request, struct http_reply *reply, void *context)
{
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    struct err err = {0};
    const Cairn__JobRecordProto *record = rest_job_record(context, http_path(request) + strlen("/v1/jobs/"), &a, &err);
    if (record) {
        reply->content_type = "application/json";
        job_record_json(&reply->body, record);
    } else {
        http_fail(reply, 404, "%s", err.text);
    }
    arena_free(&a);
}

static void list_workers(struct http_request *request, struct http_reply *reply, void *context)
{
    struct buf *b = &reply->body;
    reply->content_type = "application/json";
    json_begin(b, NULL, '[');
    const struct resources *r = sched_resources(master_lock(context));
    for (size_t i = 0; i < r->count; i++) {
        const struct worker *w = r->workers[i];
        if (!worker_is_live(w))
            continue;
        json_begin(b, NULL, '{');
        json_text(b, "name", w->name);
        json_text(b, "ip", w->ip);
        json_int(b, "http_port", w->http_port);
        json_text(b, "rack", w->rack);
        json_text(b, "state", worker_state_name(w, master_now_ms()));
        json_int(b, "slots", w->slots);
        json_int(b, "running", w->running);
        json_int(b, "memory_mb", w->room.memory_mb);
        json_int(b, "memory_mb_taken", w->taken.memory_mb);
        json_int(b, "vcores", w->room.vcores);
        json_int(b, "vcores_taken", w->taken.vcores);
        json_end(b, '}');
    }
    master_unlock(context);
    json_end(b, ']');
    buf_append_str(b, "\n");
}

/* ---- changing ---- */

static int fail_with(struct http_reply *reply, int status, const struct err *err)
{
    http_fail(reply, status, "%s", err->text);
    return -1;
}

static const char *user_of(struct http_request *request, struct http_reply *reply)
{
    const char *user = http_query(request, "user.name");
    if (user && user[0])
        return user;
    http_fail(reply, 401, "who are you? ?user.name=NAME is wanted");
    return NULL;
}

static void kill_job(struct http_request *request, struct http_reply *reply, void *context)
{
    const char *id = http_path(request) + strlen("/v1/jobs/"), *user = user_of(request, reply);
    if (!user)
        return;
    bool killed = false;
    struct err err = {0};
    if (master_kill(context, id, user, &killed, &err) < 0) {
        (void)fail_with(reply, err.code == ERR_ACCESS ? 403 : err.code == ERR_NOT_FOUND ? 404 : 500, &err);
        return;
    }
    reply->content_type = "application/json";
    buf_printf(&reply->body, "{\"killed\":%s}\n", killed ? "true" : "false");
}

/* What is not known is refused: a job that is not what somebody asked for is worse than none. */
static int check_fields(json_t *root, struct err *reterr)
{
    static const struct {
        const char *name, *what;
        json_type type;
    } fields[] = {{"name", "a text", JSON_STRING},    {"output", "a text", JSON_STRING},
                  {"mapper", "a text", JSON_STRING},  {"combiner", "a text", JSON_STRING},
                  {"reducer", "a text", JSON_STRING}, {"reduces", "a whole number", JSON_INTEGER},
                  {"inputs", "an array", JSON_ARRAY}, {"properties", "an object of texts", JSON_OBJECT},
                  {"files", "an array", JSON_ARRAY},  {"archives", "an array", JSON_ARRAY}};
    json_t *value;
    const char *name;
    json_object_foreach(root, name, value)
    {
        size_t i = 0;
        while (i < ARRAY_COUNT(fields) && strcmp(fields[i].name, name))
            i++;
        if (i == ARRAY_COUNT(fields))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is nothing that a job has", name);
        if (json_typeof(value) != fields[i].type && !json_is_null(value))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: %s is wanted", name, fields[i].what);
    }
    json_int_t reduces = json_integer_value(json_object_get(root, "reduces"));
    if (reduces < 0 || reduces > JOB_TASKS_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "reduces: a number from 0 to %d is wanted", JOB_TASKS_MAX);
    return 0;
}

static char *text_of(json_t *root, const char *name)
{
    return (char *)json_string_value(json_object_get(root, name));
}

static int take_list(json_t *root, const char *name, struct arena *a, char ***ret, size_t *ret_count)
{
    json_t *list = json_object_get(root, name), *item;
    size_t i;
    *ret = arena_array(a, char *, json_array_size(list));
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return -1;
        (*ret)[(*ret_count)++] = arena_strdup(a, json_string_value(item));
    }
    return 0;
}

static int take_properties(json_t *root, struct arena *a, Cairn__JobSpecProto *job, struct err *reterr)
{
    json_t *properties = json_object_get(root, "properties"), *value;
    const char *name;
    job->properties = arena_array(a, Cairn__PropertyProto *, json_object_size(properties));
    json_object_foreach(properties, name, value)
    {
        if (!json_is_string(value))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "property %s: a text is wanted", name);
        Cairn__PropertyProto *p = arena_new(a, Cairn__PropertyProto);
        cairn__property_proto__init(p);
        p->name = arena_strdup(a, name);
        p->value = arena_strdup(a, json_string_value(value));
        job->properties[job->n_properties++] = p;
    }
    return 0;
}

static int job_of(json_t *root, const char *fs_uri, struct arena *a, Cairn__JobSpecProto *job, struct err *reterr)
{
    json_t *reduces = json_object_get(root, "reduces");
    int rc = check_fields(root, reterr);
    if (rc < 0)
        return rc;
    job->name = text_of(root, "name") ? text_of(root, "name") : "REST";
    job->fsuri = (char *)fs_uri;
    job->output = text_of(root, "output");
    job->mapper = text_of(root, "mapper");
    job->combiner = text_of(root, "combiner");
    job->reducer = text_of(root, "reducer");
    job->inputformat = CAIRN__INPUT_FORMAT__INPUT_TEXT;
    job->has_planlater = job->planlater = true; /* the splits are ours to compute */
    job->reduces = json_is_integer(reduces) ? (uint32_t)json_integer_value(reduces) : job->reducer ? 1 : 0;
    if (job->reduces && !job->reducer)
        job->reducer = "cat";
    if (!job->output || !job->mapper || take_list(root, "inputs", a, &job->inputs, &job->n_inputs) < 0 ||
        job->n_inputs == 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "inputs (an array), output and mapper are wanted");
    return take_properties(root, a, job, reterr);
}

static int make_output(struct dfs *fs, const Cairn__JobSpecProto *job, struct arena *a, struct err *reterr)
{
    struct dfs_status status;
    struct err err = {0};
    if (dfs_stat(fs, job->output, a, &status, &err) == 0)
        return err_set(reterr, ERR_EXISTS, "Output directory %s already exists", job->output);
    return dfs_mkdirs(fs, arena_printf(a, "%s/_temporary/0", job->output), 0755, true, reterr);
}

/* Of a job that was refused: the next one may have it. */
static void remove_output(struct dfs *fs, const char *output)
{
    bool deleted;
    struct err err = {0};
    if (dfs_delete(fs, output, true, &deleted, &err) < 0)
        log_warn("scheduler", "path=%s stays: err=%s", output, err.text);
}

static int submit(struct master *m, json_t *root, const char *user, struct arena *a, char id[JOB_ID_MAX],
                  struct err *reterr)
{
    Cairn__JobSpecProto job = CAIRN__JOB_SPEC_PROTO__INIT;
    struct dfs *fs = NULL;
    master_new_job_id(m, id);
    job.jobid = id;
    job.user = (char *)user;
    int rc = job_of(root, config_str(master_config(m), "fs.defaultFS"), a, &job, reterr);
    if (rc == 0 && (job.output[0] != '/' || !job.output[1]))
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "output '%s' is not an absolute path", job.output);
    if (rc == 0)
        rc = dfs_connect(master_config(m), job.fsuri, user, &fs, reterr);
    if (rc == 0)
        rc = rest_take_files(root, fs, a, &job, reterr);
    if (rc == 0 && (rc = make_output(fs, &job, a, reterr)) == 0 && (rc = master_submit(m, &job, user, reterr)) < 0)
        remove_output(fs, job.output);
    dfs_unref(fs);
    return rc;
}

static void post_job(struct http_request *request, struct http_reply *reply, void *context)
{
    const char *user = user_of(request, reply), *type = http_header(request, "Content-Type");
    struct err err = {0};
    json_error_t why;
    char id[JOB_ID_MAX];
    if (!user)
        return;
    if (!type || strncasecmp(type, "application/json", 16)) {
        http_fail(reply, 415, "application/json is wanted");
        return;
    }
    struct slice body = http_body(request);
    json_t *root = json_loadb((const char *)body.base, body.len, 0, &why);
    if (!json_is_object(root)) {
        http_fail(reply, 400, "not a JSON object: %s", root ? "something else" : why.text);
        json_decref(root);
        return;
    }
    struct arena a;
    arena_init(&a, REST_ARENA_BYTES);
    int rc = submit(context, root, user, &a, id, &err);
    arena_free(&a);
    json_decref(root);
    if (rc < 0) {
        (void)fail_with(reply, rc == ERR_EXISTS ? 409 : rc == ERR_ACCESS ? 403 : rc == ERR_CONNECT ? 503 : 400, &err);
        return;
    }
    reply->status = 201;
    reply->content_type = "application/json";
    buf_printf(&reply->body, "{\"id\":\"%s\"}\n", id);
}

const struct http_route rest_routes[REST_ROUTES] = {{"GET", "/v1/jobs", list_jobs},
                                                    {"POST", "/v1/jobs", post_job},
                                                    {"GET", "/v1/jobs/*", show_job},
                                                    {"DELETE", "/v1/jobs/*", kill_job},
                                                    {"GET", "/v1/workers", list_workers}};

int rest_start(struct master *m, const struct config *config, struct http_server **ret, struct err *reterr)
{
    const char *text = config_str(config, "cairn.scheduler.rest-address");
    struct http_options options = {
        .routes = rest_routes, .route_count = REST_ROUTES, .context = m, .max_body_bytes = REST_BODY_BYTES};
    if (!strcmp(text, "off"))
        return 0;
    int rc = net_parse(text, 6066, &options.listen, reterr);
    if (rc == 0 && (rc = http_start(&options, ret, reterr)) == ERR_BUSY &&
        !config_is_set(config, "cairn.scheduler.rest-address")) {
        log_warn("scheduler", "rest=%s is taken by somebody else; the same is on the pages' port", text);
        rc = 0; /* nobody asked for this one */
    }
    return rc;
}
