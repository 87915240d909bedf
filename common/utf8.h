/* Names of files are bytes; who takes them for text has to look first. */
#ifndef CAIRN_COMMON_UTF8_H
#define CAIRN_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at p, or 0 if there is none (overlong forms and surrogates included). left > 0 */
size_t utf8_length(const unsigned char *p, size_t left);
bool utf8_is_text(const char *text);

#endif
