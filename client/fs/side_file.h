/* `.name.crc` beside a local file, as Hadoop's checksummed local file system writes it: "crc\0", the chunk size, then
 * one big-endian CRC-32 per 512 bytes. One thread. */
#ifndef CAIRN_CLIENT_FS_SIDE_FILE_H
#define CAIRN_CLIENT_FS_SIDE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct side_file;

char *side_file_path(const char *path); /* "/a/.b.crc" of "/a/b"; you free it */
int side_file_open(const char *path, struct side_file **ret, struct err *reterr) MUST_CHECK;
int side_file_add(struct side_file *s, const void *bytes, size_t len, struct err *reterr) MUST_CHECK;
int side_file_close(struct side_file *s, struct err *reterr) MUST_CHECK; /* frees s in any case */
void side_file_discard(struct side_file *s);                             /* what it is for failed; frees s */

#endif
