/* A request from its URL to its answer: who asks, what, with which parameters; and how failures look. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "webhdfs/call.h"
#include "webhdfs/origin.h"
#include "webhdfs/token_text.h"
#include "webhdfs/user_clients.h"

#define REQUEST_MAX_BYTES (4u << 20) /* of what is made of one URL */
#define USER_NAME_MAX     256

/* ---- failures ---- */

static bool is_class(const char *java_class, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(java_class, *list) == 0)
            return true;
    return false;
}

/* By what Hadoop's classes derive from; nearly all are IOExceptions. */
static int status_of(const char *java_class, enum webhdfs_role role)
{
    static const char *const arguments[] = {
        "java.lang.IllegalArgumentException", "org.apache.hadoop.HadoopIllegalArgumentException",
        ERR_FS "InvalidPathException",        "java.lang.UnsupportedOperationException",
        "java.lang.NumberFormatException",    NULL};
    static const char *const bugs[] = {"java.lang.IllegalStateException", "java.lang.NullPointerException",
                                       "java.lang.RuntimeException", NULL};
    bool gateway = role == WEBHDFS_GATEWAY;
    if (strcmp(java_class, "java.io.FileNotFoundException") == 0)
        return 404;
    if (strcmp(java_class, "java.lang.SecurityException") == 0)
        return gateway ? 401 : 403;
    if (strcmp(java_class, "org.apache.hadoop.security.authorize.AuthorizationException") == 0)
        return 403;
    if (is_class(java_class, arguments))
        return 400;
    return is_class(java_class, bugs) || gateway ? 500 : 403;
}

void webhdfs_reply_error(enum webhdfs_role role, const struct err *why, struct http_reply *reply)
{
    const char *java_class = err_java_class(why), *dot = strrchr(java_class, '.'), *simple = dot ? dot + 1 : java_class;
    const char *dollar = strrchr(simple, '$');
    struct buf *b = &reply->body;
    buf_clear(b);
    buf_clear(&reply->headers);
    reply->status = status_of(java_class, role);
    reply->content_type = "application/json";
    json_begin(b, NULL, '{');
    json_begin(b, "RemoteException", '{');
    json_text(b, "exception", dollar ? dollar + 1 : simple);
    json_text(b, "javaClassName", java_class);
    json_text(b, "message", why->text[0] ? why->text : NULL);
    json_end(b, '}');
    json_end(b, '}');
}

/* ---- for the operations ---- */

const struct param_value *param(const struct webhdfs_call *c, enum webhdfs_param p)
{
    return &c->params.of[p];
}

const char *param_text(const struct webhdfs_call *c, enum webhdfs_param p)
{
    return c->params.of[p].is_set ? c->params.of[p].text : NULL;
}

int param_required(struct webhdfs_call *c, enum webhdfs_param p)
{
    const struct param_value *v = param(c, p);
    if (v->is_set && *v->text)
        return 0;
    return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "Required param %s for op: %s is null or empty",
                   webhdfs_param_name(p), c->op);
}

uint32_t param_dir_mode(const struct webhdfs_call *c)
{
    const struct param_value *v = param(c, PARAM_PERMISSION);
    return v->is_set ? (uint32_t)v->number : 0755;
}

struct buf *reply_json(struct webhdfs_call *c)
{
    c->reply->content_type = "application/json";
    return &c->reply->body;
}

int reply_empty(struct webhdfs_call *c)
{
    c->reply->content_type = "application/octet-stream";
    return 0;
}

int reply_bool(struct webhdfs_call *c, bool value)
{
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_bool(b, "boolean", value);
    json_end(b, '}');
    return 0;
}

int reply_path(struct webhdfs_call *c, const char *path)
{
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_text(b, "Path", path);
    json_end(b, '}');
    return 0;
}

int webhdfs_ask_as(struct webhdfs_call *c, const char *user, const char *method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret)
{
    const struct webhdfs_caller *caller = &c->w->options.caller;
    if (caller->call)
        return caller->call(caller->context, user, http_client_ip(c->http), method, request, response_type, &c->answers,
                            ret, &c->err);
    return user_clients_call(c->w->clients, user, method, request, response_type, &c->answers, ret, &c->err);
}

int webhdfs_ask(struct webhdfs_call *c, const char *method, const ProtobufCMessage *request,
                const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret)
{
    return webhdfs_ask_as(c, c->user, method, request, response_type, ret);
}

/* ---- who and what ---- */

/* Where tokens are given out, one that is shown says who asks; user.name and doas count for nothing beside it. */
static int identify_by_token(struct webhdfs_call *c)
{
    const struct webhdfs_caller *caller = &c->w->options.caller;
    const char *text = webhdfs_url_get(&c->url, "delegation"), *user = NULL;
    Hdfs__TokenProto token;
    if (!text || !*text || !caller->token_user)
        return 0;
    int broken = token_from_url_text(text, &c->arena, &token, &c->err);
    if (broken) { /* which counts for nothing where no token does */
        struct err ignored;
        hdfs__token_proto__init(&token);
        token.kind = token.service = (char *)"";
        return caller->token_user(caller->context, &token, &c->arena, &user, &ignored) ? broken : 0;
    }
    int rc = caller->token_user(caller->context, &token, &c->arena, &user, &c->err);
    if (!rc && user) {
        c->user = c->real_user = user;
        c->has_token = true;
    }
    return rc;
}

/* Hadoop's short name: what stands before "/" or "@". */
static int identify(struct webhdfs_call *c)
{
    const struct webhdfs_options *o = &c->w->options;
    const char *named = webhdfs_url_get(&c->url, "user.name"), *doas = webhdfs_url_get(&c->url, "doas");
    int rc = identify_by_token(c);
    if (rc || c->has_token)
        return rc;
    c->real_user = named && *named ? named : config_str(o->config, "hadoop.http.staticuser.user");
    c->user = doas && *doas ? doas : c->real_user;
    if (strlen(c->user) >= USER_NAME_MAX || strlen(c->real_user) >= USER_NAME_MAX)
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "the user's name is longer than %d bytes", USER_NAME_MAX - 1);
    /* A datanode passes the user on; whether he may act for another was asked where the redirect was made. */
    if (o->role == WEBHDFS_DATANODE || strcmp(c->user, c->real_user) == 0)
        return 0;
    return proxy_users_check(o->proxy_users, c->real_user, c->user, http_client_ip(c->http), &c->err);
}

static int unknown_op(struct webhdfs_call *c, const char *text)
{
    static const char *const verbs[] = {
        [VERB_GET] = "GET", [VERB_PUT] = "PUT", [VERB_POST] = "POST", [VERB_DELETE] = "DELETE"};
    if (!text || !*text || strcasecmp(text, "null") == 0)
        return err_set(&c->err, ERR_UNSUPPORTED, "op=NULL is not supported");
    return err_set(&c->err, ERR_ILLEGAL_ARGUMENT,
                   "Invalid value for webhdfs parameter \"op\": %.200s is not a valid %s operation.", text,
                   verbs[c->verb]);
}

static int find_op(struct webhdfs_call *c, webhdfs_op *ret)
{
    const struct webhdfs_op_row *row = c->verb == VERB_GET    ? webhdfs_get_ops
                                       : c->verb == VERB_PUT  ? webhdfs_put_ops
                                       : c->verb == VERB_POST ? webhdfs_post_ops
                                                              : webhdfs_delete_ops;
    const char *text = webhdfs_url_get(&c->url, "op");
    while (text && row->name && strcasecmp(text, row->name) != 0)
        row++;
    if (!text || !row->name)
        return unknown_op(c, text);
    c->op = row->name;
    *ret = row->run;
    return 0;
}

static bool find_verb(const char *method, enum webhdfs_verb *ret)
{
    static const struct {
        const char *method;
        enum webhdfs_verb verb;
    } verbs[] = {
        {"GET", VERB_GET}, {"HEAD", VERB_GET}, {"PUT", VERB_PUT}, {"POST", VERB_POST}, {"DELETE", VERB_DELETE}};
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
        if (strcmp(method, verbs[i].method) == 0) {
            *ret = verbs[i].verb;
            return true;
        }
    return false;
}

/* A datanode is asked for data only, by whom a namenode has sent on: as in HDFS, its address is there. */
static int check_role(struct webhdfs_call *c, webhdfs_op run)
{
    if (c->w->options.role != WEBHDFS_DATANODE)
        return 0;
    if (run != webhdfs_open && run != webhdfs_create && run != webhdfs_append && run != webhdfs_file_checksum)
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "Invalid operation %s", c->op);
    if (!webhdfs_url_get(&c->url, WEBHDFS_NAMENODE_ADDRESS))
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT,
                       "Invalid value for webhdfs parameter \"" WEBHDFS_NAMENODE_ADDRESS "\": null");
    return 0;
}

static int answer(struct webhdfs_call *c)
{
    webhdfs_op run = NULL; /* found, or there is an error */
    int rc = webhdfs_url_parse(http_raw_uri(c->http), &c->arena, &c->url, &c->err);
    c->path = c->url.path;
    rc = rc < 0 ? rc : identify(c);
    rc = rc < 0 ? rc : find_op(c, &run);
    rc = rc < 0 ? rc : webhdfs_params_parse(&c->url, c->verb, &c->w->patterns, &c->params, &c->err);
    rc = rc < 0 ? rc : check_role(c, run);
    return rc < 0 ? rc : run(c);
}

/* A browser asks before it uploads for a page of elsewhere: to a datanode it may, as the namenode's pages do. */
static void answer_options(struct webhdfs_call *c)
{
    c->reply->content_type = "";
    http_reply_header(c->reply, "Allow", "OPTIONS,GET,HEAD,PUT,POST,DELETE");
    if (c->w->options.role != WEBHDFS_DATANODE)
        return;
    http_reply_header(c->reply, "Access-Control-Allow-Origin", "*");
    http_reply_header(c->reply, "Access-Control-Allow-Headers", "Accept");
    http_reply_header(c->reply, "Access-Control-Allow-Methods", "PUT");
    http_reply_header(c->reply, "Access-Control-Max-Age", "1728000");
}

void webhdfs_handle(struct http_request *request, struct http_reply *reply, void *webhdfs)
{
    struct webhdfs_call *c = mem_new(struct webhdfs_call);
    c->w = webhdfs;
    c->http = request;
    c->reply = reply;
    arena_init(&c->arena, REQUEST_MAX_BYTES);
    arena_init(&c->answers, WEBHDFS_CALL_MAX_BYTES);
    if (!origin_is_trusted(request, c->w->options.config))
        http_fail(reply, 400, "Missing Required Header for CSRF Vulnerability Protection");
    else if (strcmp(http_method(request), "OPTIONS") == 0)
        answer_options(c);
    else if (!find_verb(http_method(request), &c->verb))
        http_fail(reply, 405, "%s is not possible here", http_method(request));
    else if (answer(c) < 0)
        webhdfs_reply_error(c->w->options.role, &c->err, reply);
    arena_free(&c->arena);
    arena_free(&c->answers);
    free(c);
}

/* ---- life ---- */

static int pattern_from_config(const struct config *c, const char *name, struct pattern **ret, struct err *reterr)
{
    const char *text = config_str(c, name);
    int rc = text && *text ? pattern_new(text, ret, reterr) : 0;
    return rc < 0 ? err_prefix(reterr, rc, "%s", name) : 0;
}

int webhdfs_new(const struct webhdfs_options *options, struct webhdfs **ret, struct err *reterr)
{
    struct webhdfs *w = mem_new(struct webhdfs);
    const struct config *c = options->config;
    int rc = pattern_from_config(c, "dfs.webhdfs.user.provider.user.pattern", &w->patterns.user, reterr);
    rc = rc < 0 ? rc : pattern_from_config(c, "dfs.webhdfs.acl.provider.permission.pattern", &w->patterns.acl, reterr);
    if (rc < 0) {
        webhdfs_free(w);
        return rc;
    }
    w->options = *options;
    w->namenode_uri = options->namenode_uri ? mem_strdup(options->namenode_uri) : NULL;
    if (!options->caller.call)
        w->clients = user_clients_new(options->config, w->namenode_uri);
    *ret = w;
    return 0;
}

void webhdfs_free(struct webhdfs *w)
{
    if (!w)
        return;
    user_clients_free(w->clients);
    pattern_free(w->patterns.user);
    pattern_free(w->patterns.acl);
    free(w->namenode_uri);
    free(w);
}
