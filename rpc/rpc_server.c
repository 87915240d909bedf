/* The RPC server as a whole: its loops, its listening socket, its start and its end. */
#include "rpc/rpc_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/log.h"
#include "common/mem.h"
#include "rpc/server_impl.h"

#define TICK_MS          1000
#define ACCEPTED_AT_ONCE 64
#define RETRY_KEEP_MS    600000

struct metric rpc_metric_connections = {"cairn_rpc_connections", "connections open now", METRIC_GAUGE, 0, NULL};
struct metric rpc_metric_calls = {"cairn_rpc_calls_total", "calls that reached their method", METRIC_COUNTER, 0, NULL};
struct metric rpc_metric_errors = {"cairn_rpc_errors_total", "calls answered with an exception", METRIC_COUNTER, 0,
                                   NULL};
struct metric rpc_metric_refused = {"cairn_rpc_refused_total", "calls refused because too many wait", METRIC_COUNTER, 0,
                                    NULL};
struct metric rpc_metric_replays = {"cairn_rpc_replays_total", "repeated calls answered from the retry cache",
                                    METRIC_COUNTER, 0, NULL};

static void metrics_register(void)
{
    struct metric *const all[] = {&rpc_metric_connections, &rpc_metric_calls, &rpc_metric_errors, &rpc_metric_replays,
                                  &rpc_metric_refused};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++)
        metric_register(all[i]);
}

/* ---- connections come ---- */

static void peer_text(const struct sockaddr_storage *peer, char out[64])
{
    const struct sockaddr_in *v4 = (const void *)peer;
    const struct sockaddr_in6 *v6 = (const void *)peer;
    out[0] = 0;
    if (peer->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, out, 64);
    else if (peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, 64);
    else if (peer->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, out, 64);
}

static void server_accept(struct loop_watch *w, uint32_t events)
{
    struct rpc_server *s = container_of(w, struct rpc_server, listen_watch);
    for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(s->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_warn("rpc", "port %u: cannot accept connections for a moment: %s", s->port, strerror(errno));
                s->accept_paused = true; /* else the loop would spin; the timer tries again */
                loop_watch_events(&s->listen_watch, 0);
            }
            return;
        }
        if (s->connection_count >= s->options.connections_max) {
            log_warn("rpc", "port %u: refused a connection: %d are open, the most allowed", s->port,
                     s->connection_count);
            close(fd);
            continue;
        }
        char ip[64];
        peer_text(&peer, ip);
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        connection_open(s, &s->loops[s->next_loop++ % (unsigned)s->loop_count], fd, ip);
    }
}

/* ---- loops ---- */

static void loop_tick(struct loop_timer *t, int64_t now_ms)
{
    struct server_loop *l = container_of(t, struct server_loop, timer);
    struct rpc_server *s = l->server;
    if (s->accept_paused && l == &s->loops[0]) {
        s->accept_paused = false;
        loop_watch_events(&s->listen_watch, EPOLLIN);
    }
    /* Only this thread removes from the list, so the lock is for those who add at its head. */
    pthread_mutex_lock(&l->lock);
    struct rpc_connection *c = l->connections;
    pthread_mutex_unlock(&l->lock);
    while (c) {
        pthread_mutex_lock(&l->lock);
        struct rpc_connection *next = c->next;
        pthread_mutex_unlock(&l->lock);
        connection_check(c, now_ms);
        c = next;
    }
}

static void *loop_main(void *arg)
{
    struct server_loop *l = arg;
    char name[16];
    snprintf(name, sizeof name, "rpc-loop-%d", (int)(l - l->server->loops) & 0xff);
    pthread_setname_np(pthread_self(), name);
    loop_run(l->loop);
    return NULL;
}

static int server_loop_init(struct rpc_server *s, struct server_loop *l, struct err *reterr)
{
    l->server = s;
    pthread_mutex_init(&l->lock, NULL);
    int rc = loop_new(&l->loop, reterr);
    if (rc < 0)
        return rc;
    l->timer = (struct loop_timer){.expired = loop_tick, .period_ms = TICK_MS};
    loop_timer_add(l->loop, &l->timer);
    loop_on_batch(l->loop, s->options.on_batch, s->options.on_batch_context);
    return 0;
}

/* ---- start and end ---- */

static bool is_true(const struct config *c, const char *name)
{
    const char *text = config_get(c, name);
    return text && strcasecmp(text, "true") == 0;
}

void rpc_server_queue_options(const struct config *c, struct rpc_server_options *o)
{
    char name[64];
    snprintf(name, sizeof name, "ipc.%u.backoff.enable", o->listen.port);
    o->pool_queue_max = o->pool_threads * (int)config_int(c, "ipc.server.handler.queue.size");
    o->refuse_when_full = is_true(c, name) || is_true(c, "ipc.backoff.enable");
}

static struct rpc_server_options options_filled(const struct rpc_server_options *options)
{
    struct rpc_server_options o = *options;
    o.loops = o.loops > 0 ? o.loops : 2;
    o.pool_threads = o.pool_threads > 0 ? o.pool_threads : 4;
    o.connections_max = o.connections_max > 0 ? o.connections_max : 4096;
    o.calls_in_flight_max = o.calls_in_flight_max > 0 ? o.calls_in_flight_max : 256;
    o.request_bytes_max = o.request_bytes_max ? o.request_bytes_max : 32u << 20;
    o.input_bytes_max = o.input_bytes_max ? o.input_bytes_max : INPUT_MAX_BYTES;
    o.idle_timeout_ms = o.idle_timeout_ms > 0 ? o.idle_timeout_ms : 600000;
    o.handshake_timeout_ms = o.handshake_timeout_ms > 0 ? o.handshake_timeout_ms : 30000;
    o.stall_timeout_ms = o.stall_timeout_ms > 0 ? o.stall_timeout_ms : 60000;
    o.pool_queue_max = o.pool_queue_max > 0 ? o.pool_queue_max : 100 * o.pool_threads;
    o.retry_cache_bytes = o.retry_cache_bytes ? o.retry_cache_bytes : 16u << 20;
    o.services = NULL; /* the registry has them */
    return o;
}

static int server_start_parts(struct rpc_server *s, struct err *reterr)
{
    int rc = net_listen(&s->options.listen, &s->listen_fd, &s->port, reterr);
    if (rc == 0 && fcntl(s->listen_fd, F_SETFL, O_NONBLOCK) < 0)
        rc = err_errno(reterr, errno, "port %u", s->port);
    if (rc == 0)
        rc = pool_new("rpc-pool", s->options.pool_threads, &s->pool, reterr);
    for (int i = 0; i < s->loop_count && rc == 0; i++)
        rc = server_loop_init(s, &s->loops[i], reterr);
    if (rc == 0) {
        s->listen_watch = (struct loop_watch){.fd = s->listen_fd, .ready = server_accept};
        rc = loop_watch_add(s->loops[0].loop, &s->listen_watch, EPOLLIN, reterr);
    }
    for (int i = 0; i < s->loop_count && rc == 0; i++) {
        int errnum = pthread_create(&s->loops[i].thread, NULL, loop_main, &s->loops[i]);
        if (errnum)
            rc = err_errno(reterr, errnum, "start an event loop thread");
        s->loops[i].running = errnum == 0;
    }
    return rc;
}

int rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret, struct err *reterr)
{
    metrics_register();
    struct rpc_server_options o = options_filled(options);
    struct rpc_server *s = mem_zalloc(sizeof *s + sizeof *s->loops * (size_t)o.loops);
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)clock_wall_ns();
    s->refs = 1;
    s->options = o;
    s->listen_fd = -1;
    s->loop_count = o.loops;
    s->registry = rpc_registry_new(options->services, options->service_count);
    struct rpc_service meta = rpc_meta_service(s->registry);
    rpc_registry_add(s->registry, &meta);
    pthread_mutex_init(&s->input_lock, NULL);
    pthread_mutex_init(&s->retry_lock, NULL);
    s->retry = retry_cache_new(o.retry_cache_bytes, RETRY_KEEP_MS, seed);
    int rc = server_start_parts(s, reterr);
    if (rc < 0) {
        rpc_server_stop(s);
        return rc;
    }
    *ret = s;
    return 0;
}

uint16_t rpc_server_port(const struct rpc_server *s)
{
    return s->port;
}

void rpc_server_each_method(const struct rpc_server *s, rpc_method_visitor visit, void *context)
{
    rpc_registry_each(s->registry, visit, context);
}

static void server_free(struct rpc_server *s)
{
    for (int i = 0; i < s->loop_count; i++) {
        struct server_loop *l = &s->loops[i];
        for (struct rpc_call *call = l->free_calls, *next; call; call = next) {
            next = call->next;
            arena_free(&call->arena);
            buf_free(&call->reply);
            free(call);
        }
        loop_free(l->loop);
    }
    retry_cache_free(s->retry);
    rpc_registry_free(s->registry);
    free(s);
}

void rpc_server_unref(struct rpc_server *s)
{
    if (--s->refs == 0)
        server_free(s);
}

void rpc_server_stop(struct rpc_server *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->loop_count; i++)
        if (s->loops[i].running) {
            loop_stop(s->loops[i].loop);
            pthread_join(s->loops[i].thread, NULL);
        }
    pool_free(s->pool); /* handlers end; their answers still go out, if the sockets take them */
    net_closep(&s->listen_fd);
    for (int i = 0; i < s->loop_count; i++)
        while (s->loops[i].connections)
            connection_close(s->loops[i].connections, false);
    rpc_server_unref(s);
}
