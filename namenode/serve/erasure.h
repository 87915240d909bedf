/* Erasure coding policies by name. Files here are replicated: the policies that HDFS has built in are known, and none
 * is enabled. */
#ifndef CAIRN_NAMENODE_SERVE_ERASURE_H
#define CAIRN_NAMENODE_SERVE_ERASURE_H

#include "namenode/serve/op.h"

/* May a file be created, or a directory set, with this policy? Only "REPLICATION" is enabled; else
 * ERR_HADOOP_ILLEGAL_ARGUMENT as HDFS says it. */
int erasure_check_enabled(const char *policy, struct err *reterr) MUST_CHECK;

#endif
