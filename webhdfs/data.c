/* OPEN, CREATE, APPEND, GETFILECHECKSUM: where data moves, on datanodes and on a gateway. It streams through the client
 * library in pieces; nothing holds a whole file. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "webhdfs/call.h"
#include "webhdfs/user_clients.h"

#define FILE_MODE_DEFAULT 0644
#define UPLOAD_TYPE       "application/octet-stream"

static void allow_any_origin(struct webhdfs_call *c, const char *methods)
{
    if (c->w->options.role != WEBHDFS_DATANODE)
        return;
    http_reply_header(c->reply, "Access-Control-Allow-Methods", methods); /* the pages of a namenode read from here */
    http_reply_header(c->reply, "Access-Control-Allow-Origin", "*");
}

/* ---- a gateway's detour ---- */

/* The request's own URL, as the client wrote it, with `data=true` or without `noredirect`. */
static int reply_own_location(struct webhdfs_call *c, bool add_data)
{
    const char *host = http_header(c->http, "Host");
    AUTO(buf_free) struct buf url = {0};
    buf_printf(&url, "http://%s" WEBHDFS_PREFIX "%s?op=%s",
               host && strcspn(host, "/?#@ \"<>") == strlen(host) ? host : "localhost",
               url_encode_path(c->path, &c->arena), c->op);
    for (size_t i = 0; i < c->url.parameter_count; i++) {
        const struct url_parameter *p = &c->url.parameters[i];
        if (strcmp(p->name, "op") != 0 && strcmp(p->name, "noredirect") != 0 && strcmp(p->name, "data") != 0)
            buf_printf(&url, "&%s=%s", url_encode_value(p->name, &c->arena), url_encode_value(p->value, &c->arena));
    }
    if (add_data)
        buf_append_str(&url, "&data=true");
    return webhdfs_reply_location(c, buf_cstr(&url));
}

/* 1: the gateway has answered by sending the client on to the gateway's second step; 0: this is the second step. */
static int gateway_first_step(struct webhdfs_call *c)
{
    if (c->w->options.role != WEBHDFS_GATEWAY)
        return 0;
    const char *data = webhdfs_url_get(&c->url, "data"), *type = http_header(c->http, "Content-Type");
    if (!data || strcasecmp(data, "true") != 0) {
        int rc = reply_own_location(c, true);
        return rc < 0 ? rc : 1;
    }
    if (type && strncasecmp(type, UPLOAD_TYPE, strlen(UPLOAD_TYPE)) == 0)
        return 0;
    return err_set(&c->err, ERR_ILLEGAL_ARGUMENT,
                   "Data upload requests must have content-type set to '" UPLOAD_TYPE "'");
}

/* ---- OPEN ---- */

struct download {
    enum webhdfs_role role;
    struct dfs *fs;
    char *path;
    int64_t offset, length; /* length -1: to the end */
    struct file_reader *reader;
    int64_t left;
};

static int download_read(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct download *d = context;
    if ((int64_t)len > d->left)
        len = (size_t)d->left;
    *ret_read = 0;
    if (len == 0)
        return 0;
    int rc = file_reader_read(d->reader, bytes, len, ret_read, reterr);
    if (rc == 0)
        d->left -= (int64_t)*ret_read;
    else
        log_debug("webhdfs", "event=read-failed err='%s'", reterr->text);
    return rc;
}

static void download_close(void *context)
{
    struct download *d = context;
    file_reader_close(d->reader);
    dfs_unref(d->fs);
    free(d->path);
    free(d);
}

static int download_open(struct download *d, bool at_once, struct err *reterr)
{
    int rc = at_once ? file_reader_open_at_once(d->fs, d->path, &d->reader, reterr)
                     : file_reader_open(d->fs, d->path, &d->reader, reterr);
    if (rc < 0)
        return rc;
    int64_t bytes = file_reader_length(d->reader);
    rc = webhdfs_check_offset(d->path, d->offset, (uint64_t)bytes, reterr);
    if (rc == 0 && d->offset > bytes)
        rc = err_remote(reterr, "java.io.EOFException", "Cannot seek after EOF");
    rc = rc < 0 ? rc : file_reader_seek(d->reader, d->offset, reterr);
    d->left = bytes - d->offset;
    if (d->length >= 0 && d->length < d->left)
        d->left = d->length;
    return rc;
}

static void download_serve(struct download *d, struct http_reply *reply)
{
    reply->source = (struct http_source){download_read, download_close, d, d->left};
    reply->content_type = "application/octet-stream";
}

static void download_later(void *context, struct http_reply *reply)
{
    struct download *d = context;
    struct err why;
    if (download_open(d, false, &why) == 0) {
        download_serve(d, reply);
        return;
    }
    webhdfs_reply_error(d->role, &why, reply);
    download_close(d);
}

int webhdfs_open(struct webhdfs_call *c)
{
    if (c->w->options.role == WEBHDFS_NAMENODE)
        return webhdfs_redirect(c);
    if (c->w->options.role == WEBHDFS_GATEWAY && param(c, PARAM_NOREDIRECT)->number)
        return reply_own_location(c, false);
    const struct param_value *length = param(c, PARAM_LENGTH);
    struct download *d = mem_new(struct download);
    *d = (struct download){.role = c->w->options.role,
                           .path = mem_strdup(c->path),
                           .offset = param(c, PARAM_OFFSET)->number,
                           .length = length->is_set ? length->number : -1};
    int rc = user_clients_get(c->w->clients, c->user, &d->fs, &c->err);
    rc = rc < 0 ? rc : download_open(d, true, &c->err);
    bool is_later = rc == ERR_ALREADY_BEING_CREATED; /* a datanode that hangs keeps no thread from other requests */
    if (rc < 0 && !is_later) {
        download_close(d);
        return rc;
    }
    allow_any_origin(c, "GET");
    if (is_later)
        c->reply->later = (struct http_later){download_later, d};
    else
        download_serve(d, c->reply);
    return 0;
}

/* ---- CREATE and APPEND ---- */

struct uploading {
    enum webhdfs_role role;
    struct dfs *fs;
    struct file_writer *writer;
    char *path;
    bool is_new; /* created here */
    uint64_t file_id;
    int status;
    struct buf headers; /* of the answer */
};

static void uploading_free(struct uploading *u)
{
    dfs_unref(u->fs);
    buf_free(&u->headers);
    free(u->path);
    free(u);
}

/* A new file that is not whole must not look whole: it goes. What was appended stays, as far as it came. */
static void uploading_abandon(struct uploading *u)
{
    struct err why;
    bool deleted;
    if (!u->is_new) {
        if (u->writer && file_writer_close(u->writer, &why) < 0)
            log_warn("webhdfs", "path='%s' event=append-cut-short err='%s'", u->path, why.text);
        return;
    }
    struct arena a;
    struct dfs_status status;
    if (u->writer)
        file_writer_abort(u->writer);
    arena_init(&a, 1 << 20);
    int rc = dfs_lstat(u->fs, u->path, &a, &status, &why);
    if (rc == 0 && status.file_id == u->file_id)
        rc = dfs_delete(u->fs, u->path, false, &deleted, &why);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        log_warn("webhdfs", "path='%s' event=unfinished-file-left err='%s'", u->path, why.text);
    arena_free(&a);
}

static int uploading_write(void *context, const void *bytes, size_t len, struct err *reterr)
{
    struct uploading *u = context;
    return file_writer_write(u->writer, bytes, len, reterr);
}

static void uploading_finish(void *context, const struct err *failed, struct http_reply *reply)
{
    struct uploading *u = context;
    struct err why;
    int rc = failed ? failed->code : file_writer_close(u->writer, &why);
    if (!failed)
        u->writer = NULL;
    if (rc < 0) {
        uploading_abandon(u);
        webhdfs_reply_error(u->role, failed ? failed : &why, reply);
    } else {
        reply->status = u->status;
        reply->content_type = u->role == WEBHDFS_GATEWAY ? UPLOAD_TYPE : "";
        buf_append(&reply->headers, u->headers.base, u->headers.len);
    }
    uploading_free(u);
}

static void uploading_abort(void *context)
{
    uploading_abandon(context);
    uploading_free(context);
}

/* The upload takes over the answer's headers so far. */
static int upload_begin(struct webhdfs_call *c, struct uploading *u)
{
    u->role = c->w->options.role;
    u->path = mem_strdup(c->path);
    u->file_id = file_writer_file_id(u->writer);
    u->headers = c->reply->headers;
    c->reply->headers = (struct buf){0};
    c->reply->upload = (struct http_upload){uploading_write, uploading_finish, uploading_abort, u};
    return 0;
}

static void create_options(const struct webhdfs_call *c, struct file_create *ret)
{
    const struct param_value *mode = param(c, PARAM_PERMISSION), *replication = param(c, PARAM_REPLICATION),
                             *block = param(c, PARAM_BLOCKSIZE), *unmasked = param(c, PARAM_UNMASKED);
    *ret = (struct file_create){
        .mode = mode->is_set ? (uint16_t)mode->number : FILE_MODE_DEFAULT,
        .unmasked = unmasked->is_set ? (uint16_t)unmasked->number : 0,
        .overwrite = param(c, PARAM_OVERWRITE)->number,
        .flags = (uint32_t)param(c, PARAM_CREATEFLAG)->number,
        .create_parent = param(c, PARAM_CREATEPARENT)->number,
        .replication = replication->is_set ? (uint32_t)replication->number : 0,
        .block_bytes = block->is_set ? block->number : 0,
    };
}

int webhdfs_create(struct webhdfs_call *c)
{
    if (c->w->options.role == WEBHDFS_NAMENODE)
        return webhdfs_redirect(c);
    int rc = gateway_first_step(c);
    if (rc)
        return rc < 0 ? rc : 0;
    struct uploading *u = mem_new(struct uploading);
    struct file_create how;
    create_options(c, &how);
    u->is_new = true;
    u->status = 201;
    rc = user_clients_get(c->w->clients, c->user, &u->fs, &c->err);
    rc = rc < 0 ? rc : file_writer_create(u->fs, c->path, &how, &u->writer, &c->err);
    if (rc < 0) {
        uploading_free(u);
        return rc;
    }
    const char *location = arena_printf(&c->arena, "%s%s", dfs_uri(u->fs), url_encode_path(c->path, &c->arena));
    http_reply_header(c->reply, "Location", location);
    if (c->w->options.role == WEBHDFS_DATANODE)
        http_reply_header(c->reply, "Access-Control-Allow-Origin", "*");
    return upload_begin(c, u);
}

int webhdfs_append(struct webhdfs_call *c)
{
    if (c->w->options.role == WEBHDFS_NAMENODE)
        return webhdfs_redirect(c);
    int rc = gateway_first_step(c);
    if (rc)
        return rc < 0 ? rc : 0;
    struct uploading *u = mem_new(struct uploading);
    u->status = 200;
    rc = user_clients_get(c->w->clients, c->user, &u->fs, &c->err);
    rc = rc < 0 ? rc : file_writer_append(u->fs, c->path, false, &u->writer, &c->err);
    if (rc < 0) {
        uploading_free(u);
        return rc;
    }
    return upload_begin(c, u);
}

/* ---- GETFILECHECKSUM ---- */

struct summing {
    enum webhdfs_role role;
    struct dfs *fs;
    char *path;
};

static void summing_run(void *context, struct http_reply *reply)
{
    struct summing *s = context;
    struct arena a;
    struct err why;
    const char *algorithm, *hex;
    arena_init(&a, WEBHDFS_CALL_MAX_BYTES);
    if (dfs_checksum(s->fs, s->path, &a, &algorithm, &hex, &why) < 0) {
        webhdfs_reply_error(s->role, &why, reply);
    } else {
        struct buf *b = &reply->body;
        reply->content_type = "application/json";
        json_begin(b, NULL, '{');
        json_begin(b, "FileChecksum", '{');
        json_text(b, "algorithm", algorithm);
        json_text(b, "bytes", arena_printf(&a, "%s00000000", hex)); /* Hadoop sends its whole buffer */
        json_int(b, "length", (int64_t)strlen(hex) / 2);
        json_end(b, '}');
        json_end(b, '}');
    }
    arena_free(&a);
    dfs_unref(s->fs);
    free(s->path);
    free(s);
}

/* Every block's datanode is asked, and one that hangs is waited for: that keeps no thread from other requests. */
int webhdfs_file_checksum(struct webhdfs_call *c)
{
    if (c->w->options.role == WEBHDFS_NAMENODE)
        return webhdfs_redirect(c);
    if (c->w->options.role == WEBHDFS_GATEWAY && param(c, PARAM_NOREDIRECT)->number)
        return reply_own_location(c, false);
    struct dfs *fs;
    int rc = user_clients_get(c->w->clients, c->user, &fs, &c->err);
    if (rc < 0)
        return rc;
    struct summing *s = mem_new(struct summing);
    *s = (struct summing){c->w->options.role, fs, mem_strdup(c->path)};
    c->reply->later = (struct http_later){summing_run, s};
    return 0;
}
