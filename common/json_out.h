/* JSON text written straight into a buf, without spaces. Commas come by themselves: what is written between a begin and
 * its end are its members. key NULL: an element of an array, or the whole document. */
#ifndef CAIRN_COMMON_JSON_OUT_H
#define CAIRN_COMMON_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

void json_begin(struct buf *b, const char *key, char bracket); /* '{' or '[' */
void json_end(struct buf *b, char bracket);                    /* '}' or ']' */
void json_key(struct buf *b, const char *key);                 /* the value is up to the caller */
void json_int(struct buf *b, const char *key, int64_t value);
void json_double(struct buf *b, const char *key, double value);
void json_bool(struct buf *b, const char *key, bool value);
/* Bytes that are no UTF-8 become U+FFFD. NULL: null. */
void json_text(struct buf *b, const char *key, const char *value);
void json_bytes(struct buf *b, const char *key, const void *bytes, size_t len);
void json_escape(struct buf *b, const char *text); /* a string with its quotes, nothing before it */

#endif
