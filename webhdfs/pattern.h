/* Java's regular expressions, as far as settings use them to say what a name may look like: classes (also within each
 * other), groups, alternatives, repetition, anchors, \d and \w. A text matches as a whole. Any number of threads. */
#ifndef CAIRN_WEBHDFS_PATTERN_H
#define CAIRN_WEBHDFS_PATTERN_H

#include <stdbool.h>

#include "common/err.h"

struct pattern;
/* ERR_CONFIG: it does not parse, or is beyond what is translated. */
int pattern_new(const char *java, struct pattern **ret, struct err *reterr) MUST_CHECK;
void pattern_free(struct pattern *p); /* NULL is fine */
bool pattern_matches(const struct pattern *p, const char *text);
const char *pattern_text(const struct pattern *p); /* as given */

#endif
