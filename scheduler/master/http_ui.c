/* The scheduler's pages: what runs where, and the same as JSON, JMX and metrics. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_page.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "scheduler/master/job_json.h"
#include "scheduler/master/rest.h"

#define UI_BODY_BYTES (4u << 20)

static struct metric jobs_running = {
    .name = "cairn_scheduler_jobs_running", .help = "Jobs that are not over.", .kind = METRIC_GAUGE};
static struct metric workers_live = {
    .name = "cairn_scheduler_workers_live", .help = "Registered workers.", .kind = METRIC_GAUGE};
static struct metric slots_total = {
    .name = "cairn_scheduler_slots", .help = "Slots of live workers.", .kind = METRIC_GAUGE};
static struct metric slots_used = {
    .name = "cairn_scheduler_slots_used", .help = "Running attempts.", .kind = METRIC_GAUGE};
static struct metric *const ui_metrics[] = {&jobs_running, &workers_live, &slots_total, &slots_used};

static void cell(struct buf *b, const char *text)
{
    buf_append_str(b, "<td>");
    html_escape(b, text);
}

static void workers_table(struct buf *b, const struct resources *r)
{
    buf_append_str(b, "<h2>Workers</h2><table><tr><th>Worker<th>Address<th>Rack<th>Running / slots<th>State</tr>");
    for (size_t i = 0; i < r->count; i++) {
        const struct worker *w = r->workers[i];
        if (!worker_is_live(w))
            continue;
        buf_append_str(b, "<tr>");
        cell(b, w->name);
        buf_printf(b, "<td><a href=\"http://%s:%u/\">%s:%u</a>", w->ip, w->http_port, w->ip, w->http_port);
        cell(b, w->rack ? w->rack : "");
        buf_printf(b, "<td>%u / %u<td>%s</tr>", w->running, w->slots, worker_state_name(w, master_now_ms()));
    }
    buf_append_str(b, "</table>");
}

static void job_row(struct buf *b, const Cairn__JobStatusProto *s)
{
    buf_printf(b, "<tr><td><a href=\"/jobs/%s\">%s</a>", s->jobid, s->jobid);
    cell(b, s->name);
    cell(b, s->user);
    buf_printf(b, "<td class=%s>%s", s->state >= CAIRN__JOB_STATE__JOB_FAILED ? "bad" : "ok", job_state_text(s->state));
    buf_printf(b, "<td>%u / %u<td>%u / %u", s->mapsdone, s->maps, s->reducesdone, s->reduces);
    buf_printf(b, "<td>%.1f s", s->has_finishedatms ? (double)(s->finishedatms - s->submittedatms) / 1000 : 0);
    cell(b, s->waitingfor ? s->waitingfor : "");
    buf_append_str(b, "</tr>");
}

struct rows {
    struct buf *to;
    int left;
};

static bool history_row(const Cairn__JobRecordProto *record, void *arg)
{
    struct rows *rows = arg;
    if (record->status->state < CAIRN__JOB_STATE__JOB_SUCCEEDED)
        return true; /* listed among those that run */
    job_row(rows->to, record->status);
    return --rows->left > 0;
}

static const char job_columns[] =
    "<table><tr><th>Job<th>Name<th>User<th>State<th>Maps<th>Reduces<th>Took<th>Waiting for</tr>";

static void page_index(struct http_request *request, struct http_reply *reply, void *context)
{
    struct master *m = context;
    struct buf *b = &reply->body;
    http_page_begin(reply, "Cairn scheduler");
    struct arena a;
    arena_init(&a, 64 << 20);
    struct sched *s = master_lock(m);
    workers_table(b, sched_resources(s));
    buf_printf(b, "<h2>Jobs</h2>%s", job_columns);
    const struct job *j;
    for (size_t i = 0; (j = sched_job_at(s, i)); i++) {
        Cairn__JobStatusProto status;
        job_status_message(j, master_epoch_ms(m), &a, &status);
        job_row(b, &status);
    }
    master_unlock(m);
    arena_free(&a);
    buf_printf(b, "</table><h2>History</h2>%s", job_columns);
    struct rows rows = {b, 50};
    struct err err = {0};
    if (job_store_each(master_store(m), history_row, &rows, &err) < 0)
        html_escape(b, err.text);
    buf_append_str(b, "</table>");
}

static void attempts_table(struct buf *b, const Cairn__JobRecordProto *record)
{
    buf_append_str(
        b,
        "<h2>Attempts</h2><table><tr><th>Attempt<th>State<th>Node<th>Input<th>Progress<th>Took<th>Status<th>Log</tr>");
    for (size_t i = 0; i < record->n_attempts; i++) {
        const Cairn__AttemptProto *at = record->attempts[i];
        buf_printf(b, "<tr><td>%s<td class=%s>%s", at->attemptid,
                   at->state == CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED ? "bad" : "ok", attempt_state_text(at->state));
        cell(b, at->worker);
        buf_printf(b, "<td title=\"");
        html_escape(b, at->localityreason ? at->localityreason : "");
        buf_printf(b, "\">%s%s<td>%.0f%%", locality_text(at->locality), at->speculative ? " (second attempt)" : "",
                   (double)at->progress * 100);
        buf_printf(b, "<td>%.1f s", at->has_finishedatms ? (double)(at->finishedatms - at->startedatms) / 1000 : 0);
        cell(b, at->diagnostics ? at->diagnostics : at->status ? at->status : "");
        buf_printf(b, "<td><a href=\"http://%s/logs/%s\">log</a></tr>", at->httpaddress, at->attemptid);
    }
    buf_append_str(b, "</table>");
}

static void page_job(struct http_request *request, struct http_reply *reply, void *context)
{
    struct master *m = context;
    struct arena a;
    arena_init(&a, 256 << 20);
    struct err err = {0};
    const Cairn__JobRecordProto *record = rest_job_record(m, http_path(request) + strlen("/jobs/"), &a, &err);
    if (!record) {
        http_fail(reply, 404, "%s", err.text);
        arena_free(&a);
        return;
    }
    struct buf *b = &reply->body;
    http_page_begin(reply, record->status->jobid);
    buf_printf(b, "<p><a href=\"/\">scheduler</a></p>%s", job_columns);
    job_row(b, record->status);
    buf_append_str(b, "</table>");
    if (record->status->diagnostics) {
        buf_append_str(b, "<p class=bad>");
        html_escape(b, record->status->diagnostics);
    }
    attempts_table(b, record);
    buf_append_str(b, "<h2>Counters</h2><table>");
    for (size_t i = 0; i < record->status->n_counters; i++) {
        const Cairn__CounterProto *c = record->status->counters[i];
        buf_append_str(b, "<tr>");
        cell(b, c->group);
        cell(b, c->name);
        buf_printf(b, "<td>%" PRId64 "</tr>", c->value);
    }
    buf_append_str(b, "</table>");
    arena_free(&a);
}

static void update_metrics(struct master *m)
{
    struct sched *s = master_lock(m);
    const struct resources *r = sched_resources(s);
    int64_t jobs = 0, slots = 0, used = 0;
    const struct job *j;
    for (size_t i = 0; (j = sched_job_at(s, i)); i++)
        jobs += !job_is_over(j);
    for (size_t i = 0; i < r->count; i++) {
        slots += r->workers[i]->slots;
        used += r->workers[i]->running;
    }
    metric_set(&jobs_running, jobs);
    metric_set(&workers_live, resources_live_count(r));
    metric_set(&slots_total, slots);
    metric_set(&slots_used, used);
    master_unlock(m);
}

static void page_metrics(struct http_request *request, struct http_reply *reply, void *context)
{
    update_metrics(context);
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(&reply->body);
}

static void page_jmx(struct http_request *request, struct http_reply *reply, void *context)
{
    update_metrics(context);
    reply->content_type = "application/json; charset=utf-8";
    struct buf *b = &reply->body;
    buf_append_str(b, "{\"beans\":[{\"name\":\"Cairn:service=Scheduler,name=Scheduler\"");
    for (size_t i = 0; i < ARRAY_COUNT(ui_metrics); i++)
        buf_printf(b, ",\"%s\":%" PRId64, ui_metrics[i]->name + strlen("cairn_scheduler_"),
                   (int64_t)ui_metrics[i]->value);
    buf_append_str(b, "}]}\n");
}

static const struct http_route page_routes[] = {{"GET", "/", page_index},
                                                {"GET", "/jobs/*", page_job},
                                                {"GET", "/metrics", page_metrics},
                                                {"GET", "/jmx", page_jmx}};

int http_ui_start(struct master *m, const struct net_address *listen, struct http_server **ret, struct err *reterr)
{
    for (size_t i = 0; i < ARRAY_COUNT(ui_metrics); i++)
        metric_register(ui_metrics[i]);
    struct http_route routes[ARRAY_COUNT(page_routes) + REST_ROUTES];
    memcpy(routes, page_routes, sizeof page_routes);
    memcpy(routes + ARRAY_COUNT(page_routes), rest_routes, sizeof rest_routes);
    struct http_options options = {.listen = *listen,
                                   .routes = routes,
                                   .route_count = ARRAY_COUNT(routes),
                                   .context = m,
                                   .max_body_bytes = UI_BODY_BYTES};
    return http_start(&options, ret, reterr);
}
