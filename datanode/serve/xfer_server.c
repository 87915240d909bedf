#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cairn/clone.pb-c.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "datanode/serve/xfer.h"
#include "proto/op_header.h"

#define FIRST_OP_MS       60000
#define STOP_WAIT_MS      10000
#define FULL_LOG_EVERY_MS 10000
/* Room for the handlers' path buffers; touched pages are what counts. The sanitizers need much more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THREAD_STACK_BYTES (2u << 20)
#else
#define THREAD_STACK_BYTES (256u << 10)
#endif

struct connection {
    struct connection *next, **link;
    struct xfer_server *server;
    int fd;
    char peer[NET_ADDRESS_MAX];
    bool is_unix;
    _Atomic int op; /* under way */
};

struct xfer_server {
    struct datanode *dn;
    int listen_fd;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t all_gone;
    struct connection *connections; /* guarded by lock */
    _Atomic int active;
    _Atomic bool stopping;
};

/* ---- ops ---- */

static const struct op {
    uint8_t code;
    const ProtobufCMessageDescriptor *type;
    xfer_handler handler;
} ops[] = {
    {OP_WRITE_BLOCK, &hdfs__op_write_block_proto__descriptor, xfer_write_block},
    {OP_READ_BLOCK, &hdfs__op_read_block_proto__descriptor, xfer_read_block},
    {OP_REPLACE_BLOCK, &hdfs__op_replace_block_proto__descriptor, xfer_replace_block},
    {OP_COPY_BLOCK, &hdfs__op_copy_block_proto__descriptor, xfer_copy_block},
    {OP_BLOCK_CHECKSUM, &hdfs__op_block_checksum_proto__descriptor, xfer_block_checksum},
    {OP_BLOCK_GROUP_CHECKSUM, &hdfs__op_block_group_checksum_proto__descriptor, xfer_block_group_checksum},
    {OP_TRANSFER_BLOCK, &hdfs__op_transfer_block_proto__descriptor, xfer_transfer_block},
    {OP_REQUEST_SHORT_CIRCUIT_FDS, &hdfs__op_request_short_circuit_access_proto__descriptor, xfer_request_fds},
    {OP_RELEASE_SHORT_CIRCUIT_FDS, &hdfs__release_short_circuit_access_request_proto__descriptor, xfer_release_fds},
    {OP_REQUEST_SHORT_CIRCUIT_SHM, &hdfs__short_circuit_shm_request_proto__descriptor, xfer_request_shm},
    {OP_CLONE_BLOCKS, &cairn__op_clone_blocks_proto__descriptor, xfer_clone_blocks},
};

int xfer_refuse(struct xfer *x, const char *op, const Hdfs__ExtendedBlockProto *block, Hdfs__Status status,
                const struct err *why)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    char text[ERR_TEXT_MAX + 512];
    snprintf(text, sizeof text, "%s %s:blk_%" PRId64 "_%" PRIu64 " received exception %s: %s", op,
             block ? block->poolid : "", block ? (int64_t)block->blockid : 0, block ? block->generationstamp : 0,
             err_java_class(why), why->text);
    log_info("xfer", "peer=%s %s", x->peer, text);
    answer.status = status;
    answer.message = text;
    int rc = delimited_write(x->fd, &answer.base, NULL);
    x->refused = rc == 0;
    return rc < 0 ? rc : ERR_CLOSED;
}

void xfer_linger(int fd)
{
    static const int64_t linger_ms = 5000;
    char dropped[16384];
    int64_t until = clock_mono_ms() + linger_ms;
    shutdown(fd, SHUT_WR);
    net_set_timeouts(fd, 1000, 1000);
    while (clock_mono_ms() < until) {
        ssize_t n = recv(fd, dropped, sizeof dropped, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

/* A client that wants its transfers protected, by a datanode that was not told to: it is told so in its own language.
 */
static void refuse_sasl(struct xfer *x, const struct err *why)
{
    Hdfs__DataTransferEncryptorMessageProto answer = HDFS__DATA_TRANSFER_ENCRYPTOR_MESSAGE_PROTO__INIT;
    answer.status = HDFS__DATA_TRANSFER_ENCRYPTOR_MESSAGE_PROTO__DATA_TRANSFER_ENCRYPTOR_STATUS__ERROR;
    answer.message = (char *)why->text;
    x->refused = delimited_write(x->fd, &answer.base, NULL) == 0;
}

int xfer_check_pool_id(const struct xfer *x, const char *pool_id, struct err *reterr)
{
    const char *pool = block_store_pool_id(x->dn->store);
    if (!*pool)
        return err_set(reterr, ERR_RETRIABLE, "this datanode has not registered with its namenode yet");
    if (strcmp(pool, pool_id) != 0)
        return err_set(reterr, ERR_IO, "block pool %s is not on this datanode; it keeps %s", pool_id, pool);
    return 0;
}

int xfer_check_pool(const struct xfer *x, const Hdfs__ExtendedBlockProto *block, struct err *reterr)
{
    return xfer_check_pool_id(x, block->poolid, reterr);
}

static int refuse_unknown(struct xfer *x, uint8_t code)
{
    struct err why;
    (void)err_set(&why, ERR_UNSUPPORTED, "op %u (%s) is not supported", code, op_name(code));
    return xfer_refuse(x, op_name(code), NULL, HDFS__STATUS__ERROR_UNSUPPORTED, &why);
}

static int handle_one(struct xfer *x, bool first)
{
    struct err why;
    uint8_t code;
    int rc = op_header_read(x->fd, &code, &why);
    if (rc < 0) {
        if (rc == ERR_UNSUPPORTED)
            refuse_sasl(x, &why);
        if (rc == ERR_PROTOCOL || rc == ERR_UNSUPPORTED) /* somebody is configured differently */
            log_warn("xfer", "peer=%s closed: %s", x->peer, why.text);
        else if (first && rc != ERR_CLOSED)
            log_debug("xfer", "peer=%s closed: %s", x->peer, why.text);
        return rc;
    }
    for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
        if (ops[i].code != code)
            continue;
        ProtobufCMessage *message;
        net_set_timeouts(x->fd, PEER_READ_MS, PEER_WRITE_MS);
        rc = delimited_read(x->fd, ops[i].type, &x->arena, &message, &why);
        if (rc < 0) {
            log_warn("xfer", "peer=%s closed: %s: %s", x->peer, op_name(code), why.text);
            return rc;
        }
        atomic_store(x->op, code);
        rc = ops[i].handler(x, message);
        atomic_store(x->op, 0);
        return rc;
    }
    return refuse_unknown(x, code);
}

static void serve(struct xfer *x)
{
    net_set_timeouts(x->fd, FIRST_OP_MS, PEER_WRITE_MS);
    for (bool first = true;; first = false) {
        if (handle_one(x, first) != 0)
            return;
        arena_reset(&x->arena);
        if (x->dn->settings.keepalive_ms <= 0)
            return;
        net_set_timeouts(x->fd, (int)x->dn->settings.keepalive_ms, PEER_WRITE_MS);
    }
}

/* ---- connections ---- */

static void connection_end(struct connection *c)
{
    struct xfer_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    close(c->fd);
    mem_freep(&c);
    if (atomic_fetch_sub(&s->active, 1) == 1)
        pthread_cond_broadcast(&s->all_gone);
    pthread_mutex_unlock(&s->lock);
}

static void *connection_run(void *arg)
{
    struct connection *c = arg;
    struct xfer x = {.dn = c->server->dn, .fd = c->fd, .is_unix = c->is_unix, .op = &c->op};
    memcpy(x.peer, c->peer, sizeof x.peer);
    arena_init(&x.arena, XFER_ARENA_BYTES);
    serve(&x);
    if (x.refused)
        xfer_linger(c->fd);
    arena_free(&x.arena);
    connection_end(c);
    return NULL;
}

void xfer_server_adopt(struct xfer_server *s, int fd, const char *peer, bool is_unix)
{
    struct connection *c = mem_new(struct connection);
    *c = (struct connection){.server = s, .fd = fd, .is_unix = is_unix};
    snprintf(c->peer, sizeof c->peer, "%s", peer);
    pthread_mutex_lock(&s->lock);
    c->link = &s->connections;
    c->next = s->connections;
    if (c->next)
        c->next->link = &c->next;
    s->connections = c;
    atomic_fetch_add(&s->active, 1);
    pthread_mutex_unlock(&s->lock);
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    int rc = atomic_load(&s->stopping) ? ECANCELED : pthread_create(&thread, &attr, connection_run, c);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        log_warn("xfer", "peer=%s closed: no thread for it: %s", peer, strerror(rc));
        connection_end(c);
    }
}

static void *accept_run(void *arg)
{
    struct xfer_server *s = arg;
    int64_t logged_ms = -FULL_LOG_EVERY_MS;
    while (!atomic_load(&s->stopping)) {
        struct net_address peer;
        struct err why;
        int fd;
        if (net_accept(s->listen_fd, &fd, &peer, &why) < 0) {
            if (atomic_load(&s->stopping))
                break;
            log_warn("xfer", "%s", why.text);
            clock_sleep_ms(100); /* out of descriptors: give others a chance to close some */
            continue;
        }
        char text[NET_ADDRESS_MAX];
        net_format(&peer, text);
        if (atomic_load(&s->active) >= s->dn->settings.transfer_threads_max) {
            if (clock_mono_ms() - logged_ms >= FULL_LOG_EVERY_MS) {
                logged_ms = clock_mono_ms();
                log_warn("xfer", "peer=%s closed: %d connections are open, dfs.datanode.max.transfer.threads is %d",
                         text, atomic_load(&s->active), s->dn->settings.transfer_threads_max);
            }
            close(fd);
            continue;
        }
        xfer_server_adopt(s, fd, text, false);
    }
    return NULL;
}

/* ---- life ---- */

int xfer_server_start(struct datanode *dn, struct xfer_server **ret, uint16_t *ret_port, struct err *reterr)
{
    struct xfer_server *s = mem_new(struct xfer_server);
    s->dn = dn;
    s->listen_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->all_gone, &attr);
    pthread_condattr_destroy(&attr);
    int rc = net_listen(&dn->settings.transfer_listen, &s->listen_fd, ret_port, reterr);
    if (rc < 0) {
        mem_freep(&s);
        return err_prefix(reterr, rc, "dfs.datanode.address");
    }
    dn->xfer = s; /* before the first connection can ask for it */
    int failed = pthread_create(&s->acceptor, NULL, accept_run, s);
    if (failed) {
        rc = err_errno(reterr, failed, "cannot start the transfer server's thread");
        net_closep(&s->listen_fd);
        dn->xfer = NULL;
        mem_freep(&s);
        return rc;
    }
    *ret = s;
    return 0;
}

bool xfer_server_stop(struct xfer_server *s)
{
    if (!s)
        return true;
    atomic_store(&s->stopping, true);
    shutdown(s->listen_fd, SHUT_RDWR); /* wakes accept */
    pthread_join(s->acceptor, NULL);
    net_closep(&s->listen_fd);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_WAIT_MS / 1000;
    pthread_mutex_lock(&s->lock);
    for (struct connection *c = s->connections; c; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    while (atomic_load(&s->active) > 0 && pthread_cond_timedwait(&s->all_gone, &s->lock, &until) == 0)
        ;
    int left = atomic_load(&s->active);
    pthread_mutex_unlock(&s->lock);
    if (left > 0)
        log_warn("xfer", "%d connections did not end within %d s", left, STOP_WAIT_MS / 1000);
    return left == 0;
}

void xfer_server_free(struct xfer_server *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->all_gone);
    mem_freep(&s);
}

int xfer_server_evict_writers(struct xfer_server *s)
{
    int count = 0;
    pthread_mutex_lock(&s->lock);
    for (struct connection *c = s->connections; c; c = c->next)
        if (atomic_load(&c->op) == OP_WRITE_BLOCK) {
            shutdown(c->fd, SHUT_RDWR);
            count++;
        }
    pthread_mutex_unlock(&s->lock);
    return count;
}

int xfer_server_active(const struct xfer_server *s)
{
    return s ? atomic_load(&s->active) : 0;
}
