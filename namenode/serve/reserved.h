/* "/.reserved" itself: a directory that is in no store, with the ways to inodes and to raw bytes in it. */
#ifndef CAIRN_NAMENODE_SERVE_RESERVED_H
#define CAIRN_NAMENODE_SERVE_RESERVED_H

#include "common/arena.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/namenode.h"
#include "namenode/namespace/inode.h"

struct inode *reserved_folder(struct arena *a);
Hdfs__DirectoryListingProto *reserved_listing(struct arena *a, const struct namenode *nn);

#endif
