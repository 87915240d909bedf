/* The URL of a WebHDFS request taken apart: "/webhdfs/v1/dir/a%20b?op=OPEN&offset=5". What comes out lives in the arena
 * and may hold any bytes but NUL. Pure: no I/O, any thread. */
#ifndef CAIRN_WEBHDFS_URL_H
#define CAIRN_WEBHDFS_URL_H

#include "common/arena.h"
#include "common/err.h"

#define WEBHDFS_PREFIX           "/webhdfs/v1"
#define WEBHDFS_NAMENODE_ADDRESS "namenoderpcaddress" /* a parameter of URLs that lead to a datanode */
#define WEBHDFS_QUERY_MAX        256                  /* parameters */

struct url_parameter {
    const char *name; /* in lower case: WebHDFS does not mind */
    const char *value;
};
struct webhdfs_url {
    const char *path; /* in the file system; begins with "/" */
    struct url_parameter *parameters;
    size_t parameter_count;
};

/* ERR_ILLEGAL_ARGUMENT: not below WEBHDFS_PREFIX, a broken %-sequence, a NUL, too many parameters. */
int webhdfs_url_parse(const char *uri, struct arena *a, struct webhdfs_url *ret, struct err *reterr) MUST_CHECK;
/* The first of that name; NULL if there is none. */
const char *webhdfs_url_get(const struct webhdfs_url *u, const char *name);

/* For making URLs: a path keeps its slashes, a value of a query is application/x-www-form-urlencoded. */
const char *url_encode_path(const char *path, struct arena *a);
const char *url_encode_value(const char *value, struct arena *a);

#endif
