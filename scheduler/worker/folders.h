/* The folders of jobs and attempts on this node (worker.h says which there are), and whose they are. */
#ifndef CAIRN_SCHEDULER_WORKER_FOLDERS_H
#define CAIRN_SCHEDULER_WORKER_FOLDERS_H

#include "scheduler/worker/stage.h"
#include "scheduler/worker/worker.h"

/* Paths; the caller frees. */
char *folders_job(const struct worker_daemon *w, const char *job_id);
char *folders_work(const struct worker_daemon *w, const char *job_id, const char *attempt_id);
char *folders_output(const struct worker_daemon *w, const char *job_id, const char *attempt_id);
char *folders_log(const struct worker_daemon *w, const char *job_id, const char *attempt_id);

/* An attempt's working folder, which becomes the user's; with those of its job if they are not there yet. */
int folders_make_work(const struct worker_daemon *w, const char *job_id, const char *work_dir,
                      const struct stage *stage, struct err *reterr) MUST_CHECK;
/* Where a map leaves what reduces fetch. */
int folders_make_output(const struct worker_daemon *w, const char *job_id, const char *output_dir,
                        const struct stage *stage, struct err *reterr) MUST_CHECK;
/* A log in which nothing is becomes another attempt's: most are empty, and a file for each costs more than a small
 * task. So an attempt that has no log wrote nothing. */
void folders_pass_log(const struct worker_daemon *w, const char *job_id, const char *from_attempt,
                      const char *to_attempt);
/* An attempt's log, for appending. */
int folders_open_log(const struct worker_daemon *w, const char *job_id, const char *attempt_id, int *ret_fd,
                     struct err *reterr) MUST_CHECK;

#endif
