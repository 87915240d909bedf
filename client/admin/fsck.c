/* `cairn fsck`: the namenode checks, over HTTP; this asks, shows what it says, and takes the exit code from the last
 * line, as Hadoop's DFSck does. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "common/cli.h"
#include "common/http.h"
#include "common/terminal.h"
#include "main/commands.h"
#include "rpc/rpc_client.h"

#define EXIT_FAILED        255 /* -1 */
#define LINE_KEPT          1024
#define READ_TIMEOUT_MS    (10 * 60 * 1000) /* a large tree is checked between two lines */
#define NAMENODE_HTTP_PORT 9870

struct fsck {
    struct buf query;
    const char *dir;
    bool list_corrupt;
};

static void print_usage(FILE *to)
{
    fputs("Usage: hdfs fsck <path> [-list-corruptfileblocks | [-move | -delete | -openforwrite] "
          "[-files [-blocks [-locations | -racks | -replicaDetails | -upgradedomains]]]] "
          "[-includeSnapshots] [-showprogress] [-storagepolicies] [-maintenance] [-blockId <blk_Id>] [-replicate]\n"
          "\t<path>\twhere to begin\n"
          "\t-move\tmoves damaged files to /lost+found\n"
          "\t-delete\tremoves damaged files\n"
          "\t-files\tshows each file\n"
          "\t-openforwrite\tshows files being written too; they are passed over otherwise\n"
          "\t-includeSnapshots\tsnapshots too\n"
          "\t-list-corruptfileblocks\tonly the missing blocks and their files\n"
          "\t-files -blocks\tand its blocks\n"
          "\t-files -blocks -locations\tand where they are\n"
          "\t-files -blocks -racks\tand in which racks\n"
          "\t-files -blocks -replicaDetails\tand the state of each replica\n"
          "\t-files -blocks -upgradedomains\tand their upgrade domains\n"
          "\t-storagepolicies\tsums up storage policies\n"
          "\t-maintenance\tshows nodes in maintenance\n"
          "\t-showprogress\taccepted\n"
          "\t-blockId\twhich file a block belongs to and where it is\n"
          "\t-replicate\tmoves replicas that break the placement rules\n\n"
          "Generic options supported are: -conf <configuration file>, -D <property=value>, -fs "
          "<hdfs://namenode:port>\n\n",
          to);
}

static void append_encoded(struct buf *b, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-._*/", c))
            buf_append(b, &c, 1);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static int options_take(struct fsck *f, int argc, char **argv)
{
    static const struct {
        const char *option, *parameter;
    } known[] = {{"-move", "move"},
                 {"-delete", "delete"},
                 {"-files", "files"},
                 {"-openforwrite", "openforwrite"},
                 {"-blocks", "blocks"},
                 {"-locations", "locations"},
                 {"-racks", "racks"},
                 {"-replicaDetails", "replicadetails"},
                 {"-upgradedomains", "upgradedomains"},
                 {"-storagepolicies", "storagepolicies"},
                 {"-showprogress", "showprogress"},
                 {"-list-corruptfileblocks", "listcorruptfileblocks"},
                 {"-includeSnapshots", "includeSnapshots"},
                 {"-maintenance", "maintenance"},
                 {"-replicate", "replicate"}};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < ARRAY_COUNT(known) && strcmp(argv[i], known[k].option))
            k++;
        if (k < ARRAY_COUNT(known)) {
            buf_printf(&f->query, "&%s=1", known[k].parameter);
            f->list_corrupt |= !strcmp(argv[i], "-list-corruptfileblocks");
        } else if (!strcmp(argv[i], "-blockId")) {
            buf_append_str(&f->query, "&blockId=");
            while (i + 1 < argc && argv[i + 1][0] != '-') {
                append_encoded(&f->query, argv[++i]);
                buf_append_str(&f->query, "+");
            }
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "fsck: Illegal option '%s'\n", argv[i]);
            return -1;
        } else if (f->dir) {
            fprintf(stderr, "fsck: can only operate on one path at a time '%s'\n", argv[i]);
            return -1;
        } else {
            f->dir = argv[i];
        }
    }
    return 0;
}

/* cairn.namenode.http-address, else dfs.namenode.http-address; a wildcard host means the namenode's own. */
static int http_address(const struct config *config, struct dfs *fs, struct net_address *ret, struct err *reterr)
{
    const char *text = config_str(config, "cairn.namenode.http-address");
    if (!*text && config_is_set(config, "dfs.namenode.http-address"))
        text = config_str(config, "dfs.namenode.http-address");
    struct net_address address = {.port = NAMENODE_HTTP_PORT};
    if (*text) {
        int rc = net_parse(text, NAMENODE_HTTP_PORT, &address, reterr);
        if (rc < 0)
            return rc;
    }
    if (!address.host[0] || !strcmp(address.host, "0.0.0.0") || !strcmp(address.host, "::"))
        snprintf(address.host, sizeof address.host, "%s", rpc_client_address(dfs_namenode(fs))->host);
    *ret = address;
    return 0;
}

/* ---- the answer ---- */

struct answer {
    char line[LINE_KEPT]; /* of the line being received; its end is what tells */
    size_t len;
    char last[LINE_KEPT];
    const struct fsck *fsck;
    int64_t corrupt;
    bool more, denied, done;
    char cookie[32];
};

static bool ends_with(const char *text, const char *ending)
{
    size_t len = strlen(text), n = strlen(ending);
    return len >= n && !strcmp(text + len - n, ending);
}

static bool begins_with(const char *text, const char *beginning)
{
    return !strncmp(text, beginning, strlen(beginning));
}

static void corrupt_line(struct answer *a, const char *line)
{
    if (a->done || a->denied)
        return;
    if (begins_with(line, "Cookie:")) {
        const char *tab = strchr(line, '\t');
        snprintf(a->cookie, sizeof a->cookie, "%.31s", tab ? tab + 1 : "");
        a->done = !isdigit((unsigned char)a->cookie[0]);
    } else if (ends_with(line, "has no CORRUPT files") || ends_with(line, "has no more CORRUPT files") ||
               ends_with(line, "does not exist")) {
        a->done = true;
    } else if (begins_with(line, "Access denied for user")) {
        printf("Failed to open path '%s': Permission denied\n", a->fsck->dir);
        a->denied = true;
    } else if (*line && !begins_with(line, "FSCK started by") && !begins_with(line, "FSCK ended at") &&
               !begins_with(line, "The filesystem under path")) {
        if (!a->corrupt++)
            printf("The list of corrupt blocks under path '%s' are:\n", a->fsck->dir);
        puts(line);
        a->more = true;
    }
}

static void line_end(struct answer *a)
{
    a->line[a->len] = '\0';
    if (a->fsck->list_corrupt)
        corrupt_line(a, a->line);
    memcpy(a->last, a->line, a->len + 1);
    a->len = 0;
}

static int answer_take(const void *bytes, size_t len, void *arg, struct err *reterr)
{
    struct answer *a = arg;
    if (!a->fsck->list_corrupt && fwrite(bytes, 1, len, stdout) != len)
        return err_set(reterr, ERR_IO, "Unable to write to output stream.");
    for (size_t i = 0; i < len; i++) {
        char c = ((const char *)bytes)[i];
        if (c == '\n') {
            line_end(a);
            continue;
        }
        if (a->len == LINE_KEPT - 1) { /* only the end of a long line matters */
            memmove(a->line, a->line + LINE_KEPT / 2, a->len - LINE_KEPT / 2);
            a->len -= LINE_KEPT / 2;
        }
        if (c != '\r')
            a->line[a->len++] = c;
    }
    return 0;
}

static int exit_code(const char *last)
{
    static const struct {
        const char *ending;
        int code;
    } endings[] = {
        {"is HEALTHY", 0},        {"is CORRUPT", 1},         {"does not exist", 0},    {"is EXCESS", 0},
        {"is DECOMMISSIONED", 2}, {"is DECOMMISSIONING", 3}, {"is IN MAINTENANCE", 4}, {"is ENTERING MAINTENANCE", 5},
        {"is STALE", 6}};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++)
        if (ends_with(last, endings[i].ending))
            return endings[i].code;
    return strstr(last, "Incorrect blockId format:") ? 0 : EXIT_FAILED;
}

static int fsck_ask(struct fsck *f, const struct net_address *address, struct answer *a, struct err *reterr)
{
    *a = (struct answer){.fsck = f, .last = "is CORRUPT"};
    int rc = http_get(address, buf_cstr(&f->query), READ_TIMEOUT_MS, answer_take, a, reterr);
    if (rc == 0 && a->len) {
        line_end(a);
        if (!f->list_corrupt)
            putchar('\n'); /* Hadoop's tool prints line by line */
    }
    return rc;
}

static int list_corrupt(struct fsck *f, const struct net_address *address, struct err *reterr)
{
    size_t query_len = f->query.len;
    int64_t total = 0;
    struct answer a = {0};
    do {
        char cookie[sizeof a.cookie];
        memcpy(cookie, a.cookie, sizeof cookie);
        f->query.len = query_len;
        if (*cookie)
            buf_printf(&f->query, "&startblockafter=%s", cookie);
        int rc = fsck_ask(f, address, &a, reterr);
        if (rc < 0)
            return rc;
        total += a.corrupt;
        if (a.denied)
            return EXIT_FAILED;
        if (!a.more || !strcmp(cookie, a.cookie)) /* an answer that brings nothing new would be asked for forever */
            break;
    } while (!a.done);
    printf("The filesystem under path '%s' has %" PRId64 " CORRUPT blocks\n", f->dir, total);
    return total ? EXIT_FAILED : 0;
}

static int fsck_run(struct fsck *f, const struct config *config, struct err *reterr)
{
    AUTO(dfs_unrefp) struct dfs *fs = NULL;
    AUTO(arena_free) struct arena arena;
    arena_init(&arena, 16 << 20);
    const char *path, *uri;
    int rc = dfs_path_resolve(f->dir, "/", &arena, &path, &uri, reterr);
    if (rc == 0)
        rc = dfs_connect(config, uri, NULL, &fs, reterr);
    if (rc == 0) /* now that it is known where relative paths begin */
        rc = dfs_resolve(fs, f->dir, &arena, &path, &uri, reterr);
    struct net_address address;
    if (rc < 0 || (rc = http_address(config, fs, &address, reterr)) < 0)
        return rc;
    struct buf options = f->query;
    f->query = (struct buf){0};
    buf_append_str(&f->query, "/fsck?ugi=");
    append_encoded(&f->query, dfs_user(fs));
    buf_append(&f->query, options.base, options.len);
    buf_append_str(&f->query, "&path=");
    append_encoded(&f->query, path);
    buf_free(&options);
    char where[NET_ADDRESS_MAX];
    fprintf(stderr, "Connecting to namenode via http://%s%s\n", net_format(&address, where), buf_cstr(&f->query));
    if (f->list_corrupt)
        return list_corrupt(f, &address, reterr);
    struct answer a;
    rc = fsck_ask(f, &address, &a, reterr);
    return rc < 0 ? rc : exit_code(a.last);
}

static bool names_file_system(const char *path)
{
    static const char scheme[] = "hdfs://";
    return !strncmp(path, scheme, strlen(scheme)) && path[strlen(scheme)] && path[strlen(scheme)] != '/';
}

int fsck_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    if (argc > 1 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
        print_usage(stdout);
        return 0;
    }
    terminal_guard(&stdout);
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_FAILED;
    }
    struct fsck f = {0};
    int code = EXIT_FAILED;
    if (argc < 2 || !strcmp(argv[1], "-files") || options_take(&f, argc, argv) < 0) {
        print_usage(stderr);
    } else {
        if (!f.dir)
            f.dir = "/";
        code = names_file_system(f.dir) ? cli_turn_to(config, f.dir, &e) : 0;
        code = code < 0 ? code : fsck_run(&f, config, &e);
        fflush(stdout);
        if (code < 0) {
            fprintf(stderr, "fsck: %s\n", e.text);
            code = EXIT_FAILED;
        }
    }
    buf_free(&f.query);
    config_free(config);
    return code;
}
