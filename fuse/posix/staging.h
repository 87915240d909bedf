/* Local disk for bytes that programs wrote and that are not in the cluster yet: one nameless file for each edited file,
 * sparse, with every byte at its own offset. Nothing is left behind when the process ends, however it ends. */
#ifndef CAIRN_FUSE_POSIX_STAGING_H
#define CAIRN_FUSE_POSIX_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct staging_area; /* any thread */

/* max_bytes: of all files together; beyond it staging_reserve says that something has to be saved. */
int staging_area_open(const char *folder, int64_t max_bytes, struct staging_area **ret, struct err *reterr) MUST_CHECK;
void staging_area_free(struct staging_area *a); /* NULL is fine */

struct staging; /* one thread at a time */

int staging_new(struct staging_area *a, struct staging **ret, struct err *reterr) MUST_CHECK;
void staging_free(struct staging *s); /* NULL is fine */
/* Counts bytes that are about to be written. False: that is more than there should be, save first. */
bool staging_reserve(struct staging *s, int64_t bytes);
int staging_write(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr) MUST_CHECK;
int staging_read(const struct staging *s, void *bytes, size_t len, int64_t offset,
                 struct err *reterr) MUST_CHECK; /* any thread; what was never written is zeros */
void staging_drop(struct staging *s);            /* all bytes, and what was reserved */

#endif
