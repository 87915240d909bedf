/* Between posix_wait.c and posix_state.c only: see posix_state.h. */
#ifndef CAIRN_NAMENODE_SERVE_POSIX_WAIT_H
#define CAIRN_NAMENODE_SERVE_POSIX_WAIT_H

#include "namenode/namenode.h"
#include "namenode/namespace/sessions.h"

struct posix_waits *posix_waits_new(void);
void posix_waits_free(struct posix_waits *w); /* NULL is fine; no call may be left */
void posix_waits_tick(struct namenode *nn, uint64_t now_ms);
void posix_waits_end_session(struct namenode *nn, const struct session *session); /* ERR_STALE to all of it */

#endif
