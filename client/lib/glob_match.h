/* Hadoop's file patterns on one path component, and the braces that span components. Pure functions. */
#ifndef CAIRN_CLIENT_LIB_GLOB_MATCH_H
#define CAIRN_CLIENT_LIB_GLOB_MATCH_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"

/* `pattern` must have passed glob_check. */
bool glob_match(const char *pattern, const char *name);
int glob_check(const char *pattern,
               struct err *reterr) MUST_CHECK;             /* ERR_ILLEGAL_ARGUMENT: unclosed [ or {, \ at the end */
char *glob_unescape(struct arena *a, const char *pattern); /* of a pattern without wildcards */

/* Braces with a slash inside become several patterns: "/a{/b,c}/d" => "/a/b/d", "/ac/d". At most GLOB_EXPANDED_MAX. */
#define GLOB_EXPANDED_MAX 1024
int glob_expand(const char *pattern, struct arena *a, const char ***ret, size_t *ret_count,
                struct err *reterr) MUST_CHECK;

#endif
