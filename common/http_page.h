/* What every page of every daemon looks like. */
#ifndef CAIRN_COMMON_HTTP_PAGE_H
#define CAIRN_COMMON_HTTP_PAGE_H

#include "common/http.h"

/* Head, style and heading; content type set. What follows is the page's body; nothing needs to be closed. */
void http_page_begin(struct http_reply *reply, const char *title);
void html_bytes(struct buf *b, uint64_t bytes); /* "1.50 GiB" */

#endif
