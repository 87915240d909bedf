/* The small servlets of a namenode: its rack map, who is active, a view of the files, and what we do not have. */
#ifndef CAIRN_NAMENODE_PAGES_SERVLETS_H
#define CAIRN_NAMENODE_PAGES_SERVLETS_H

#include "common/http.h"

void topology_page(struct http_request *request, struct http_reply *reply, void *namenode);
void is_active_page(struct http_request *request, struct http_reply *reply, void *namenode);
void startup_page(struct http_request *request, struct http_reply *reply, void *namenode);
void explorer_page(struct http_request *request, struct http_reply *reply, void *namenode);
void to_status_page(struct http_request *request, struct http_reply *reply, void *namenode);
void no_image_page(struct http_request *request, struct http_reply *reply, void *namenode);

#define NAMENODE_SERVLET_ROUTES                                                                                        \
    {"GET", "/topology", topology_page}, {"GET", "/isActive", is_active_page},                                         \
        {"GET", "/startupProgress", startup_page}, {"GET", "/explorer.html", explorer_page},                           \
        {"GET", "/index.html", to_status_page}, {"GET", "/dfshealth*", to_status_page},                                \
        {NULL, "/imagetransfer", no_image_page},                                                                       \
    {                                                                                                                  \
        NULL, "/getimage", no_image_page                                                                               \
    }

#endif
