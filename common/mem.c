#include "common/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *mem_check(void *p, size_t bytes)
{
    if (!p && bytes) {
        fprintf(stderr, "cairn: out of memory (%zu bytes)\n", bytes);
        abort();
    }
    return p;
}

void *mem_alloc(size_t bytes)
{
    return mem_check(malloc(bytes ? bytes : 1), bytes);
}

void *mem_zalloc(size_t bytes)
{
    return mem_check(calloc(1, bytes ? bytes : 1), bytes);
}

void *mem_calloc(size_t count, size_t bytes)
{
    return mem_check(calloc(count ? count : 1, bytes ? bytes : 1), count);
}

void *mem_realloc(void *old, size_t bytes)
{
    return mem_check(realloc(old, bytes ? bytes : 1), bytes);
}

void *mem_realloc_array(void *old, size_t count, size_t bytes)
{
    return mem_check(reallocarray(old, count ? count : 1, bytes ? bytes : 1), count);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return mem_check(n < 0 ? NULL : text, 1);
}

void mem_freep(void *pointer_to_pointer)
{
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof memory); /* whatever type it points to */
    free(memory);
    memory = NULL;
    memcpy(pointer_to_pointer, &memory, sizeof memory);
}
