/* A file, directory, symbolic link or special file, as read from the store. Everything it points to lives in the arena
 * it was decoded into. */
#ifndef CAIRN_NAMENODE_NAMESPACE_INODE_H
#define CAIRN_NAMENODE_NAMESPACE_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/policy.h"
#include "proto/zero_block.h"

#define INODE_ROOT  16385u /* Hadoop's number for "/" */
#define INODE_FIRST 16386u /* the first one given out */
#define INODE_NONE  0u     /* as parent: cut off the tree */

/* Snapshots of a directory: those after `after`, up to `id`. */
struct snapshot_ref {
    uint64_t dir, after, id;
};

enum inode_type {
    INODE_DIRECTORY = 1, /* the first three are HDFS's, which takes the others for empty files */
    INODE_FILE = 2,
    INODE_SYMLINK = 3,
    INODE_FIFO = 4,
    INODE_SOCKET = 5,
    INODE_CHARACTER_DEVICE = 6,
    INODE_BLOCK_DEVICE = 7,
};

struct inode_link { /* a name beside the first, see links.h */
    uint64_t parent;
    const char *name;
    uint64_t entered; /* as inode.entered, for this link */
};

struct file_block { /* or a hole, which has the id and stamp of zero_block.h, is complete, and no more than this */
    uint64_t id, stamp, length_bytes;
    enum block_state state;
};
static inline bool file_block_is_hole(const struct file_block *b)
{
    return b->id == ZERO_BLOCK_ID;
}

struct lost_stream { /* see lost_streams.h */
    uint64_t session, length_bytes;
    bool is_saved;
};

enum acl_scope { ACL_ACCESS = 0, ACL_DEFAULT = 1 };                         /* the protocol's numbers */
enum acl_type { ACL_USER = 0, ACL_GROUP = 1, ACL_MASK = 2, ACL_OTHER = 3 }; /* sorted in this order */
struct acl_entry {
    uint8_t scope, type, rwx;
    const char *name; /* NULL: owner, owning group, mask, other */
};

enum xattr_space { XATTR_USER, XATTR_TRUSTED, XATTR_SECURITY, XATTR_SYSTEM, XATTR_RAW, XATTR_SPACES };
struct xattr {
    enum xattr_space space;
    const char *name; /* without its space */
    bool has_value;
    struct slice value;
};

#define QUOTA_NONE (-1)
struct quota {
    int64_t names, space, types[STORAGE_TYPES]; /* QUOTA_NONE */
};

struct inode {
    uint64_t id;
    enum inode_type type;
    uint64_t parent;
    const char *name; /* NUL-terminated; no zero bytes inside */
    uint16_t mode;    /* permission bits with sticky, setuid and setgid; HDFS knows 01777 of them */
    const char *owner, *group;
    uint64_t mtime_ns, atime_ns, ctime_ns;

    uint64_t child_count, subdir_count; /* directories */
    struct quota *quota;                /* NULL: none */

    uint16_t replication;      /* files */
    uint16_t kept_replication; /* what snapshots want of its blocks, if that is more; else 0 */
    uint64_t block_bytes;
    struct file_block *blocks;
    size_t block_count, block_capacity;
    struct lost_stream *lost; /* oldest first */
    size_t lost_count;
    bool is_open; /* under construction; the six below belong to that */
    const char *client_name, *client_machine;
    uint64_t recovery_stamp;  /* 0: none */
    uint64_t truncate_length; /* BLOCKS_NO_TRUNCATE: none */
    uint64_t truncate_source; /* the block that the last one is to be a copy of, up to there; 0: none */
    uint64_t written_ns;      /* when its writer says that it wrote last; 0: it does not */
    uint64_t session;         /* of the mount that began to write it; 0: it was no mount */

    const char *target; /* symlinks */
    uint64_t rdev;      /* devices */

    uint32_t more_links; /* all but directories: names beside parent and name */
    struct inode_link *links;
    bool has_links;        /* links has them */
    bool is_held;          /* it has no name, but a session has it open */
    bool is_other_link;    /* as found by a directory iterator: under another name than its first */
    bool was_promoted;     /* since the last commit: what is its first name now was another one, elsewhere */
    bool content_changed;  /* since the last commit */
    uint64_t ctime_before; /* as of the last commit */

    uint8_t storage_policy; /* POLICY_UNSPECIFIED: the parent's */
    struct acl_entry *acl;  /* what the mode cannot say: see acl.h */
    size_t acl_count;
    struct xattr *xattrs;
    size_t xattr_count;

    /* snapshots: see history.h */
    uint64_t entered, saved;
    struct snapshot_ref *floors;
    size_t floor_count;
    bool is_snapshottable; /* directories */
    uint64_t snapshot_count;
    uint64_t as_of; /* not stored. 0: as it is now; else as of this snapshot, and so is what is found through it */

    bool dirty, is_new, is_erased; /* see txn.h */
};

struct Cairn__SnapshotRefRecord;
/* The array is in the arena and borrows nothing; the other way it is freed as one piece, or NULL for none. */
struct snapshot_ref *snapshot_refs_decode(struct Cairn__SnapshotRefRecord *const *records, size_t count,
                                          struct arena *a);
struct Cairn__SnapshotRefRecord **snapshot_refs_encode(const struct snapshot_ref *refs, size_t count);
int inode_decode(uint64_t id, struct slice record, struct arena *a, struct inode **ret, struct err *reterr) MUST_CHECK;
void inode_encode(const struct inode *n, struct buf *to);

static inline bool inode_is_dir(const struct inode *n)
{
    return n->type == INODE_DIRECTORY;
}
static inline bool inode_is_file(const struct inode *n) /* a regular one: it may have blocks */
{
    return n->type == INODE_FILE;
}
static inline bool inode_is_special(const struct inode *n)
{
    return n->type >= INODE_FIFO;
}
static inline bool inode_looks_like_file(const struct inode *n) /* to HDFS */
{
    return inode_is_file(n) || inode_is_special(n);
}
/* Is this its first name? */
static inline bool inode_is_first_link(const struct inode *n, uint64_t parent, const char *name, size_t name_len)
{
    return n->parent == parent && strlen(n->name) == name_len && !memcmp(n->name, name, name_len);
}
static inline struct file_block *inode_last_block(const struct inode *n) /* NULL if there is none */
{
    return n->block_count ? &n->blocks[n->block_count - 1] : NULL;
}
static inline uint16_t inode_block_replication(const struct inode *n)
{
    return n->kept_replication ? n->kept_replication : n->replication;
}
/* The recorded length of an unfinished last block included. */
uint64_t inode_length(const struct inode *n);
uint64_t inode_allocated(const struct inode *n); /* the same without holes */
bool inode_all_complete(const struct inode *n);
struct file_block *inode_add_block(struct inode *n, struct arena *a); /* zeroed; earlier pointers into blocks die */
uint32_t inode_nlink(const struct inode *n);
uint32_t inode_format(enum inode_type type); /* S_IFREG and so on */
bool inode_type_of(uint32_t format, enum inode_type *ret);

void block_record_encode(const struct inode *n, const struct file_block *b, struct buf *to);
int block_record_decode(uint64_t id, struct slice record, struct block_record *ret, struct err *reterr) MUST_CHECK;

#endif
