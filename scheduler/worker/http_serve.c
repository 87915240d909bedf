/* What a worker serves: runs of map output for reduces, logs for people, a small page. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/http_page.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "scheduler/engine/run_file.h"
#include "scheduler/engine/task.h"
#include "scheduler/ids.h"
#include "scheduler/worker/folders.h"
#include "scheduler/worker/worker.h"

static struct metric shuffle_bytes = {
    .name = "cairn_worker_shuffle_bytes_total", .help = "Map output sent.", .kind = METRIC_COUNTER};

/* A task may be somebody else, whose links and names must not lead us to what is not his: the file is a plain one, and
 * its owner is that of the folder that was made for him. */
static int open_output(const char *path)
{
    char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    struct stat folder, file;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool his = fd >= 0 && lstat(dir, &folder) == 0 && fstat(fd, &file) == 0 && S_ISDIR(folder.st_mode) &&
               S_ISREG(file.st_mode) && file.st_uid == folder.st_uid;
    free(dir);
    if (his)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void serve_shuffle(struct http_request *request, struct http_reply *reply, void *context)
{
    struct worker_daemon *w = context;
    const char *map = http_query(request, "map"), *reduce = http_query(request, "reduce");
    struct attempt_id id;
    char *end = NULL;
    unsigned long partition = reduce ? strtoul(reduce, &end, 10) : 0;
    if (!map || !attempt_id_parse(map, &id) || !id.map || !end || end == reduce || *end || partition > UINT32_MAX) {
        http_fail(reply, 400, "wanted: /shuffle?map=ATTEMPT&reduce=NUMBER");
        return;
    }
    char canonical[ATTEMPT_ID_MAX]; /* what was parsed, and nothing else, becomes a path */
    attempt_id_format(&id, canonical);
    char *path = mem_printf("%s/jobs/%s/output/%s/" SHUFFLE_OUTPUT_NAME, w->dir, id.job, canonical);
    struct run_extent where;
    struct err err = {0};
    int rc = run_index_read(path, (uint32_t)partition, &where, &err);
    int fd = rc < 0 ? -1 : open_output(path);
    if (rc < 0)
        http_fail(reply, rc == ERR_NOT_FOUND ? 404 : 500, "%s", err.text);
    else if (fd < 0)
        http_fail(reply, 404, "no output of %s here", canonical);
    else {
        reply->content_type = "application/octet-stream";
        reply->file_fd = fd;
        reply->file_offset = where.offset;
        reply->file_bytes = where.bytes;
        metric_add(&shuffle_bytes, where.bytes);
    }
    free(path);
}

static void serve_log(struct http_request *request, struct http_reply *reply, void *context)
{
    struct worker_daemon *w = context;
    struct attempt_id id;
    if (!attempt_id_parse(http_path(request) + strlen("/logs/"), &id)) {
        http_fail(reply, 400, "wanted: /logs/ATTEMPT");
        return;
    }
    char canonical[ATTEMPT_ID_MAX];
    attempt_id_format(&id, canonical);
    char *path = folders_log(w, id.job, canonical), *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool wrote_nothing = fd < 0 && stat(folder, &st) == 0; /* folders_pass_log */
    free(path);
    free(folder);
    if (wrote_nothing)
        return;
    if (fd < 0 || fstat(fd, &st) < 0) {
        http_fail(reply, 404, "no log of %s here (its job never ran on this node, or its logs have been removed)",
                  canonical);
        if (fd >= 0)
            close(fd);
        return;
    }
    const char *text = http_query(request, "offset");
    int64_t offset = text ? strtoll(text, NULL, 10) : 0;
    if (offset < 0 || offset >= st.st_size) {
        close(fd);
        return;
    }
    reply->file_fd = fd;
    reply->file_offset = offset;
    reply->file_bytes = st.st_size - offset;
}

static void serve_index(struct http_request *request, struct http_reply *reply, void *context)
{
    struct worker_daemon *w = context;
    struct buf *b = &reply->body;
    http_page_begin(reply, "Cairn worker");
    buf_append_str(b, "<table>");
    pthread_mutex_lock(&w->lock);
    for (const struct attempt_process *p = w->attempts; p; p = p->next) {
        buf_printf(b, "<tr><td><a href=\"/logs/%s\">%s</a><td>%.0f%%<td>", p->id, p->id,
                   p->report ? (double)p->report->progress * 100 : 0);
        html_escape(b, p->report && p->report->status ? p->report->status : "");
        buf_append_str(b, "</tr>");
    }
    pthread_mutex_unlock(&w->lock);
    buf_append_str(b, "</table>");
}

static void serve_metrics(struct http_request *request, struct http_reply *reply, void *context)
{
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(&reply->body);
}

static const struct http_route worker_routes[] = {
    {"GET", "/shuffle", serve_shuffle},
    {"GET", "/logs/*", serve_log},
    {"GET", "/", serve_index},
    {"GET", "/metrics", serve_metrics},
};

int worker_http_start(struct worker_daemon *w, struct http_server **ret, struct err *reterr)
{
    metric_register(&shuffle_bytes);
    struct http_options options = {
        .routes = worker_routes, .route_count = ARRAY_COUNT(worker_routes), .context = w, .threads = 4};
    int rc = net_parse(config_str(w->config, "cairn.worker.http-address"), 8081, &options.listen, reterr);
    if (rc < 0)
        return rc;
    if (net_is_literal(options.listen.host) && strcmp(options.listen.host, "0.0.0.0") &&
        strcmp(options.listen.host, "::"))
        snprintf(w->own_ip, sizeof w->own_ip, "%.*s", (int)sizeof w->own_ip - 1, options.listen.host);
    bool usual = options.listen.port == 8081; /* several workers on one machine: the next free one */
    while ((rc = http_start(&options, ret, reterr)) == ERR_BUSY && usual && options.listen.port < 8081 + 100)
        options.listen.port++;
    if (rc == 0)
        w->http_port = http_port(*ret);
    return rc;
}
