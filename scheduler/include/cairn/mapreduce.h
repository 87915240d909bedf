/* Map/Reduce programs in C: shared objects that run at full speed next to the data, in a process of their own.
 *
 *     #include <cairn/mapreduce.h>
 *
 *     static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value) { ... cairn_emit(...);
 * } static int reduce(struct cairn_task *task, struct cairn_bytes key) { ... while (cairn_next(task, &value)) ... }
 *     const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .map = map, .reduce = reduce};
 *
 *     cc -O2 -shared -fPIC -o count.so count.c
 *     cairn streaming -program ./count.so -input /in -output /out
 *
 * Nothing is linked: all functions below go through the task. A program may also be only the mapper, combiner or
 * reducer of a job (`-mapper ./count.so -reducer ./r.py`): records are the same on both sides.
 *
 * One task is one process with one thread that calls these functions. All of them return 0, or anything else to fail
 * the attempt (cairn_fail says why). stdout and stderr go to the attempt's log. The working directory holds the job's
 * files. */
#ifndef CAIRN_MAPREDUCE_H
#define CAIRN_MAPREDUCE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CAIRN_MAPREDUCE_ABI 1

struct cairn_bytes {
    const void *data;
    size_t size;
};

struct cairn_task;
struct cairn_program {
    int abi;                               /* CAIRN_MAPREDUCE_ABI */
    int (*setup)(struct cairn_task *task); /* once, before anything else; may be NULL, as all but map or reduce */
    /* One record of the input. Text: the key is empty, the value a line without its end. Key and value are only valid
     * during the call. */
    int (*map)(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value);
    /* One key with all its values, in the order of keys' bytes; values by cairn_next. combine emits what the reduce
     * will get instead, zero or more times over, so that its result must be of the form of its input. It is not called
     * for a part of a map's output in which no key has more than one value. */
    int (*combine)(struct cairn_task *task, struct cairn_bytes key);
    int (*reduce)(struct cairn_task *task, struct cairn_bytes key);
    int (*cleanup)(struct cairn_task *task); /* after the last record; may emit */
    /* A faster combiner for values of a fixed size: adds `from` to `into`, in place, while the map runs, in a hash
     * table. Every value that map emits must then have fold_bytes bytes. */
    void (*fold)(void *into, const void *from);
    size_t fold_bytes;
};
extern const struct cairn_program cairn_program
    __attribute__((visibility("default"))); /* what the shared object exports */

struct cairn_api {
    void (*emit)(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value);
    void (*write)(struct cairn_task *task, struct cairn_bytes bytes);
    bool (*next)(struct cairn_task *task, struct cairn_bytes *ret_value);
    void (*count)(struct cairn_task *task, const char *group, const char *name, int64_t amount);
    void (*status)(struct cairn_task *task, const char *text);
    const char *(*setting)(struct cairn_task *task, const char *name);
    int (*fail)(struct cairn_task *task, const char *format, va_list args);
};
struct cairn_task {
    const struct cairn_api *api;
    void *user; /* yours */
};

static inline struct cairn_bytes cairn_bytes(const void *data, size_t size)
{
    struct cairn_bytes b = {data, size};
    return b;
}

/* A record: to the reduces, or from a reduce (or a map without reduces) to the output, in text as key<TAB>value<LF>,
 * and as key<LF> if value.data is NULL. */
static inline void cairn_emit(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes value)
{
    task->api->emit(task, key, value);
}
/* Bytes to the output as they are, where it is text: in a reduce, or a map without reduces. */
static inline void cairn_write(struct cairn_task *task, const void *data, size_t size)
{
    task->api->write(task, cairn_bytes(data, size));
}
/* In reduce and combine: the key's next value, valid until the next call. Values left over are skipped. */
static inline bool cairn_next(struct cairn_task *task, struct cairn_bytes *ret_value)
{
    return task->api->next(task, ret_value);
}
static inline void cairn_count(struct cairn_task *task, const char *group, const char *name, int64_t amount)
{
    task->api->count(task, group, name, amount);
}
static inline void cairn_status(struct cairn_task *task, const char *text)
{
    task->api->status(task, text);
}
/* A setting of the job (`-D name=value`) or of the task (`mapreduce.task.partition`); NULL: not set. */
static inline const char *cairn_setting(struct cairn_task *task, const char *name)
{
    return task->api->setting(task, name);
}
/* Says why and returns what map, reduce, ... should return then. */
static inline int cairn_fail(struct cairn_task *task, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = task->api->fail(task, format, args);
    va_end(args);
    return status;
}

#endif
