/* /jmx: the beans that HDFS's own page and the usual dashboards read. */
#ifndef CAIRN_NAMENODE_PAGES_JMX_H
#define CAIRN_NAMENODE_PAGES_JMX_H

#include "common/http.h"

void jmx_page(struct http_request *request, struct http_reply *reply, void *context);

#endif
