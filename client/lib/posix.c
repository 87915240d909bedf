#include "client/lib/posix_internal.h"

#include <stdio.h>
#include <string.h>

#include "rpc/rpc_client.h"

#define SMALL_ANSWER_BYTES (64u << 10)

static int call_on(struct dfs *fs, enum posix_connection which, const struct rpc_call_id *id, const char *method,
                   const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type, struct arena *a,
                   ProtobufCMessage **ret, struct err *reterr)
{
    struct rpc_client *client = NULL;
    int rc = dfs_posix_client(fs, POSIX_PROTOCOL, which, &client, reterr);
    return rc < 0 ? rc : rpc_client_call_as(client, id, method, request, response_type, a, ret, reterr);
}

int posix_call(struct dfs *fs, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
               struct err *reterr)
{
    return call_on(fs, POSIX_CALLS, NULL, method, request, response_type, a, ret, reterr);
}

int posix_call_as(struct dfs *fs, const struct rpc_call_id *id, const char *method, const ProtobufCMessage *request,
                  const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                  struct err *reterr)
{
    return call_on(fs, POSIX_CALLS, id, method, request, response_type, a, ret, reterr);
}

void posix_set_patience(struct dfs *fs, int ms)
{
    struct rpc_client *client = NULL;
    if (dfs_posix_client(fs, POSIX_PROTOCOL, POSIX_CALLS, &client, NULL) == 0)
        rpc_client_set_patience(client, ms);
}

void posix_cancel(struct dfs *fs)
{
    for (enum posix_connection which = POSIX_CALLS; which <= POSIX_WAITS; which++) {
        struct rpc_client *client = NULL;
        if (dfs_posix_client(fs, POSIX_PROTOCOL, which, &client, NULL) == 0)
            rpc_client_cancel(client);
    }
}

void posix_attr_of(const Cairn__AttrProto *from, struct arena *a, struct posix_attr *ret)
{
    *ret = (struct posix_attr){0};
    if (!from)
        return;
    *ret = (struct posix_attr){
        .id = from->id,
        .mode = from->mode,
        .nlink = from->nlink,
        .owner = from->owner,
        .group = from->group,
        .size = from->size,
        .allocated = from->allocated,
        .mtime_ns = from->mtime_ns,
        .atime_ns = from->atime_ns,
        .ctime_ns = from->ctime_ns,
        .rdev = from->rdev,
        .block_bytes = from->block_bytes,
        .replication = from->replication,
        .parent = from->parent,
        .has_acl = from->has_acl,
        .has_xattrs = from->has_xattrs,
        .is_being_written = from->is_being_written,
    };
    if (from->has_target)
        ret->target = arena_strndup(a, (const char *)from->target.data, from->target.len);
}

void posix_attr_in(const Cairn__AttrProto *from, const Cairn__AttrProto *directory, struct arena *a,
                   struct posix_attr *ret)
{
    posix_attr_of(from, a, ret);
    if (!directory)
        return;
    struct posix_attr *dir = arena_new(a, struct posix_attr);
    posix_attr_of(directory, a, dir);
    ret->directory = dir;
}

/* ---- sessions ---- */

Cairn__HandlesProto *posix_handles_proto(const struct posix_handles *handles, struct arena *a)
{
    if (!handles)
        return NULL;
    Cairn__HandlesProto *p = arena_new(a, Cairn__HandlesProto);
    cairn__handles_proto__init(p);
    p->has_opened = handles->opened != 0;
    p->opened = handles->opened;
    p->n_closed_id = handles->closed_count;
    p->closed_id = (uint64_t *)(uintptr_t)handles->closed;
    p->has_until = 1;
    p->until = handles->until;
    return p;
}

int posix_open_session(struct dfs *fs, uint64_t session, const char *name, struct posix_session *ret,
                       struct err *reterr)
{
    return posix_open_session_with(fs, session, name, NULL, ret, reterr);
}

int posix_open_session_with(struct dfs *fs, uint64_t session, const char *name, const struct posix_opened *opened,
                            struct posix_session *ret, struct err *reterr)
{
    Cairn__OpenedFilesProto files = CAIRN__OPENED_FILES_PROTO__INIT;
    Cairn__OpenSessionRequestProto request = CAIRN__OPEN_SESSION_REQUEST_PROTO__INIT;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    struct slice own = rpc_client_id(fs->namenode); /* what goes by ClientProtocol is this mount's doing, too */
    ProtobufCBinaryData client = {own.len, (uint8_t *)(uintptr_t)own.base};
    request.has_session = session != 0;
    request.session = session;
    request.client_name = (char *)(uintptr_t)dfs_client_name(fs);
    request.label = (char *)(uintptr_t)name;
    request.n_rpc_client = 1;
    request.rpc_client = &client;
    if (opened) {
        files.until = opened->until;
        files.n_id = opened->count;
        files.id = (uint64_t *)(uintptr_t)opened->ids;
        files.has_all = files.all = opened->all;
        request.opened = &files;
    }
    ProtobufCMessage *answer;
    int rc = posix_call(fs, "openSession", &request.base, &cairn__open_session_response_proto__descriptor, &a, &answer,
                        reterr);
    if (rc < 0)
        return rc;
    const Cairn__OpenSessionResponseProto *r = (const void *)answer;
    *ret = (struct posix_session){r->session, r->cursor, r->expires_ms, ""};
    snprintf(ret->cluster, sizeof ret->cluster, "%s", r->cluster ? r->cluster : "");
    return 0;
}

int posix_close_session(struct dfs *fs, uint64_t session, struct err *reterr)
{
    Cairn__CloseSessionRequestProto request = CAIRN__CLOSE_SESSION_REQUEST_PROTO__INIT;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    ProtobufCMessage *answer;
    request.session = session;
    return posix_call(fs, "closeSession", &request.base, &cairn__close_session_response_proto__descriptor, &a, &answer,
                      reterr);
}

int posix_release(struct dfs *fs, uint64_t session, const uint64_t *ids, size_t count, struct err *reterr)
{
    Cairn__ReleaseRequestProto request = CAIRN__RELEASE_REQUEST_PROTO__INIT;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    ProtobufCMessage *answer;
    request.session = session;
    request.n_id = count;
    request.id = (uint64_t *)(uintptr_t)ids;
    return posix_call(fs, "release", &request.base, &cairn__release_response_proto__descriptor, &a, &answer, reterr);
}

int posix_tell_closed(struct dfs *fs, uint64_t session, const struct posix_handles *handles, struct err *reterr)
{
    Cairn__ReleaseRequestProto request = CAIRN__RELEASE_REQUEST_PROTO__INIT;
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    ProtobufCMessage *answer;
    request.session = session;
    request.handles = posix_handles_proto(handles, &a);
    return posix_call(fs, "release", &request.base, &cairn__release_response_proto__descriptor, &a, &answer, reterr);
}

int posix_await_changes(struct dfs *fs, uint64_t session, uint64_t cursor, uint32_t wait_ms, struct arena *a,
                        struct posix_changes *ret, struct err *reterr)
{
    Cairn__AwaitChangesRequestProto request = CAIRN__AWAIT_CHANGES_REQUEST_PROTO__INIT;
    request.session = session;
    request.cursor = cursor;
    request.has_wait_ms = 1;
    request.wait_ms = wait_ms;
    ProtobufCMessage *answer;
    int rc = call_on(fs, POSIX_WAITS, NULL, "awaitChanges", &request.base,
                     &cairn__await_changes_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Cairn__AwaitChangesResponseProto *r = (const void *)answer;
    *ret = (struct posix_changes){.cursor = r->cursor, .lost = r->lost, .count = r->n_change};
    ret->list = arena_array(a, struct posix_change, r->n_change);
    for (size_t i = 0; i < r->n_change; i++) {
        const Cairn__ChangeProto *c = r->change[i];
        ret->list[i] = (struct posix_change){.id = c->id, .content = c->content};
        if (c->has_name)
            ret->list[i].name = arena_strndup(a, (const char *)c->name.data, c->name.len);
    }
    return 0;
}

/* ---- locks ---- */

static Cairn__LockRequestProto lock_request(uint64_t session, const struct posix_lock *lock)
{
    Cairn__LockRequestProto request = CAIRN__LOCK_REQUEST_PROTO__INIT;
    request.session = session;
    request.id = lock->id;
    request.owner = lock->owner;
    request.has_whole = request.whole = lock->whole;
    request.has_start = request.has_end = !lock->whole;
    request.start = lock->start;
    request.end = lock->end;
    request.type = lock->type;
    request.has_pid = 1;
    request.pid = lock->pid;
    return request;
}

static int lock_call(struct dfs *fs, const Cairn__LockRequestProto *request, bool *ret_granted,
                     struct posix_lock *ret_in_the_way, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    ProtobufCMessage *answer;
    int rc = call_on(fs, request->wait_ms ? POSIX_WAITS : POSIX_CALLS, NULL, "lock", &request->base,
                     &cairn__lock_response_proto__descriptor, &a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Cairn__LockResponseProto *r = (const void *)answer;
    *ret_granted = r->granted;
    if (!r->granted && ret_in_the_way)
        *ret_in_the_way = (struct posix_lock){.id = request->id,
                                              .whole = request->whole,
                                              .start = r->start,
                                              .end = r->end,
                                              .type = (enum posix_lock_type)r->type,
                                              .pid = r->pid};
    return 0;
}

int posix_lock(struct dfs *fs, uint64_t session, const struct posix_lock *lock, uint32_t wait_ms, bool *ret_granted,
               struct posix_lock *ret_in_the_way, struct err *reterr)
{
    Cairn__LockRequestProto request = lock_request(session, lock);
    request.has_wait_ms = 1;
    request.wait_ms = wait_ms;
    return lock_call(fs, &request, ret_granted, ret_in_the_way, reterr);
}

int posix_lock_again(struct dfs *fs, uint64_t session, const struct posix_lock *lock, bool *ret_granted,
                     struct err *reterr)
{
    Cairn__LockRequestProto request = lock_request(session, lock);
    request.has_again = request.again = true;
    return lock_call(fs, &request, ret_granted, NULL, reterr);
}

int posix_test_lock(struct dfs *fs, uint64_t session, const struct posix_lock *lock, bool *ret_granted,
                    struct posix_lock *ret_in_the_way, struct err *reterr)
{
    Cairn__LockRequestProto request = lock_request(session, lock);
    request.has_test = request.test = true;
    return lock_call(fs, &request, ret_granted, ret_in_the_way, reterr);
}
