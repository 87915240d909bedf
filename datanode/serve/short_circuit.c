#include "datanode/serve/short_circuit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "datanode/serve/xfer.h"
#include "proto/op_header.h"

#define ACCESS_VERSION 1 /* of the files' layout: Hadoop's meta file header */
#define BACKLOG 128

struct short_circuit {
    struct datanode *dn;
    int listen_fd;
    struct sockaddr_un address;
    pthread_t thread;
    _Atomic bool stopping;
};

/* ---- the socket ---- */

static int make_path(const struct datanode *dn, char *out, size_t out_bytes, struct err *reterr)
{
    const char *path = dn->settings.domain_socket_path, *port = strstr(path, "_PORT");
    int len = port ? snprintf(out, out_bytes, "%.*s%u%s", (int)(port - path), path, dn->transfer_port, port + 5)
                   : snprintf(out, out_bytes, "%s", path);
    if (*path != '/')
        return err_set(reterr, ERR_CONFIG, "dfs.domain.socket.path: '%s' is not an absolute path", path);
    if ((size_t)len >= out_bytes)
        return err_set(reterr, ERR_CONFIG, "dfs.domain.socket.path: '%s' is longer than the %zu bytes of a UNIX socket's name",
                       path, out_bytes - 1);
    return 0;
}

static bool somebody_listens(const struct sockaddr_un *address)
{
    AUTO(net_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
}

static int refuse_taken(const char *path, struct err *reterr)
{
    return err_set(reterr, ERR_BUSY,
                   "dfs.domain.socket.path: another daemon listens at '%s'; give each its own path, or use _PORT in it", path);
}

static int listen_at(struct short_circuit *s, struct err *reterr)
{
    char *path = s->address.sun_path, *slash;
    int rc = make_path(s->dn, path, sizeof s->address.sun_path, reterr);
    if (rc < 0)
        return rc;
    AUTO(mem_freep) char *folder = mem_strdup(path);
    if ((slash = strrchr(folder, '/')) != folder) {
        *slash = 0;
        rc = file_mkdirs(folder, 0755, reterr);
        if (rc < 0)
            return rc;
    }
    s->address.sun_family = AF_UNIX;
    if (somebody_listens(&s->address))
        return refuse_taken(path, reterr);
    struct stat st;
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path); /* of a daemon that ended without a goodbye */
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&s->address, sizeof s->address) < 0 ||
        chmod(path, 0666) < 0 || listen(s->listen_fd, BACKLOG) < 0)
        return errno == EADDRINUSE ? refuse_taken(path, reterr)
                                   : err_errno(reterr, errno, "dfs.domain.socket.path: cannot listen at '%s'", path);
    return 0;
}

static void *accept_run(void *arg)
{
    struct short_circuit *s = arg;
    while (!atomic_load(&s->stopping)) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && xfer_server_active(s->dn->xfer) < s->dn->settings.transfer_threads_max) {
            xfer_server_adopt(s->dn->xfer, fd, "local", true);
            continue;
        }
        if (fd >= 0)
            close(fd);
        else if (errno != EINTR && errno != ECONNABORTED && !atomic_load(&s->stopping))
            clock_sleep_ms(100);
    }
    return NULL;
}

int short_circuit_start(struct datanode *dn, struct short_circuit **ret, struct err *reterr)
{
    struct short_circuit *s = mem_new(struct short_circuit);
    s->dn = dn;
    s->listen_fd = -1;
    int rc = listen_at(s, reterr);
    if (rc == 0) {
        int failed = pthread_create(&s->thread, NULL, accept_run, s);
        rc = failed ? err_errno(reterr, failed, "cannot start the thread of the UNIX socket") : 0;
    }
    if (rc < 0) {
        net_closep(&s->listen_fd);
        mem_freep(&s);
        return rc;
    }
    log_info("short_circuit", "listening at=%s", s->address.sun_path);
    *ret = s;
    return 0;
}

void short_circuit_stop(struct short_circuit *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    shutdown(s->listen_fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    net_closep(&s->listen_fd);
    (void)unlink(s->address.sun_path);
    mem_freep(&s);
}

/* ---- the ops ---- */

static int send_files(int socket_fd, uint8_t byte, const int fds[2], struct err *reterr)
{
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
    if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) != 1)
        return err_errno(reterr, errno, "cannot pass the files");
    return 0;
}

static int hand_over(struct xfer *x, const Hdfs__OpRequestShortCircuitAccessProto *op, const struct replica_reader *r,
                     struct err *reterr)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    bool verify = op->has_supportsreceiptverification && op->supportsreceiptverification;
    uint8_t received;
    answer.status = HDFS__STATUS__SUCCESS;
    answer.has_shortcircuitaccessversion = 1;
    answer.shortcircuitaccessversion = ACCESS_VERSION;
    int rc = delimited_write(x->fd, &answer.base, reterr);
    if (rc == 0)
        rc = send_files(x->fd,
                        verify ? HDFS__SHORT_CIRCUIT_FD_RESPONSE__USE_RECEIPT_VERIFICATION
                               : HDFS__SHORT_CIRCUIT_FD_RESPONSE__DO_NOT_USE_RECEIPT_VERIFICATION,
                        (const int[]){r->data_fd, r->meta_fd}, reterr);
    if (rc == 0 && verify)
        rc = net_read_full(x->fd, &received, 1, reterr);
    return rc;
}

int xfer_request_fds(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpRequestShortCircuitAccessProto *op = (const Hdfs__OpRequestShortCircuitAccessProto *)message;
    const Hdfs__ExtendedBlockProto *block = op->header->block;
    struct replica_reader r;
    struct err why;
    int rc = 0;
    if (!x->is_unix)
        rc = err_set(&why, ERR_UNSUPPORTED, "files can only be passed over the UNIX socket of dfs.domain.socket.path");
    else if (op->maxversion < ACCESS_VERSION)
        rc = err_set(&why, ERR_UNSUPPORTED, "the files have version %d, the client knows up to %u", ACCESS_VERSION,
                     op->maxversion);
    if (rc == 0)
        rc = xfer_check_pool(x, block, &why);
    if (rc == 0)
        rc = block_store_open_reader(x->dn->store, block->blockid, block->generationstamp, 0, &r, &why);
    if (rc == 0 && r.state != REPLICA_FINALIZED) { /* its last checksum changes while somebody would read it */
        replica_reader_close(&r);
        rc = err_set(&why, ERR_UNSUPPORTED, "the replica is not finalized yet");
    }
    if (rc < 0)
        return xfer_refuse(x, "opRequestShortCircuitFds", block,
                           rc == ERR_UNSUPPORTED ? HDFS__STATUS__ERROR_UNSUPPORTED : HDFS__STATUS__ERROR, &why);
    rc = hand_over(x, op, &r, &why);
    if (rc < 0)
        log_debug("short_circuit", "block=%" PRId64 ": %s", (int64_t)block->blockid, why.text);
    else
        metric_add(&datanode_files_passed, 1);
    replica_reader_close(&r);
    return rc;
}

static const char no_segments[] = "this datanode has no segments of shared memory";

int xfer_release_fds(struct xfer *x, const ProtobufCMessage *message)
{
    Hdfs__ReleaseShortCircuitAccessResponseProto answer = HDFS__RELEASE_SHORT_CIRCUIT_ACCESS_RESPONSE_PROTO__INIT;
    (void)message;
    answer.status = HDFS__STATUS__ERROR_UNSUPPORTED;
    answer.error = (char *)no_segments;
    return delimited_write(x->fd, &answer.base, NULL);
}

int xfer_request_shm(struct xfer *x, const ProtobufCMessage *message)
{
    Hdfs__ShortCircuitShmResponseProto answer = HDFS__SHORT_CIRCUIT_SHM_RESPONSE_PROTO__INIT;
    (void)message;
    answer.status = HDFS__STATUS__ERROR_UNSUPPORTED; /* Java's client stops asking and goes on without */
    answer.error = (char *)no_segments;
    return delimited_write(x->fd, &answer.base, NULL);
}
