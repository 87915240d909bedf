#include "client/lib/shm_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/peer_cache.h"
#include "common/mem.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/op_header.h"
#include "rpc/fd_passing.h"

/* ---- slots ---- */

bool shm_slot_take(struct shm_node *n, struct shm_segment **ret, unsigned *ret_index)
{
    for (struct shm_segment *s = n->segments; s; s = s->next) {
        if (s->dead || s->used_count == SHM_SLOTS)
            continue;
        unsigned i = 0;
        while (s->used[i])
            i++;
        s->used[i] = true;
        s->used_count++;
        shm_slot_set(s->base, i, SHM_SLOT_VALID);
        *ret = s;
        *ret_index = i;
        return true;
    }
    return false;
}

void shm_slot_give_back(struct shm_node *n, struct shm_segment *segment, unsigned index)
{
    segment->used[index] = false;
    segment->used_count--;
    if (segment->used_count || !segment->dead)
        return;
    for (struct shm_segment **at = &n->segments; *at; at = &(*at)->next)
        if (*at == segment) {
            *at = segment->next;
            shm_segment_free(segment);
            return;
        }
}

void shm_segment_free(struct shm_segment *segment)
{
    munmap(segment->base, SHM_SEGMENT_BYTES);
    close(segment->socket_fd);
    free(segment);
}

bool shm_segment_is_alive(struct shm_segment *segment)
{
    char byte;
    if (!segment->dead && (recv(segment->socket_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN))
        segment->dead = true;
    return !segment->dead;
}

/* ---- connections ---- */

static void peer_name(const char *uuid, char out[NET_ADDRESS_MAX])
{
    snprintf(out, NET_ADDRESS_MAX, "unix:%.200s", uuid);
}

static socklen_t path_address(struct dfs *fs, const struct dfs_datanode *d, struct sockaddr_un *ret)
{
    const char *path = config_get(fs->config, "dfs.domain.socket.path");
    if (!path || *path != '/')
        return 0;
    const char *port = strstr(path, "_PORT");
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = port ? snprintf(ret->sun_path, sizeof ret->sun_path, "%.*s%u%s", (int)(port - path), path, d->xfer_port,
                              port + 5)
                   : snprintf(ret->sun_path, sizeof ret->sun_path, "%s", path);
    return (size_t)len < sizeof ret->sun_path ? sizeof *ret : 0;
}

/* By its uuid, which cannot be another datanode; by the configured path, if it is one of Hadoop's. */
static int connect_new(struct dfs *fs, const struct dfs_datanode *d, int *ret_fd, struct err *reterr)
{
    struct sockaddr_un address[2];
    socklen_t len[2] = {datanode_abstract_address(d->uuid, &address[0]), path_address(fs, d, &address[1])};
    int timeout_ms = (int)config_ms(fs->config, "dfs.client.socket-timeout");
    int why = ENOENT;
    for (int i = 0; i < 2; i++) {
        if (!len[i])
            continue;
        AUTO(net_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return err_errno(reterr, errno, "UNIX socket");
        net_set_timeouts(fd, timeout_ms, timeout_ms);
        if (connect(fd, (const struct sockaddr *)&address[i], len[i]) == 0) {
            *ret_fd = fd;
            fd = -1;
            return 0;
        }
        why = errno;
    }
    return err_errno(reterr, why, "datanode %s has no UNIX socket here", d->uuid);
}

int shm_connect(struct dfs *fs, const struct dfs_datanode *d, bool *ret_fresh, int *ret_fd, struct err *reterr)
{
    char name[NET_ADDRESS_MAX];
    peer_name(d->uuid, name);
    int fd = peer_cache_take(fs->peers, name);
    *ret_fresh = fd < 0;
    if (fd < 0)
        return connect_new(fs, d, ret_fd, reterr);
    *ret_fd = fd;
    return 0;
}

void shm_connection_keep(struct dfs *fs, const char *uuid, int fd)
{
    char name[NET_ADDRESS_MAX];
    peer_name(uuid, name);
    peer_cache_put(fs->peers, name, fd);
}

/* ---- ops ---- */

static int receive_segment(int fd, struct shm_segment *s, struct err *reterr)
{
    AUTO_ARENA(a, 1u << 20);
    ProtobufCMessage *message;
    AUTO(net_closep) int memory_fd = -1;
    uint8_t byte;
    struct stat st;
    int rc = delimited_read(fd, &hdfs__short_circuit_shm_response_proto__descriptor, &a, &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__ShortCircuitShmResponseProto *answer = (const Hdfs__ShortCircuitShmResponseProto *)message;
    if (answer->status != HDFS__STATUS__SUCCESS || !answer->id)
        return err_set(reterr, answer->status == HDFS__STATUS__ERROR_UNSUPPORTED ? ERR_UNSUPPORTED : ERR_IO,
                       "no shared memory: %s", answer->error ? answer->error : status_name((int)answer->status));
    rc = fd_receive(fd, &byte, &memory_fd, 1, reterr);
    if (rc < 0)
        return rc;
    if (fstat(memory_fd, &st) < 0 || st.st_size < SHM_SEGMENT_BYTES)
        return err_set(reterr, ERR_PROTOCOL, "a segment of shared memory of %lld bytes", (long long)st.st_size);
    s->base = mmap(NULL, SHM_SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (s->base == MAP_FAILED)
        return err_errno(reterr, errno, "cannot map shared memory");
    s->id_hi = answer->id->hi;
    s->id_lo = answer->id->lo;
    return 0;
}

int shm_segment_request(struct dfs *fs, const struct dfs_datanode *d, struct shm_segment **ret, struct err *reterr)
{
    AUTO(net_closep) int fd = -1;
    Hdfs__ShortCircuitShmRequestProto request = HDFS__SHORT_CIRCUIT_SHM_REQUEST_PROTO__INIT;
    request.clientname = fs->client_name;
    int rc = connect_new(fs, d, &fd, reterr); /* it will be the segment's */
    if (rc == 0)
        rc = op_write(fd, OP_REQUEST_SHORT_CIRCUIT_SHM, &request.base, reterr);
    if (rc < 0)
        return rc;
    struct shm_segment *s = mem_new(struct shm_segment);
    rc = receive_segment(fd, s, reterr);
    if (rc < 0) {
        free(s);
        return rc;
    }
    s->socket_fd = fd;
    fd = -1;
    *ret = s;
    return 0;
}

void shm_slot_release(struct dfs *fs, const char *uuid, const struct shm_segment *segment, unsigned index)
{
    AUTO_ARENA(a, 1u << 20);
    Hdfs__ReleaseShortCircuitAccessRequestProto request = HDFS__RELEASE_SHORT_CIRCUIT_ACCESS_REQUEST_PROTO__INIT;
    Hdfs__ShortCircuitShmSlotProto slot = HDFS__SHORT_CIRCUIT_SHM_SLOT_PROTO__INIT;
    Hdfs__ShortCircuitShmIdProto id = HDFS__SHORT_CIRCUIT_SHM_ID_PROTO__INIT;
    struct dfs_datanode d = {.uuid = uuid};
    ProtobufCMessage *answer;
    bool fresh;
    int fd;
    id.hi = segment->id_hi;
    id.lo = segment->id_lo;
    slot.shmid = &id;
    slot.slotidx = (int32_t)index;
    request.slotid = &slot;
    for (int tries = 0; tries < 2; tries++) { /* a kept connection may have been closed just now */
        if (shm_connect(fs, &d, &fresh, &fd, NULL) < 0)
            return;
        if (op_write(fd, OP_RELEASE_SHORT_CIRCUIT_FDS, &request.base, NULL) == 0 &&
            delimited_read(fd, &hdfs__release_short_circuit_access_response_proto__descriptor, &a, &answer, NULL) ==
                0) {
            shm_connection_keep(fs, uuid, fd);
            return;
        }
        close(fd);
        if (fresh)
            return;
    }
}
