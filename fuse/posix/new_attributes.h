/* Attributes of a file that was made here and is still empty in the cluster, while its first bytes are staged: its
 * mode, owner, group and times are set by the change of the namenode's that puts in those bytes, at the close or fsync,
 * and not by one of their own each. (tar and cp -p set them all before they close the file.) Until then others see the
 * file as it was made, and empty; in the mount they are as they were set, and they are staged as the bytes are.
 *
 * As long as nothing else has changed the file, what it was made with is known here, too, and not asked for. */
#ifndef CAIRN_FUSE_POSIX_NEW_ATTRIBUTES_H
#define CAIRN_FUSE_POSIX_NEW_ATTRIBUTES_H

#include <sys/stat.h>

#include "fuse/posix/node.h"

/* The node takes its own lock in these. As it was made: st, without a reader of its own yet. */
void new_attributes_made(struct node *n, const struct stat *st);
/* Something else has changed it: what it was made with is not known any more, what was set stays to be saved. Any
 * thread.
 */
void new_attributes_outdated(struct node *n);
/* As the file is; false: that has to be asked. */
bool new_attributes_known(struct node *n, struct stat *ret);
/* true: they are, for whoever asks here, and will be saved. false: they are to be set now, nothing was done. */
bool new_attributes_set(struct node *n, const struct staged_set *set);
/* Lays what was set and is not saved over what the namenode says. */
void new_attributes_show(struct node *n, struct stat *st);
/* Something else is about to be changed: saves them now, if there are any. */
int new_attributes_flush(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;

/* The node's lock is held exclusively. To be saved, in a's memory; false: nothing is. */
bool new_attributes_unsaved(const struct node_store *s, const struct node *n, struct arena *a, struct posix_set *ret);
void new_attributes_saved(struct node *n);
void new_attributes_resume(struct node *n, const struct staged_set *set); /* a process that died had set them */
int new_attributes_save(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK; /* by a call of its own */
void new_attributes_free(struct node *n);

#endif
