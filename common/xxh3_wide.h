/* XXH3's inner loop on wider registers than every x86-64 has: the library is compiled for the least of them. */
#ifndef CAIRN_COMMON_XXH3_WIDE_H
#define CAIRN_COMMON_XXH3_WIDE_H

#include <stdbool.h>
#include <xxhash.h>

bool xxh3_wide_works(void); /* compiled in, and this processor has them */
/* As XXH3_64bits_update, of which it makes the same state. Only where xxh3_wide_works. */
void xxh3_wide_update(XXH3_state_t *state, const void *bytes, size_t len);

#endif
