/* The parameters of WebHDFS: which there are, what their values may be, what is said about wrong ones (Hadoop's words,
 * which clients compare). Pure. */
#ifndef CAIRN_WEBHDFS_PARAMS_H
#define CAIRN_WEBHDFS_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "webhdfs/pattern.h"
#include "webhdfs/url.h"

enum webhdfs_verb { VERB_GET = 1, VERB_PUT = 2, VERB_POST = 4, VERB_DELETE = 8 };

/* X(name in C, name on the wire, kind, verbs, default, smallest, largest), in the order in which they are checked. */
// clang-format off
#define P_ANY (VERB_GET | VERB_PUT | VERB_POST | VERB_DELETE)
#define WEBHDFS_PARAMS(X) \
    X(DELEGATION, "delegation", STRING, P_ANY, NULL, 0, 0) \
    X(USER_NAME, "user.name", USER, P_ANY, NULL, 0, 0) \
    X(DOAS, "doas", STRING, P_ANY, NULL, 0, 0) \
    X(OFFSET, "offset", LONG, VERB_GET, "0", 0, INT64_MAX) \
    X(LENGTH, "length", LONG, VERB_GET, "null", 0, INT64_MAX) \
    X(RENEWER, "renewer", STRING, VERB_GET, NULL, 0, 0) \
    X(DESTINATION, "destination", PATH, VERB_PUT, NULL, 0, 0) \
    X(OWNER, "owner", STRING, VERB_PUT, NULL, 0, 0) \
    X(GROUP, "group", STRING, VERB_PUT, NULL, 0, 0) \
    X(PERMISSION, "permission", OCTAL, VERB_PUT, "null", 0, 01777) \
    X(UNMASKED, "unmaskedpermission", OCTAL, VERB_PUT, "null", 0, 01777) \
    X(OVERWRITE, "overwrite", BOOL, VERB_PUT, "false", 0, 0) \
    X(SOURCES, "sources", STRING, VERB_POST, NULL, 0, 0) \
    X(BUFFERSIZE, "buffersize", INT, VERB_GET | VERB_PUT | VERB_POST, "null", 1, INT32_MAX) \
    X(REPLICATION, "replication", SHORT, VERB_PUT, "null", 1, INT16_MAX) \
    X(BLOCKSIZE, "blocksize", LONG, VERB_PUT, "null", 1, INT64_MAX) \
    X(MTIME, "modificationtime", LONG, VERB_PUT, "-1", -1, INT64_MAX) \
    X(ATIME, "accesstime", LONG, VERB_PUT, "-1", -1, INT64_MAX) \
    X(RENAMEOPTIONS, "renameoptions", RENAME_SET, VERB_PUT, "", 0, 0) \
    X(CREATEPARENT, "createparent", BOOL, VERB_PUT, "true", 0, 0) \
    X(TOKEN, "token", STRING, VERB_PUT, NULL, 0, 0) \
    X(ACLSPEC, "aclspec", ACL, VERB_PUT, NULL, 0, 0) \
    X(XATTR_NAME, "xattr.name", STRING, VERB_GET | VERB_PUT, NULL, 0, 0) \
    X(XATTR_VALUE, "xattr.value", STRING, VERB_PUT, NULL, 0, 0) \
    X(FLAG, "flag", XATTR_SET, VERB_PUT, "", 0, 0) \
    X(ENCODING, "encoding", CODEC, VERB_GET, NULL, 0, 0) \
    X(SNAPSHOTNAME, "snapshotname", STRING, VERB_GET | VERB_PUT | VERB_DELETE, NULL, 0, 0) \
    X(OLDSNAPSHOTNAME, "oldsnapshotname", STRING, VERB_GET | VERB_PUT, NULL, 0, 0) \
    X(EXCLUDE, "excludedatanodes", STRING, VERB_GET | VERB_PUT | VERB_POST, NULL, 0, 0) \
    X(FSACTION, "fsaction", ACTION, VERB_GET, NULL, 0, 0) \
    X(DIFF_PATH, "snapshotdiffstartpath", STRING, VERB_GET, NULL, 0, 0) \
    X(DIFF_INDEX, "snapshotdiffindex", INT, VERB_GET, "-1", -1, INT32_MAX) \
    X(TOKEN_KIND, "kind", STRING, VERB_GET, NULL, 0, 0) \
    X(TOKEN_SERVICE, "service", STRING, VERB_GET, NULL, 0, 0) \
    X(CREATEFLAG, "createflag", CREATE_SET, VERB_PUT, "", 0, 0) \
    X(NEWLENGTH, "newlength", LONG, VERB_POST, "null", 0, INT64_MAX) \
    X(NOREDIRECT, "noredirect", BOOL, VERB_GET | VERB_PUT | VERB_POST, "false", 0, 0) \
    X(STARTAFTER, "startafter", STRING, VERB_GET, NULL, 0, 0) \
    X(ALLUSERS, "allusers", BOOL, VERB_GET, "false", 0, 0) \
    X(STORAGEPOLICY, "storagepolicy", STRING, VERB_PUT, NULL, 0, 0) \
    X(ECPOLICY, "ecpolicy", STRING, VERB_PUT, NULL, 0, 0) \
    X(NS_QUOTA, "namespacequota", LONG, VERB_PUT, "9223372036854775807", -1, INT64_MAX) \
    X(DS_QUOTA, "storagespacequota", LONG, VERB_PUT, "9223372036854775807", -1, INT64_MAX) \
    X(STORAGETYPE, "storagetype", STRING, VERB_PUT, NULL, 0, 0) \
    X(RECURSIVE, "recursive", BOOL, VERB_DELETE, "false", 0, 0)
// clang-format on

enum webhdfs_param {
#define PARAM_INDEX(c_name, wire_name, kind, verbs, fallback, min, max) PARAM_##c_name,
    WEBHDFS_PARAMS(PARAM_INDEX)
#undef PARAM_INDEX
        PARAM_COUNT
};

enum rename_option { RENAME_OVERWRITE = 2, RENAME_TO_TRASH = 4, RENAME_NONE = 1 };
enum xattr_codec { CODEC_TEXT, CODEC_HEX, CODEC_BASE64 };

struct param_value {
    bool is_set;      /* false: null, whether by default or because it was empty */
    const char *text; /* as it came, or the default */
    int64_t number;   /* numbers, booleans, bits of a set, xattr_codec */
};
struct webhdfs_params {
    struct param_value of[PARAM_COUNT];
};

/* dfs.webhdfs.user.provider.user.pattern, dfs.webhdfs.acl.provider.permission.pattern; NULL: Hadoop's default. */
struct webhdfs_patterns {
    struct pattern *user, *acl;
};

/* ERR_ILLEGAL_ARGUMENT: 'Invalid value for webhdfs parameter "offset": ...'. */
int webhdfs_params_parse(const struct webhdfs_url *u, enum webhdfs_verb verb, const struct webhdfs_patterns *patterns,
                         struct webhdfs_params *ret, struct err *reterr) MUST_CHECK;
const char *webhdfs_param_name(enum webhdfs_param p);

#endif
