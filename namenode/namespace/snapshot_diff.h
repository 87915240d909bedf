/* What is different below a directory between two snapshots, or a snapshot and now. Costs what was changed since the
 * earlier one (versions say what to look at), wherever below the snapshottable directory that was. */
#ifndef CAIRN_NAMENODE_NAMESPACE_SNAPSHOT_DIFF_H
#define CAIRN_NAMENODE_NAMESPACE_SNAPSHOT_DIFF_H

#include "namenode/namespace/path.h"

struct diff_child {
    const char *name;
    uint64_t id;
    const char *target; /* of a deleted one that was moved: where it is later; else NULL */
    bool is_moved;      /* of a created one: it is some deleted one's target */
};
/* A directory or file that was there at the earlier time and is (maybe elsewhere) at the later one. Children are sorted
 * by name. */
struct diff_node {
    uint64_t id;
    const char *path; /* then, relative to the directory; "" for itself */
    bool is_dir;
    struct diff_child *created, *deleted;
    size_t created_count, deleted_count;
};
struct snapshot_diff {
    const char *root;     /* path of the snapshottable directory */
    bool is_from_earlier; /* `from` is the earlier one */
    struct diff_node *nodes;
    size_t count;
};

/* from, to: names of snapshots; "" is now. t was begun by txn_begin_snapshot; everything is put into a. is_for_report:
 * nodes are in the order that HDFS reports (by depth), else parents come right before what is below them.
 * ERR_SNAPSHOT, ERR_ACCESS, ERR_NOT_FOUND, ERR_TOO_LARGE. */
int snapshot_diff(struct txn *t, const struct fs_user *u, const char *path, const char *from, const char *to,
                  bool is_for_report, struct arena *a, struct snapshot_diff *ret, struct err *reterr) MUST_CHECK;
/* < 0, 0, > 0: as nodes are ordered when not for a report. */
int snapshot_diff_compare(const char *path_a, const char *path_b);

#endif
