/* Which datanodes may join and which rack they are on: the files and the program around the block manager's topology.
 * These read files and start a program, so never under the namenode lock. */
#ifndef CAIRN_NAMENODE_SERVE_MEMBERSHIP_H
#define CAIRN_NAMENODE_SERVE_MEMBERSHIP_H

#include "common/err.h"
#include "namenode/namenode.h"

/* Reads dfs.hosts, dfs.hosts.exclude and net.topology.table.file.name and applies them: at start, and for refreshNodes.
 * With CombinedHostFileManager the first is JSON and says what the second would.
 * Nothing changes if one of them cannot be read; the error names the file. Takes the lock itself. */
int membership_load(struct namenode *nn, struct err *reterr) MUST_CHECK;

/* Asks net.topology.script.file.name for an address's rack, if that is set. Trouble is logged: the node then is on the
 * default rack. Takes the lock itself. */
void membership_resolve_rack(struct namenode *nn, const char *ip);

#endif
