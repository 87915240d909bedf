/* What the files of libcairn share: the connection object and how a namenode call is made. */
#ifndef CAIRN_CLIENT_LIB_DFS_INTERNAL_H
#define CAIRN_CLIENT_LIB_DFS_INTERNAL_H

#include <protobuf-c/protobuf-c.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client/lib/dfs.h"
#include "client/lib/hedged_read.h"

#define DFS_PATH_BYTES (64u << 10) /* arena for paths that are worked out */

/* An answer that is only looked at and dropped. A page of a listing with locations is the largest of them. */
#define DFS_ANSWER_MAX_BYTES (64u << 20)

struct dfs {
    atomic_int refs;
    struct config *config;
    char *uri, *user, *client_name;
    struct viewfs
        *view; /* NULL: an ordinary one. With a view, `namenode` is borrowed from it, for calls without a path */
    struct rpc_client *namenode;
    struct rpc_client *posix[2]; /* by enum posix_connection, made with the first call; under `lock` until then */
    struct lease_renewer *leases;
    struct peer_cache *peers;
    struct short_circuit *files; /* of local datanodes */
    struct local_addresses *local;
    struct hedged_reads hedged;
    atomic_size_t unacked_bytes; /* of all its writers: what their packets have room for */
    pthread_mutex_t lock;        /* of what follows */
    bool defaults_known;
    int64_t defaults_at_ms;
    struct dfs_server_defaults defaults;
};

int dfs_call(struct dfs *fs, const char *method, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
             struct err *reterr) MUST_CHECK;
/* The same for a request that names one path: if the namenode meets a symlink on it, *path is changed to where the link
 * leads (in the arena) and the call made again, as Hadoop's clients do. */
int dfs_path_call(struct dfs *fs, const char *method, const ProtobufCMessage *request, char **path,
                  const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                  struct err *reterr) MUST_CHECK;
/* Where a path of this file system really is: itself, but for a view. *path is changed accordingly (in the arena).
 * ERR_ACCESS: a folder of the view that is made up, or a link of its table, with which `operation` cannot be done. */
int dfs_of_path(struct dfs *fs, const char *operation, struct arena *a, const char **path, struct dfs **ret,
                struct err *reterr) MUST_CHECK;
/* The same namenodes under another protocol's name, which the dfs owns. Calls that wait there for something to happen
 * have a connection of their own: on one connection a waiting caller reads for all, and would have to wake up each of
 * them. ERR_UNSUPPORTED: a viewfs. */
enum posix_connection { POSIX_CALLS, POSIX_WAITS };
int dfs_posix_client(struct dfs *fs, const char *protocol, enum posix_connection which, struct rpc_client **ret,
                     struct err *reterr) MUST_CHECK;
/* For calls with two paths: *path with the symlinks of its parent folder resolved. */
int dfs_resolve_parent(struct dfs *fs, const char *path, struct arena *a, char **ret, struct err *reterr) MUST_CHECK;

#endif
