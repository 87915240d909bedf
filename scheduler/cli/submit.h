/* From what a person asked for to a job the scheduler has: checks, job files into the staging folder, splits, the
 * output folder, submission. */
#ifndef CAIRN_SCHEDULER_CLI_SUBMIT_H
#define CAIRN_SCHEDULER_CLI_SUBMIT_H

#include "client/lib/dfs.h"
#include "scheduler/cli/job_client.h"

struct job_request {                                              /* borrowed texts */
    const char **inputs, **tagged, **files, **archives, **cmdenv; /* tagged: "TAG=PATH" */
    size_t input_count, tagged_count, file_count, archive_count, cmdenv_count;
    const char *program; /* a C program, for those of the next three that are NULL; it is asked which it has */
    const char *output, *mapper, *combiner, *reducer; /* reducer NULL: identity */
    const char *input_format, *input_reader, *output_format, *partitioner;
    int64_t reduces; /* -1: mapreduce.job.reduces */
    bool lazy_output, verbose;
};
/* On failure nothing stays behind. ERR_EXISTS: the output; ERR_NOT_FOUND: an input; ERR_ILLEGAL_ARGUMENT,
 * ERR_UNSUPPORTED: the request. *ret_job_id lives in the arena; NULL: a recurring job
 * (cairn.job.schedule), of which nothing runs yet. */
int job_submit(struct dfs *fs, struct job_client *client, const struct config *config, struct job_request *request,
               struct arena *a, const char **ret_job_id, const char **ret_url, struct err *reterr) MUST_CHECK;

#endif
