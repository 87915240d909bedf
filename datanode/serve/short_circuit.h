/* Short-circuit reads: local clients ask over a UNIX socket for the open files of a replica, and read them themselves.
 * All other ops are served there too (short_circuit_ops.c has those that only make sense there). */
#ifndef CAIRN_DATANODE_SERVE_SHORT_CIRCUIT_H
#define CAIRN_DATANODE_SERVE_SHORT_CIRCUIT_H

#include "datanode/datanode.h"

/* Listens at the abstract name of our uuid (proto/shm_slot.h) and at dfs.domain.socket.path, if there is one, "_PORT"
 * in it replaced by the transfer port. dn->xfer is set. */
int short_circuit_start(struct datanode *dn, struct short_circuit **ret, struct err *reterr) MUST_CHECK;
void short_circuit_stop(struct short_circuit *s); /* before the transfer server's stop; NULL is fine */

#endif
