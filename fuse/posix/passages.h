/* Opening a file and removing its name at the same time: whoever removes a name has to know whether the file is open
 * here, so that the namenode keeps it. So what is being opened counts as open before the namenode is asked about it,
 * and whoever opens waits for a removal that began before. Any thread. */
#ifndef CAIRN_FUSE_POSIX_PASSAGES_H
#define CAIRN_FUSE_POSIX_PASSAGES_H

#include <stdbool.h>
#include <stdint.h>

struct passage { /* the caller's, until passage_end */
    uint64_t inode;
    bool removes;
    struct passage *next;
};

struct passages;
struct passages *passages_new(void);
void passages_free(struct passages *all); /* NULL is fine */

/* Waits while the file is being removed. */
void passage_open(struct passages *all, struct passage *p, uint64_t inode);
#define PASSAGE_ANY 0 /* as inode: whatever it is */
/* true: somebody is just opening it. */
bool passage_remove(struct passages *all, struct passage *p, uint64_t inode);
void passage_end(struct passages *all, struct passage *p); /* one that never began is fine */
/* Somebody is just opening it. */
bool passage_is_opening(struct passages *all, uint64_t inode);
/* Calls fn for each file that somebody is just opening. */
void passage_each_opening(struct passages *all, void (*fn)(uint64_t inode, void *arg), void *arg);
/* Waits until those who were just opening it are counted. With no removal under way of one's own. */
void passage_wait_opened(struct passages *all, uint64_t inode);

#endif
