/* Saves what could not be saved when it was closed, and what a process that died had not saved: beside the requests,
 * from a thread of its own, and again and again until it is done. Streams that the dead process had open are ended for
 * good, so that other clients may write those files. */
#ifndef CAIRN_FUSE_POSIX_LATE_SAVES_H
#define CAIRN_FUSE_POSIX_LATE_SAVES_H

#include "fuse/posix/node.h"

/* Makes nodes of what a process before left, as far as the namenode says of which files. */
void late_saves_load(struct node_store *store, struct node_table *nodes);

struct late_saves;
struct late_saves *late_saves_start(struct node_store *store, struct node_table *nodes); /* NULL: no thread */
void late_saves_stop(struct late_saves *l);                                              /* NULL is fine */

#endif
