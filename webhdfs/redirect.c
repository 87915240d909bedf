/* The namenode's part in moving data: it sends the client on to a datanode, one that holds the data or is near. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "webhdfs/call.h"

/* excludedatanodes: "host", "host:port" or addresses, comma separated. */
static bool is_excluded(const char *list, const Hdfs__DatanodeIDProto *id)
{
    char names[4][320];
    snprintf(names[0], sizeof names[0], "%s", id->hostname);
    snprintf(names[1], sizeof names[1], "%s", id->ipaddr);
    snprintf(names[2], sizeof names[2], "%s:%u", id->hostname, id->xferport);
    snprintf(names[3], sizeof names[3], "%s:%u", id->ipaddr, id->xferport);
    for (const char *at = list; at && *at;) {
        at += strspn(at, ", ");
        size_t len = strcspn(at, ", ");
        for (size_t i = 0; len && i < ARRAY_COUNT(names); i++)
            if (strlen(names[i]) == len && strncmp(names[i], at, len) == 0)
                return true;
        at += len;
    }
    return false;
}

static bool is_usable(const struct webhdfs_call *c, const Hdfs__DatanodeInfoProto *d)
{
    return d->adminstate != HDFS__DATANODE_INFO_PROTO__ADMIN_STATE__DECOMMISSIONED &&
           d->adminstate != HDFS__DATANODE_INFO_PROTO__ADMIN_STATE__IN_MAINTENANCE && d->id->infoport &&
           !is_excluded(param_text(c, PARAM_EXCLUDE), d->id);
}

/* The one on the client's own machine, else any. */
static int choose_any(struct webhdfs_call *c, const Hdfs__DatanodeIDProto **ret)
{
    REQUEST(GetDatanodeReport, get_datanode_report, q);
    ProtobufCMessage *m = NULL;
    q.type = HDFS__DATANODE_REPORT_TYPE_PROTO__LIVE;
    int rc = webhdfs_ask_as(c, c->w->options.process_user, "getDatanodeReport", &q.base,
                            &hdfs__get_datanode_report_response_proto__descriptor, &m);
    if (rc < 0)
        return rc;
    const Hdfs__GetDatanodeReportResponseProto *a = (const void *)m;
    const Hdfs__DatanodeInfoProto **usable = arena_array(&c->answers, const Hdfs__DatanodeInfoProto *, a->n_di + 1);
    size_t count = 0;
    for (size_t i = 0; i < a->n_di; i++) {
        if (!is_usable(c, a->di[i]))
            continue;
        usable[count++] = a->di[i];
        if (strcmp(a->di[i]->id->ipaddr, http_client_ip(c->http)) == 0) {
            *ret = a->di[i]->id;
            return 0;
        }
    }
    unsigned random = 0;
    if (count == 0)
        return err_set(&c->err, ERR_IO, "Failed to find datanode, suggest to check cluster health. excludeDatanodes=%s",
                       param_text(c, PARAM_EXCLUDE) ? param_text(c, PARAM_EXCLUDE) : "null");
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (unsigned)rand();
    *ret = usable[random % count]->id;
    return 0;
}

/* The file's length, after the checks that are made before data is promised. */
static int file_length(struct webhdfs_call *c, uint64_t *ret)
{
    REQUEST(GetFileInfo, get_file_info, q);
    Hdfs__GetFileInfoResponseProto *a = NULL;
    q.src = (char *)c->path;
    int rc = ASK(c, "getFileInfo", GetFileInfo, get_file_info, &q, &a);
    if (rc < 0)
        return rc;
    if (!a->fs)
        return err_set(&c->err, ERR_NOT_FOUND, "File %s not found.", c->path);
    *ret = a->fs->length;
    return 0;
}

int webhdfs_check_offset(const char *path, int64_t offset, uint64_t length, struct err *reterr)
{
    if (offset < 0 || (length > 0 && (uint64_t)offset >= length))
        return err_set(reterr, ERR_IO, "Offset=%lld out of the range [0, %llu); OPEN, path=%s", (long long)offset,
                       (unsigned long long)length, path);
    return 0;
}

static int choose_holder(struct webhdfs_call *c, bool is_open, const Hdfs__DatanodeIDProto **ret)
{
    uint64_t length = 0;
    int rc = file_length(c, &length);
    rc = rc < 0 || !is_open ? rc : webhdfs_check_offset(c->path, param(c, PARAM_OFFSET)->number, length, &c->err);
    if (rc < 0)
        return rc;
    if (length == 0)
        return choose_any(c, ret);
    REQUEST(GetBlockLocations, get_block_locations, q);
    Hdfs__GetBlockLocationsResponseProto *a = NULL;
    q.src = (char *)c->path;
    q.offset = is_open ? (uint64_t)param(c, PARAM_OFFSET)->number : length - 1;
    q.length = 1;
    rc = ASK(c, "getBlockLocations", GetBlockLocations, get_block_locations, &q, &a);
    if (rc < 0)
        return rc;
    if (!a->locations || a->locations->n_blocks == 0)
        return choose_any(c, ret);
    const Hdfs__LocatedBlockProto *block = a->locations->blocks[0];
    for (size_t i = 0; i < block->n_locs; i++)
        if (is_usable(c, block->locs[i])) {
            *ret = block->locs[i]->id;
            return 0;
        }
    return err_set(&c->err, ERR_IO, "No active nodes contain this block");
}

static void append_parameter(struct buf *b, struct webhdfs_call *c, const char *name, const char *value)
{
    if (value)
        buf_printf(b, "&%s=%s", name, url_encode_value(value, &c->arena));
}

/* As Hadoop's redirects check it, before anyone is asked. */
static bool is_valid_path(const char *path)
{
    for (const char *at = path; *at == '/';) {
        const char *part = at + 1;
        size_t len = strcspn(part, "/");
        bool in_reserved = strncmp(path, "/.reserved/.inodes/", 19) == 0;
        if (memchr(part, ':', len) || (len == 1 && *part == '.') ||
            (len == 2 && memcmp(part, "..", 2) == 0 && !in_reserved) || (len == 0 && part[0] == '/'))
            return false;
        at = part + len;
    }
    return true;
}

static void make_location(struct webhdfs_call *c, const Hdfs__DatanodeIDProto *to, struct buf *b)
{
    static const enum webhdfs_param passed_on[] = {
        PARAM_BLOCKSIZE, PARAM_BUFFERSIZE, PARAM_CREATEFLAG, PARAM_CREATEPARENT, PARAM_LENGTH,
        PARAM_OFFSET,    PARAM_OVERWRITE,  PARAM_PERMISSION, PARAM_REPLICATION,  PARAM_UNMASKED};
    const struct webhdfs_caller *caller = &c->w->options.caller;
    const char *special = caller->datanode_host ? caller->datanode_host(caller->context, to->datanodeuuid,
                                                                        http_client_ip(c->http), &c->arena)
                                                : NULL;
    const char *host = special ? special : to->hostname;
    bool has_parameters = strcmp(c->op, "GETFILECHECKSUM") != 0;
    bool is_v6 = strchr(host, ':') != NULL;
    buf_printf(b, "http://%s%s%s:%u" WEBHDFS_PREFIX "%s?op=%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", to->infoport,
               url_encode_path(c->path, &c->arena), c->op);
    if (c->has_token) { /* datanodes do not know tokens */
        append_parameter(b, c, "user.name", c->user);
    } else {
        append_parameter(b, c, "doas", param_text(c, PARAM_DOAS));
        append_parameter(b, c, "user.name", param_text(c, PARAM_USER_NAME));
    }
    append_parameter(b, c, WEBHDFS_NAMENODE_ADDRESS, c->w->namenode_uri + strlen("hdfs://"));
    for (size_t i = 0; i < ARRAY_COUNT(passed_on) && has_parameters; i++)
        if (param(c, passed_on[i])->is_set)
            append_parameter(b, c, webhdfs_param_name(passed_on[i]), param(c, passed_on[i])->text);
}

int webhdfs_reply_location(struct webhdfs_call *c, const char *url)
{
    if (param(c, PARAM_NOREDIRECT)->number) {
        struct buf *b = reply_json(c);
        json_begin(b, NULL, '{');
        json_text(b, "Location", url);
        json_end(b, '}');
        return 0;
    }
    c->reply->status = 307;
    http_reply_header(c->reply, "Location", url);
    return reply_empty(c);
}

int webhdfs_redirect(struct webhdfs_call *c)
{
    const Hdfs__DatanodeIDProto *to = NULL;
    AUTO(buf_free) struct buf url = {0};
    bool is_create = c->verb == VERB_PUT;
    if (!is_valid_path(c->path))
        return err_set(&c->err, ERR_INVALID_PATH, "Invalid path name %s", c->path);
    int rc = is_create ? choose_any(c, &to) : choose_holder(c, strcmp(c->op, "OPEN") == 0, &to);
    if (rc < 0)
        return rc;
    make_location(c, to, &url);
    return webhdfs_reply_location(c, buf_cstr(&url));
}
