/* -reducer aggregate: Hadoop's aggregate package, as a command that reads sorted lines "TYPE:id<TAB>value" on stdin and
 * writes "id<TAB>result". As a combiner it writes lines of the form that it reads. */
#ifndef CAIRN_SCHEDULER_ENGINE_AGGREGATE_H
#define CAIRN_SCHEDULER_ENGINE_AGGREGATE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"

/* ERR_ILLEGAL_ARGUMENT: a line that is not of that form, an unknown type, no number. */
int aggregate(FILE *in, FILE *out, bool combine, struct err *reterr) MUST_CHECK;

#endif
