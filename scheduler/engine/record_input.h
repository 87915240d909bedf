/* What a map reads: the records of its split, as the job's input format has them. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_RECORD_INPUT_H
#define CAIRN_SCHEDULER_ENGINE_RECORD_INPUT_H

#include "scheduler/engine/byte_source.h"
#include "scheduler/engine/run_file.h"
#include "scheduler/engine/task.h"

/* One format. chunk or next is NULL where the format has only the other; exactly one of them is used. */
struct record_format {
    /* Bytes that go to a mapper as they are, len 0 = the end; counts what records they have. */
    int (*chunk)(void *state, struct slice *ret, int64_t *count, struct err *reterr);
    int (*next)(void *state, struct record *ret, bool *ret_more, struct err *reterr);
    void (*free)(void *state);
    bool no_key; /* a command gets values alone */
};

struct record_input;
/* For a C program formats give records where a command gets their bytes. */
int record_input_open(struct task *t, bool for_program, struct record_input **ret, struct err *reterr) MUST_CHECK;
void record_input_close(struct record_input *in);         /* NULL is fine */
bool record_input_is_text(const struct record_input *in); /* which of the next two is to be used */
bool record_input_has_keys(const struct record_input *in);
/* Borrowed until the next call. */
int record_input_chunk(struct record_input *in, struct slice *ret, struct err *reterr) MUST_CHECK;
int record_input_next(struct record_input *in, struct record *ret, bool *ret_more, struct err *reterr) MUST_CHECK;
int64_t record_input_count(const struct record_input *in); /* records so far */
float record_input_progress(const struct record_input *in);
void record_input_tell(struct record_input *in); /* bytes read, to the task's counters: once, at the end */

#endif
