/* A file, directory or symbolic link, as read from the store. Everything it points to lives in the arena it was decoded
 * into. */
#ifndef CAIRN_NAMENODE_NAMESPACE_INODE_H
#define CAIRN_NAMENODE_NAMESPACE_INODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/policy.h"

#define INODE_ROOT  16385u /* Hadoop's number for "/" */
#define INODE_FIRST 16386u /* the first one given out */
#define INODE_NONE  0u     /* as parent: cut off the tree */

/* Snapshots of a directory: those after `after`, up to `id`. */
struct snapshot_ref {
    uint64_t dir, after, id;
};

enum inode_type { INODE_DIRECTORY = 1, INODE_FILE = 2, INODE_SYMLINK = 3 };

struct file_block {
    uint64_t id, stamp, length_bytes;
    enum block_state state;
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
    uint16_t mode;    /* permission bits with sticky */
    const char *owner, *group;
    uint64_t mtime_ns, atime_ns, ctime_ns;

    uint64_t child_count, subdir_count; /* directories */
    struct quota *quota;                /* NULL: none */

    uint16_t replication; /* files */
    uint64_t block_bytes;
    struct file_block *blocks;
    size_t block_count, block_capacity;
    bool is_open; /* under construction; the four below belong to that */
    const char *client_name, *client_machine;
    uint64_t recovery_stamp;  /* 0: none */
    uint64_t truncate_length; /* BLOCKS_NO_TRUNCATE: none */
    uint64_t truncate_source; /* the block that the last one is to be a copy of, up to there; 0: none */

    const char *target; /* symlinks */

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
static inline bool inode_is_file(const struct inode *n)
{
    return n->type == INODE_FILE;
}
static inline struct file_block *inode_last_block(const struct inode *n) /* NULL if there is none */
{
    return n->block_count ? &n->blocks[n->block_count - 1] : NULL;
}
/* The recorded length of an unfinished last block included. */
uint64_t inode_length(const struct inode *n);
bool inode_all_complete(const struct inode *n);
struct file_block *inode_add_block(struct inode *n, struct arena *a); /* zeroed; earlier pointers into blocks die */
uint32_t inode_nlink(const struct inode *n);

void block_record_encode(const struct inode *n, const struct file_block *b, struct buf *to);
int block_record_decode(uint64_t id, struct slice record, struct block_record *ret, struct err *reterr) MUST_CHECK;

#endif
