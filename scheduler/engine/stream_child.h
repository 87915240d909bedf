/* A streaming command as a process: its stdin and stdout for the caller; its stderr is read by a thread that takes the
 * reporter: lines out and lets the rest through to our own stderr (the attempt's log). `cat` is a pipe, not a process.
 * Owned by one thread, which reads; one other may write. */
#ifndef CAIRN_SCHEDULER_ENGINE_STREAM_CHILD_H
#define CAIRN_SCHEDULER_ENGINE_STREAM_CHILD_H

#include "common/buf.h"
#include "scheduler/engine/task.h"

struct stream_child;
/* what: "mapper", for messages. ERR_NOT_FOUND: no such command. */
int stream_child_start(struct task *t, const char *what, const char *command, struct stream_child **ret,
                       struct err *reterr) MUST_CHECK;
/* Any program, with descriptors of the caller's from 3 on; its stdin is empty, its stdout goes where its stderr does.
 */
#define CHILD_FDS_MAX 8
struct child_program {
    const char *path;
    char **words;
    char **host_args; /* of a C program: within words, those of program_host_main; else NULL */
    int fds[CHILD_FDS_MAX];
    size_t fd_count;
};
int stream_child_start_program(struct task *t, const char *what, const struct child_program *how,
                               struct stream_child **ret, struct err *reterr) MUST_CHECK;
/* All of it. *ret_open false: the command has closed its stdin or is gone; the rest is not wanted. */
int stream_child_write(struct stream_child *c, const void *bytes, size_t len, bool *ret_open,
                       struct err *reterr) MUST_CHECK;
void stream_child_close_in(struct stream_child *c);
int stream_child_read(struct stream_child *c, void *bytes, size_t len, size_t *ret_read, struct err *reterr) MUST_CHECK;
/* Waits for its end. An exit status that is not 0 is an error (unless stream.non.zero.exit.is.failure=false), so is a
 * signal. Frees c. */
int stream_child_finish(struct stream_child *c, struct err *reterr) MUST_CHECK;
void stream_child_kill(struct stream_child *c); /* after an error elsewhere; frees c; NULL is fine */

/* Ends it from another thread's point of view: blocked writes and reads return. stream_child_finish is still due. */
void stream_child_signal(struct stream_child *c);

/* Lines of its stdout, without LF. */
struct stream_lines {
    struct stream_child *child;
    uint8_t *bytes;
    size_t capacity, next, end;
    bool at_eof;
};
int stream_lines_next(struct stream_lines *l, struct slice *ret_line, bool *ret_more, struct err *reterr) MUST_CHECK;
void stream_lines_free(struct stream_lines *l);

/* One reporter: line without its end: counts or sets the status; false: not one (or not understood). */
bool reporter_line(struct task_report *report, struct counters *counters, const char *line);

#endif
