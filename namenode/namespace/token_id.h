/* What a delegation token says, in Hadoop's bytes (DelegationTokenIdentifier as a Writable). */
#ifndef CAIRN_NAMENODE_NAMESPACE_TOKEN_ID_H
#define CAIRN_NAMENODE_NAMESPACE_TOKEN_ID_H

#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

#define TOKEN_KIND "HDFS_DELEGATION_TOKEN"

struct token_id {
    const char *owner, *renewer, *real_user;
    int64_t issued_ms, max_ms, sequence, key_id; /* wall clock */
};

void token_id_encode(const struct token_id *id, struct buf *to);
/* Texts are in the arena. ERR_IO: another version; ERR_END_OF_FILE. */
int token_id_decode(struct slice bytes, struct arena *a, struct token_id *ret, struct err *reterr) MUST_CHECK;
/* As Hadoop's messages name a token. */
const char *token_id_text(const struct token_id *id, struct arena *a);

#endif
