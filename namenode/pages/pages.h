/* The namenode's HTTP port: a status page, /jmx, /metrics, /fsck. */
#ifndef CAIRN_NAMENODE_PAGES_PAGES_H
#define CAIRN_NAMENODE_PAGES_PAGES_H

#include "common/err.h"
#include "common/net.h"
#include "namenode/namenode.h"

struct pages;
int pages_start(struct namenode *nn, const struct net_address *listen, struct pages **ret,
                struct err *reterr) MUST_CHECK;
uint16_t pages_port(const struct pages *p);
void pages_stop(struct pages *p); /* NULL is fine */

#endif
