/* Who may act for whom: hadoop.proxyuser.USER.{hosts,groups,users}, each a comma list or "*". */
#ifndef CAIRN_WEBHDFS_PROXY_USER_H
#define CAIRN_WEBHDFS_PROXY_USER_H

#include "common/config.h"
#include "common/err.h"

/* ERR_UNAUTHORIZED in Hadoop's words. prefix: "hadoop.proxyuser" or "httpfs.proxyuser". */
int proxy_user_check(const struct config *config, const char *prefix, const char *real_user, const char *user,
                     const char *client_ip, struct err *reterr) MUST_CHECK;

#endif
