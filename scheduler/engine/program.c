#include "scheduler/engine/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/mem.h"
#include "scheduler/engine/channel.h"
#include "scheduler/engine/command_line.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/key_fields.h"
#include "scheduler/engine/stream_child.h"

#define FEED_BYTES (256u << 10)

static const char *const role_names[] = {"mapper", "combiner", "reducer"};

struct program {
    struct program_use use;
    struct stream_child *child;
    /* a command */
    const char *between; /* key and value of a line that it is fed */
    bool ignore_key;
    struct slice separator; /* of key and value in lines that it writes */
    int key_fields;
    struct buf feed;
    bool open;
    struct stream_lines lines;
    uint8_t *bytes;
    /* a C program */
    uint8_t *memory; /* NULL: a command */
    struct channel in, out;
};

bool program_is_library(const char *command)
{
    size_t n = strcspn(command, " \t");
    return n > 3 && !strncmp(command + n - 3, ".so", 3);
}

struct record record_of_line(struct slice line, struct slice separator, int key_fields)
{
    const uint8_t *from = line.base, *end = line.base + line.len, *sep = line.base;
    for (int i = 0; i < key_fields; i++) {
        sep = separator_find(from, end, separator);
        if (!sep)
            return (struct record){line.base, end, (uint32_t)line.len, 0};
        from = sep + separator.len;
    }
    return (struct record){line.base, from, (uint32_t)(sep - line.base), (uint32_t)(end - from)};
}

/* ---- start ---- */

static const char *conf_text(struct task *t, const char *name, const char *fallback)
{
    const char *value = job_conf_get(t->job, name);
    return value && value[0] ? value : fallback;
}

static int start_command(struct task *t, const char *command, struct program *p, struct err *reterr)
{
    bool map = p->use.role == PROGRAM_MAP, reduce = p->use.role == PROGRAM_REDUCE;
    const Cairn__JobSpecProto *job = t->job;
    p->between = conf_text(t, map ? "stream.map.input.field.separator" : "stream.reduce.input.field.separator", "\t");
    p->separator = separator_of(
        job_conf_get(job, reduce ? "stream.reduce.output.field.separator" : "stream.map.output.field.separator"));
    p->key_fields =
        (int)job_conf_int(job, reduce ? "stream.num.reduce.output.key.fields" : "stream.num.map.output.key.fields", 1);
    p->ignore_key = p->use.no_key || (map && job_conf_bool(job, "stream.map.input.ignoreKey", false));
    if (strcmp(command, PROGRAM_AGGREGATE))
        return stream_child_start(t, role_names[p->use.role], command, &p->child, reterr);
    char *words[] = {"cairn-aggregate", "task", "--aggregate", reduce ? "reduce" : "combine", NULL};
    struct child_program how = {.path = "/proc/self/exe", .words = words};
    return stream_child_start_program(t, role_names[p->use.role], &how, &p->child, reterr);
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int start_library(struct task *t, const char *command, struct program *p, struct err *reterr)
{
    /* in full, in freed, out full, out freed: reading end, writing end of each */
    int pipes[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    int memory_fd = memfd_create("cairn-program", MFD_CLOEXEC), rc = 0;
    if (memory_fd < 0 || ftruncate(memory_fd, 2 * CHANNEL_BYTES) < 0)
        rc = err_errno(reterr, errno, "memory shared with a program");
    for (size_t i = 0; rc == 0 && i < 8; i += 2)
        if (pipe2(pipes + i, O_CLOEXEC) < 0)
            rc = err_errno(reterr, errno, "pipe");
    if (rc == 0) {
        p->memory = mmap(NULL, 2 * CHANNEL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
        if (p->memory == MAP_FAILED) {
            p->memory = NULL;
            rc = err_errno(reterr, errno, "memory shared with a program");
        }
    }
    if (rc == 0) {
        char role[] = {(char)('0' + p->use.role), 0};
        char *library = mem_printf("%s%s", strchr(command, '/') ? "" : "./", command);
        char *words[] = {"cairn-program",
                         "task",
                         "--program",
                         library,
                         role,
                         p->use.text_in ? "1" : "0",
                         p->use.bytes_out ? "1" : "0",
                         NULL};
        struct child_program how = {.path = "/proc/self/exe",
                                    .words = words,
                                    .host_args = words + 3,
                                    .fds = {memory_fd, pipes[0], pipes[3], pipes[5], pipes[6]},
                                    .fd_count = 5};
        rc = stream_child_start_program(t, role_names[p->use.role], &how, &p->child, reterr);
        free(library);
    }
    if (memory_fd >= 0)
        close(memory_fd);
    int theirs[] = {pipes[0], pipes[3], pipes[5], pipes[6]}, ours[] = {pipes[1], pipes[2], pipes[4], pipes[7]};
    close_all(theirs, 4);
    if (rc < 0) {
        close_all(ours, 4);
        return rc;
    }
    channel_init(&p->in, p->memory, pipes[1], pipes[2]);
    channel_init(&p->out, p->memory + CHANNEL_BYTES, pipes[4], pipes[7]);
    return 0;
}

static void program_free(struct program *p)
{
    stream_lines_free(&p->lines);
    buf_free(&p->feed);
    free(p->bytes);
    if (p->memory) {
        channel_close(&p->in);
        channel_close(&p->out);
        munmap(p->memory, 2 * CHANNEL_BYTES);
    }
    free(p);
}

int program_start(struct task *t, const char *command, struct program_use use, struct program **ret, struct err *reterr)
{
    struct program *p = mem_new(struct program);
    p->use = use;
    p->open = true;
    bool library = program_is_library(command);
    int rc = library ? start_library(t, command, p, reterr) : start_command(t, command, p, reterr);
    p->lines.child = p->child;
    if (rc < 0)
        program_free(p);
    else
        *ret = p;
    return rc;
}

/* ---- feeding ---- */

int program_feed_text(struct program *p, struct slice lines, bool *ret_open, struct err *reterr)
{
    if (!p->memory)
        return stream_child_write(p->child, lines.base, lines.len, ret_open, reterr);
    channel_write(&p->in, lines.base, lines.len);
    *ret_open = !p->in.over;
    return 0;
}

static void put_record(struct channel *c, const struct record *r)
{
    size_t whole = 8 + (size_t)r->key_len + r->value_len;
    uint8_t *to = channel_reserve(c, whole <= CHANNEL_SLOT_BYTES ? whole : 8);
    if (!to)
        return;
    memcpy(to, &r->key_len, 4);
    memcpy(to + 4, &r->value_len, 4);
    if (whole <= CHANNEL_SLOT_BYTES) {
        memcpy(to + 8, r->key, r->key_len);
        memcpy(to + 8 + r->key_len, r->value, r->value_len);
    } else {
        channel_write(c, r->key, r->key_len);
        channel_write(c, r->value, r->value_len);
    }
}

int program_feed_record(struct program *p, const struct record *r, bool *ret_open, struct err *reterr)
{
    if (p->memory) {
        put_record(&p->in, r);
        *ret_open = !p->in.over;
        return 0;
    }
    size_t between = p->ignore_key ? 0 : strlen(p->between), key = p->ignore_key ? 0 : r->key_len;
    uint8_t *to = buf_reserve(&p->feed, key + between + r->value_len + 1);
    memcpy(to, r->key, key);
    memcpy(to + key, p->between, between);
    memcpy(to + key + between, r->value, r->value_len);
    to[key + between + r->value_len] = '\n';
    p->feed.len += key + between + r->value_len + 1;
    *ret_open = p->open;
    if (p->feed.len < FEED_BYTES)
        return 0;
    int rc = p->open ? stream_child_write(p->child, p->feed.base, p->feed.len, &p->open, reterr) : 0;
    buf_clear(&p->feed);
    *ret_open = p->open;
    return rc;
}

int program_feed_end(struct program *p, struct err *reterr)
{
    if (p->memory) {
        channel_flush(&p->in);
        close(p->in.full);
        p->in.full = -1;
        return 0;
    }
    int rc = p->open && p->feed.len ? stream_child_write(p->child, p->feed.base, p->feed.len, &p->open, reterr) : 0;
    stream_child_close_in(p->child);
    return rc;
}

/* ---- taking ---- */

int program_take_record(struct program *p, struct record *ret, bool *ret_more, struct err *reterr)
{
    if (!p->memory) {
        struct slice line;
        int rc = stream_lines_next(&p->lines, &line, ret_more, reterr);
        if (rc == 0 && *ret_more)
            *ret = record_of_line(line, p->separator, p->key_fields);
        return rc;
    }
    struct slice head = channel_take(&p->out, 8);
    *ret_more = head.base != NULL;
    if (!head.base)
        return 0;
    uint32_t len[2];
    memcpy(len, head.base, sizeof len);
    if (len[0] > RECORD_BYTES_MAX || len[1] > RECORD_BYTES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "the %s's record is larger than %u bytes", role_names[p->use.role],
                       RECORD_BYTES_MAX);
    struct slice body = channel_take(&p->out, (size_t)len[0] + len[1]);
    *ret_more = body.base != NULL; /* if not: it died, as its exit status will say */
    if (body.base)
        *ret = (struct record){body.base, body.base + len[0], len[0], len[1]};
    return 0;
}

int program_take_bytes(struct program *p, struct slice *ret, struct err *reterr)
{
    if (p->memory) {
        *ret = channel_chunk(&p->out);
        return 0;
    }
    if (!p->bytes)
        p->bytes = mem_alloc(FEED_BYTES);
    size_t got = 0;
    int rc = stream_child_read(p->child, p->bytes, FEED_BYTES, &got, reterr);
    *ret = (struct slice){p->bytes, got};
    return rc;
}

/* ---- the end ---- */

void program_signal(struct program *p)
{
    stream_child_signal(p->child);
}

int program_finish(struct program *p, struct err *reterr)
{
    if (p->memory) { /* it may still wait for room: nobody takes any more */
        channel_close(&p->out);
        channel_close(&p->in);
    }
    int rc = stream_child_finish(p->child, reterr);
    program_free(p);
    return rc;
}

void program_kill(struct program *p)
{
    if (!p)
        return;
    stream_child_kill(p->child);
    program_free(p);
}
