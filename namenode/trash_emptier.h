/* What users' shells moved to their trashes goes in the end, as in Hadoop: every fs.trash.checkpoint.interval what lies
 * in a trash's Current gets a name that says when, and what has had one for fs.trash.interval is removed. */
#ifndef CAIRN_NAMENODE_TRASH_EMPTIER_H
#define CAIRN_NAMENODE_TRASH_EMPTIER_H

#include "namenode/namenode.h"

/* On a thread of its own: a large trash keeps nobody waiting. stop comes before anything of nn ends, and waits for what
 * is being removed; NULL is fine. */
struct trash_emptier;
int trash_emptier_start(struct namenode *nn, struct trash_emptier **ret, struct err *reterr) MUST_CHECK;
void trash_emptier_stop(struct trash_emptier *e);

#endif
