/* libcairn's inside: one HDFS file system (ours or Apache's) as a C object. The libhdfs API (client/include/hdfs.h),
 * the `cairn fs` commands, the mount and the scheduler all stand on this.
 *
 * Any thread may use a struct dfs. Paths are absolute, without scheme ("/a/b"), normalised by dfs_path_* where needed.
 * Strings and arrays in results live in the arena the caller gives. Functions return 0 or ERR_* (common/err.h), outputs
 * untouched on failure. Protocol: Hadoop's ClientProtocol, ClientDatanodeProtocol, DataTransferProtocol. */
#ifndef CAIRN_CLIENT_LIB_DFS_H
#define CAIRN_CLIENT_LIB_DFS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/err.h"
#include "common/net.h"

struct dfs;
struct rpc_client;

/* uri: "hdfs://host:port", or NULL = fs.defaultFS. user: NULL = $HADOOP_USER_NAME, else the OS user. No RPC is made
 * yet. HA: hdfs://nameservice with dfs.ha.namenodes.* in the config;
 * viewfs://name with a mount table (client/lib/viewfs.h). Free with dfs_unref. */
int dfs_connect(const struct config *config, const char *uri, const char *user, struct dfs **ret,
                struct err *reterr) MUST_CHECK;
struct dfs *dfs_ref(struct dfs *fs);
void dfs_unref(struct dfs *fs); /* the last one closes connections and stops the lease renewer; NULL is fine */
void dfs_unrefp(struct dfs **fs);
char *dfs_default_user(void);              /* who connects when nobody is named; the caller's to free */
const char *dfs_uri(const struct dfs *fs); /* "hdfs://host:port", "viewfs://name", "viewfs://" */
const char *dfs_home(const struct dfs *fs, struct arena *a); /* "/user/NAME", or as dfs.user.home.dir.prefix says */
const char *dfs_user(const struct dfs *fs);
const char *dfs_client_name(const struct dfs *fs); /* lease holder, "CAIRN_<pid>_<random>" */
const struct config *dfs_config(const struct dfs *fs);
/* Where a path of a view really is: the file system behind it (borrowed) and its name there (in the arena). Without a
 * view, both as they are. ERR_NOT_FOUND; ERR_ACCESS: a folder that the view makes up. */
int dfs_behind_view(struct dfs *fs, const char *path, struct arena *a, struct dfs **ret, const char **ret_path,
                    struct err *reterr) MUST_CHECK;
struct rpc_client *dfs_namenode(struct dfs *fs); /* ClientProtocol, for calls that have no function here */
/* fs.permissions.umask-mode, which whoever makes files and directories applies: octal, or symbolic as "u=rwx,g=r-x,o="
 * (what stays allowed). ERR_CONFIG. */
int dfs_umask(const struct config *config, uint16_t *ret, struct err *reterr) MUST_CHECK;

/* ---- files and directories ---- */
enum dfs_type { DFS_DIR = 1, DFS_FILE = 2, DFS_SYMLINK = 3 };
struct dfs_status {
    enum dfs_type type;
    const char *name; /* last component in listings; "" in dfs_stat */
    int64_t length;
    uint16_t mode; /* permission bits with sticky, no type bits */
    const char *owner, *group;
    int64_t mtime_ms, atime_ms;
    int64_t block_bytes;
    uint32_t replication;
    uint64_t file_id;
    int32_t children;               /* -1 unknown */
    const char *symlink;            /* target or NULL */
    uint32_t storage_policy, flags; /* flags: 1 ACL, 2 encrypted, 4 EC, 8 snapshottable */
    /* Cairn namenodes only, else 0: */
    uint32_t nlink;
    uint64_t mtime_ns, atime_ns, ctime_ns;
    struct dfs_blocks *blocks; /* with need_locations, else NULL */
};
int dfs_stat(struct dfs *fs, const char *path, struct arena *a, struct dfs_status *ret,
             struct err *reterr) MUST_CHECK; /* follows a final symlink */
int dfs_lstat(struct dfs *fs, const char *path, struct arena *a, struct dfs_status *ret, struct err *reterr) MUST_CHECK;

struct dfs_listing {
    struct dfs_status *entries; /* ordered by name, bytewise */
    size_t count;
    uint32_t remaining; /* ask again with start_after = last name while > 0 */
};
/* One page (a file gives itself with name ""). start_after NULL at first. ERR_NOT_FOUND. */
int dfs_list(struct dfs *fs, const char *path, const char *start_after, bool need_locations, struct arena *a,
             struct dfs_listing *ret, struct err *reterr) MUST_CHECK;
int dfs_list_all(struct dfs *fs, const char *path, struct arena *a, struct dfs_listing *ret,
                 struct err *reterr) MUST_CHECK;

int dfs_mkdirs(struct dfs *fs, const char *path, uint16_t mode, bool create_parent,
               struct err *reterr) MUST_CHECK; /* mode as given (umask is the caller's) */
int dfs_delete(struct dfs *fs, const char *path, bool recursive, bool *ret_deleted, struct err *reterr) MUST_CHECK;
int dfs_rename(struct dfs *fs, const char *from, const char *to, bool *ret_done,
               struct err *reterr) MUST_CHECK; /* FileSystem.rename */
int dfs_rename2(struct dfs *fs, const char *from, const char *to, bool overwrite, bool to_trash,
                struct err *reterr) MUST_CHECK;
int dfs_set_permission(struct dfs *fs, const char *path, uint16_t mode, struct err *reterr) MUST_CHECK;
int dfs_set_owner(struct dfs *fs, const char *path, const char *owner, const char *group,
                  struct err *reterr) MUST_CHECK; /* NULL = leave */
int dfs_set_times(struct dfs *fs, const char *path, int64_t mtime_ms, int64_t atime_ms,
                  struct err *reterr) MUST_CHECK; /* -1 = leave */
int dfs_set_replication(struct dfs *fs, const char *path, uint32_t replication, bool *ret_done,
                        struct err *reterr) MUST_CHECK;
int dfs_truncate(struct dfs *fs, const char *path, int64_t length, bool *ret_done,
                 struct err *reterr) MUST_CHECK; /* false: last block recovery runs, poll */
int dfs_concat(struct dfs *fs, const char *target, const char *const *sources, size_t count,
               struct err *reterr) MUST_CHECK;
int dfs_symlink(struct dfs *fs, const char *target, const char *link, bool create_parent,
                struct err *reterr) MUST_CHECK;
int dfs_readlink(struct dfs *fs, const char *path, struct arena *a, const char **ret_target,
                 struct err *reterr) MUST_CHECK;
int dfs_recover_lease(struct dfs *fs, const char *path, bool *ret_closed, struct err *reterr) MUST_CHECK;
int dfs_is_closed(struct dfs *fs, const char *path, bool *ret_closed, struct err *reterr) MUST_CHECK;
int dfs_check_access(struct dfs *fs, const char *path, unsigned rwx, struct err *reterr) MUST_CHECK;

struct dfs_summary {
    int64_t length, file_count, directory_count, quota, space_consumed, space_quota; /* quotas: -1 none */
    int64_t snapshot_length, snapshot_space; /* the part that only snapshots hold */
};
int dfs_content_summary(struct dfs *fs, const char *path, struct dfs_summary *ret, struct err *reterr) MUST_CHECK;

struct dfs_stats {
    int64_t capacity, used, remaining, under_replicated, corrupt_blocks, missing_blocks, missing_repl_one_blocks,
        pending_deletion_blocks;
};
int dfs_statfs(struct dfs *fs, struct dfs_stats *ret, struct err *reterr) MUST_CHECK;

struct dfs_server_defaults {
    int64_t block_bytes;
    uint32_t bytes_per_checksum, write_packet_bytes, replication, file_buffer_bytes;
    bool encrypt_data_transfer;
    int64_t trash_interval_min;
    bool snapshot_trash; /* directories that can have snapshots have a trash of their own */
    int checksum_type;   /* enum checksum_type */
};
int dfs_get_server_defaults(struct dfs *fs, struct dfs_server_defaults *ret,
                            struct err *reterr) MUST_CHECK; /* cached */

/* The directories that snapshots may be taken of: the user's own, or the superuser's: all. */
int dfs_snapshot_roots(struct dfs *fs, struct arena *a, const char *const **ret, size_t *ret_count,
                       struct err *reterr) MUST_CHECK;

struct dfs_datanode {
    const char *ip, *host_name, *uuid, *rack, *upgrade_domain; /* that one: NULL if there is none */
    uint16_t xfer_port, info_port, ipc_port;
    int64_t capacity, used, remaining, non_dfs_used, block_pool_used, last_update_ms, num_blocks;
    int64_t cache_capacity, cache_used, last_block_report_ms;
    uint32_t xceiver_count;
    int admin_state; /* 0 NORMAL, 1 DECOMMISSION_INPROGRESS, 2 DECOMMISSIONED, 3 ENTERING_MAINTENANCE, 4 IN_MAINTENANCE
                      */
};
enum dfs_report_type {
    DFS_REPORT_ALL = 1,
    DFS_REPORT_LIVE,
    DFS_REPORT_DEAD,
    DFS_REPORT_DECOMMISSIONING,
    DFS_REPORT_ENTERING_MAINTENANCE,
    DFS_REPORT_IN_MAINTENANCE
};
int dfs_datanode_report(struct dfs *fs, enum dfs_report_type type, struct arena *a, struct dfs_datanode **ret,
                        size_t *ret_count, struct err *reterr) MUST_CHECK;
enum dfs_safemode_action {
    DFS_SAFEMODE_LEAVE = 1,
    DFS_SAFEMODE_ENTER = 2,
    DFS_SAFEMODE_GET = 3,
    DFS_SAFEMODE_FORCE_EXIT = 4
};
int dfs_safemode(struct dfs *fs, enum dfs_safemode_action action, bool *ret_on, struct err *reterr) MUST_CHECK;

/* ---- blocks ---- */
struct dfs_token { /* leave to read or write a block; all empty when security is off */
    struct slice identifier, password;
    const char *kind, *service;
};
struct dfs_block {
    uint64_t block_id, gen_stamp;
    const char *pool_id;
    int64_t offset, bytes; /* offset in the file */
    bool corrupt;
    struct dfs_datanode *nodes; /* nearest first, as the namenode ordered them */
    const char **storage_ids;   /* as many as nodes; "" if the namenode named none */
    int *storage_types;         /* ditto; Hadoop's StorageType numbers, 1 = DISK */
    size_t node_count;
    struct dfs_token token;
};
struct dfs_blocks {
    int64_t file_length; /* without a last block under construction */
    struct dfs_block *blocks;
    size_t count;
    bool under_construction, last_complete;
    struct dfs_block *last; /* NULL for an empty file */
};
int dfs_block_locations(struct dfs *fs, const char *path, int64_t offset, int64_t length, struct arena *a,
                        struct dfs_blocks *ret, struct err *reterr) MUST_CHECK;

/* MD5-of-MD5-of-CRC as `hadoop fs -checksum` prints it: algorithm name and hex of the 28 bytes. */
int dfs_checksum(struct dfs *fs, const char *path, struct arena *a, const char **ret_algorithm, const char **ret_hex,
                 struct err *reterr) MUST_CHECK;

/* ---- reading ---- */
struct file_reader;
struct file_reader_stats {
    int64_t bytes_read, bytes_local, bytes_short_circuit, bytes_mapped, checksum_failures, replica_failovers;
};
struct dfs_hedged_stats { /* a second datanode was asked; answered first; done without a thread of its own */
    int64_t ops, wins, in_current_thread;
};
void dfs_hedged_stats(struct dfs *fs, struct dfs_hedged_stats *ret);
/* Snapshot of length and locations at open (growing files: dfs's getReplicaVisibleLength for the last block). */
int file_reader_open(struct dfs *fs, const char *path, struct file_reader **ret, struct err *reterr) MUST_CHECK;
/* Not of a file that is being written, whose datanodes would have to say how long it is: ERR_ALREADY_BEING_CREATED. */
int file_reader_open_at_once(struct dfs *fs, const char *path, struct file_reader **ret, struct err *reterr) MUST_CHECK;
int64_t file_reader_length(const struct file_reader *r);
/* Sequential; *ret_read 0 = end. One thread at a time. */
int file_reader_read(struct file_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr) MUST_CHECK;
int file_reader_seek(struct file_reader *r, int64_t offset, struct err *reterr) MUST_CHECK;
int64_t file_reader_tell(const struct file_reader *r);
/* Any number of threads; reads until len or end of file. Fails over between replicas, reports corrupt ones. */
int file_reader_pread(struct file_reader *r, void *bytes, size_t len, int64_t offset, size_t *ret_read,
                      struct err *reterr) MUST_CHECK;
/* At most len bytes at the place of sequential reading, which moves on, in memory that is the file itself; valid until
 * freed, which must be before the reader's close. ERR_UNSUPPORTED: no datanode of this host has them. */
struct file_mapping;
int file_reader_map(struct file_reader *r, size_t len, const void **ret, size_t *ret_bytes,
                    struct file_mapping **ret_mapping, struct err *reterr) MUST_CHECK;
void file_mapping_free(struct file_mapping *m); /* NULL is fine */
/* The file of a datanode on this host that has all of this one, as one block: *ret is the caller's. What is read from
 * it is not verified, and may go on where this file ends. ERR_UNSUPPORTED: there is none. */
int file_reader_local_file(struct file_reader *r, int *ret_fd, struct err *reterr) MUST_CHECK;
int file_reader_refresh(struct file_reader *r,
                        struct err *reterr) MUST_CHECK; /* new length and locations of a growing file */
/* Fails as soon as the namenode knows nobody else to ask, instead of waiting for nodes to come back. Set while nobody
 * reads. */
void file_reader_set_hasty(struct file_reader *r, bool is_hasty);
void file_reader_unbuffer(struct file_reader *r); /* gives the connection of sequential reading back */
void file_reader_stats(const struct file_reader *r, struct file_reader_stats *ret);
void file_reader_close(struct file_reader *r); /* NULL is fine */

/* ---- writing ---- */
struct file_writer;
struct file_create {
    uint16_t mode;     /* permission after umask */
    uint16_t unmasked; /* and before it, which counts under a default ACL; 0: not told */
    bool overwrite, create_parent;
    bool create_folder;   /* the file's directory is made, but none above it; other namenodes than ours say
                             ERR_NOT_FOUND, as without it */
    uint32_t flags;       /* HDFS's CreateFlag, to which overwrite adds its own; 0 = CREATE */
    uint32_t replication; /* 0 = dfs.replication, else the server's default */
    int64_t block_bytes;  /* 0 = dfs.blocksize, else the server's default */
};
#define FILE_CREATE_LAZY 0x11 /* flags: CREATE | LAZY_PERSIST */
int file_writer_create(struct dfs *fs, const char *path, const struct file_create *how, struct file_writer **ret,
                       struct err *reterr) MUST_CHECK;
int file_writer_append(struct dfs *fs, const char *path, bool new_block, struct file_writer **ret,
                       struct err *reterr) MUST_CHECK;
/* One thread at a time per writer. Data goes out in packets while the caller goes on; a lost datanode is replaced or
 * dropped (HDFS pipeline recovery) without the caller noticing, unless none is left: ERR_IO naming the block and nodes.
 * After a failure every later call fails with the first error. */
int file_writer_write(struct file_writer *w, const void *bytes, size_t len, struct err *reterr) MUST_CHECK;
int64_t file_writer_tell(const struct file_writer *w);
int64_t
file_writer_acked(const struct file_writer *w); /* what all datanodes of the pipeline have, in bytes of the file */
uint64_t file_writer_file_id(const struct file_writer *w);
int file_writer_hflush(struct file_writer *w, struct err *reterr) MUST_CHECK; /* acked by all, visible to new readers */
int file_writer_hsync(struct file_writer *w, struct err *reterr) MUST_CHECK;  /* and on the disks */
void file_writer_set_time(struct file_writer *w, uint64_t mtime_ns); /* of the file, once it is closed; ours only */
int file_writer_close(struct file_writer *w, struct err *reterr) MUST_CHECK; /* frees w in any case */
/* The same. If it fails, the namenode is asked to close the file with what has got to the datanodes; else it stays
 * open, and cannot be opened for writing, not by this client either, for as long as this client writes anything. */
int file_writer_close_or_recover(struct file_writer *w, struct err *reterr) MUST_CHECK;
void file_writer_abort(
    struct file_writer *w); /* drops the connections, leaves the file open for lease recovery; frees w */

#endif
