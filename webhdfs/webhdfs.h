/* WebHDFS: HDFS's REST interface, as a translation: URL -> message of ClientProtocol -> answer -> JSON. What the calls
 * mean is decided where they are answered; here is only how they look over HTTP.
 *
 * Three places serve it. The namenode answers what is about names and sends clients on to a datanode for data; a
 * datanode moves data only; a gateway (HttpFS) does both itself. They differ in their `caller` and `role`. */
#ifndef CAIRN_WEBHDFS_WEBHDFS_H
#define CAIRN_WEBHDFS_WEBHDFS_H

#include <protobuf-c/protobuf-c.h>

#include "common/arena.h"
#include "common/config.h"
#include "common/http.h"
#include "common/proxy_users.h"
#include "hdfs/common.pb-c.h"

enum webhdfs_role { WEBHDFS_NAMENODE, WEBHDFS_DATANODE, WEBHDFS_GATEWAY };

/* Makes one call of ClientProtocol as `user`, blocking. Any number of threads. */
struct webhdfs_caller {
    int (*call)(void *context, const char *user, const char *client_ip, const char *method,
                const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type, struct arena *a,
                ProtobufCMessage **ret, struct err *reterr);
    /* Whose delegation token this is; *ret_user (in the arena) stays NULL where tokens count for nothing. May be NULL.
     */
    int (*token_user)(void *context, const Hdfs__TokenProto *token, struct arena *a, const char **ret_user,
                      struct err *reterr);
    /* How this client reaches a datanode, if not by the name that the datanode has; else NULL. In the arena. May be
     * NULL. */
    const char *(*datanode_host)(void *context, const char *uuid, const char *client_ip, struct arena *a);
    void *context;
};

struct webhdfs;
struct webhdfs_options {
    enum webhdfs_role role;
    const struct config *config;  /* borrowed for life */
    struct webhdfs_caller caller; /* namenode: in process. NULL: through the client library */
    const char *namenode_uri;     /* "hdfs://host:port", for the client library and in Locations; NULL = fs.defaultFS */
    struct proxy_users *proxy_users; /* whose doas is allowed (namenode, gateway); borrowed for life */
    const char *process_user;        /* who may ask for reports when choosing a datanode (namenode) */
};
int webhdfs_new(const struct webhdfs_options *options, struct webhdfs **ret, struct err *reterr) MUST_CHECK;
void webhdfs_free(struct webhdfs *w); /* its HTTP server has stopped; NULL is fine */

#define WEBHDFS_ROUTE(server)                                                                                          \
    {                                                                                                                  \
        NULL, "/webhdfs/v1*", webhdfs_handle, true, server                                                             \
    }
void webhdfs_handle(struct http_request *request, struct http_reply *reply, void *webhdfs);

#endif
