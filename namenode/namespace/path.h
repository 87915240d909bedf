/* From a path to inodes, with the permission to pass. */
#ifndef CAIRN_NAMENODE_NAMESPACE_PATH_H
#define CAIRN_NAMENODE_NAMESPACE_PATH_H

#include "namenode/namespace/user.h"

struct path {
    const char *text;      /* normalised: one slash between components, none at the end; reserved forms resolved */
    const char **names;    /* components */
    size_t count;          /* of them; 0 for "/" */
    struct inode **inodes; /* inodes[0] is the root, inodes[i] what the first i components name */
    size_t found;          /* how many inodes there are: 1 .. count + 1 */
    bool is_unnamed;       /* only its number was given, and it has no name any more: see inode.is_held */
    bool in_snapshot;      /* .snapshot is a component: everything from there on is only to look at */
};

enum path_flag {
    PATH_NO_FOLLOW = BIT(0),     /* a symbolic link at the end is meant itself */
    PATH_CREATE = BIT(1),        /* a file on the way is ERR_PARENT_NOT_DIR, not ERR_ACCESS */
    PATH_MAY_MISS = BIT(2),      /* the target need not exist; else ERR_NOT_FOUND "File does not exist: .." */
    PATH_SNAPSHOT = BIT(3),      /* may lie in a snapshot (inode.as_of says which); else ERR_SNAPSHOT_ACCESS */
    PATH_SNAPSHOT_LIST = BIT(4), /* DIR/.snapshot exists, too: see history_list */
    PATH_NUMBERED_LINK = BIT(5), /* a symbolic link whose number is given is meant itself: mounts speak of it so */
};

/* /.reserved/.inodes/ID is a file's path; of one that has no name and is held it leads to its content and attributes,
 * for superusers: there are no directories that could keep others away. Where names change (PATH_CREATE,
 * PATH_NO_FOLLOW) there is no such file.
 *
 * Everything is in the txn's arena. ERR_ACCESS: x is missing on an ancestor, or one is a file; ERR_UNRESOLVED_PATH: a
 * symbolic link, the message is the path with the link replaced; the client goes on from there. */
int path_resolve(struct txn *t, const struct fs_user *u, const char *text, unsigned flags, struct path *ret,
                 struct err *reterr) MUST_CHECK;
static inline struct inode *path_target(const struct path *p) /* NULL if it does not exist */
{
    return p->found == p->count + 1 ? p->inodes[p->count] : NULL;
}
static inline struct inode *path_parent(const struct path *p) /* NULL if it does not exist, or for "/" */
{
    return p->count && p->found >= p->count ? p->inodes[p->count - 1] : NULL;
}
static inline const char *path_name(const struct path *p)
{
    return p->count ? p->names[p->count - 1] : "";
}
/* Text of the first `count` components. */
const char *path_prefix(struct txn *t, const struct path *p, size_t count);

/* "/.reserved": it can be looked at, and nothing else; path_resolve() refuses it. */
bool path_is_reserved_root(const char *text);

/* In Java's characters, UTF-16: what HDFS's limit of a path is about. */
size_t path_length(const char *text);

/* May this become a name? ERR_INVALID_PATH, ERR_NAME_TOO_LONG, ERR_IO (too long, too deep; `doing`
 * is Hadoop's name of the call in that message). */
int path_check_new(const struct fsdir *dir, const char *text, const char *doing, struct err *reterr) MUST_CHECK;

#endif
