/* How the block manager sees the namespace. */
#ifndef CAIRN_NAMENODE_SEAM_H
#define CAIRN_NAMENODE_SEAM_H

#include "namenode/namenode.h"

struct blocks_seam;
struct blocks_seam namespace_seam(struct namenode *nn);

#endif
