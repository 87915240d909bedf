/* dfsadmin -allowSnapshot and -disallowSnapshot; lsSnapshottableDir, lsSnapshot, snapshotDiff. Output is Hadoop's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/admin/admin.h"
#include "common/cli.h"
#include "common/terminal.h"
#include "hdfs/client_namenode.pb-c.h"
#include "main/commands.h"

#define ANSWER_BYTES_MAX ((size_t)2 << 30)

static int resolve(struct admin *a, const char *text, char **ret, struct err *reterr)
{
    const char *path, *uri;
    int rc = dfs_resolve(a->fs, text, &a->arena, &path, &uri, reterr);
    if (rc == 0)
        *ret = (char *)(uintptr_t)path;
    return rc;
}

/* Java's client quotes what the namenode has quoted already. */
static int quote_twice(int rc, struct err *reterr)
{
    struct err said = *reterr;
    return rc == ERR_NOT_DIR ? err_set(reterr, rc, "`%.*s", (int)strcspn(said.text, "\n"), said.text) : rc;
}

int allow_snapshot_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__AllowSnapshotRequestProto request = HDFS__ALLOW_SNAPSHOT_REQUEST_PROTO__INIT;
    int rc = resolve(a, argv[0], &request.snapshotroot, reterr);
    if (rc == 0)
        rc = admin_call(a, "allowSnapshot", &request.base, &hdfs__allow_snapshot_response_proto__descriptor, NULL,
                        reterr);
    rc = rc < 0 ? rc : snapshot_trash_for_allowed(a, request.snapshotroot, reterr);
    if (rc == 0)
        printf("Allowing snapshot on %s succeeded\n", argv[0]);
    return quote_twice(rc, reterr);
}

int disallow_snapshot_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__DisallowSnapshotRequestProto request = HDFS__DISALLOW_SNAPSHOT_REQUEST_PROTO__INIT;
    int rc = resolve(a, argv[0], &request.snapshotroot, reterr);
    rc = rc < 0 ? rc : snapshot_trash_remove(a, request.snapshotroot, reterr);
    if (rc == 0)
        rc = admin_call(a, "disallowSnapshot", &request.base, &hdfs__disallow_snapshot_response_proto__descriptor, NULL,
                        reterr);
    if (rc == 0)
        printf("Disallowing snapshot on %s succeeded\n", argv[0]);
    return quote_twice(rc, reterr);
}

/* ---- lists ---- */

struct row {
    const Hdfs__HdfsFileStatusProto *status;
    char numbers[2][24]; /* the second may be a word */
    const char *path;
};

static const char *mode_text(uint32_t mode, char text[12])
{
    for (int i = 0; i < 9; i++)
        text[i] = mode & (0400u >> i) ? "rwx"[i % 3] : '-';
    if (mode & 01000)
        text[8] = mode & 1 ? 't' : 'T';
    text[9] = 0;
    return text;
}

static int wider(int width, const char *text)
{
    int len = (int)strlen(text);
    return len > width ? len : width;
}

/* Columns as wide as what is in them; the second number is not padded if it is a word. */
static void print_rows(const struct row *rows, size_t count, bool pad_second)
{
    int owner = 0, group = 0, numbers[2] = {0};
    if (!count)
        putchar('\n');
    for (size_t i = 0; i < count; i++) {
        owner = wider(owner, rows[i].status->owner);
        group = wider(group, rows[i].status->group);
        numbers[0] = wider(numbers[0], rows[i].numbers[0]);
        numbers[1] = pad_second ? wider(numbers[1], rows[i].numbers[1]) : 0;
    }
    for (size_t i = 0; i < count; i++) {
        const Hdfs__HdfsFileStatusProto *s = rows[i].status;
        time_t seconds = (time_t)(s->modification_time / 1000);
        struct tm local;
        char mode[12], when[32];
        localtime_r(&seconds, &local);
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
        printf("d%s 0 %-*s%s%-*s%s0 %s %*s %*s %s\n", mode_text(s->permission->perm, mode), owner, s->owner,
               owner ? " " : "", group, s->group, group ? " " : "", when, numbers[0], rows[i].numbers[0], numbers[1],
               rows[i].numbers[1], rows[i].path);
    }
}

static const char *text_of(struct admin *a, const ProtobufCBinaryData *bytes)
{
    return arena_strndup(&a->arena, (const char *)bytes->data, bytes->len);
}

/* parent/rest, without doubling the slash of "/" */
static const char *below(struct admin *a, const char *parent, const char *rest)
{
    size_t len = strlen(parent);
    return arena_printf(&a->arena, "%s%s%s", parent, len && parent[len - 1] == '/' ? "" : "/", rest);
}

static int list_directories(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__GetSnapshottableDirListingRequestProto request = HDFS__GET_SNAPSHOTTABLE_DIR_LISTING_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = admin_call(a, "getSnapshottableDirListing", &request.base,
                        &hdfs__get_snapshottable_dir_listing_response_proto__descriptor, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshottableDirectoryListingProto *list =
        ((Hdfs__GetSnapshottableDirListingResponseProto *)answer)->snapshottabledirlist;
    size_t count = list ? list->n_snapshottabledirlisting : 0;
    struct row *rows = arena_array(&a->arena, struct row, count + 1);
    for (size_t i = 0; i < count; i++) {
        const Hdfs__SnapshottableDirectoryStatusProto *s = list->snapshottabledirlisting[i];
        rows[i].status = s->dirstatus;
        rows[i].path = below(a, text_of(a, &s->parent_fullpath), text_of(a, &s->dirstatus->path));
        snprintf(rows[i].numbers[0], sizeof rows[i].numbers[0], "%u", s->snapshot_number);
        snprintf(rows[i].numbers[1], sizeof rows[i].numbers[1], "%u", s->snapshot_quota);
    }
    print_rows(rows, count, true);
    return 0;
}

static int list_snapshots(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__GetSnapshotListingRequestProto request = HDFS__GET_SNAPSHOT_LISTING_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = resolve(a, argv[0], &request.snapshotroot, reterr);
    if (rc == 0)
        rc = admin_call(a, "getSnapshotListing", &request.base, &hdfs__get_snapshot_listing_response_proto__descriptor,
                        &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshotListingProto *list = ((Hdfs__GetSnapshotListingResponseProto *)answer)->snapshotlist;
    size_t count = list ? list->n_snapshotlisting : 0;
    struct row *rows = arena_array(&a->arena, struct row, count + 1);
    for (size_t i = 0; i < count; i++) {
        const Hdfs__SnapshotStatusProto *s = list->snapshotlisting[i];
        rows[i].status = s->dirstatus;
        rows[i].path =
            below(a, below(a, text_of(a, &s->parent_fullpath), ".snapshot"), text_of(a, &s->dirstatus->path));
        snprintf(rows[i].numbers[0], sizeof rows[i].numbers[0], "%u", s->snapshotid);
        snprintf(rows[i].numbers[1], sizeof rows[i].numbers[1], "%s", s->isdeleted ? "DELETED" : "ACTIVE");
    }
    print_rows(rows, count, false);
    return 0;
}

/* ---- differences ---- */

/* "." is now; ".snapshot/name" is name. */
static char *snapshot_name(char *text)
{
    if (!strcmp(text, "."))
        return text + 1;
    char *rest = text + (text[0] == '/');
    return strncmp(rest, ".snapshot/", 10) ? text : rest + 10;
}

/* A directory or file that was changed ("M"), and what follows it in the report: its children. */
struct group {
    Hdfs__SnapshotDiffReportEntryProto *const *entries;
    size_t count;
};

static int by_path(const void *a, const void *b)
{
    const ProtobufCBinaryData *x = &(*((const struct group *)a)->entries)->fullpath;
    const ProtobufCBinaryData *y = &(*((const struct group *)b)->entries)->fullpath;
    for (size_t i = 0; i < x->len && i < y->len; i++)
        if (x->data[i] != y->data[i]) { /* a component ends before all bytes, which have a sign in Java */
            int left = x->data[i] == '/' ? -129 : (int8_t)x->data[i];
            int right = y->data[i] == '/' ? -129 : (int8_t)y->data[i];
            return left - right;
        }
    return (x->len > y->len) - (x->len < y->len);
}

static void print_path(const ProtobufCBinaryData *path)
{
    printf(path->len ? "./%.*s" : ".", (int)path->len, (const char *)path->data);
}

static void print_group(const struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        const Hdfs__SnapshotDiffReportEntryProto *e = g->entries[i];
        printf("%s\t", e->modificationlabel);
        print_path(&e->fullpath);
        if (!strcmp(e->modificationlabel, "R")) {
            printf(" -> ");
            print_path(&e->targetpath);
        }
        putchar('\n');
    }
}

static void print_report(struct admin *a, const Hdfs__SnapshotDiffReportProto *r, bool sorted, const char *path)
{
    struct group *groups = arena_array(&a->arena, struct group, r->n_diffreportentries + 1);
    size_t count = 0;
    for (size_t i = 0; i < r->n_diffreportentries; i++) {
        if (!count || !strcmp(r->diffreportentries[i]->modificationlabel, "M"))
            groups[count++].entries = r->diffreportentries + i;
        groups[count - 1].count++;
    }
    if (sorted && count)
        qsort(groups, count, sizeof *groups, by_path);
    printf("Difference between %s%s and %s%s under directory %s:\n",
           *r->fromsnapshot ? "snapshot " : "current directory", r->fromsnapshot,
           *r->tosnapshot ? "snapshot " : "current directory", r->tosnapshot, path);
    for (size_t i = 0; i < count; i++)
        print_group(&groups[i]);
    putchar('\n');
}

static int print_difference(struct admin *a, int argc, char **argv, struct err *reterr)
{
    Hdfs__GetSnapshotDiffReportRequestProto request = HDFS__GET_SNAPSHOT_DIFF_REPORT_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    request.fromsnapshot = snapshot_name(argv[1]);
    request.tosnapshot = snapshot_name(argv[2]);
    int rc = resolve(a, argv[0], &request.snapshotroot, reterr);
    if (rc == 0)
        rc = admin_call(a, "getSnapshotDiffReport", &request.base,
                        &hdfs__get_snapshot_diff_report_response_proto__descriptor, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshotDiffReportProto *r = ((Hdfs__GetSnapshotDiffReportResponseProto *)answer)->diffreport;
    bool between_snapshots = *r->fromsnapshot && *r->tosnapshot; /* Hadoop's client sorts these itself */
    print_report(a, r, between_snapshots, between_snapshots ? request.snapshotroot : r->snapshotroot);
    return 0;
}

/* ---- commands ---- */

static int run_tool(int argc, char **argv, int wanted, const char *name, const char *usage, admin_run run)
{
    struct config *config;
    struct err e;
    terminal_guard(&stdout);
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", name, e.text);
        return 1;
    }
    struct admin a = {.config = config};
    int rc = ERR_ILLEGAL_ARGUMENT;
    arena_init(&a.arena, ANSWER_BYTES_MAX);
    if (argc == 2 && cli_asks_help(argc, argv)) {
        fputs(usage, stdout);
        rc = 0;
    } else if (argc - 1 != wanted) {
        fputs(usage, stderr);
    } else {
        rc = dfs_connect(config, NULL, NULL, &a.fs, &e);
        rc = rc < 0 ? rc : run(&a, argc - 1, argv + 1, &e);
        fflush(stdout);
        if (rc < 0)
            fprintf(stderr, "%s: %.*s\n", name, (int)strcspn(e.text, "\n"), e.text);
    }
    dfs_unref(a.fs);
    arena_free(&a.arena);
    config_free(config);
    return rc < 0 ? 1 : 0;
}

int ls_snapshottable_dir_main(int argc, char **argv)
{
    return run_tool(argc, argv, 0, "lsSnapshottableDir",
                    "Usage: \n"
                    "hdfs lsSnapshottableDir: \n"
                    "\tShows the directories that snapshots may be taken of: your own, or all to the superuser.\n",
                    list_directories);
}

int ls_snapshot_main(int argc, char **argv)
{
    return run_tool(argc, argv, 1, "lsSnapshot",
                    "Usage: \n"
                    "hdfs lsSnapshot <snapshotDir>: \n"
                    "\tShows the snapshots of a directory.\n",
                    list_snapshots);
}

int snapshot_diff_main(int argc, char **argv)
{
    return run_tool(argc, argv, 3, "snapshotDiff",
                    "Usage: \n"
                    "hdfs snapshotDiff <snapshotDir> <from> <to>:\n"
                    "\tShows what differs between two snapshots, or a snapshot and what there is now (\".\").\n"
                    "\tA snapshot is named by its name, with or without .snapshot/ in front.\n",
                    print_difference);
}
