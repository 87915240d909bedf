/* Who may act for whom: PREFIX.USER.{hosts,groups,users}, as Hadoop has them. One of .users and .groups must allow the
 * other user and .hosts the address, each a comma list or "*" alone. Without any nobody may. Thread-safe. */
#ifndef CAIRN_COMMON_PROXY_USERS_H
#define CAIRN_COMMON_PROXY_USERS_H

#include "common/config.h"
#include "common/err.h"

struct proxy_users;

/* prefix: "hadoop.proxyuser" or "httpfs.proxyuser"; borrowed for life. Names of hosts are looked up here, once. */
struct proxy_users *proxy_users_new(const char *prefix, const struct config *config);
void proxy_users_free(struct proxy_users *p);                                /* NULL is fine */
void proxy_users_refresh(struct proxy_users *p, const struct config *fresh); /* NULL is fine */

/* ERR_UNAUTHORIZED in Hadoop's words. The users are meant by their short names: before "/" or "@". NULL: nobody may. */
int proxy_users_check(struct proxy_users *p, const char *real_user, const char *user, const char *client_ip,
                      struct err *reterr) MUST_CHECK;

#endif
