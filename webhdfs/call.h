/* One WebHDFS request while it is being answered: what the files of this folder share. */
#ifndef CAIRN_WEBHDFS_CALL_H
#define CAIRN_WEBHDFS_CALL_H

#include "hdfs/client_namenode.pb-c.h"
#include "webhdfs/params.h"
#include "webhdfs/webhdfs.h"

#define WEBHDFS_CALL_MAX_BYTES (192u << 20) /* answers of one request; the largest are listings and block lists */

struct user_clients;
struct webhdfs {
    struct webhdfs_options options;
    char *namenode_uri;
    struct user_clients *clients; /* NULL in the namenode */
    struct webhdfs_patterns patterns;
};

struct webhdfs_call {
    struct webhdfs *w;
    struct http_request *http;
    struct http_reply *reply;
    struct arena arena;   /* what the request is made of */
    struct arena answers; /* of the namenode */
    struct webhdfs_url url;
    struct webhdfs_params params;
    enum webhdfs_verb verb;
    const char *op;        /* in capitals */
    const char *path;      /* url.path */
    const char *user;      /* as whom the call is made */
    const char *real_user; /* whom the request named; the same without doas */
    bool has_token;        /* the user is a delegation token's owner */
    struct err err;
};

/* Each fills c->reply, or returns ERR_* with c->err. */
typedef int (*webhdfs_op)(struct webhdfs_call *c);
struct webhdfs_op_row {
    const char *name;
    webhdfs_op run;
};
extern const struct webhdfs_op_row webhdfs_get_ops[], webhdfs_put_ops[], webhdfs_post_ops[], webhdfs_delete_ops[];

/* data.c, listing.c, redirect.c, ops_*.c */
int webhdfs_list_status(struct webhdfs_call *c);
int webhdfs_open(struct webhdfs_call *c);
int webhdfs_file_checksum(struct webhdfs_call *c);
int webhdfs_create(struct webhdfs_call *c);
int webhdfs_append(struct webhdfs_call *c);
int webhdfs_redirect(struct webhdfs_call *c);
int webhdfs_get_acl(struct webhdfs_call *c);
int webhdfs_set_acl(struct webhdfs_call *c);
int webhdfs_modify_acl_entries(struct webhdfs_call *c);
int webhdfs_remove_acl_entries(struct webhdfs_call *c);
int webhdfs_remove_default_acl(struct webhdfs_call *c);
int webhdfs_remove_acl(struct webhdfs_call *c);
int webhdfs_get_xattrs(struct webhdfs_call *c);
int webhdfs_list_xattrs(struct webhdfs_call *c);
int webhdfs_set_xattr(struct webhdfs_call *c);
int webhdfs_remove_xattr(struct webhdfs_call *c);
int webhdfs_get_token(struct webhdfs_call *c);
int webhdfs_renew_token(struct webhdfs_call *c);
int webhdfs_cancel_token(struct webhdfs_call *c);
int webhdfs_get_all_storage_policy(struct webhdfs_call *c);
int webhdfs_get_storage_policy(struct webhdfs_call *c);
int webhdfs_set_storage_policy(struct webhdfs_call *c);
int webhdfs_unset_storage_policy(struct webhdfs_call *c);
int webhdfs_satisfy_storage_policy(struct webhdfs_call *c);
int webhdfs_get_ec_policy(struct webhdfs_call *c);
int webhdfs_get_ec_policies(struct webhdfs_call *c);
int webhdfs_get_ec_codecs(struct webhdfs_call *c);
int webhdfs_enable_ec_policy(struct webhdfs_call *c);
int webhdfs_disable_ec_policy(struct webhdfs_call *c);
int webhdfs_set_ec_policy(struct webhdfs_call *c);
int webhdfs_unset_ec_policy(struct webhdfs_call *c);
int webhdfs_set_quota(struct webhdfs_call *c);
int webhdfs_set_quota_by_type(struct webhdfs_call *c);
int webhdfs_allow_snapshot(struct webhdfs_call *c);
int webhdfs_disallow_snapshot(struct webhdfs_call *c);
int webhdfs_create_snapshot(struct webhdfs_call *c);
int webhdfs_rename_snapshot(struct webhdfs_call *c);
int webhdfs_delete_snapshot(struct webhdfs_call *c);
int webhdfs_get_snapshot_diff(struct webhdfs_call *c);
int webhdfs_get_snapshot_diff_listing(struct webhdfs_call *c);
int webhdfs_get_snapshottable_list(struct webhdfs_call *c);
int webhdfs_get_snapshot_list(struct webhdfs_call *c);
int webhdfs_get_trash_root(struct webhdfs_call *c);
int webhdfs_get_trash_roots(struct webhdfs_call *c);

/* ---- for the operations ---- */

const struct param_value *param(const struct webhdfs_call *c, enum webhdfs_param p);
const char *param_text(const struct webhdfs_call *c, enum webhdfs_param p); /* NULL: not given */
int param_required(struct webhdfs_call *c, enum webhdfs_param p) MUST_CHECK;
uint32_t param_dir_mode(const struct webhdfs_call *c); /* 0755 unless given */

/* Content-Type of JSON set; the body to write into. */
struct buf *reply_json(struct webhdfs_call *c);
int reply_empty(struct webhdfs_call *c); /* 0: 200 without a body */
int reply_bool(struct webhdfs_call *c, bool value);
int reply_path(struct webhdfs_call *c, const char *path);

const char *webhdfs_home_of(struct webhdfs_call *c, const char *user);
/* A page of what is in c->path. */
int webhdfs_list_page(struct webhdfs_call *c, ProtobufCBinaryData start_after,
                      Hdfs__DirectoryListingProto **ret) MUST_CHECK;
int webhdfs_reply_location(struct webhdfs_call *c, const char *url); /* 307, or 200 with noredirect=true */
int webhdfs_check_offset(const char *path, int64_t offset, uint64_t file_length, struct err *reterr) MUST_CHECK;
void webhdfs_reply_error(enum webhdfs_role role, const struct err *why, struct http_reply *reply);

int webhdfs_ask_as(struct webhdfs_call *c, const char *user, const char *method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret) MUST_CHECK;
int webhdfs_ask(struct webhdfs_call *c, const char *method, const ProtobufCMessage *request,
                const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret) MUST_CHECK;

/* A request's message of ClientProtocol, and the call: ASK(c, "getFileInfo", GetFileInfo, get_file_info, &q, &a). */
#define REQUEST(Type, prefix, q)                                                                                       \
    Hdfs__##Type##RequestProto q;                                                                                      \
    hdfs__##prefix##_request_proto__init(&(q))
#define ASK(c, wire_name, Type, prefix, q, ret)                                                                        \
    ({                                                                                                                 \
        ProtobufCMessage *answer_ = NULL;                                                                              \
        int rc_ = webhdfs_ask((c), wire_name, &(q)->base, &hdfs__##prefix##_response_proto__descriptor, &answer_);     \
        Hdfs__##Type##ResponseProto **ret_ = (ret);                                                                    \
        *ret_ = (Hdfs__##Type##ResponseProto *)answer_;                                                                \
        rc_;                                                                                                           \
    })
/* A call whose answer says nothing but that it was done. */
#define DO(c, wire_name, prefix, q)                                                                                    \
    ({                                                                                                                 \
        ProtobufCMessage *answer_ = NULL;                                                                              \
        webhdfs_ask((c), wire_name, &(q)->base, &hdfs__##prefix##_response_proto__descriptor, &answer_);               \
    })

#endif
