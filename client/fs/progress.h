/* One line on a terminal: "name  45%  120.3 MB/s  ETA 0:12". Shows nothing when stderr is no terminal. Any thread may
 * add; a thread of its own draws. */
#ifndef CAIRN_CLIENT_FS_PROGRESS_H
#define CAIRN_CLIENT_FS_PROGRESS_H

#include <stdint.h>

struct progress;

struct progress *progress_start(void); /* NULL when nobody looks; all functions take NULL */
void progress_expect(struct progress *p, const char *name, int64_t bytes); /* a file begins; bytes -1: unknown */
void progress_add(struct progress *p, int64_t bytes);
void progress_finish(struct progress *p); /* clears the line, frees p */

#endif
