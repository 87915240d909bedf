#include "common/http.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

#define HTTP_CONNECTIONS_MAX 512
#define HTTP_CONNECTION_MEMORY_BYTES 16384 /* request line and headers must fit */
#define HTTP_IDLE_TIMEOUT_S 60
#define HTTP_THREAD_STACK_BYTES (256 << 10)
#define HTTP_THREADS_DEFAULT 2

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_route *routes;
    size_t route_count;
    void *context;
    size_t max_body_bytes;
    uint16_t port;
};

struct http_request {
    struct MHD_Connection *connection;
    const char *path;
    struct buf body;
    bool body_too_large;
};

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

static enum MHD_Result http_send(struct MHD_Connection *connection, struct http_reply *reply)
{
    struct MHD_Response *response;
    if (reply->file_fd >= 0) {
        response = MHD_create_response_from_fd_at_offset64((uint64_t)reply->file_bytes, reply->file_fd,
                                                           (uint64_t)reply->file_offset);
        if (!response)
            close(reply->file_fd);
        buf_free(&reply->body);
    } else {
        size_t len = reply->body.len;
        response = MHD_create_response_from_buffer(len, buf_detach(&reply->body), MHD_RESPMEM_MUST_FREE);
    }
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", reply->content_type ? reply->content_type : "text/plain; charset=utf-8");
    if (reply->location[0])
        MHD_add_response_header(response, "Location", reply->location);
    enum MHD_Result rc = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                       const char *version, const char *upload, size_t *upload_len, void **state)
{
    struct http_server *s = arg;
    struct http_request *request = *state;
    if (!request) {
        request = mem_new(struct http_request);
        request->connection = connection;
        *state = request;
        return MHD_YES;
    }
    if (*upload_len) {
        if (request->body.len + *upload_len > s->max_body_bytes)
            request->body_too_large = true;
        else
            buf_append(&request->body, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    request->path = url;
    struct http_reply reply = {.status = 200, .file_fd = -1};
    bool path_known;
    const struct http_route *route = http_match(s, method, url, &path_known);
    if (request->body_too_large)
        http_fail(&reply, 413, "the request's body is larger than %zu bytes", s->max_body_bytes);
    else if (route)
        route->handler(request, &reply, s->context);
    else if (path_known)
        http_fail(&reply, 405, "%s is not possible here", method);
    else
        http_fail(&reply, 404, "nothing is served at %s", url);
    return http_send(connection, &reply);
}

static void http_on_done(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
    struct http_request *request = *state;
    if (request)
        buf_free(&request->body);
    free(request);
    *state = NULL;
}

static void http_on_log(void *arg, const char *format, va_list args)
{
    /* Peers that send rubbish or go away are not worth a line each. */
}

int http_start(const struct http_options *options, struct http_server **ret, struct err *reterr)
{
    struct http_server *s = mem_new(struct http_server);
    int fd, threads = options->threads ? options->threads : HTTP_THREADS_DEFAULT;
    int rc = net_listen(&options->listen, &fd, &s->port, reterr);
    if (rc < 0) {
        free(s);
        return rc;
    }
    s->routes = mem_alloc(options->route_count * sizeof *s->routes);
    if (options->route_count)
        memcpy(s->routes, options->routes, options->route_count * sizeof *s->routes);
    s->route_count = options->route_count;
    s->context = options->context;
    s->max_body_bytes = options->max_body_bytes;
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, http_on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, http_on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)(threads > 1 ? threads : 0), MHD_OPTION_THREAD_STACK_SIZE, (size_t)HTTP_THREAD_STACK_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_TIMEOUT_S,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_done, NULL, MHD_OPTION_END);
    if (!s->daemon) {
        close(fd);
        free(s->routes);
        free(s);
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
    MHD_stop_daemon(s->daemon);
    free(s->routes);
    free(s);
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

/* Bytes of the UTF-8 character at p, or 0 if there is none (overlong forms and surrogates included). */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) /* the NUL at the end of the text is caught here */
            return 0;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xED && p[1] >= 0xA0, too_large = p[0] == 0xF4 && p[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : n;
}

void json_escape(struct buf *b, const char *text)
{
    buf_append_str(b, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = utf8_length(p);
        if (n == 0)
            buf_append_str(b, "\\ufffd"); /* a name may be any bytes; JSON may not */
        else if (*p == '"' || *p == '\\')
            buf_printf(b, "\\%c", *p);
        else if (*p < ' ')
            buf_printf(b, "\\u%04x", *p);
        else
            buf_append(b, p, n);
        p += n ? n : 1;
    }
    buf_append_str(b, "\"");
}
