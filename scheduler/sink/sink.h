/* Output that goes into a table of a PostgreSQL database: -output 'postgresql://user@host/db?table=T&mode=append'.
 *
 * The job's output is made in the file system as any other. When all of it is there, one transaction takes it: either
 * all rows are in the table or none, and a note of the job in the table cairn_commits, in the same transaction, keeps a
 * commit that is tried again (the scheduler or the connection died, and nobody knows how far it came) from adding them
 * twice. mode=replace deletes what was there in that transaction, too; readers see the old rows until the new ones are
 * complete.
 *
 * Lines are rows, their fields separated by one byte; nothing in a field is special. libpq is loaded when it is needed.
 */
#ifndef CAIRN_SCHEDULER_SINK_SINK_H
#define CAIRN_SCHEDULER_SINK_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "client/lib/dfs.h"
#include "common/arena.h"

struct sink {
    const char *connection; /* URI for libpq */
    const char *table;      /* name, or schema.name */
    const char *columns;    /* "a int, b text": the table is made when it is not there; NULL = it must be */
    const char *null_text;  /* a field like this is NULL; default empty */
    char delimiter;         /* default TAB */
    bool replace;
};
bool sink_is_url(const char *output);
/* Texts live in the arena. ERR_ILLEGAL_ARGUMENT names what is wrong or missing. */
int sink_parse(const char *url, struct arena *a, struct sink *ret, struct err *reterr) MUST_CHECK;
/* Whether it can be reached, and has the table or may make it. ERR_CONNECT; ERR_UNSUPPORTED: there is no libpq here. */
int sink_check(const struct sink *s, struct err *reterr) MUST_CHECK;
/* All lines of the files of that folder whose names begin with "part-", in the order of their names, once for the job.
 * ERR_CONNECT: may be tried again. */
int sink_commit(const struct sink *s, const char *job_id, struct dfs *fs, const char *folder, int64_t *ret_rows,
                struct err *reterr) MUST_CHECK;

#endif
