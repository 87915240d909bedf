/* posix_edit [-D name=value]... URI: edits files in place as a mount does (client/lib/posix_data.h), for tests.
 * Commands are lines on stdin, each is answered by one line, "ok ..." or "error ERRNO text":
 *
 *     id PATH                          the inode number
 *     pieces ID                        ok SIZE ALLOCATED PIECE..
 *     upload ID FILE OFFSET LENGTH     bytes of a local file as a new block: ok PIECE
 *     allot ID LENGTH                  only the block, nothing written: ok PIECE
 *     edit ID INDEX COUNT PIECE..      COUNT pieces from INDEX on become these
 *     drop BLOCK..
 *
 * A PIECE is LENGTH:BLOCK:STAMP, a hole LENGTH:0:0. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/posix_data.h"
#include "common/config.h"
#include "common/file.h"

#define WORDS_MAX   4000
#define ARENA_BYTES (64u << 20)

struct tool {
    struct dfs *fs;
    uint64_t session;
    struct arena arena;
    struct err err;
    char *words[WORDS_MAX];
    size_t count;
};

static uint64_t number(const struct tool *t, size_t i)
{
    return i < t->count ? strtoull(t->words[i], NULL, 10) : 0;
}

static void print_piece(const struct posix_piece *p)
{
    printf(" %" PRIu64 ":%" PRIu64 ":%" PRIu64, p->length, p->block_id, p->stamp);
}

static int open_session(struct tool *t)
{
    struct posix_session s;
    int rc = posix_open_session(t->fs, 0, dfs_client_name(t->fs), &s, &t->err);
    if (!rc)
        t->session = s.session;
    return rc;
}

static int find_id(struct tool *t)
{
    struct dfs_status st;
    int rc = dfs_stat(t->fs, t->words[1], &t->arena, &st, &t->err);
    if (!rc)
        printf("ok %" PRIu64, st.file_id);
    return rc;
}

static int list_pieces(struct tool *t)
{
    struct posix_attr attr;
    struct posix_pieces p;
    int rc = posix_read_pieces(t->fs, number(t, 1), 0, POSIX_TO_END, &t->arena, &attr, &p, &t->err);
    if (rc)
        return rc;
    printf("ok %" PRIu64 " %" PRIu64, attr.size, attr.allocated);
    for (size_t i = 0; i < p.count; i++)
        print_piece(&p.list[i]);
    return 0;
}

struct local_part {
    int fd;
    uint64_t offset;
};
static int read_part(void *context, uint64_t offset, void *to, size_t len, struct err *reterr)
{
    const struct local_part *p = context;
    return file_pread_full(p->fd, to, len, (int64_t)(p->offset + offset), reterr);
}

static int upload(struct tool *t)
{
    struct local_part part = {open(t->count > 2 ? t->words[2] : "", O_RDONLY | O_CLOEXEC), number(t, 3)};
    struct posix_block_write what = {
        .file_id = number(t, 1), .length = number(t, 4), .source = {read_part, &part}, .replication = 3, .sync = true};
    struct posix_piece made;
    int rc = posix_write_block(t->fs, t->session, &what, &made, &t->err);
    close(part.fd);
    if (rc)
        return rc;
    printf("ok");
    print_piece(&made);
    return 0;
}

static int allot(struct tool *t)
{
    struct dfs_block *b;
    uint64_t length = number(t, 2);
    int rc = posix_new_blocks(t->fs, t->session, number(t, 1), &length, NULL, 1, NULL, 0, &t->arena, &b, &t->err);
    if (rc)
        return rc;
    printf("ok");
    print_piece(&(struct posix_piece){length, b->block_id, b->gen_stamp});
    return 0;
}

static int edit(struct tool *t)
{
    struct posix_attr attr;
    struct posix_pieces p;
    uint64_t id = number(t, 1), index = number(t, 2), old_count = number(t, 3);
    int rc = posix_read_pieces(t->fs, id, 0, POSIX_TO_END, &t->arena, &attr, &p, &t->err);
    if (rc)
        return rc;
    if (index > p.count || old_count > p.count - index)
        return err_set(&t->err, ERR_ILLEGAL_ARGUMENT, "the file has %zu pieces", p.count);
    struct posix_piece added[WORDS_MAX];
    size_t count = 0;
    for (size_t i = 4; i < t->count; i++, count++)
        if (sscanf(t->words[i], "%" SCNu64 ":%" SCNu64 ":%" SCNu64, &added[count].length, &added[count].block_id,
                   &added[count].stamp) != 3)
            return err_set(&t->err, ERR_ILLEGAL_ARGUMENT, "'%s' is no piece", t->words[i]);
    struct posix_span span = {.index = index,
                              .old_pieces = p.list + index,
                              .old_count = (size_t)old_count,
                              .new_pieces = added,
                              .new_count = count};
    for (size_t i = 0; i < index; i++)
        span.start += p.list[i].length;
    const struct posix_edit what = {.spans = &span, .count = 1};
    rc = posix_edit(t->fs, t->session, id, &what, &t->arena, &attr, &t->err);
    if (!rc)
        printf("ok %" PRIu64 " %" PRIu64, attr.size, attr.allocated);
    return rc;
}

static int drop(struct tool *t)
{
    uint64_t ids[WORDS_MAX];
    for (size_t i = 1; i < t->count; i++)
        ids[i - 1] = number(t, i);
    int rc = posix_drop_blocks(t->fs, t->session, ids, t->count - 1, &t->err);
    if (!rc)
        printf("ok");
    return rc;
}

static int run(struct tool *t)
{
    static const struct {
        const char *name;
        int (*run)(struct tool *t);
    } commands[] = {{"id", find_id},  {"pieces", list_pieces}, {"upload", upload},
                    {"allot", allot}, {"edit", edit},          {"drop", drop}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (t->count > 1 && !strcmp(t->words[0], commands[i].name))
            return commands[i].run(t);
    return err_set(&t->err, ERR_ILLEGAL_ARGUMENT, "'%s' is no command", t->count ? t->words[0] : "");
}

static void serve(struct tool *t)
{
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        t->count = 0;
        for (char *word = strtok(line, " \n"); word && t->count < WORDS_MAX; word = strtok(NULL, " \n"))
            t->words[t->count++] = word;
        arena_init(&t->arena, ARENA_BYTES);
        int rc = run(t);
        if (rc)
            printf("error %d %s", err_to_errno(rc), t->err.text);
        printf("\n");
        fflush(stdout);
        arena_free(&t->arena);
    }
    free(line);
}

int main(int argc, char **argv)
{
    static struct tool t;
    struct config *c = config_new();
    int i = 1;
    for (; i + 2 < argc && !strcmp(argv[i], "-D"); i += 2) {
        char *value = strchr(argv[i + 1], '=');
        if (value)
            *value++ = 0;
        if (!value || config_set(c, argv[i + 1], value, "-D", &t.err)) {
            fprintf(stderr, "-D name=value: %s\n", t.err.text);
            return 2;
        }
    }
    int rc = i + 1 == argc ? dfs_connect(c, argv[i], NULL, &t.fs, &t.err) : ERR_ILLEGAL_ARGUMENT;
    rc = rc ? rc : open_session(&t);
    if (rc)
        fprintf(stderr, "posix_edit: %s\n", t.err.text);
    else
        serve(&t);
    if (!rc)
        (void)!posix_close_session(t.fs, t.session, NULL);
    dfs_unref(t.fs);
    config_free(c);
    return rc != 0;
}
