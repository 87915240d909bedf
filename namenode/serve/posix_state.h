/* What the namenode keeps of mounts in memory: sessions, locks, calls that wait. Guarded by its lock. */
#ifndef CAIRN_NAMENODE_SERVE_POSIX_STATE_H
#define CAIRN_NAMENODE_SERVE_POSIX_STATE_H

#include "namenode/namenode.h"
#include "namenode/namespace/locks.h"
#include "namenode/namespace/sessions.h"
#include "rpc/rpc_server.h"

/* After fsdir_open. Sessions of before are there again, with what they hold, and without locks. */
int posix_state_open(struct namenode *nn, struct err *reterr) MUST_CHECK;
void posix_state_close(struct namenode *nn); /* no call may be waiting */

/* Housekeeping: answers those who have waited long enough (all: UINT64_MAX) or for whom there is something, and ends
 * sessions, in steps. true: there is more to do. */
bool posix_tick(struct namenode *nn, uint64_t now_ms);
bool posix_is_impatient(const struct namenode *nn); /* somebody waits for a lock, so ticks should come often */
/* The session is gone: its locks, what waits, and in steps what it holds. ERR_*: the store. */
int posix_end_session(struct namenode *nn, struct session *session, struct err *reterr) MUST_CHECK;

/* ---- calls that wait. They take over the call, unanswered; false: too many wait already, or at shutdown ---- */
bool posix_wait_for_changes(struct namenode *nn, struct rpc_call *call, struct session *session, uint64_t cursor,
                            uint64_t deadline_ms);
bool posix_wait_for_lock(struct namenode *nn, struct rpc_call *call, struct session *session,
                         const struct lock_wait *wait, uint64_t deadline_ms);
/* Who waited for a lock through this connection has gone, or will ask again: it must not get one that nobody knows of.
 */
void posix_connection_closed(struct namenode *nn, uint64_t connection);
/* Locks went: who waited for them may have them now. */
void posix_locks_freed(struct namenode *nn, uint64_t inode);
/* No new ones are given away yet: mounts are still to say which they had before the namenode was started. */
bool posix_locks_are_owed(const struct namenode *nn);
/* One of them has said so, or has ended. */
void posix_locks_settled(struct namenode *nn, struct session *session);
/* Would waiting never end? */
bool posix_wait_deadlocks(struct namenode *nn, const struct lock_wait *wait);
/* Somebody changed something: those who wait to hear of it are answered first. A program that hears from the other that
 * it is done has to find it as it is now, through whatever mount. */
void posix_tell_changes(struct namenode *nn);
/* Answers with what changed after the cursor so far: what awaitChanges says when it stops waiting. */
void posix_prepare_changes(struct namenode *nn, struct rpc_call *call, uint64_t session, uint64_t cursor);
/* Not granted and NULL: it is not known yet what is in the way. */
void posix_prepare_lock(struct rpc_call *call, bool granted, const struct file_lock *in_the_way);

#endif
