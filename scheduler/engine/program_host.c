/* The process of a C program: takes what the task feeds it out of shared memory, calls the program, and puts what that
 * emits back there. Counters and the status travel as reporter: lines on stderr, as those of any command do. */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "scheduler/engine/channel.h"
#include "scheduler/engine/counters.h"
#include "scheduler/engine/fold_table.h"
#include "scheduler/engine/program.h"
#include "scheduler/include/cairn/mapreduce.h"

#define MEMORY_FD        3 /* then: in full, in freed, out full, out freed */
#define COUNT_EVERY_MS   1000
#define SETTING_NAME_MAX 512
#define FOLD_BYTES_MAX   4096
#define ASK_FAILED       64

struct host_counter {
    char *group, *name;
    int64_t amount; /* not told yet */
};
struct host {
    struct cairn_task task; /* first: what the program knows of us */
    const struct cairn_program *program;
    struct program_use use;
    struct channel in, out;
    struct fold_table *fold; /* NULL: records are sent at once */
    struct host_counter counters[COUNTERS_USER_MAX];
    size_t counter_count;
    int64_t counted_at_ms;
    /* reduce, combine: the group that is being read */
    struct buf key;
    struct cairn_bytes next_key, next_value;
    bool have_next; /* a record has been read that nobody has got yet */
    bool in_group;
    struct buf line; /* map: what lies across chunks */
};

static struct host *host_of(struct cairn_task *task)
{
    return (struct host *)(void *)task;
}

/* ---- what the program may call ---- */

static void send_record(void *context, struct slice key, struct slice value)
{
    struct host *h = context;
    size_t whole = 8 + key.len + value.len;
    uint32_t len[2] = {(uint32_t)key.len, (uint32_t)value.len};
    if (key.len > RECORD_BYTES_MAX || value.len > RECORD_BYTES_MAX) {
        fprintf(stderr, "cairn program: a record of more than %u bytes\n", RECORD_BYTES_MAX);
        _exit(EXIT_FAILURE);
    }
    uint8_t *to = channel_reserve(&h->out, whole <= CHANNEL_SLOT_BYTES ? whole : 8);
    if (!to)
        return;
    memcpy(to, len, sizeof len);
    if (whole <= CHANNEL_SLOT_BYTES) {
        memcpy(to + 8, key.base, key.len);
        memcpy(to + 8 + key.len, value.base, value.len);
    } else {
        channel_write(&h->out, key.base, key.len);
        channel_write(&h->out, value.base, value.len);
    }
}

static void send_text(struct host *h, struct cairn_bytes key, struct cairn_bytes value)
{
    size_t whole = key.size + value.size + 2;
    uint8_t *to = whole <= CHANNEL_SLOT_BYTES ? channel_reserve(&h->out, whole) : NULL;
    if (to) {
        memcpy(to, key.data, key.size);
        to[key.size] = value.data ? '\t' : '\n';
        memcpy(to + key.size + 1, value.data ? value.data : "", value.size);
        if (value.data)
            to[whole - 1] = '\n';
        else
            h->out.at--; /* one byte less than was reserved */
        return;
    }
    channel_write(&h->out, key.data, key.size);
    if (value.data) {
        channel_write(&h->out, "\t", 1);
        channel_write(&h->out, value.data, value.size);
    }
    channel_write(&h->out, "\n", 1);
}

/* What cairn_emit does depends on the task alone, so it has a function of its own for each. */

static struct slice slice_of(struct cairn_bytes bytes)
{
    return (struct slice){bytes.data ? bytes.data : (const uint8_t *)"", bytes.size};
}

static void emit_text(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value)
{
    struct slice k = slice_of(key);
    send_text(host_of(task), cairn_bytes(k.base, k.len), value);
}

static void emit_record(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value)
{
    send_record(host_of(task), slice_of(key), slice_of(value));
}

static void emit_folded(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value)
{
    struct host *h = host_of(task);
    if (value.size != h->program->fold_bytes) {
        fprintf(stderr, "cairn program: a value has %zu bytes, fold_bytes says %zu\n", value.size,
                h->program->fold_bytes);
        _exit(EXIT_FAILURE);
    }
    fold_table_add(h->fold, slice_of(key), value.data);
}

static void api_write(struct cairn_task *task, struct cairn_bytes bytes)
{
    struct host *h = host_of(task);
    if (!h->use.bytes_out) {
        fprintf(stderr, "cairn program: cairn_write where the output is records, not text\n");
        _exit(EXIT_FAILURE);
    }
    uint8_t *to = bytes.size <= CHANNEL_SLOT_BYTES ? channel_reserve(&h->out, bytes.size) : NULL;
    if (to)
        memcpy(to, bytes.data ? bytes.data : "", bytes.size);
    else
        channel_write(&h->out, bytes.data, bytes.size);
}

static void tell_counters(struct host *h)
{
    for (size_t i = 0; i < h->counter_count; i++)
        if (h->counters[i].amount) {
            fprintf(stderr, "reporter:counter:%s,%s,%lld\n", h->counters[i].group, h->counters[i].name,
                    (long long)h->counters[i].amount);
            h->counters[i].amount = 0;
        }
    h->counted_at_ms = clock_mono_ms();
}

static void api_count(struct cairn_task *task, const char *group, const char *name, int64_t amount)
{
    struct host *h = host_of(task);
    size_t i = 0;
    while (i < h->counter_count && (strcmp(h->counters[i].name, name) || strcmp(h->counters[i].group, group)))
        i++;
    if (i == COUNTERS_USER_MAX)
        return;
    if (i == h->counter_count) {
        h->counters[i] = (struct host_counter){mem_strdup(group), mem_strdup(name), 0};
        h->counter_count++;
    }
    h->counters[i].amount += amount;
}

static void api_status(struct cairn_task *task, const char *text)
{
    fprintf(stderr, "reporter:status:%.*s\n", (int)strcspn(text, "\n"), text);
}

static const char *api_setting(struct cairn_task *task, const char *name)
{
    char in_environment[SETTING_NAME_MAX];
    size_t n = 0;
    for (; name[n] && n < sizeof in_environment - 1; n++)
        in_environment[n] = isalnum((unsigned char)name[n]) ? name[n] : '_';
    in_environment[n] = 0;
    return getenv(in_environment);
}

static int api_fail(struct cairn_task *task, const char *format, va_list args)
{
    fprintf(stderr, "cairn program: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    return -1;
}

/* ---- groups ---- */

static bool read_record(struct host *h, struct cairn_bytes *key, struct cairn_bytes *value)
{
    struct slice head = channel_take(&h->in, 8);
    uint32_t len[2];
    if (!head.base)
        return false;
    memcpy(len, head.base, sizeof len);
    struct slice body = channel_take(&h->in, (size_t)len[0] + len[1]);
    if (!body.base)
        return false;
    *key = cairn_bytes(body.base, len[0]);
    *value = cairn_bytes(body.base + len[0], len[1]);
    return true;
}

static bool same_key(const struct host *h, struct cairn_bytes key)
{
    return h->key.len == key.size && (key.size == 0 || !memcmp(h->key.base, key.data, key.size));
}

static bool api_next(struct cairn_task *task, struct cairn_bytes *ret_value)
{
    struct host *h = host_of(task);
    if (!h->in_group)
        return false;
    if (!h->have_next)
        h->have_next = read_record(h, &h->next_key, &h->next_value);
    if (!h->have_next || !same_key(h, h->next_key)) {
        h->in_group = false;
        return false;
    }
    *ret_value = h->next_value;
    h->have_next = false;
    return true;
}

static int run_groups(struct host *h, int (*group)(struct cairn_task *, struct cairn_bytes))
{
    struct cairn_bytes left_over;
    int rc = 0;
    while (rc == 0 && (h->have_next || (h->have_next = read_record(h, &h->next_key, &h->next_value)))) {
        buf_clear(&h->key);
        buf_append(&h->key, h->next_key.data, h->next_key.size);
        h->in_group = true;
        rc = group(&h->task, cairn_bytes(h->key.base ? (const char *)h->key.base : "", h->key.len));
        while (rc == 0 && api_next(&h->task, &left_over))
            ;
    }
    return rc;
}

/* ---- maps ---- */

static void between_records(struct host *h)
{
    if (h->counter_count && clock_mono_ms() - h->counted_at_ms >= COUNT_EVERY_MS)
        tell_counters(h);
}

static int map_line(struct host *h, const uint8_t *line, size_t len)
{
    return h->program->map(&h->task, cairn_bytes("", 0), cairn_bytes(line, len));
}

static int run_text(struct host *h)
{
    int rc = 0;
    while (rc == 0 && !h->out.over) {
        struct slice chunk = channel_chunk(&h->in);
        if (chunk.len == 0)
            break;
        const uint8_t *at = chunk.base, *end = at + chunk.len, *lf;
        if (h->line.len && (lf = memchr(at, '\n', chunk.len))) { /* the end of what the last chunk began */
            buf_append(&h->line, at, (size_t)(lf - at));
            rc = map_line(h, h->line.base, h->line.len);
            buf_clear(&h->line);
            at = lf + 1;
        }
        for (; rc == 0 && at < end && (lf = memchr(at, '\n', (size_t)(end - at))); at = lf + 1)
            rc = map_line(h, at, (size_t)(lf - at));
        if (rc == 0 && at < end)
            buf_append(&h->line, at, (size_t)(end - at));
        between_records(h);
    }
    if (rc == 0 && h->line.len) /* fed without its line end */
        rc = map_line(h, h->line.base, h->line.len);
    return rc;
}

static int run_records(struct host *h)
{
    struct cairn_bytes key, value;
    int rc = 0;
    for (uint32_t n = 0; rc == 0 && !h->out.over && read_record(h, &key, &value); n++) {
        rc = h->program->map(&h->task, key, value);
        if ((n & 0xfff) == 0)
            between_records(h);
    }
    return rc;
}

/* ---- the process ---- */

static int run_role(struct host *h)
{
    const struct cairn_program *p = h->program;
    static const char *const names[] = {"map", "combine", "reduce"};
    int (*group)(struct cairn_task *, struct cairn_bytes) = h->use.role == PROGRAM_COMBINE  ? p->combine
                                                            : h->use.role == PROGRAM_REDUCE ? p->reduce
                                                                                            : NULL;
    if (h->use.role == PROGRAM_MAP ? !p->map : !group) {
        fprintf(stderr, "cairn program: it has no %s\n", names[h->use.role]);
        return -1;
    }
    int rc = p->setup ? p->setup(&h->task) : 0;
    if (rc == 0 && group)
        rc = run_groups(h, group);
    else if (rc == 0)
        rc = h->use.text_in ? run_text(h) : run_records(h);
    if (rc == 0 && p->cleanup)
        rc = p->cleanup(&h->task);
    if (rc == 0 && h->fold)
        fold_table_empty(h->fold);
    return rc;
}

static int load(struct host *h, const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "cairn program: %s\n", dlerror());
        return -1;
    }
    h->program = dlsym(library, "cairn_program");
    if (!h->program || h->program->abi != CAIRN_MAPREDUCE_ABI) {
        fprintf(stderr, "cairn program: '%s' %s\n", path,
                h->program ? "was built for another version of cairn/mapreduce.h" : "exports no cairn_program");
        return -1;
    }
    if (h->program->fold && (h->program->fold_bytes == 0 || h->program->fold_bytes > FOLD_BYTES_MAX)) {
        fprintf(stderr, "cairn program: fold_bytes is %zu, not 1 to %d\n", h->program->fold_bytes, FOLD_BYTES_MAX);
        return -1;
    }
    return 0;
}

int program_ask(const char *library, unsigned *ret_has, struct err *reterr)
{
    int status = 0;
    char *path = mem_printf("%s%s", strchr(library, '/') ? "" : "./", library);
    pid_t pid = fork();
    if (pid == 0) {
        struct host h = {0};
        if (load(&h, path) < 0)
            _exit(ASK_FAILED);
        _exit((int)((h.program->map ? PROGRAM_HAS_MAP : 0) | (h.program->combine ? PROGRAM_HAS_COMBINE : 0) |
                    (h.program->reduce ? PROGRAM_HAS_REDUCE : 0)));
    }
    free(path);
    if (pid < 0)
        return err_errno(reterr, errno, "fork");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) == ASK_FAILED)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-program %s cannot be loaded", library);
    *ret_has = (unsigned)WEXITSTATUS(status);
    return 0;
}

static size_t fold_memory(struct cairn_task *task)
{
    const char *text = api_setting(task, "cairn.program.fold.mb");
    long mib = text ? strtol(text, NULL, 10) : 0;
    return (size_t)(mib >= 1 && mib <= 1024 ? mib : 16) << 20;
}

int program_host_main(char **args)
{
    static struct cairn_api api = {emit_record, api_write, api_next, api_count, api_status, api_setting, api_fail};
    static struct host h;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "cairn-program");
    signal(SIGPIPE, SIG_IGN); /* a task that wants no more says so by closing its ends */
    h.task.api = &api;
    h.use = (struct program_use){
        .role = (enum program_role)(args[1][0] - '0'), .text_in = args[2][0] == '1', .bytes_out = args[3][0] == '1'};
    uint8_t *memory = mmap(NULL, 2 * CHANNEL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY_FD, 0);
    if (h.use.role > PROGRAM_REDUCE || memory == MAP_FAILED) {
        fprintf(stderr, "cairn task --program is started by a task\n");
        return EXIT_FAILURE;
    }
    for (int fd = MEMORY_FD; fd < MEMORY_FD + 5; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* not for what the program may start */
    channel_init(&h.in, memory, MEMORY_FD + 1, MEMORY_FD + 2);
    channel_init(&h.out, memory + CHANNEL_BYTES, MEMORY_FD + 3, MEMORY_FD + 4);
    int rc = load(&h, args[0]);
    if (h.use.bytes_out)
        api.emit = emit_text;
    else if (rc == 0 && h.use.role == PROGRAM_MAP && h.program->fold) {
        api.emit = emit_folded;
        h.fold = fold_table_new(fold_memory(&h.task), h.program->fold_bytes, h.program->fold, send_record, &h);
    }
    rc = rc ? rc : run_role(&h);
    channel_flush(&h.out);
    tell_counters(&h);
    fflush(NULL);
    _exit(rc ? EXIT_FAILURE : 0); /* what the library registered for exit() has nothing to do here */
}
