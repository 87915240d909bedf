/* Servlets that every daemon of Hadoop has: /conf, /logLevel, /stacks. The route's context is the config. */
#ifndef CAIRN_COMMON_HTTP_SERVLETS_H
#define CAIRN_COMMON_HTTP_SERVLETS_H

#include "common/config.h"
#include "common/http.h"

void conf_page(struct http_request *request, struct http_reply *reply, void *config);      /* ?format=json, ?name= */
void log_level_page(struct http_request *request, struct http_reply *reply, void *config); /* ?log=&level= */
void stacks_page(struct http_request *request, struct http_reply *reply, void *config); /* threads and what they do */

#define HTTP_SERVLET_ROUTES(config)                                                                                    \
    {"GET", "/conf", conf_page, .context = (void *)(uintptr_t)(config)},                                               \
        {"GET", "/logLevel", log_level_page, .context = (void *)(uintptr_t)(config)},                                  \
    {                                                                                                                  \
        "GET", "/stacks", stacks_page, .context = (void *)(uintptr_t)(config)                                          \
    }

#endif
