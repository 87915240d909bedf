/* A file system of numbered inodes, as a kernel sees one: what a mount on a Cairn namenode stands on (org.cairn.
 * PosixProtocol, proto/cairn/posix.proto). One function per message; only the namenode's superuser may.
 *
 * Threads and arenas as in dfs.h: any thread, results live in the arena given. Names are without '/', at most 255
 * bytes. Inode numbers stay with the file for its life; the root's is POSIX_ROOT. A number that is not there any more
 * is ERR_STALE. Errors that an errno says: err_to_errno(rc) is it. A call that a restart of the namenode swallowed is
 * made again, and done once.
 *
 * Another file system than a Cairn namenode (Apache's; a viewfs): ERR_NO_SUCH_PROTOCOL or ERR_UNSUPPORTED. */
#ifndef CAIRN_CLIENT_LIB_POSIX_H
#define CAIRN_CLIENT_LIB_POSIX_H

#include "client/lib/dfs.h"

#define POSIX_ROOT     16385u
#define POSIX_NAME_MAX 255

struct posix_attr {
    uint64_t id;
    uint32_t mode; /* st_mode: S_IFMT, setuid, setgid, sticky and permission bits */
    uint32_t nlink;
    const char *owner, *group; /* names, or decimal numbers where there is no name */
    uint64_t size, allocated;  /* allocated: bytes that are not holes */
    uint64_t mtime_ns, atime_ns, ctime_ns;
    uint64_t rdev;        /* as makedev() makes it; 0: no device */
    uint64_t block_bytes; /* preferred */
    uint32_t replication;
    const char *target; /* symbolic links, else NULL */
    uint64_t parent;    /* directories, else 0 */
    bool has_acl, has_xattrs;
    bool is_being_written; /* someone holds its lease */
    /* Of what a call has made, linked, removed or moved: the directory that was changed (the new one), as it is now; or
     * NULL. */
    const struct posix_attr *directory;
};

/* ---- sessions: who this mount is ---- */
struct posix_session {
    uint64_t session, cursor, expires_ms; /* cursor: of posix_await_changes; expires_ms: of silence */
    char cluster[64];                     /* whose inode numbers they are */
};
/* session 0: a new one. Else the one of before, with what it held and locked; ERR_STALE: it is gone, open a new one.
 * name: for logs, NULL is fine. */
int posix_open_session(struct dfs *fs, uint64_t session, const char *name, struct posix_session *ret,
                       struct err *reterr) MUST_CHECK;
/* The regular files that the session has open: what others remove meanwhile is held for it, as by posix_unlink. Each
 * opening has a number, which rises, since calls overtake each other: what is said of some other one does not concern
 * what was opened under a higher number than `until`. */
struct posix_opened {
    const uint64_t *ids;
    size_t count;
    uint64_t until;
    bool all; /* what is held beside them goes */
};
int posix_open_session_with(struct dfs *fs, uint64_t session, const char *name, const struct posix_opened *opened,
                            struct posix_session *ret, struct err *reterr) MUST_CHECK;
struct posix_handles {
    uint64_t opened;        /* the number under which the file of the call is opened; 0: it is not */
    const uint64_t *closed; /* files that are not open any more */
    size_t closed_count;
    uint64_t until;
};
int posix_tell_closed(struct dfs *fs, uint64_t session, const struct posix_handles *handles,
                      struct err *reterr) MUST_CHECK;
/* Locks and held files go. */
int posix_close_session(struct dfs *fs, uint64_t session, struct err *reterr) MUST_CHECK;

struct posix_change {
    uint64_t id;      /* the inode; with a name: the directory it is in */
    const char *name; /* an entry was made, removed or replaced; NULL: the inode itself changed */
    bool content;     /* .. its bytes, not only its attributes */
};
struct posix_changes {
    uint64_t cursor; /* go on from here */
    struct posix_change *list;
    size_t count;
    bool lost; /* too many: forget everything that is cached */
};
/* Waits up to wait_ms for something that the session did not do itself. ERR_STALE: the session is gone.
 * ERR_CANCELLED: posix_cancel(). */
int posix_await_changes(struct dfs *fs, uint64_t session, uint64_t cursor, uint32_t wait_ms, struct arena *a,
                        struct posix_changes *ret, struct err *reterr) MUST_CHECK;
/* Ends running and later calls of this file with ERR_CANCELLED: for shutdown, once the session is closed. */
void posix_cancel(struct dfs *fs);
/* From now on, a namenode that is away or does not answer is awaited no longer than that. */
void posix_set_patience(struct dfs *fs, int ms);

/* ---- names ----
 * call_id: whoever may have made this very call before, and died, makes it under the same one again (rpc/rpc_client.h):
 * it is done once, and answered as it was. NULL: it is new. */
struct rpc_call_id;
struct posix_entry {
    const char *name;
    struct posix_attr attr;
};
struct posix_page {
    struct posix_entry *entries; /* ordered by name, bytewise; without "." and ".." */
    size_t count;
    bool more; /* go on after the last name */
    struct posix_attr directory;
};
/* ret->id 0: there is no such entry. "." and ".." too (the root's is itself). */
int posix_lookup(struct dfs *fs, uint64_t parent, const char *name, struct arena *a, struct posix_attr *ret,
                 struct err *reterr) MUST_CHECK;
/* And up to `ahead` entries that come behind the name, as it may be that they are asked for next: nothing is between
 * them. ret_next: without the directory. */
int posix_lookup_ahead(struct dfs *fs, uint64_t parent, const char *name, uint32_t ahead, struct arena *a,
                       struct posix_attr *ret, struct posix_page *ret_next, struct err *reterr) MUST_CHECK;
int posix_getattr(struct dfs *fs, uint64_t id, struct arena *a, struct posix_attr *ret, struct err *reterr) MUST_CHECK;
/* The same, and the file is open then. */
int posix_open(struct dfs *fs, uint64_t session, uint64_t id, const struct posix_handles *handles, struct arena *a,
               struct posix_attr *ret, struct err *reterr) MUST_CHECK;

/* The room at this inode. Quotas as in StatFsResponseProto; -1: there is none, or the namenode is of an earlier
 * version. */
struct posix_quota {
    int64_t quota, used, left;
};
struct posix_room {
    int64_t capacity, remaining;
    struct posix_quota space, names;
};
int posix_statfs(struct dfs *fs, uint64_t id, struct posix_room *ret, struct err *reterr) MUST_CHECK;

#define POSIX_SET_MODE      0x001u /* which fields of struct posix_set count */
#define POSIX_SET_OWNER     0x002u
#define POSIX_SET_GROUP     0x004u
#define POSIX_SET_ATIME     0x008u
#define POSIX_SET_MTIME     0x010u
#define POSIX_SET_ATIME_NOW 0x020u
#define POSIX_SET_MTIME_NOW 0x040u
#define POSIX_SET_READ      0x080u /* the access time is now, since the file was read: the change time stays */
struct posix_set {
    unsigned what;
    uint32_t mode; /* 07777 */
    const char *owner, *group;
    uint64_t atime_ns, mtime_ns;
};
int posix_setattr(struct dfs *fs, uint64_t session, uint64_t id, const struct posix_set *set, struct arena *a,
                  struct posix_attr *ret, struct err *reterr) MUST_CHECK;

struct posix_make {
    uint64_t parent;
    const char *name;
    uint32_t mode;  /* with S_IFMT, before the umask */
    uint32_t umask; /* counts unless the directory has default ACL entries */
    const char *owner, *group;
    uint64_t rdev;         /* devices */
    const char *target;    /* symbolic links */
    bool open_for_writing; /* regular files: under this client's lease (dfs_client_name) */
    bool existing_is_fine; /* O_CREAT without O_EXCL: a regular file that is there is answered, and not opened */
    uint32_t replication;  /* 0 = dfs.replication or the server's default; block_bytes likewise */
    uint64_t block_bytes;
    const struct rpc_call_id *call_id;
    bool is_unnamed; /* a regular file that is in no directory: the session holds it, until it is linked or released */
    /* Of a regular file: not NULL: a new block with room for block_room bytes, as of posix_new_blocks; without nodes if
     * there was none to be had. And ids that posix_drop_blocks would drop. */
    struct dfs_block *ret_block;
    uint64_t block_room;
    const uint64_t *dropped;
    size_t dropped_count;
    const struct posix_handles *handles; /* NULL: nothing is opened or closed */
};
int posix_make(struct dfs *fs, uint64_t session, const struct posix_make *how, struct arena *a, struct posix_attr *ret,
               bool *ret_made, struct err *reterr) MUST_CHECK;
int posix_link(struct dfs *fs, uint64_t session, const struct rpc_call_id *call_id, uint64_t id, uint64_t parent,
               const char *name, struct arena *a, struct posix_attr *ret, struct err *reterr) MUST_CHECK;
/* hold: the file is open here. If this was its last link (ret->nlink 0) it lives until posix_release. */
int posix_unlink(struct dfs *fs, uint64_t session, const struct rpc_call_id *call_id, uint64_t parent, const char *name,
                 bool directory, bool hold, struct arena *a, struct posix_attr *ret, struct err *reterr) MUST_CHECK;
/* Closed here: what was held of them goes, and so does every lock of the session's. */
int posix_release(struct dfs *fs, uint64_t session, const uint64_t *ids, size_t count, struct err *reterr) MUST_CHECK;

#define POSIX_RENAME_NOREPLACE 1u
#define POSIX_RENAME_EXCHANGE  2u
#define POSIX_RENAME_WHITEOUT  4u
struct posix_rename {
    uint64_t parent, new_parent;
    const char *name, *new_name;
    unsigned flags;
    bool hold; /* a file that is replaced, as in posix_unlink */
    const struct rpc_call_id *call_id;
    const char *owner, *group; /* of the whiteout */
};
/* ret_replaced->id 0: nothing was. */
int posix_rename(struct dfs *fs, uint64_t session, const struct posix_rename *how, struct arena *a,
                 struct posix_attr *ret_moved, struct posix_attr *ret_replaced, struct err *reterr) MUST_CHECK;

/* By path, for every user who may do both renames: `old` is moved to `aside`, `with` to `old`, in one step. All three
 * are names in one directory. ERR_NOT_FOUND: there is no `old` (or no `with`). */
int posix_replace(struct dfs *fs, const char *old, const char *with, const char *aside, struct err *reterr) MUST_CHECK;

/* after NULL: from the beginning. */
int posix_readdir(struct dfs *fs, uint64_t id, const char *after, uint32_t count, struct arena *a,
                  struct posix_page *ret, struct err *reterr) MUST_CHECK;

/* ---- locks ---- */
enum posix_lock_type { POSIX_LOCK_SHARED = 0, POSIX_LOCK_EXCLUSIVE = 1, POSIX_LOCK_NONE = 2 };
#define POSIX_LOCK_TO_END UINT64_MAX
struct posix_lock {
    uint64_t id;
    uint64_t owner;      /* within the session */
    bool whole;          /* flock's; else a range, as fcntl's. They do not see each other */
    uint64_t start, end; /* the last byte */
    enum posix_lock_type type;
    uint32_t pid;
    uint64_t handle; /* through which the caller set it, for itself: the namenode does not hear of it */
};
/* wait_ms 0: at once. *ret_granted false: *ret_in_the_way has what is (NULL is fine); ask again to wait longer. If that
 * is of type POSIX_LOCK_NONE, the namenode has just been started and does not know yet: to be asked again in any case.
 * ERR_DEADLOCK: waiting would never end. */
int posix_lock(struct dfs *fs, uint64_t session, const struct posix_lock *lock, uint32_t wait_ms, bool *ret_granted,
               struct posix_lock *ret_in_the_way, struct err *reterr) MUST_CHECK;
/* One that was granted before the namenode was started again. */
int posix_lock_again(struct dfs *fs, uint64_t session, const struct posix_lock *lock, bool *ret_granted,
                     struct err *reterr) MUST_CHECK;
/* F_GETLK: would it be granted? */
int posix_test_lock(struct dfs *fs, uint64_t session, const struct posix_lock *lock, bool *ret_granted,
                    struct posix_lock *ret_in_the_way, struct err *reterr) MUST_CHECK;

#endif
