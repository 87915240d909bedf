/* Requests that a browser makes for pages of elsewhere: which of them may read our answers
 * (hadoop.http.cross-origin.*), and which are refused because they could be forged (dfs.webhdfs.rest-csrf.*). Both are
 * off unless the config says otherwise. Any thread. */
#ifndef CAIRN_WEBHDFS_ORIGIN_H
#define CAIRN_WEBHDFS_ORIGIN_H

#include <stdbool.h>

#include "common/config.h"
#include "common/http.h"

/* For http_options.on_reply; its context is the config. */
void origin_add_headers(struct http_request *request, struct http_reply *reply, void *config);
/* false: a browser asks for a change without the header that no page of elsewhere can set. */
bool origin_is_trusted(const struct http_request *request, const struct config *config);

#endif
