/* protobuf-c on our arenas. */
#ifndef CAIRN_PROTO_MESSAGE_H
#define CAIRN_PROTO_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

/* An allocator whose memory is the arena's; `free` does nothing. */
ProtobufCAllocator message_allocator(struct arena *a);
/* Decoded message in the arena; ERR_PROTOCOL names the type (malformed, required field missing, or over the
 * bound). */
int message_unpack(const ProtobufCMessageDescriptor *type, struct slice bytes, struct arena *a, ProtobufCMessage **ret,
                   struct err *reterr) MUST_CHECK;
/* Is every text in the encoded message one that a C string can be? Behind a NUL it would end: "/a<NUL>b" would mean
 * "/a". For what strangers send, once it was unpacked. ERR_PROTOCOL names the field. */
int message_check_texts(const ProtobufCMessageDescriptor *type, struct slice bytes, struct err *reterr) MUST_CHECK;
void message_pack(struct buf *to, const ProtobufCMessage *message);           /* appended */
void message_pack_delimited(struct buf *to, const ProtobufCMessage *message); /* varint length first */

#endif
