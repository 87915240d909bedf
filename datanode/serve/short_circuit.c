#include "datanode/serve/short_circuit.h"

#include <errno.h>
#include <poll.h>
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
#include "proto/shm_slot.h"

#define BACKLOG 128

enum { BY_NAME, BY_PATH, LISTENERS };

struct short_circuit {
    struct datanode *dn;
    int listen_fds[LISTENERS];  /* at the abstract name of our uuid; at dfs.domain.socket.path, or -1 */
    struct sockaddr_un address; /* of the path */
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
        return err_set(reterr, ERR_CONFIG,
                       "dfs.domain.socket.path: '%s' is longer than the %zu bytes of a UNIX socket's name", path,
                       out_bytes - 1);
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
                   "dfs.domain.socket.path: another daemon listens at '%s'; give each its own path, or use _PORT in it",
                   path);
}

static int listen_by_name(struct short_circuit *s, struct err *reterr)
{
    struct sockaddr_un address;
    socklen_t len = datanode_abstract_address(block_store_uuid(s->dn->store), &address);
    int fd = s->listen_fds[BY_NAME] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0)
        return err_errno(reterr, errno, "cannot listen at the abstract UNIX socket '@%s'", address.sun_path + 1);
    return 0;
}

static int listen_by_path(struct short_circuit *s, struct err *reterr)
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
    int fd = s->listen_fds[BY_PATH] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&s->address, sizeof s->address) == 0 && chmod(path, 0666) == 0 &&
        listen(fd, BACKLOG) == 0)
        return 0;
    int why = errno;
    net_closep(&s->listen_fds[BY_PATH]); /* not ours to unlink at the end */
    return why == EADDRINUSE ? refuse_taken(path, reterr)
                             : err_errno(reterr, why, "dfs.domain.socket.path: cannot listen at '%s'", path);
}

static void accept_one(struct short_circuit *s, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && xfer_server_active(s->dn->xfer) < s->dn->settings.transfer_threads_max)
        xfer_server_adopt(s->dn->xfer, fd, "local", true);
    else if (fd >= 0)
        close(fd);
    else if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED && !atomic_load(&s->stopping))
        clock_sleep_ms(100); /* out of descriptors: give others a chance to close some */
}

static void *accept_run(void *arg)
{
    struct short_circuit *s = arg;
    while (!atomic_load(&s->stopping)) {
        struct pollfd fds[LISTENERS];
        for (int i = 0; i < LISTENERS; i++)
            fds[i] = (struct pollfd){.fd = s->listen_fds[i], .events = POLLIN};
        if (poll(fds, LISTENERS, -1) < 0)
            continue;
        for (int i = 0; i < LISTENERS && !atomic_load(&s->stopping); i++)
            if (fds[i].revents)
                accept_one(s, fds[i].fd);
    }
    return NULL;
}

static void end(struct short_circuit *s)
{
    if (s->listen_fds[BY_PATH] >= 0)
        (void)unlink(s->address.sun_path);
    for (int i = 0; i < LISTENERS; i++)
        net_closep(&s->listen_fds[i]);
    mem_freep(&s);
}

/* Without the path readers still have the name: several datanodes of one machine may have the same settings. */
static int open_listeners(struct short_circuit *s, struct err *reterr)
{
    struct err why;
    int rc = *s->dn->settings.domain_socket_path ? listen_by_path(s, &why) : 0;
    if (rc == ERR_BUSY)
        log_warn("short_circuit", "%s", why.text);
    else if (rc < 0) {
        if (reterr)
            *reterr = why;
        return rc;
    }
    return listen_by_name(s, reterr);
}

int short_circuit_start(struct datanode *dn, struct short_circuit **ret, struct err *reterr)
{
    struct short_circuit *s = mem_new(struct short_circuit);
    s->dn = dn;
    s->listen_fds[BY_NAME] = s->listen_fds[BY_PATH] = -1;
    int rc = open_listeners(s, reterr);
    if (rc == 0) {
        int failed = pthread_create(&s->thread, NULL, accept_run, s);
        rc = failed ? err_errno(reterr, failed, "cannot start the thread of the UNIX sockets") : 0;
    }
    if (rc < 0) {
        end(s);
        return rc;
    }
    if (s->listen_fds[BY_PATH] >= 0)
        log_info("short_circuit", "listening at=%s", s->address.sun_path);
    *ret = s;
    return 0;
}

void short_circuit_stop(struct short_circuit *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    for (int i = 0; i < LISTENERS; i++)
        if (s->listen_fds[i] >= 0)
            shutdown(s->listen_fds[i], SHUT_RDWR); /* wakes the poll */
    pthread_join(s->thread, NULL);
    end(s);
}
