/* The user's mapper, combiner or reducer as a process, whichever kind it is: a command that reads and writes lines, or
 * a C program (scheduler/include/cairn/mapreduce.h), named by a file that ends in ".so", with which records are
 * exchanged through shared memory. One thread feeds, another one takes; the thread that started it ends it. */
#ifndef CAIRN_SCHEDULER_ENGINE_PROGRAM_H
#define CAIRN_SCHEDULER_ENGINE_PROGRAM_H

#include "common/buf.h"
#include "scheduler/engine/run_file.h"
#include "scheduler/engine/task.h"

enum program_role { PROGRAM_MAP, PROGRAM_COMBINE, PROGRAM_REDUCE };
struct program_use {
    enum program_role role;
    bool no_key;    /* a command is fed values alone */
    bool text_in;   /* fed by program_feed_text, not record by record */
    bool bytes_out; /* gives the output's bytes (program_take_bytes), not records */
};

#define PROGRAM_AGGREGATE "aggregate" /* the combiner or reducer of that name: aggregate.h */

struct program;
int program_start(struct task *t, const char *command, struct program_use use, struct program **ret,
                  struct err *reterr) MUST_CHECK;

/* ---- feeding; *ret_open false: it wants no more ---- */
int program_feed_text(struct program *p, struct slice lines, bool *ret_open, struct err *reterr) MUST_CHECK;
int program_feed_record(struct program *p, const struct record *r, bool *ret_open, struct err *reterr) MUST_CHECK;
int program_feed_end(struct program *p, struct err *reterr) MUST_CHECK; /* once, also after an error */

/* ---- taking; borrowed until the next call ---- */
int program_take_record(struct program *p, struct record *ret, bool *ret_more, struct err *reterr) MUST_CHECK;
int program_take_bytes(struct program *p, struct slice *ret, struct err *reterr) MUST_CHECK; /* len 0: the end */

/* ---- the end ---- */
void program_signal(struct program *p); /* from another thread's point of view: it dies, blocked calls return */
/* Waits for its end; an exit status that is not 0 is an error. Frees p. */
int program_finish(struct program *p, struct err *reterr) MUST_CHECK;
void program_kill(struct program *p); /* after an error elsewhere; frees p; NULL is fine */

bool program_is_library(const char *command);
/* Which functions a C program has: bits. Loads it in a process of its own, which says why if it cannot. */
#define PROGRAM_HAS_MAP     1u
#define PROGRAM_HAS_COMBINE 2u
#define PROGRAM_HAS_REDUCE  4u
int program_ask(const char *library, unsigned *ret_has, struct err *reterr) MUST_CHECK;
/* The other side: `cairn task --program LIBRARY ROLE TEXT_IN BYTES_OUT` (program_host.c). The process's exit status. */
int program_host_main(char **args);
#define PROGRAM_HOST_ARGS 4

/* Streaming's record of a line: the key ends before the n-th separator, or is the whole line. */
struct record record_of_line(struct slice line, struct slice separator, int key_fields);

#endif
