#include "common/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/http_impl.h"
#include "common/mem.h"

#define HTTP_CONNECTIONS_MAX 4096
#define HTTP_CONNECTIONS_MIN 64
/* The heads of a request and its answer: a path may have 8000 bytes, each as %XX, and come back as a Location. */
#define HTTP_CONNECTION_MEMORY_BYTES 65536
#define HTTP_IDLE_TIMEOUT_S          60
#define HTTP_THREAD_STACK_BYTES      (256 << 10)
#define HTTP_THREADS_DEFAULT         2
#define HTTP_POOL_THREADS_DEFAULT    8

static const struct http_route *http_match(const struct http_server *s, const char *method, const char *path,
                                           bool *ret_path_known)
{
    *ret_path_known = false;
    for (size_t i = 0; i < s->route_count; i++) {
        const struct http_route *route = &s->routes[i];
        size_t len = strlen(route->path);
        bool prefix = len > 0 && route->path[len - 1] == '*';
        if (prefix ? strncmp(path, route->path, len - 1) : strcmp(path, route->path))
            continue;
        *ret_path_known = true;
        if (!route->method || strcmp(route->method, method) == 0 ||
            (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0))
            return route;
    }
    return NULL;
}

static void add_headers(struct MHD_Response *response, const struct http_reply *reply)
{
    const char *type = reply->content_type ? reply->content_type : "text/plain; charset=utf-8";
    if (*type)
        MHD_add_response_header(response, "Content-Type", type);
    const char *at = (const char *)reply->headers.base, *end = at + reply->headers.len;
    while (at < end) { /* name NUL value NUL */
        const char *value = at + strlen(at) + 1;
        MHD_add_response_header(response, at, value);
        at = value + strlen(value) + 1;
    }
    if (reply->close_connection)
        MHD_add_response_header(response, "Connection", "close");
}

static struct MHD_Response *body_response(struct http_request *r)
{
    struct http_reply *reply = &r->reply;
    if (reply->source.read)
        return http_stream_response(r);
    if (reply->file_fd >= 0) { /* the response closes it */
        struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
            (uint64_t)reply->file_bytes, reply->file_fd, (uint64_t)reply->file_offset);
        if (response)
            reply->file_fd = -1;
        return response;
    }
    size_t len = reply->body.len;
    return MHD_create_response_from_buffer(len, buf_detach(&reply->body), MHD_RESPMEM_MUST_FREE);
}

/* The answer that was being prepared is given up for a short one. */
static void answer_busy(struct http_request *r)
{
    http_stream_end(r);
    r->is_stream = r->uploading = false;
    r->piece = NULL;
    r->reply.source = (struct http_source){0};
    r->reply.upload = (struct http_upload){0};
    buf_clear(&r->reply.headers);
    http_reply_header(&r->reply, "Retry-After", "1");
    http_fail(&r->reply, 503, "too much is being sent and received at the moment; try again");
    r->handled = true;
}

enum MHD_Result http_send(struct http_request *r)
{
    const struct http_options *o = &r->server->options;
    r->phase = HTTP_SENT;
    if (r->reply.source.read && !http_stream_begin(r))
        answer_busy(r);
    if (o->on_reply)
        o->on_reply(r, &r->reply, o->on_reply_context);
    struct MHD_Response *response = body_response(r);
    if (!response)
        return MHD_NO;
    add_headers(response, &r->reply);
    enum MHD_Result rc = MHD_queue_response(r->connection, (unsigned)r->reply.status, response);
    MHD_destroy_response(response);
    return rc;
}

/* ---- a request comes ---- */

static void address_text(struct MHD_Connection *connection, char out[64])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *peer = info ? info->client_addr : NULL;
    const struct sockaddr_in *v4 = (const void *)peer;
    const struct sockaddr_in6 *v6 = (const void *)peer;
    out[0] = 0;
    if (peer && peer->sa_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, out, 64);
    else if (peer && peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, 64);
    else if (peer && peer->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, out, 64);
}

/* "http://host/path?query", as clients write it who think that we are their proxy: "/path?query". */
static const char *origin_form(const char *uri)
{
    if (strncasecmp(uri, "http://", 7) != 0)
        return uri;
    const char *path = strchr(uri + 7, '/');
    return path ? path : "/";
}

static void *http_on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct http_request *r = mem_new(struct http_request);
    r->server = arg;
    r->connection = connection;
    r->raw_uri = mem_strdup(origin_form(uri));
    r->reply = (struct http_reply){.status = 200, .file_fd = -1};
    address_text(connection, r->client_ip);
    return r;
}

static bool has_body(const struct http_request *r)
{
    const char *length = http_header(r, "Content-Length");
    return http_header(r, "Transfer-Encoding") || (length && strcmp(length, "0") != 0);
}

struct framing {
    const char *length;
    bool is_odd;
};

static enum MHD_Result look_at_framing(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *f = arg;
    if (value && !strcasecmp(name, "Content-Length")) {
        f->is_odd |= f->length && strcmp(f->length, value) != 0;
        f->length = value;
    }
    f->is_odd |= value && !strcasecmp(name, "Transfer-Encoding") && strcasecmp(value, "chunked") != 0;
    return MHD_YES;
}

/* Where the body ends must be beyond doubt: what is left of it would be the next request, or all of it half a file. */
static bool has_odd_framing(const struct http_request *r)
{
    struct framing f = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, look_at_framing, &f);
    return f.is_odd;
}

static void answer_no_route(struct http_request *r, bool path_known)
{
    if (path_known)
        http_fail(&r->reply, 405, "%s is not possible here", r->method);
    else
        http_fail(&r->reply, 404, "nothing is served at %s", r->path);
    r->handled = true;
}

/* The head is there. Comes again when a handler on the pool is done with it. */
static enum MHD_Result http_on_head(struct http_request *r)
{
    bool path_known = true;
    if (!r->route && !r->handled) {
        if (has_odd_framing(r)) {
            http_fail(&r->reply, 400, "the length of the request's body is not clear");
            r->reply.close_connection = true;
            return http_send(r);
        }
        r->route = http_match(r->server, r->method, r->path, &path_known);
        if (!r->route)
            answer_no_route(r, path_known);
        else if (r->route->may_block && http_rest(r, http_step_handle))
            return MHD_YES;
        else if (r->route->may_block)
            answer_busy(r);
    }
    if (r->uploading && !http_stream_begin(r))
        answer_busy(r);
    bool waits_for_a_word = http_header(r, "Expect") != NULL;
    if (r->handled && !r->uploading && waits_for_a_word && has_body(r))
        return http_send(r); /* and the connection is closed, since the body may come all the same */
    r->phase = HTTP_BODY;
    return MHD_YES;
}

static enum MHD_Result http_on_body(struct http_request *r, const char *bytes, size_t *len)
{
    if (r->uploading && !r->upload_failed) {
        size_t room = HTTP_PIECE_BYTES - r->piece_len, n = *len < room ? *len : room;
        memcpy(r->piece + r->piece_len, bytes, n);
        r->piece_len += n;
        *len -= n;
        if (*len == 0)
            return MHD_YES;
        /* What is left comes again after the rest, and not sooner: libmicrohttpd would wait for more from the client,
         * who may have sent all. And only with bytes left: or else it goes on to the next chunk although we rest. */
        return http_rest(r, http_step_write) ? MHD_YES : MHD_NO;
    }
    if (r->handled) { /* answered, or to be told what went wrong */
        r->dropped_bytes += *len;
    } else if (r->body.len + *len > r->server->options.max_body_bytes) {
        r->body_too_large = true;
        r->dropped_bytes += *len;
    } else {
        buf_append(&r->body, bytes, *len);
    }
    *len = 0;
    return r->dropped_bytes <= HTTP_DROP_BODY_BYTES ? MHD_YES : MHD_NO;
}

static enum MHD_Result http_on_end(struct http_request *r)
{
    if (r->uploading)
        return http_rest(r, http_step_finish) ? MHD_YES : MHD_NO; /* and then we are here again */
    if (r->body_too_large)
        http_fail(&r->reply, 413, "the request's body is larger than %zu bytes", r->server->options.max_body_bytes);
    else if (!r->handled)
        http_step_handle(r);
    return http_send(r);
}

static enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                       const char *method, const char *version, const char *upload, size_t *upload_len,
                                       void **state)
{
    struct http_request *r = *state;
    r->path = origin_form(url);
    r->method = method;
    switch (r->phase) {
    case HTTP_NEW: return http_on_head(r);
    case HTTP_BODY: return *upload_len ? http_on_body(r, upload, upload_len) : http_on_end(r);
    case HTTP_SENT: break;
    }
    *upload_len = 0;
    return MHD_YES;
}

static void http_on_done(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct http_request *r = *state;
    if (!r)
        return;
    http_stream_end(r);
    if (r->reply.file_fd >= 0)
        close(r->reply.file_fd);
    buf_free(&r->reply.body);
    buf_free(&r->reply.headers);
    buf_free(&r->body);
    free(r->raw_uri);
    free(r);
    *state = NULL;
}

static void http_on_log(void *arg, const char *format, va_list args)
{
    /* Peers that send rubbish or go away are not worth a line each. */
}

/* ---- life ---- */

static void server_free(struct http_server *s)
{
    pool_free(s->pool);
    pool_free(s->data_pool);
    pool_free(s->later_pool);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    free(s->routes);
    free(s);
}

static struct http_server *server_new(const struct http_options *options)
{
    struct http_server *s = mem_new(struct http_server);
    s->options = *options;
    s->options.threads = options->threads > 0 ? options->threads : HTTP_THREADS_DEFAULT;
    s->options.pool_threads = options->pool_threads > 0 ? options->pool_threads : HTTP_POOL_THREADS_DEFAULT;
    s->options.data_threads = options->data_threads > 0 ? options->data_threads : s->options.pool_threads;
    s->routes = mem_alloc(options->route_count * sizeof *s->routes);
    if (options->route_count)
        memcpy(s->routes, options->routes, options->route_count * sizeof *s->routes);
    s->route_count = options->route_count;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    return s;
}

static int pool_start_if_needed(struct http_server *s, struct err *reterr)
{
    bool some_block = false;
    for (size_t i = 0; i < s->route_count; i++)
        some_block |= s->routes[i].may_block;
    if (!some_block)
        return 0;
    int rc = pool_new("http-pool", s->options.pool_threads, &s->pool, reterr);
    rc = rc < 0 ? rc : pool_new("http-data", s->options.data_threads, &s->data_pool, reterr);
    return rc < 0 || !s->options.later_threads
               ? rc
               : pool_new("http-later", s->options.later_threads, &s->later_pool, reterr);
}

/* Others need files, too. */
static int connections_max(void)
{
    int most = net_files_max() / 4;
    return most > HTTP_CONNECTIONS_MAX   ? HTTP_CONNECTIONS_MAX
           : most < HTTP_CONNECTIONS_MIN ? HTTP_CONNECTIONS_MIN
                                         : most;
}

int http_start(const struct http_options *options, struct http_server **ret, struct err *reterr)
{
    struct http_server *s = server_new(options);
    int fd = -1, rc = net_listen(&options->listen, &fd, &s->port, reterr);
    if (rc == 0)
        rc = pool_start_if_needed(s, reterr);
    if (rc < 0) {
        net_closep(&fd);
        server_free(s);
        return rc;
    }
    /* Not epoll: libmicrohttpd asks for edges, and a connection that is closed while it rests has none left, so that a
     * client who is gone would be noticed only when the connection was idle for too long. */
    s->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, http_on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, http_on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)(s->options.threads > 1 ? s->options.threads : 0), MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)HTTP_THREAD_STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections_max(),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_IDLE_TIMEOUT_S, MHD_OPTION_URI_LOG_CALLBACK, http_on_uri, s, MHD_OPTION_NOTIFY_COMPLETED,
        http_on_done, NULL, MHD_OPTION_END);
    if (!s->daemon) {
        close(fd);
        server_free(s);
        return err_set(reterr, ERR_IO, "cannot start the HTTP server on port %u", options->listen.port);
    }
    *ret = s;
    return 0;
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

void http_stop(struct http_server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true; /* no connection may rest when libmicrohttpd stops */
    while (s->busy)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
    MHD_stop_daemon(s->daemon);
    server_free(s);
}

const char *http_method(const struct http_request *r)
{
    return r->method;
}

const char *http_raw_uri(const struct http_request *r)
{
    return r->raw_uri;
}

const char *http_client_ip(const struct http_request *r)
{
    return r->client_ip;
}

const char *http_path(const struct http_request *r)
{
    return r->path;
}

const char *http_query(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

struct slice http_body(const struct http_request *r)
{
    return buf_slice(&r->body);
}

static void append_line(struct buf *b, const char *text)
{
    for (; *text; text++)
        if (*text != '\r' && *text != '\n')
            buf_append(b, text, 1);
    buf_append(b, "", 1);
}

/* Headers are kept as name NUL value NUL. */
static void drop_header(struct buf *headers, const char *name)
{
    for (size_t at = 0; at < headers->len;) {
        const char *entry = (const char *)headers->base + at;
        size_t name_len = strlen(entry) + 1, len = name_len + strlen(entry + name_len) + 1;
        if (strcasecmp(entry, name)) {
            at += len;
            continue;
        }
        memmove(headers->base + at, headers->base + at + len, headers->len - at - len);
        headers->len -= len;
    }
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    drop_header(&reply->headers, name);
    append_line(&reply->headers, name);
    append_line(&reply->headers, value);
}

void http_fail(struct http_reply *reply, int status, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reply->status = status;
    reply->content_type = "text/plain; charset=utf-8";
    buf_clear(&reply->body);
    buf_printf(&reply->body, "%s\n", text);
}

void html_escape(struct buf *b, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<': buf_append_str(b, "&lt;"); break;
        case '>': buf_append_str(b, "&gt;"); break;
        case '&': buf_append_str(b, "&amp;"); break;
        case '"': buf_append_str(b, "&quot;"); break;
        case '\'': buf_append_str(b, "&#39;"); break;
        default: buf_append(b, text, 1);
        }
}
