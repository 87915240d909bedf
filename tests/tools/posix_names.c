/* posix_names [-D name=value]... URI: names and inodes as a mount handles them (client/lib/posix.h), for tests.
 * Commands are lines on stdin, each is answered by one line, "ok ..." or "error ERRNO text":
 *
 *     session [NUMBER]                        a new one, or that one again: ok NUMBER
 *     close
 *     lookup PARENT NAME                      ok ID, 0: there is none
 *     make PARENT NAME MODE [TARGET]          mode in octal with its type; ok ID
 *     link ID PARENT NAME
 *     unlink PARENT NAME [hold]
 *     rmdir PARENT NAME
 *     rename PARENT NAME PARENT NAME FLAGS
 *     stat ID                                 ok MODE NLINK SIZE OWNER GROUP
 *     chmod ID MODE
 *     list ID                                 ok NAME..
 *     release ID
 *     changes WAIT_MS                         ok [lost] CHANGE..: ID/NAME, ID, ID! (content)
 *     lock ID OWNER START END TYPE WAIT_MS    type: 0 shared, 1 exclusive, 2 none; ok 1 or ok 0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/posix.h"
#include "common/config.h"

#define WORDS_MAX   10
#define ARENA_BYTES (64u << 20)

struct tool {
    struct dfs *fs;
    struct posix_session session;
    struct arena arena;
    struct err err;
    char *words[WORDS_MAX];
    size_t count;
};

static const char *word(const struct tool *t, size_t i)
{
    return i < t->count ? t->words[i] : "";
}

static uint64_t number(const struct tool *t, size_t i)
{
    return strtoull(word(t, i), NULL, 10);
}

static int session(struct tool *t)
{
    int rc = posix_open_session(t->fs, number(t, 1), NULL, &t->session, &t->err);
    if (!rc)
        printf("ok %" PRIu64, t->session.session);
    return rc;
}

static int close_session(struct tool *t)
{
    int rc = posix_close_session(t->fs, t->session.session, &t->err);
    if (!rc)
        printf("ok");
    return rc;
}

static int lookup(struct tool *t)
{
    struct posix_attr attr;
    int rc = posix_lookup(t->fs, number(t, 1), word(t, 2), &t->arena, &attr, &t->err);
    if (!rc)
        printf("ok %" PRIu64, attr.id);
    return rc;
}

static int make(struct tool *t)
{
    struct posix_attr attr;
    bool made = false;
    struct posix_make how = {.parent = number(t, 1),
                             .name = word(t, 2),
                             .mode = (uint32_t)strtoul(word(t, 3), NULL, 8),
                             .owner = "ann",
                             .group = "staff",
                             .rdev = 0x105,
                             .target = t->count > 4 ? word(t, 4) : NULL};
    int rc = posix_make(t->fs, t->session.session, &how, &t->arena, &attr, &made, &t->err);
    if (!rc)
        printf("ok %" PRIu64, attr.id);
    return rc;
}

static int link_to(struct tool *t)
{
    struct posix_attr attr;
    int rc =
        posix_link(t->fs, t->session.session, NULL, number(t, 1), number(t, 2), word(t, 3), &t->arena, &attr, &t->err);
    if (!rc)
        printf("ok %" PRIu32, attr.nlink);
    return rc;
}

static int unlink_from(struct tool *t)
{
    struct posix_attr attr;
    bool directory = !strcmp(word(t, 0), "rmdir"), hold = !strcmp(word(t, 3), "hold");
    int rc = posix_unlink(t->fs, t->session.session, NULL, number(t, 1), word(t, 2), directory, hold, &t->arena, &attr,
                          &t->err);
    if (!rc)
        printf("ok %" PRIu32, attr.nlink);
    return rc;
}

static int rename_to(struct tool *t)
{
    struct posix_attr moved, replaced;
    struct posix_rename how = {.parent = number(t, 1),
                               .name = word(t, 2),
                               .new_parent = number(t, 3),
                               .new_name = word(t, 4),
                               .flags = (unsigned)number(t, 5)};
    int rc = posix_rename(t->fs, t->session.session, &how, &t->arena, &moved, &replaced, &t->err);
    if (!rc)
        printf("ok %" PRIu64 " %" PRIu64, moved.id, replaced.id);
    return rc;
}

static int stat_of(struct tool *t)
{
    struct posix_attr attr;
    int rc = posix_getattr(t->fs, number(t, 1), &t->arena, &attr, &t->err);
    if (!rc)
        printf("ok %o %" PRIu32 " %" PRIu64 " %s %s", attr.mode, attr.nlink, attr.size, attr.owner, attr.group);
    return rc;
}

static int chmod_to(struct tool *t)
{
    struct posix_attr attr;
    struct posix_set set = {.what = POSIX_SET_MODE, .mode = (uint32_t)strtoul(word(t, 2), NULL, 8)};
    int rc = posix_setattr(t->fs, t->session.session, number(t, 1), &set, &t->arena, &attr, &t->err);
    if (!rc)
        printf("ok %o", attr.mode);
    return rc;
}

static int list(struct tool *t)
{
    struct posix_page page = {.more = true};
    const char *after = NULL;
    int rc = 0;
    printf("ok");
    while (!rc && page.more) {
        rc = posix_readdir(t->fs, number(t, 1), after, 100, &t->arena, &page, &t->err);
        for (size_t i = 0; !rc && i < page.count; i++)
            printf(" %s", after = page.entries[i].name);
    }
    return rc;
}

static int release(struct tool *t)
{
    uint64_t id = number(t, 1);
    int rc = posix_release(t->fs, t->session.session, &id, 1, &t->err);
    if (!rc)
        printf("ok");
    return rc;
}

static int changes(struct tool *t)
{
    struct posix_changes c;
    int rc = posix_await_changes(t->fs, t->session.session, t->session.cursor, (uint32_t)number(t, 1), &t->arena, &c,
                                 &t->err);
    if (rc)
        return rc;
    t->session.cursor = c.cursor;
    printf("ok%s", c.lost ? " lost" : "");
    for (size_t i = 0; i < c.count; i++)
        printf(" %" PRIu64 "%s%s%s", c.list[i].id, c.list[i].name ? "/" : "", c.list[i].name ? c.list[i].name : "",
               c.list[i].content ? "!" : "");
    return 0;
}

static int lock(struct tool *t)
{
    bool granted = false;
    struct posix_lock what = {.id = number(t, 1),
                              .owner = number(t, 2),
                              .start = number(t, 3),
                              .end = number(t, 4),
                              .type = (enum posix_lock_type)number(t, 5)};
    int rc = posix_lock(t->fs, t->session.session, &what, (uint32_t)number(t, 6), &granted, NULL, &t->err);
    if (!rc)
        printf("ok %d", granted);
    return rc;
}

static const struct command {
    const char *name;
    int (*run)(struct tool *t);
} commands[] = {
    {"session", session},    {"close", close_session}, {"lookup", lookup},    {"make", make},    {"link", link_to},
    {"unlink", unlink_from}, {"rmdir", unlink_from},   {"rename", rename_to}, {"stat", stat_of}, {"list", list},
    {"chmod", chmod_to},     {"release", release},     {"changes", changes},  {"lock", lock}};

static void run_line(struct tool *t, char *line)
{
    int rc = err_set(&t->err, ERR_ILLEGAL_ARGUMENT, "no such command");
    t->count = 0;
    for (char *at = strtok(line, " \n"); at && t->count < WORDS_MAX; at = strtok(NULL, " \n"))
        t->words[t->count++] = at;
    arena_reset(&t->arena);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        if (!strcmp(word(t, 0), commands[i].name))
            rc = commands[i].run(t);
    t->err.text[strcspn(t->err.text, "\n")] = 0;
    if (rc)
        printf("error %d %s", err_to_errno(rc), t->err.text);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct tool t = {0};
    struct config *c = config_new();
    char line[4096];
    int i = 1;
    arena_init(&t.arena, ARENA_BYTES);
    for (; i + 1 < argc && !strcmp(argv[i], "-D"); i += 2) {
        char *value = strchr(argv[i + 1], '=');
        if (!value || (*value = 0, config_set(c, argv[i + 1], value + 1, "-D", &t.err)))
            return 2;
    }
    if (i >= argc || dfs_connect(c, argv[i], NULL, &t.fs, &t.err)) {
        fprintf(stderr, "posix_names: %s\n", t.err.text);
        return 1;
    }
    while (fgets(line, sizeof line, stdin))
        run_line(&t, line);
    dfs_unref(t.fs);
    arena_free(&t.arena);
    config_free(c);
    return 0;
}
