/* Hadoop's names of jobs, tasks and attempts: job_<cluster start>_<number>, task_..._m_<number>, attempt_..._<try>. */
#ifndef CAIRN_SCHEDULER_IDS_H
#define CAIRN_SCHEDULER_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define JOB_ID_MAX     64
#define ATTEMPT_ID_MAX 96

struct attempt_id {
    char job[JOB_ID_MAX]; /* "job_..." */
    bool map;
    uint32_t partition, attempt;
};
void job_id_format(int64_t cluster_start_ms, uint32_t number, char out[JOB_ID_MAX]);
bool job_id_is_valid(const char *text); /* also: safe as a file name */
void attempt_id_format(const struct attempt_id *id, char out[ATTEMPT_ID_MAX]);
void task_id_format(const struct attempt_id *id, char out[ATTEMPT_ID_MAX]);
bool attempt_id_parse(const char *text, struct attempt_id *ret);

#endif
