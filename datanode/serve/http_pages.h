#ifndef CAIRN_DATANODE_SERVE_HTTP_PAGES_H
#define CAIRN_DATANODE_SERVE_HTTP_PAGES_H

#include "common/http.h"
#include "datanode/datanode.h"

/* The status page, /jmx, /metrics. dn must be complete when the first request comes. */
int http_pages_start(struct datanode *dn, struct http_server **ret, struct err *reterr) MUST_CHECK;

#endif
