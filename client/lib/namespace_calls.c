/* ClientProtocol: looking at files and directories, and changing names and attributes. */
#include <string.h>

#include "client/lib/dfs_attributes.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/dfs_path.h"
#include "client/lib/viewfs.h"
#include "hdfs/client_namenode.pb-c.h"
#include "proto/message.h"

#define SMALL_ANSWER_BYTES (1u << 20)
#define VIEW_LINK_SHIFT    55

/* ---- looking ---- */

/* Folders of a view that are made up have their answers there; of the others, the link's number goes into the files'
 * numbers, which two namenodes give out alike. false: ask the namenode. */
static bool is_made_up(struct dfs *fs, const char *path, struct arena *a, unsigned *ret_link)
{
    struct view_target target;
    *ret_link = 0;
    if (!fs->view || viewfs_resolve(fs->view, path, a, &target, NULL) < 0)
        return false;
    *ret_link = target.link;
    return !target.fs;
}

static void file_id_mark(struct dfs_status *s, unsigned link)
{
    s->file_id ^= (uint64_t)link << VIEW_LINK_SHIFT;
}

int dfs_stat(struct dfs *fs, const char *path, struct arena *a, struct dfs_status *ret, struct err *reterr)
{
    Hdfs__GetFileInfoRequestProto request = HDFS__GET_FILE_INFO_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    ProtobufCMessage *answer;
    unsigned link;
    if (is_made_up(fs, path, a, &link)) {
        viewfs_stat(fs->view, path, a, ret);
        return 0;
    }
    int rc = dfs_path_call(fs, "getFileInfo", &request.base, &request.src,
                           &hdfs__get_file_info_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__HdfsFileStatusProto *status = ((Hdfs__GetFileInfoResponseProto *)answer)->fs;
    if (!status)
        return err_set(reterr, ERR_NOT_FOUND, "File does not exist: %s", path);
    rc = convert_status(status, a, ret, reterr);
    if (rc == 0)
        file_id_mark(ret, link);
    return rc;
}

int dfs_lstat(struct dfs *fs, const char *path, struct arena *a, struct dfs_status *ret, struct err *reterr)
{
    Hdfs__GetFileLinkInfoRequestProto request = HDFS__GET_FILE_LINK_INFO_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    ProtobufCMessage *answer;
    unsigned link;
    if (is_made_up(fs, path, a, &link)) {
        viewfs_stat(fs->view, path, a, ret);
        return 0;
    }
    int rc = dfs_path_call(fs, "getFileLinkInfo", &request.base, &request.src,
                           &hdfs__get_file_link_info_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__HdfsFileStatusProto *status = ((Hdfs__GetFileLinkInfoResponseProto *)answer)->fs;
    if (!status)
        return err_set(reterr, ERR_NOT_FOUND, "File does not exist: %s", path);
    rc = convert_status(status, a, ret, reterr);
    if (rc == 0)
        file_id_mark(ret, link);
    return rc;
}

/* Callers make local files with these names. */
static bool is_name(const char *text)
{
    return !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

int dfs_list(struct dfs *fs, const char *path, const char *start_after, bool need_locations, struct arena *a,
             struct dfs_listing *ret, struct err *reterr)
{
    unsigned link;
    if (is_made_up(fs, path, a, &link))
        return viewfs_list(fs->view, path, a, ret, reterr); /* in one page */
    Hdfs__GetListingRequestProto request = HDFS__GET_LISTING_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.startafter.data = (uint8_t *)(start_after ? start_after : "");
    request.startafter.len = strlen((char *)request.startafter.data);
    request.needlocation = need_locations;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getListing", &request.base, &request.src, &hdfs__get_listing_response_proto__descriptor,
                           a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__DirectoryListingProto *list = ((Hdfs__GetListingResponseProto *)answer)->dirlist;
    if (!list)
        return err_set(reterr, ERR_NOT_FOUND, "File %s does not exist.", path);
    struct dfs_listing out = {arena_array(a, struct dfs_status, list->n_partiallisting), list->n_partiallisting,
                              list->remainingentries};
    if (!out.count && out.remaining)
        return err_set(reterr, ERR_PROTOCOL, "%s: an empty page of a listing with %u entries to come", path,
                       out.remaining);
    for (size_t i = 0; i < out.count; i++) {
        rc = convert_status(list->partiallisting[i], a, &out.entries[i], reterr);
        if (rc < 0)
            return rc;
        file_id_mark(&out.entries[i], link);
        if (!is_name(out.entries[i].name))
            return err_set(reterr, ERR_PROTOCOL, "%s: the namenode lists '%s', which is no name of a file", path,
                           out.entries[i].name);
    }
    *ret = out;
    return 0;
}

/* Room for more entries; doubling, so that a directory of a million costs few copies. */
static int listing_grow(struct dfs_listing *l, size_t more, size_t *capacity, struct arena *a, const char *path,
                        struct err *reterr)
{
    if (l->count + more <= *capacity)
        return 0;
    size_t wanted = 2 * (l->count + more);
    struct dfs_status *entries = arena_try_alloc(a, wanted * sizeof *entries);
    if (!entries)
        return err_set(reterr, ERR_TOO_LARGE, "%s: more than %zu entries do not fit the memory meant for them", path,
                       l->count);
    if (l->count)
        memcpy(entries, l->entries, l->count * sizeof *entries);
    l->entries = entries;
    *capacity = wanted;
    return 0;
}

int dfs_list_all(struct dfs *fs, const char *path, struct arena *a, struct dfs_listing *ret, struct err *reterr)
{
    struct dfs_listing all = {0}, page;
    size_t capacity = 0;
    int rc = dfs_list(fs, path, NULL, false, a, &all, reterr);
    if (rc < 0)
        return rc;
    capacity = all.count;
    for (page = all; page.remaining;) {
        rc = dfs_list(fs, path, all.entries[all.count - 1].name, false, a, &page, reterr);
        if (rc == 0)
            rc = listing_grow(&all, page.count, &capacity, a, path, reterr);
        if (rc < 0)
            return rc;
        if (page.count)
            memcpy(all.entries + all.count, page.entries, page.count * sizeof *page.entries);
        all.count += page.count;
    }
    all.remaining = 0;
    *ret = all;
    return 0;
}

int dfs_readlink(struct dfs *fs, const char *path, struct arena *a, const char **ret_target, struct err *reterr)
{
    Hdfs__GetLinkTargetRequestProto request = HDFS__GET_LINK_TARGET_REQUEST_PROTO__INIT;
    request.path = (char *)path;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getLinkTarget", &request.base, &request.path,
                           &hdfs__get_link_target_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const char *target = ((Hdfs__GetLinkTargetResponseProto *)answer)->targetpath;
    if (!target)
        return err_set(reterr, ERR_NOT_FOUND, "File does not exist: %s", path);
    *ret_target = target;
    return 0;
}

int dfs_is_closed(struct dfs *fs, const char *path, bool *ret_closed, struct err *reterr)
{
    Hdfs__IsFileClosedRequestProto request = HDFS__IS_FILE_CLOSED_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "isFileClosed", &request.base, &request.src,
                           &hdfs__is_file_closed_response_proto__descriptor, &a, &answer, reterr);
    if (rc == 0)
        *ret_closed = ((Hdfs__IsFileClosedResponseProto *)answer)->result;
    return rc;
}

int dfs_check_access(struct dfs *fs, const char *path, unsigned rwx, struct err *reterr)
{
    Hdfs__CheckAccessRequestProto request = HDFS__CHECK_ACCESS_REQUEST_PROTO__INIT;
    request.path = (char *)path;
    request.mode = (Hdfs__AclEntryProto__FsActionProto)(rwx & 7);
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    unsigned link;
    if (is_made_up(fs, path, &a, &link))
        return rwx & 2 ? viewfs_read_only("access", path, reterr) : 0;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "checkAccess", &request.base, &request.path,
                         &hdfs__check_access_response_proto__descriptor, &a, &answer, reterr);
}

/* Of a folder that is made up: that of all there is in it. */
static int summary_of_all(struct dfs *fs, const char *path, struct dfs_summary *ret, struct err *reterr)
{
    AUTO_ARENA(a, 64u << 20);
    struct dfs_listing list;
    int rc = viewfs_list(fs->view, path, &a, &list, reterr);
    *ret = (struct dfs_summary){.directory_count = 1, .quota = -1, .space_quota = -1};
    for (size_t i = 0; rc == 0 && i < list.count; i++) {
        struct dfs_summary one;
        rc = dfs_content_summary(fs, dfs_path_join(&a, path, list.entries[i].name), &one, reterr);
        ret->length += rc ? 0 : one.length;
        ret->file_count += rc ? 0 : one.file_count;
        ret->directory_count += rc ? 0 : one.directory_count;
        ret->space_consumed += rc ? 0 : one.space_consumed;
    }
    return rc;
}

int dfs_content_summary(struct dfs *fs, const char *path, struct dfs_summary *ret, struct err *reterr)
{
    Hdfs__GetContentSummaryRequestProto request = HDFS__GET_CONTENT_SUMMARY_REQUEST_PROTO__INIT;
    request.path = (char *)path;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    unsigned link;
    if (is_made_up(fs, path, &a, &link))
        return summary_of_all(fs, path, ret, reterr);
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getContentSummary", &request.base, &request.path,
                           &hdfs__get_content_summary_response_proto__descriptor, &a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__ContentSummaryProto *s = ((Hdfs__GetContentSummaryResponseProto *)answer)->summary;
    *ret = (struct dfs_summary){(int64_t)s->length,         (int64_t)s->filecount,
                                (int64_t)s->directorycount, (int64_t)s->quota,
                                (int64_t)s->spaceconsumed,  (int64_t)s->spacequota,
                                (int64_t)s->snapshotlength, (int64_t)s->snapshotspaceconsumed};
    return 0;
}

/* ---- changing names ---- */

static int mkdirs(struct dfs *fs, const char *path, uint16_t mode, Hdfs__FsPermissionProto *unmasked,
                  bool create_parent, struct err *reterr)
{
    Hdfs__FsPermissionProto permission = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__MkdirsRequestProto request = HDFS__MKDIRS_REQUEST_PROTO__INIT;
    permission.perm = mode;
    request.src = (char *)path;
    request.masked = &permission;
    request.unmasked = unmasked;
    request.createparent = create_parent;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    unsigned link;
    if (is_made_up(fs, path, &a, &link))
        return 0; /* it is there */
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "mkdirs", &request.base, &request.src, &hdfs__mkdirs_response_proto__descriptor, &a,
                           &answer, reterr);
    if (rc == 0 && !((Hdfs__MkdirsResponseProto *)answer)->result)
        return err_set(reterr, ERR_IO, "%s: the namenode did not make the directory", path);
    return rc;
}

int dfs_mkdirs(struct dfs *fs, const char *path, uint16_t mode, bool create_parent, struct err *reterr)
{
    return mkdirs(fs, path, mode, NULL, create_parent, reterr);
}

int dfs_mkdirs_unmasked(struct dfs *fs, const char *path, uint16_t mode, uint16_t unmasked, bool create_parent,
                        struct err *reterr)
{
    Hdfs__FsPermissionProto permission = HDFS__FS_PERMISSION_PROTO__INIT;
    permission.perm = unmasked;
    return mkdirs(fs, path, mode, &permission, create_parent, reterr);
}

int dfs_delete(struct dfs *fs, const char *path, bool recursive, bool *ret_deleted, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__DeleteRequestProto request = HDFS__DELETE_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.recursive = recursive;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "delete", &request.base, &request.src, &hdfs__delete_response_proto__descriptor, &a,
                           &answer, reterr);
    if (rc == 0)
        *ret_deleted = ((Hdfs__DeleteResponseProto *)answer)->result;
    return rc;
}

int dfs_resolve_parent(struct dfs *fs, const char *path, struct arena *a, char **ret, struct err *reterr)
{
    const char *parent = dfs_path_parent(a, path);
    *ret = (char *)path;
    if (!parent)
        return 0;
    Hdfs__GetFileInfoRequestProto request = HDFS__GET_FILE_INFO_REQUEST_PROTO__INIT;
    request.src = (char *)parent;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getFileInfo", &request.base, &request.src,
                           &hdfs__get_file_info_response_proto__descriptor, a, &answer, reterr);
    if (rc == 0 && request.src != parent)
        *ret = (char *)dfs_path_join(a, request.src, dfs_path_name(path));
    return rc;
}

/* Both paths must be of one file system, which *fs becomes. */
static int one_mount(struct dfs **fs, const char *operation, struct arena *a, char **from, char **to,
                     struct err *reterr)
{
    struct dfs *other;
    const char *one = *from, *two = *to;
    struct view_target first = {0}, second = {0};
    struct dfs *view = *fs;
    if (!view->view)
        return 0;
    int rc = dfs_of_path(view, operation, a, &one, fs, reterr);
    if (rc == 0)
        rc = dfs_of_path(view, operation, a, &two, &other, reterr);
    if (rc == 0)
        rc = viewfs_resolve(view->view, *from, a, &first, reterr);
    if (rc == 0)
        rc = viewfs_resolve(view->view, *to, a, &second, reterr);
    if (rc == 0 && first.link != second.link)
        rc = err_set(reterr, ERR_OTHER_DEVICE, "Renames across Mount points not supported"); /* mv(1) copies then */
    *from = (char *)(uintptr_t)one;
    *to = (char *)(uintptr_t)two;
    return rc;
}

/* The exception does not say on which of the two paths the link is. */
static int rename_call(struct dfs *fs, const char *method, const ProtobufCMessage *request, char **from, char **to,
                       const ProtobufCMessageDescriptor *type, struct arena *a, ProtobufCMessage **ret,
                       struct err *reterr)
{
    int rc = one_mount(&fs, "rename", a, from, to, reterr);
    rc = rc < 0 ? rc : dfs_call(fs, method, request, type, a, ret, reterr);
    if (rc != ERR_UNRESOLVED_PATH)
        return rc;
    rc = dfs_resolve_parent(fs, *from, a, from, reterr);
    if (rc == 0)
        rc = dfs_resolve_parent(fs, *to, a, to, reterr);
    return rc < 0 ? rc : dfs_call(fs, method, request, type, a, ret, reterr);
}

int dfs_rename(struct dfs *fs, const char *from, const char *to, bool *ret_done, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__RenameRequestProto request = HDFS__RENAME_REQUEST_PROTO__INIT;
    request.src = (char *)from;
    request.dst = (char *)to;
    ProtobufCMessage *answer;
    int rc = rename_call(fs, "rename", &request.base, &request.src, &request.dst,
                         &hdfs__rename_response_proto__descriptor, &a, &answer, reterr);
    if (rc == 0)
        *ret_done = ((Hdfs__RenameResponseProto *)answer)->result;
    return rc;
}

int dfs_rename2(struct dfs *fs, const char *from, const char *to, bool overwrite, bool to_trash, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__Rename2RequestProto request = HDFS__RENAME2_REQUEST_PROTO__INIT;
    request.src = (char *)from;
    request.dst = (char *)to;
    request.overwritedest = overwrite;
    request.has_movetotrash = to_trash;
    request.movetotrash = to_trash;
    ProtobufCMessage *answer;
    return rename_call(fs, "rename2", &request.base, &request.src, &request.dst,
                       &hdfs__rename2_response_proto__descriptor, &a, &answer, reterr);
}

int dfs_concat(struct dfs *fs, const char *target, const char *const *sources, size_t count, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__ConcatRequestProto request = HDFS__CONCAT_REQUEST_PROTO__INIT;
    request.trg = (char *)target;
    request.srcs = (char **)sources;
    request.n_srcs = count;
    struct dfs *view = fs;
    if (view->view)
        request.srcs = arena_array(&a, char *, count);
    for (size_t i = 0; view->view && i < count; i++) {
        char *into = (char *)(uintptr_t)target;
        request.srcs[i] = (char *)(uintptr_t)sources[i];
        fs = view;
        int rc = one_mount(&fs, "concat", &a, &request.srcs[i], &into, reterr);
        if (rc < 0)
            return rc;
        request.trg = into;
    }
    ProtobufCMessage *answer;
    return dfs_call(fs, "concat", &request.base, &hdfs__concat_response_proto__descriptor, &a, &answer, reterr);
}

int dfs_truncate(struct dfs *fs, const char *path, int64_t length, bool *ret_done, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    if (length < 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: cannot truncate to a negative length", path);
    Hdfs__TruncateRequestProto request = HDFS__TRUNCATE_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.newlength = (uint64_t)length;
    request.clientname = fs->client_name;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "truncate", &request.base, &request.src, &hdfs__truncate_response_proto__descriptor, &a,
                           &answer, reterr);
    if (rc == 0)
        *ret_done = ((Hdfs__TruncateResponseProto *)answer)->result;
    return rc;
}

int dfs_symlink(struct dfs *fs, const char *target, const char *link, bool create_parent, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__FsPermissionProto permission = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__CreateSymlinkRequestProto request = HDFS__CREATE_SYMLINK_REQUEST_PROTO__INIT;
    permission.perm = 0777;
    request.target = (char *)target;
    request.link = (char *)link;
    request.dirperm = &permission;
    request.createparent = create_parent;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "createSymlink", &request.base, &request.link,
                         &hdfs__create_symlink_response_proto__descriptor, &a, &answer, reterr);
}

int dfs_recover_lease(struct dfs *fs, const char *path, bool *ret_closed, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__RecoverLeaseRequestProto request = HDFS__RECOVER_LEASE_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.clientname = fs->client_name;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "recoverLease", &request.base, &request.src,
                           &hdfs__recover_lease_response_proto__descriptor, &a, &answer, reterr);
    if (rc == 0)
        *ret_closed = ((Hdfs__RecoverLeaseResponseProto *)answer)->result;
    return rc;
}

/* ---- changing attributes ---- */

int dfs_set_permission(struct dfs *fs, const char *path, uint16_t mode, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__FsPermissionProto permission = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__SetPermissionRequestProto request = HDFS__SET_PERMISSION_REQUEST_PROTO__INIT;
    permission.perm = mode;
    request.src = (char *)path;
    request.permission = &permission;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "setPermission", &request.base, &request.src,
                         &hdfs__set_permission_response_proto__descriptor, &a, &answer, reterr);
}

int dfs_set_owner(struct dfs *fs, const char *path, const char *owner, const char *group, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__SetOwnerRequestProto request = HDFS__SET_OWNER_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.username = (char *)owner;
    request.groupname = (char *)group;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "setOwner", &request.base, &request.src, &hdfs__set_owner_response_proto__descriptor, &a,
                         &answer, reterr);
}

int dfs_set_times(struct dfs *fs, const char *path, int64_t mtime_ms, int64_t atime_ms, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__SetTimesRequestProto request = HDFS__SET_TIMES_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.mtime = (uint64_t)mtime_ms;
    request.atime = (uint64_t)atime_ms;
    ProtobufCMessage *answer;
    return dfs_path_call(fs, "setTimes", &request.base, &request.src, &hdfs__set_times_response_proto__descriptor, &a,
                         &answer, reterr);
}

int dfs_set_replication(struct dfs *fs, const char *path, uint32_t replication, bool *ret_done, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__SetReplicationRequestProto request = HDFS__SET_REPLICATION_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.replication = replication;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "setReplication", &request.base, &request.src,
                           &hdfs__set_replication_response_proto__descriptor, &a, &answer, reterr);
    if (rc == 0)
        *ret_done = ((Hdfs__SetReplicationResponseProto *)answer)->result;
    return rc;
}
