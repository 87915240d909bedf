/* /fsck: text in Hadoop's format; `hdfs fsck`, `cairn fsck` and scripts read it. */
#ifndef CAIRN_NAMENODE_PAGES_FSCK_H
#define CAIRN_NAMENODE_PAGES_FSCK_H

#include "common/http.h"

void fsck_page(struct http_request *request, struct http_reply *reply, void *context);

#endif
