/* What users' shells moved to their trashes goes in the end, as in Hadoop: every fs.trash.checkpoint.interval what lies
 * in a trash's Current gets a name that says when, and what has had one for fs.trash.interval is removed. */
#ifndef CAIRN_NAMENODE_TRASH_EMPTIER_H
#define CAIRN_NAMENODE_TRASH_EMPTIER_H

#include "namenode/namenode.h"

/* Under the lock, which it lets go while there is something to do. */
void trash_emptier_tick(struct namenode *nn);

#endif
