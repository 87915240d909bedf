/* Datanodes that failed a writer, so that neither its block nor the next ones of the file go there for a while: one
 * that was started again deserves another try. One thread at a time (the file's lock). */
#ifndef CAIRN_CLIENT_LIB_LOST_NODES_H
#define CAIRN_CLIENT_LIB_LOST_NODES_H

#include "client/lib/dfs.h"

struct lost_nodes { /* zeroed = none */
    struct arena arena;
    struct dfs_datanode *nodes; /* each once */
    int64_t *since_ms;          /* when it failed last; monotonic, in rising order */
    size_t count;
};
void lost_nodes_add(struct lost_nodes *l, const struct dfs_datanode *d);
/* Forgets those that failed before that. */
void lost_nodes_keep(struct lost_nodes *l, int64_t since_ms);
void lost_nodes_clear(struct lost_nodes *l);

#endif
