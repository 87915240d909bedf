/* What directories are after a change that this mount made in them: the kernel forgets what it knew and asks at once,
 * and the answer to the change has said it already. Any thread. */
#ifndef CAIRN_FUSE_POSIX_DIR_STATS_H
#define CAIRN_FUSE_POSIX_DIR_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct dir_stats;
struct dir_stats *dir_stats_new(void);
void dir_stats_free(struct dir_stats *d); /* NULL is fine */
uint64_t dir_stats_now(struct dir_stats *d);
/* As an answer says that came to a call made after dir_stats_now() said `since`. */
void dir_stats_put(struct dir_stats *d, const struct stat *st, uint64_t since);
bool dir_stats_get(struct dir_stats *d, uint64_t inode, struct stat *ret); /* for a moment only */
/* Another client changed something, or this mount a directory in another way: whatever was said before is too old. */
void dir_stats_changed(struct dir_stats *d);

#endif
