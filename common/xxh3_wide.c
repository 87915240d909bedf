#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2")
#define XXH_VECTOR 2 /* XXH_AVX2 */
#define XXH_INLINE_ALL
#include "common/xxh3_wide.h"

bool xxh3_wide_works(void)
{
    return __builtin_cpu_supports("avx2");
}

void xxh3_wide_update(XXH3_state_t *state, const void *bytes, size_t len)
{
    (void)XXH3_64bits_update(state, bytes, len);
}
#else
#include "common/xxh3_wide.h"

bool xxh3_wide_works(void)
{
    return false;
}

void xxh3_wide_update(XXH3_state_t *state, const void *bytes, size_t len)
{
    (void)XXH3_64bits_update(state, bytes, len);
}
#endif
