/* The form of the host names in block locations, for programs that plan work by them. */
#ifndef CAIRN_NAMENODE_SERVE_LOCATION_HOSTS_H
#define CAIRN_NAMENODE_SERVE_LOCATION_HOSTS_H

#include "common/arena.h"
#include "hdfs/common.pb-c.h"
#include "namenode/namenode.h"

/* Who plans compares these hosts with what its own workers call themselves, a name in one installation and an address
 * in the next. BOTH: each replica is there by name, then by address. To a reader it is the same datanode again, which
 * it tries no second time.
 *
 * Spark's SQL adds up bytes per host, keeps the three hosts with most and prefers only these: of two or more replicas
 * with two names each, what it keeps could all be of the form that its workers do not have. So one replica, another
 * from block to block, is there in both forms once more: its two hosts are always among the three. */
void location_hosts_name(struct arena *a, Hdfs__LocatedBlockProto *l, enum location_hosts form);

#endif
