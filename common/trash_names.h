/* The names of a trash's checkpoints, which say when each was made: yyMMddHHmmss in local time. */
#ifndef CAIRN_COMMON_TRASH_NAMES_H
#define CAIRN_COMMON_TRASH_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define TRASH_CHECKPOINT_BYTES 32

/* `again`: 0, or the how many-eth more of the same second. */
void trash_checkpoint_name(int64_t wall_ms, int again, char ret[TRASH_CHECKPOINT_BYTES]);
/* false: this is no checkpoint's name. Those of old Hadoops have no seconds. */
bool trash_checkpoint_made_ms(const char *name, int64_t *ret_wall_ms);

#endif
