/* One file system client per user, kept while it is used: WebHDFS acts for many users from one process. Any thread. */
#ifndef CAIRN_WEBHDFS_USER_CLIENTS_H
#define CAIRN_WEBHDFS_USER_CLIENTS_H

#include <protobuf-c/protobuf-c.h>

#include "client/lib/dfs.h"

struct user_clients;
struct user_clients *user_clients_new(const struct config *config, const char *uri); /* both borrowed */
void user_clients_free(struct user_clients *u);                                      /* NULL is fine */

/* One reference. */
int user_clients_get(struct user_clients *u, const char *user, struct dfs **ret, struct err *reterr) MUST_CHECK;
/* A call of ClientProtocol as that user. */
int user_clients_call(struct user_clients *u, const char *user, const char *method, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                      struct err *reterr) MUST_CHECK;

#endif
