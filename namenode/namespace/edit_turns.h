/* Whose turn it is to edit a file that several mounts edit at once, or append to. Who is refused since another one was
 * faster looks again and uploads again, and would never be the first where the other one has less to do each time. So
 * for one who lost twice in a row the others wait a moment; and for a mount whose stream into the file was lost, or
 * what others append would part what one write of it appended. In memory, and of a few files: what has no place here is
 * a matter of luck. A core: no I/O, no clock; guarded by the namenode's lock. */
#ifndef CAIRN_NAMENODE_NAMESPACE_EDIT_TURNS_H
#define CAIRN_NAMENODE_NAMESPACE_EDIT_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#define EDIT_TURN_MS      5000 /* it may have died instead of trying again */
#define EDIT_TURN_AWAY_MS 300  /* for one whose process died: the next one is started at once, if at all */

struct edit_turns;
struct edit_turns *edit_turns_new(void);
void edit_turns_free(struct edit_turns *t); /* NULL is fine */
/* Has this session to wait for another one's edit of the inode? */
bool edit_turns_must_wait(const struct edit_turns *t, uint64_t inode, uint64_t session, uint64_t now_ms);
void edit_turns_lost(struct edit_turns *t, uint64_t inode, uint64_t session, uint64_t now_ms);
/* Whoever had it. is_here: it has a process now. */
void edit_turns_give(struct edit_turns *t, uint64_t inode, uint64_t session, bool is_here, uint64_t now_ms);
void edit_turns_is_back(struct edit_turns *t, uint64_t session, uint64_t now_ms); /* with a process */
void edit_turns_won(struct edit_turns *t, uint64_t inode, uint64_t session);

#endif
