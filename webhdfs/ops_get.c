/* GET: looking at files and directories. */
#include <string.h>

#include "webhdfs/call.h"
#include "webhdfs/json_shapes.h"

static int not_found(struct webhdfs_call *c)
{
    return err_set(&c->err, ERR_NOT_FOUND, "File does not exist: %s", c->path);
}

static int file_status_reply(struct webhdfs_call *c, const Hdfs__HdfsFileStatusProto *status)
{
    if (!status)
        return not_found(c);
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_file_status(b, "FileStatus", status);
    json_end(b, '}');
    return 0;
}

static int get_file_status(struct webhdfs_call *c)
{
    REQUEST(GetFileInfo, get_file_info, q);
    Hdfs__GetFileInfoResponseProto *a = NULL;
    q.src = (char *)c->path;
    int rc = ASK(c, "getFileInfo", GetFileInfo, get_file_info, &q, &a);
    return rc < 0 ? rc : file_status_reply(c, a->fs);
}

static int get_file_link_status(struct webhdfs_call *c)
{
    REQUEST(GetFileLinkInfo, get_file_link_info, q);
    Hdfs__GetFileLinkInfoResponseProto *a = NULL;
    q.src = (char *)c->path;
    int rc = ASK(c, "getFileLinkInfo", GetFileLinkInfo, get_file_link_info, &q, &a);
    return rc < 0 ? rc : file_status_reply(c, a->fs);
}

static int get_link_target(struct webhdfs_call *c)
{
    REQUEST(GetLinkTarget, get_link_target, q);
    Hdfs__GetLinkTargetResponseProto *a = NULL;
    q.path = (char *)c->path;
    int rc = ASK(c, "getLinkTarget", GetLinkTarget, get_link_target, &q, &a);
    return rc < 0 ? rc : reply_path(c, a->targetpath);
}

/* ---- listings ---- */

int webhdfs_list_page(struct webhdfs_call *c, ProtobufCBinaryData start_after, Hdfs__DirectoryListingProto **ret)
{
    REQUEST(GetListing, get_listing, q);
    Hdfs__GetListingResponseProto *a = NULL;
    q.src = (char *)c->path;
    q.startafter = start_after;
    int rc = ASK(c, "getListing", GetListing, get_listing, &q, &a);
    if (rc < 0)
        return rc;
    if (!a->dirlist)
        return err_set(&c->err, ERR_NOT_FOUND, "File %s does not exist.", c->path);
    *ret = a->dirlist;
    return 0;
}

static int list_status_batch(struct webhdfs_call *c)
{
    const char *after = param_text(c, PARAM_STARTAFTER);
    Hdfs__DirectoryListingProto *page;
    int rc = webhdfs_list_page(c, (ProtobufCBinaryData){after ? strlen(after) : 0, (uint8_t *)after}, &page);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "DirectoryListing", '{');
    json_begin(b, "partialListing", '{');
    json_begin(b, "FileStatuses", '{');
    json_begin(b, "FileStatus", '[');
    for (size_t i = 0; i < page->n_partiallisting; i++)
        json_file_status(b, NULL, page->partiallisting[i]);
    json_end(b, ']');
    json_end(b, '}');
    json_end(b, '}');
    json_int(b, "remainingEntries", page->remainingentries);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

/* ---- sums ---- */

static int get_content_summary(struct webhdfs_call *c)
{
    REQUEST(GetContentSummary, get_content_summary, q);
    Hdfs__GetContentSummaryResponseProto *a = NULL;
    q.path = (char *)c->path;
    int rc = ASK(c, "getContentSummary", GetContentSummary, get_content_summary, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_content_summary(b, "ContentSummary", a->summary);
    json_end(b, '}');
    return 0;
}

static int get_quota_usage(struct webhdfs_call *c)
{
    REQUEST(GetQuotaUsage, get_quota_usage, q);
    Hdfs__GetQuotaUsageResponseProto *a = NULL;
    q.path = (char *)c->path;
    int rc = ASK(c, "getQuotaUsage", GetQuotaUsage, get_quota_usage, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_quota_usage(b, "QuotaUsage", a->usage);
    json_end(b, '}');
    return 0;
}

static int get_status(struct webhdfs_call *c)
{
    Hdfs__GetFsStatusRequestProto q;
    hdfs__get_fs_status_request_proto__init(&q);
    ProtobufCMessage *m = NULL;
    int rc = webhdfs_ask(c, "getFsStats", &q.base, &hdfs__get_fs_stats_response_proto__descriptor, &m);
    if (rc < 0)
        return rc;
    const Hdfs__GetFsStatsResponseProto *a = (const void *)m;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "FsStatus", '{');
    json_int(b, "capacity", (int64_t)a->capacity);
    json_int(b, "remaining", (int64_t)a->remaining);
    json_int(b, "used", (int64_t)a->used);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

static int get_server_defaults(struct webhdfs_call *c)
{
    REQUEST(GetServerDefaults, get_server_defaults, q);
    Hdfs__GetServerDefaultsResponseProto *a = NULL;
    int rc = ASK(c, "getServerDefaults", GetServerDefaults, get_server_defaults, &q, &a);
    if (rc < 0)
        return rc;
    const Hdfs__FsServerDefaultsProto *d = a->serverdefaults;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "FsServerDefaults", '{');
    json_int(b, "blockSize", (int64_t)d->blocksize);
    json_int(b, "bytesPerChecksum", d->bytesperchecksum);
    json_int(b, "checksumType", (int)d->checksumtype);
    json_int(b, "defaultStoragePolicyId", d->policyid);
    json_bool(b, "encryptDataTransfer", d->encryptdatatransfer);
    json_int(b, "fileBufferSize", d->filebuffersize);
    json_text(b, "keyProviderUri", d->keyprovideruri ? d->keyprovideruri : "");
    json_int(b, "replication", d->replication);
    json_int(b, "trashInterval", (int64_t)d->trashinterval);
    json_int(b, "writePacketSize", d->writepacketsize);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

/* ---- blocks ---- */

static int block_locations(struct webhdfs_call *c, Hdfs__GetBlockLocationsResponseProto **ret)
{
    REQUEST(GetBlockLocations, get_block_locations, q);
    const struct param_value *length = param(c, PARAM_LENGTH);
    q.src = (char *)c->path;
    q.offset = (uint64_t)param(c, PARAM_OFFSET)->number;
    q.length = length->is_set ? (uint64_t)length->number : INT64_MAX;
    return ASK(c, "getBlockLocations", GetBlockLocations, get_block_locations, &q, ret);
}

static int get_block_locations(struct webhdfs_call *c)
{
    Hdfs__GetBlockLocationsResponseProto *a = NULL;
    int rc = block_locations(c, &a);
    if (rc < 0)
        return rc;
    if (!a->locations)
        return not_found(c);
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_located_blocks(b, "LocatedBlocks", a->locations);
    json_end(b, '}');
    return 0;
}

static int get_file_block_locations(struct webhdfs_call *c)
{
    Hdfs__GetBlockLocationsResponseProto *a = NULL;
    int rc = block_locations(c, &a);
    if (rc < 0)
        return rc;
    if (!a->locations)
        return not_found(c);
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "BlockLocations", '{');
    json_block_locations(b, "BlockLocation", a->locations);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

/* ---- rights, home ---- */

static int check_access(struct webhdfs_call *c)
{
    REQUEST(CheckAccess, check_access, q);
    int rc = param_required(c, PARAM_FSACTION);
    if (rc < 0)
        return rc;
    const char *rwx = param_text(c, PARAM_FSACTION);
    q.path = (char *)c->path;
    q.mode = (rwx[0] == 'r' ? 4 : 0) | (rwx[1] == 'w' ? 2 : 0) | (rwx[2] == 'x' ? 1 : 0);
    rc = DO(c, "checkAccess", check_access, &q);
    return rc < 0 ? rc : reply_empty(c);
}

static int get_home_directory(struct webhdfs_call *c)
{
    return reply_path(c, webhdfs_home_of(c, c->user));
}

const struct webhdfs_op_row webhdfs_get_ops[] = {
    {"OPEN", webhdfs_open},
    {"GETFILESTATUS", get_file_status},
    {"LISTSTATUS", webhdfs_list_status},
    {"LISTSTATUS_BATCH", list_status_batch},
    {"GETCONTENTSUMMARY", get_content_summary},
    {"GETQUOTAUSAGE", get_quota_usage},
    {"GETFILECHECKSUM", webhdfs_file_checksum},
    {"GETHOMEDIRECTORY", get_home_directory},
    {"GETDELEGATIONTOKEN", webhdfs_get_token},
    {"GET_BLOCK_LOCATIONS", get_block_locations},
    {"GETFILEBLOCKLOCATIONS", get_file_block_locations},
    {"GETACLSTATUS", webhdfs_get_acl},
    {"GETXATTRS", webhdfs_get_xattrs},
    {"LISTXATTRS", webhdfs_list_xattrs},
    {"GETTRASHROOT", webhdfs_get_trash_root},
    {"GETTRASHROOTS", webhdfs_get_trash_roots},
    {"CHECKACCESS", check_access},
    {"GETSERVERDEFAULTS", get_server_defaults},
    {"GETLINKTARGET", get_link_target},
    {"GETFILELINKSTATUS", get_file_link_status},
    {"GETSTATUS", get_status},
    {"GETALLSTORAGEPOLICY", webhdfs_get_all_storage_policy},
    {"GETSTORAGEPOLICY", webhdfs_get_storage_policy},
    {"GETECPOLICY", webhdfs_get_ec_policy},
    {"GETECPOLICIES", webhdfs_get_ec_policies},
    {"GETECCODECS", webhdfs_get_ec_codecs},
    {"GETSNAPSHOTDIFF", webhdfs_get_snapshot_diff},
    {"GETSNAPSHOTDIFFLISTING", webhdfs_get_snapshot_diff_listing},
    {"GETSNAPSHOTTABLEDIRECTORYLIST", webhdfs_get_snapshottable_list},
    {"GETSNAPSHOTLIST", webhdfs_get_snapshot_list},
    {NULL, NULL},
};
