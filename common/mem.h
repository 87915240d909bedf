/* Allocation that cannot fail quietly: when memory is gone the process says so and aborts; recovery after a crash is
 * what we test anyway. Sizes that come from outside must be checked against a named limit before they get here. */
#ifndef CAIRN_COMMON_MEM_H
#define CAIRN_COMMON_MEM_H

#include <stddef.h>

void *mem_alloc(size_t bytes);  /* never NULL, not zeroed */
void *mem_zalloc(size_t bytes); /* zeroed */
void *mem_calloc(size_t count, size_t bytes);
void *mem_realloc(void *old, size_t bytes);
void *mem_realloc_array(void *old, size_t count, size_t bytes);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_freep(void *pointer_to_pointer); /* frees and sets it to NULL; for AUTO(mem_freep) char *x too */

#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))

#endif
