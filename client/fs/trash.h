/* Hadoop's trash: /user/<user>/.Trash/Current, or DIR/.Trash/<user>/Current below a directory with snapshots, keeps
 * what was removed; -expunge turns it into checkpoints named by time and removes old ones. The namenode's
 * fs.trash.interval wins over the client's. */
#ifndef CAIRN_CLIENT_FS_TRASH_H
#define CAIRN_CLIENT_FS_TRASH_H

#include "client/fs/item.h"

/* *ret_moved false: there is no trash here, or the item is in it already. */
int trash_move(struct shell *sh, const struct item *it, bool *ret_moved, struct err *reterr) MUST_CHECK;
/* Removes checkpoints that are too old (all, if `all`), and makes a checkpoint of Current. */
int trash_expunge(struct shell *sh, struct shell_fs *fs, bool all, struct err *reterr) MUST_CHECK;

#endif
