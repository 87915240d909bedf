/* Between client/lib/posix*.c: the calls, and what they answer. */
#ifndef CAIRN_CLIENT_LIB_POSIX_INTERNAL_H
#define CAIRN_CLIENT_LIB_POSIX_INTERNAL_H

#include <protobuf-c/protobuf-c.h>

#include "cairn/posix.pb-c.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/posix.h"

#define POSIX_PROTOCOL "org.cairn.PosixProtocol"

/* As dfs_call, of PosixProtocol. The connection is made with the first call. */
int posix_call(struct dfs *fs, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
               struct err *reterr) MUST_CHECK;
/* NULL: a call that was not made before. */
int posix_call_as(struct dfs *fs, const struct rpc_call_id *id, const char *method, const ProtobufCMessage *request,
                  const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                  struct err *reterr) MUST_CHECK;
/* Borrows; handles NULL: NULL. */
Cairn__HandlesProto *posix_handles_proto(const struct posix_handles *handles, struct arena *a);
/* setAttr's request, which borrows from set. */
void posix_set_proto(uint64_t id, const struct posix_set *set, Cairn__SetAttrRequestProto *ret);
/* Borrows strings of the answer. from NULL: all zero. */
void posix_attr_of(const Cairn__AttrProto *from, struct arena *a, struct posix_attr *ret);
void posix_attr_in(const Cairn__AttrProto *from, const Cairn__AttrProto *directory, struct arena *a,
                   struct posix_attr *ret);

#endif
