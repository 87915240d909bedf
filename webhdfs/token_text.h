/* Tokens as they stand in URLs: Hadoop's serialized Token in URL-safe base64. */
#ifndef CAIRN_WEBHDFS_TOKEN_TEXT_H
#define CAIRN_WEBHDFS_TOKEN_TEXT_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "hdfs/common.pb-c.h"

void token_to_url_text(const Hdfs__TokenProto *t, struct buf *to);
/* An EOFException if it is none, as in Hadoop. */
int token_from_url_text(const char *text, struct arena *a, Hdfs__TokenProto *ret, struct err *reterr) MUST_CHECK;

void base64_append(struct buf *to, struct slice bytes, bool url_safe);
/* Both alphabets, with or without padding. */
int base64_decode(const char *text, size_t len, struct buf *to) MUST_CHECK; /* ERR_ILLEGAL_ARGUMENT */

#endif
