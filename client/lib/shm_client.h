/* The client's side of shared memory with local datanodes, and its conversations over their UNIX sockets. The functions
 * that take a struct shm_node are to be called under the caller's lock; the others do I/O and need none. */
#ifndef CAIRN_CLIENT_LIB_SHM_CLIENT_H
#define CAIRN_CLIENT_LIB_SHM_CLIENT_H

#include "client/lib/dfs.h"
#include "proto/shm_slot.h"

struct shm_segment {
    struct shm_segment *next;
    int64_t id_hi, id_lo;
    void *base;
    int socket_fd; /* the segment lives as long as this connection */
    bool used[SHM_SLOTS];
    unsigned used_count;
    bool dead; /* the datanode ended */
};
struct shm_node { /* one datanode */
    struct shm_node *next;
    char uuid[64];
    int64_t disabled_until_ms;
    bool has_no_shm;
    struct shm_segment *segments;
};

/* A free slot, marked valid. false: another segment is needed. */
bool shm_slot_take(struct shm_node *n, struct shm_segment **ret, unsigned *ret_index);
void shm_slot_give_back(struct shm_node *n, struct shm_segment *segment, unsigned index); /* may free the segment */
void shm_segment_free(struct shm_segment *segment);
bool shm_segment_is_alive(struct shm_segment *segment); /* asks the connection */

/* A connection to the datanode's UNIX socket, kept or new. *ret_fresh: new. */
int shm_connect(struct dfs *fs, const struct dfs_datanode *d, bool *ret_fresh, int *ret_fd,
                struct err *reterr) MUST_CHECK;
void shm_connection_keep(struct dfs *fs, const char *uuid, int fd);
/* Op 89. ERR_UNSUPPORTED: this datanode has none. */
int shm_segment_request(struct dfs *fs, const struct dfs_datanode *d, struct shm_segment **ret,
                        struct err *reterr) MUST_CHECK;
/* Op 88, on a kept connection. What cannot be told ends with the segment's connection. */
void shm_slot_release(struct dfs *fs, const char *uuid, const struct shm_segment *segment, unsigned index);

#endif
