/* The few language extensions we use, each with its reason. Knows nothing; everything may include it. */
#ifndef CAIRN_COMMON_COMPILER_H
#define CAIRN_COMMON_COMPILER_H

#include <stddef.h>

/* The result carries an error that must be looked at; write (void) and a reason to ignore it. */
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg)                                                                           \
    __attribute__((format(printf, format_index, first_arg), nonnull(format_index)))
/* Exported from libhdfs.so; everything else is hidden. */
#define PUBLIC_API __attribute__((visibility("default")))

/* AUTO(free_fn) int fd = ...; runs free_fn(&fd) when the variable leaves scope. STEAL(p) moves ownership out. */
#define AUTO(free_fn) __attribute__((cleanup(free_fn)))
#define STEAL(p)                                                                                                       \
    __extension__({                                                                                                    \
        __typeof__(p) stolen_ = (p);                                                                                   \
        (p) = NULL;                                                                                                    \
        stolen_;                                                                                                       \
    })

#define ARRAY_COUNT(a)                  (sizeof(a) / sizeof((a)[0]))
#define BIT(n)                          (1u << (n))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
