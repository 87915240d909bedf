#include <dlfcn.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "common/mem.h"
#include "scheduler/sink/sink.h"

#define COPY_BYTES   (256u << 10)
#define QUOTE        1 /* of COPY's CSV form: a byte that no text has, so that nothing in a field is special */
#define UNIQUE_ERROR "23505"
#define CONNECT_S    "10"
#define LIBRARY      "libpq.so.5"

/* Linking it would load a dozen libraries into every task. */
#define FUNCTIONS(X)                                                                                                   \
    X(PQconnectdbParams)                                                                                               \
    X(PQfinish)                                                                                                        \
    X(PQstatus)                                                                                                        \
    X(PQerrorMessage)                                                                                                  \
    X(PQexec) X(PQexecParams) X(PQclear) X(PQresultStatus) X(PQresultErrorField) X(PQntuples) X(PQputCopyData)         \
        X(PQputCopyEnd) X(PQgetResult) X(PQcmdTuples) X(PQescapeIdentifier) X(PQescapeLiteral) X(PQfreemem)
static struct {
    bool loaded;
#define DECLARE(name) __typeof__(name) *name;
    FUNCTIONS(DECLARE)
} pq;
static pthread_once_t pq_once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW);
    pq.loaded = library != NULL;
#define FIND(name)                                                                                                     \
    pq.name = library ? (__typeof__(pq.name))dlsym(library, #name) : NULL;                                             \
    pq.loaded &= pq.name != NULL;
    FUNCTIONS(FIND)
}

/* ---- talking ---- */

static int pq_failed(PGconn *c, const char *what, struct err *reterr)
{
    const char *text = pq.PQerrorMessage(c);
    int rc = err_set(reterr, pq.PQstatus(c) == CONNECTION_BAD ? ERR_CONNECT : ERR_IO, "PostgreSQL, %s: %.*s", what,
                     (int)strcspn(text, "\n"), text);
    return rc;
}

static int open_connection(const struct sink *s, PGconn **ret, struct err *reterr)
{
    pthread_once(&pq_once, load);
    if (!pq.loaded)
        return err_set(reterr, ERR_UNSUPPORTED, "%s is not on this machine (Debian's package libpq5)", LIBRARY);
    const char *keywords[] = {"dbname", "connect_timeout", "application_name", "client_encoding", NULL};
    const char *values[] = {s->connection, CONNECT_S, "cairn", "UTF8", NULL};
    PGconn *c = pq.PQconnectdbParams(keywords, values, 1);
    if (pq.PQstatus(c) != CONNECTION_OK) {
        int rc = pq_failed(c, "connecting", reterr);
        pq.PQfinish(c);
        return rc;
    }
    *ret = c;
    return 0;
}

static int run(PGconn *c, const char *sql, const char *what, struct err *reterr)
{
    PGresult *r = pq.PQexec(c, sql);
    ExecStatusType status = pq.PQresultStatus(r);
    int rc = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0 : pq_failed(c, what, reterr);
    pq.PQclear(r);
    return rc;
}

/* "schema"."name" in the arena */
static int quoted_table(PGconn *c, const struct sink *s, struct arena *a, const char **ret, struct err *reterr)
{
    const char *dot = strchr(s->table, '.');
    size_t schema_len = dot ? (size_t)(dot - s->table) : 0;
    const char *name = dot ? dot + 1 : s->table;
    char *schema = dot ? pq.PQescapeIdentifier(c, s->table, schema_len) : NULL;
    char *quoted = pq.PQescapeIdentifier(c, name, strlen(name));
    int rc = !quoted || (dot && !schema) ? pq_failed(c, "the table's name", reterr) : 0;
    if (rc == 0)
        *ret = arena_printf(a, "%s%s%s", schema ? schema : "", schema ? "." : "", quoted);
    pq.PQfreemem(schema);
    pq.PQfreemem(quoted);
    return rc;
}

static int make_tables(PGconn *c, const struct sink *s, const char *table, struct arena *a, struct err *reterr)
{
    static const char commits[] = "CREATE TABLE IF NOT EXISTS cairn_commits "
                                  "(job text PRIMARY KEY, rows bigint, committed_at timestamptz DEFAULT now())";
    int rc = run(c, "SET client_min_messages TO warning", "settings", reterr);
    if (rc == 0 && (rc = run(c, commits, "the table cairn_commits", reterr)) < 0)
        rc = run(c, commits, "the table cairn_commits", reterr); /* two at once: one of them fails */
    if (rc == 0 && s->columns)
        rc = run(c, arena_printf(a, "CREATE TABLE IF NOT EXISTS %s (%s)", table, s->columns), "making the table",
                 reterr);
    if (rc == 0)
        rc = run(c, arena_printf(a, "SELECT FROM %s LIMIT 0", table), "the table (columns=... would make it)", reterr);
    return rc;
}

/* ---- COPY ---- */

struct line_check { /* what COPY would not take as it is */
    size_t column;  /* stops at 3 */
    char first[2];
};

static int check_bytes(struct line_check *l, const uint8_t *bytes, size_t len, struct err *reterr)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == QUOTE || bytes[i] == 0)
            return err_set(reterr, ERR_IO, "PostgreSQL: a row has a byte %d, which is no text", bytes[i]);
        if (bytes[i] == '\n') {
            if (l->column == 2 && l->first[0] == '\\' && l->first[1] == '.')
                return err_set(reterr, ERR_IO, "PostgreSQL: the row '\\.' would end the rows");
            l->column = 0;
        } else {
            if (l->column < 2)
                l->first[l->column] = (char)bytes[i];
            l->column += l->column < 3;
        }
    }
    return 0;
}

static int copy_file(PGconn *c, struct dfs *fs, const char *path, struct line_check *l, struct err *reterr)
{
    struct file_reader *reader = NULL;
    int rc = file_reader_open(fs, path, &reader, reterr);
    if (rc < 0)
        return rc;
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    size_t got = 0;
    while ((rc = file_reader_read(reader, bytes, COPY_BYTES, &got, reterr)) == 0 && got) {
        if ((rc = check_bytes(l, bytes, got, reterr)) < 0)
            break;
        if (pq.PQputCopyData(c, (const char *)bytes, (int)got) != 1) {
            rc = pq_failed(c, "sending rows", reterr);
            break;
        }
    }
    free(bytes);
    file_reader_close(reader);
    return rc < 0 ? err_prefix(reterr, rc, "%s", path) : 0;
}

static int copy_folder(PGconn *c, struct dfs *fs, const char *folder, struct arena *a, struct err *reterr)
{
    struct dfs_listing listing;
    struct line_check l = {0};
    int rc = dfs_list_all(fs, folder, a, &listing, reterr);
    for (size_t i = 0; rc == 0 && i < listing.count; i++)
        if (!strncmp(listing.entries[i].name, "part-", 5))
            rc = copy_file(c, fs, dfs_path_join(a, folder, listing.entries[i].name), &l, reterr);
    return rc;
}

static int copy_rows(PGconn *c, const struct sink *s, const char *table, struct dfs *fs, const char *folder,
                     struct arena *a, int64_t *ret_rows, struct err *reterr)
{
    char delimiter[2] = {s->delimiter, 0};
    char *null_text = pq.PQescapeLiteral(c, s->null_text, strlen(s->null_text)),
         *delimiter_text = pq.PQescapeLiteral(c, delimiter, 1);
    const char *sql = arena_printf(a, "COPY %s FROM STDIN WITH (FORMAT csv, DELIMITER %s, QUOTE E'\\x01', NULL %s)",
                                   table, delimiter_text ? delimiter_text : "''", null_text ? null_text : "''");
    pq.PQfreemem(null_text);
    pq.PQfreemem(delimiter_text);
    PGresult *r = pq.PQexec(c, sql);
    bool copying = pq.PQresultStatus(r) == PGRES_COPY_IN;
    pq.PQclear(r);
    if (!copying)
        return pq_failed(c, "COPY", reterr);
    int rc = copy_folder(c, fs, folder, a, reterr);
    if (pq.PQputCopyEnd(c, rc < 0 ? "the rows are not complete" : NULL) != 1 && rc == 0)
        rc = pq_failed(c, "COPY", reterr);
    while ((r = pq.PQgetResult(c))) {
        if (pq.PQresultStatus(r) == PGRES_COMMAND_OK)
            *ret_rows = strtoll(pq.PQcmdTuples(r), NULL, 10);
        else if (rc == 0)
            rc = pq_failed(c, "COPY", reterr);
        pq.PQclear(r);
    }
    return rc;
}

/* ---- the transaction ---- */

static int is_committed(PGconn *c, const char *job_id, bool *ret, struct err *reterr)
{
    const char *values[] = {job_id};
    PGresult *r = pq.PQexecParams(c, "SELECT 1 FROM cairn_commits WHERE job = $1", 1, NULL, values, NULL, NULL, 0);
    int rc = pq.PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : pq_failed(c, "the table cairn_commits", reterr);
    *ret = rc == 0 && pq.PQntuples(r) > 0;
    pq.PQclear(r);
    return rc;
}

/* First of all, so that a commit of before that is still under way is waited for here. */
static int note_commit(PGconn *c, const char *job_id, bool *ret_done_before, struct err *reterr)
{
    const char *values[] = {job_id};
    PGresult *r = pq.PQexecParams(c, "INSERT INTO cairn_commits (job) VALUES ($1)", 1, NULL, values, NULL, NULL, 0);
    bool good = pq.PQresultStatus(r) == PGRES_COMMAND_OK;
    const char *state = good ? NULL : pq.PQresultErrorField(r, PG_DIAG_SQLSTATE);
    *ret_done_before = state && !strcmp(state, UNIQUE_ERROR);
    int rc = good || *ret_done_before ? 0 : pq_failed(c, "the table cairn_commits", reterr);
    pq.PQclear(r);
    return rc;
}

static int transaction(PGconn *c, const struct sink *s, const char *table, const char *job_id, struct dfs *fs,
                       const char *folder, struct arena *a, int64_t *ret_rows, struct err *reterr)
{
    bool done_before = false;
    int rc = run(c, "BEGIN", "BEGIN", reterr);
    if (rc == 0)
        rc = note_commit(c, job_id, &done_before, reterr);
    if (rc == 0 && !done_before && s->replace) /* other writers wait, readers do not */
        rc = run(c, arena_printf(a, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE; DELETE FROM %s", table, table),
                 "deleting the rows of before", reterr);
    if (rc == 0 && !done_before)
        rc = copy_rows(c, s, table, fs, folder, a, ret_rows, reterr);
    struct err ignored = {0};
    if (rc < 0 || done_before) {
        if (run(c, "ROLLBACK", "ROLLBACK", &ignored) < 0)
            return rc; /* the connection is gone, and the transaction with it */
        return rc;
    }
    char *literal = pq.PQescapeLiteral(c, job_id, strlen(job_id));
    rc = run(c,
             arena_printf(a, "UPDATE cairn_commits SET rows = %lld WHERE job = %s; COMMIT", (long long)*ret_rows,
                          literal ? literal : "''"),
             "COMMIT", reterr);
    pq.PQfreemem(literal);
    return rc;
}

int sink_commit(const struct sink *s, const char *job_id, struct dfs *fs, const char *folder, int64_t *ret_rows,
                struct err *reterr)
{
    struct arena a;
    PGconn *c = NULL;
    const char *table = NULL;
    bool done = false;
    arena_init(&a, 64 << 20);
    *ret_rows = 0;
    int rc = open_connection(s, &c, reterr);
    if (rc == 0)
        rc = quoted_table(c, s, &a, &table, reterr);
    if (rc == 0)
        rc = make_tables(c, s, table, &a, reterr);
    if (rc == 0)
        rc = is_committed(c, job_id, &done, reterr);
    if (rc == 0 && !done)
        rc = transaction(c, s, table, job_id, fs, folder, &a, ret_rows, reterr);
    if (c)
        pq.PQfinish(c);
    arena_free(&a);
    return rc;
}

int sink_check(const struct sink *s, struct err *reterr)
{
    struct arena a;
    PGconn *c = NULL;
    const char *table = NULL;
    arena_init(&a, 1 << 20);
    int rc = open_connection(s, &c, reterr);
    if (rc == 0)
        rc = quoted_table(c, s, &a, &table, reterr);
    if (rc == 0)
        rc = make_tables(c, s, table, &a, reterr);
    if (c)
        pq.PQfinish(c);
    arena_free(&a);
    return rc;
}
