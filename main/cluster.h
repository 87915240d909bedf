/* The plan of a local cluster: which daemons, with which addresses, folders and settings; and its description on disk
 * (DIR/cluster.json, DIR/conf/core-site.xml). No processes here.
 *
 * Each worker node is a host of its own: node i has 127.0.0.i, its own datanode and worker, and the same ports as the
 * others. Ports count from the port base; without one the well-known ports are taken. */
#ifndef CAIRN_MAIN_CLUSTER_H
#define CAIRN_MAIN_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "main/child.h"

#define CLUSTER_NODES_MAX 64

struct cluster_options {
    const char *dir;   /* absolute */
    const char *mount; /* absolute or NULL */
    int nodes;
    int port_base; /* 0 = well-known ports */
    const struct config *config;
};
struct cluster {
    struct cluster_options options;
    char fs_uri[64], namenode_http[64], httpfs[64], scheduler[64], scheduler_http[64];
    struct child *children; /* namenode, datanodes, httpfs, scheduler, workers, mount: in the order they start */
    size_t child_count;
};

/* Makes folders and DIR/conf. ERR_CONFIG for ports that do not fit. Free with cluster_free. */
int cluster_plan(const struct cluster_options *options, struct cluster *ret, struct err *reterr) MUST_CHECK;
int cluster_write_json(const struct cluster *c, struct err *reterr) MUST_CHECK;
void cluster_remove_json(const struct cluster *c);
void cluster_free(struct cluster *c);

/* The abstract socket that says "a cluster runs in DIR" (see common/cli.h). ERR_BUSY if one does. */
int cluster_hold_socket(const char *dir, int *ret_fd, struct err *reterr) MUST_CHECK;

#endif
