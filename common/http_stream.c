/* The part of the HTTP server that may block: handlers, bodies made while they are sent, uploads. The connection rests
 * (libmicrohttpd's suspend) while a thread of the pool takes one step for it. */
#include <stdlib.h>
#include <string.h>

#include "common/http_impl.h"
#include "common/mem.h"

static bool server_begin_work(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool ok = !s->stopping;
    s->busy += ok;
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static void server_end_work(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    if (--s->busy == 0)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

struct http_step {
    struct pool_task task;
    struct http_request *request;
    void (*run)(struct http_request *r);
};

static void step_answer(struct http_request *r)
{
    struct http_later later = r->reply.later;
    r->reply.later = (struct http_later){0};
    later.run(later.context, &r->reply);
}

static void step_run(struct pool_task *t)
{
    struct http_step *step = container_of(t, struct http_step, task);
    struct http_request *r = step->request;
    struct http_server *s = r->server;
    step->run(r);
    if (r->reply.later.run) { /* the connection rests on */
        step->run = step_answer;
        pool_submit(s->later_pool ? s->later_pool : s->pool, &step->task);
        return;
    }
    free(step);
    MHD_resume_connection(r->connection); /* from here on the request is the connection's again */
    server_end_work(s);
}

bool http_rest(struct http_request *r, void (*run)(struct http_request *r))
{
    if (!server_begin_work(r->server))
        return false;
    struct http_step *step = mem_new(struct http_step);
    step->task.run = step_run;
    step->request = r;
    step->run = run;
    MHD_suspend_connection(r->connection);
    pool_submit(run == http_step_handle ? r->server->pool : r->server->data_pool, &step->task);
    return true;
}

/* ---- handlers ---- */

void http_step_handle(struct http_request *r)
{
    r->route->handler(r, &r->reply, r->route->context ? r->route->context : r->server->options.context);
    r->handled = true;
    r->uploading = r->reply.upload.write != NULL;
}

/* ---- uploads ---- */

void http_step_write(struct http_request *r)
{
    struct http_upload *u = &r->reply.upload;
    if (!r->upload_failed && r->piece_len && u->write(u->context, r->piece, r->piece_len, &r->upload_error) < 0)
        r->upload_failed = true;
    r->piece_len = 0;
}

void http_step_finish(struct http_request *r)
{
    http_step_write(r);
    struct http_upload u = r->reply.upload;
    r->reply.upload = (struct http_upload){0};
    r->uploading = false;
    u.finish(u.context, r->upload_failed ? &r->upload_error : NULL, &r->reply);
    r->handled = true;
}

/* ---- sources ---- */

static void step_read(struct http_request *r)
{
    struct http_source *source = &r->reply.source;
    struct err why;
    size_t got = 0;
    r->piece_at = r->piece_len = 0;
    while (r->piece_len < HTTP_PIECE_BYTES && !r->ended && !r->failed) {
        if (source->read(source->context, r->piece + r->piece_len, HTTP_PIECE_BYTES - r->piece_len, &got, &why) < 0)
            r->failed = true;
        else if (got == 0)
            r->ended = true;
        else
            r->piece_len += got;
    }
}

static ssize_t source_give(void *arg, uint64_t position, char *to, size_t max)
{
    struct http_request *r = arg;
    size_t left = r->piece_len - r->piece_at;
    if (left == 0 && r->failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (left == 0 && r->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (left == 0) /* 0: asked again when the connection goes on */
        return http_rest(r, step_read) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = left < max ? left : max;
    memcpy(to, r->piece + r->piece_at, n);
    r->piece_at += n;
    return (ssize_t)n;
}

struct MHD_Response *http_stream_response(struct http_request *r)
{
    uint64_t bytes = r->reply.source.bytes < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)r->reply.source.bytes;
    return MHD_create_response_from_callback(bytes, HTTP_PIECE_BYTES / 2, source_give, r, NULL);
}

/* ---- begin and end ---- */

bool http_stream_begin(struct http_request *r)
{
    struct http_server *s = r->server;
    pthread_mutex_lock(&s->lock);
    bool ok = s->streams < HTTP_STREAMS_MAX;
    s->streams += ok;
    pthread_mutex_unlock(&s->lock);
    if (!ok)
        return false;
    r->is_stream = true;
    r->piece = mem_alloc(HTTP_PIECE_BYTES);
    r->piece_len = r->piece_at = 0;
    return true;
}

/* Closing talks to other machines: not on the connection's thread. */
struct http_goodbye {
    struct pool_task task;
    struct http_server *server;
    struct http_upload upload;
    struct http_source source;
};

static void goodbye_run(struct pool_task *t)
{
    struct http_goodbye *g = container_of(t, struct http_goodbye, task);
    struct http_server *s = g->server;
    if (g->upload.write)
        g->upload.abort(g->upload.context);
    if (g->source.read)
        g->source.close(g->source.context);
    free(g);
    server_end_work(s);
}

void http_stream_end(struct http_request *r)
{
    struct http_server *s = r->server;
    bool open = (r->uploading && r->reply.upload.write) || r->reply.source.read;
    pthread_mutex_lock(&s->lock);
    s->streams -= r->is_stream;
    s->busy += open; /* at a stop, too, somebody waits for it */
    pthread_mutex_unlock(&s->lock);
    free(r->piece);
    if (!open)
        return;
    struct http_goodbye *g = mem_new(struct http_goodbye);
    *g = (struct http_goodbye){.task.run = goodbye_run, .server = s, .source = r->reply.source};
    if (r->uploading)
        g->upload = r->reply.upload;
    pool_submit(s->data_pool, &g->task);
}
