#include "scheduler/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void job_id_format(int64_t cluster_start_ms, uint32_t number, char out[JOB_ID_MAX])
{
    snprintf(out, JOB_ID_MAX, "job_%" PRId64 "_%04" PRIu32, cluster_start_ms, number);
}

static const char *digits(const char *at, size_t max)
{
    size_t n = strspn(at, "0123456789");
    return n > 0 && n <= max ? at + n : NULL;
}

bool job_id_is_valid(const char *text)
{
    if (strncmp(text, "job_", 4))
        return false;
    const char *at = digits(text + 4, 18);
    if (!at || *at != '_')
        return false;
    at = digits(at + 1, 10);
    return at && !*at;
}

void attempt_id_format(const struct attempt_id *id, char out[ATTEMPT_ID_MAX])
{
    snprintf(out, ATTEMPT_ID_MAX, "attempt_%s_%c_%06" PRIu32 "_%" PRIu32, id->job + 4, id->map ? 'm' : 'r',
             id->partition, id->attempt);
}

void task_id_format(const struct attempt_id *id, char out[ATTEMPT_ID_MAX])
{
    snprintf(out, ATTEMPT_ID_MAX, "task_%s_%c_%06" PRIu32, id->job + 4, id->map ? 'm' : 'r', id->partition);
}

bool attempt_id_parse(const char *text, struct attempt_id *ret)
{
    char kind = 0;
    int job_end = 0, all = 0;
    uint32_t partition = 0, attempt = 0;
    if (sscanf(text, "attempt_%*[0-9]_%*[0-9]%n_%c_%9" SCNu32 "_%9" SCNu32 "%n", &job_end, &kind, &partition, &attempt,
               &all) != 3)
        return false;
    if (!all || text[all] || (kind != 'm' && kind != 'r') || job_end - 4 >= JOB_ID_MAX)
        return false;
    struct attempt_id id = {.map = kind == 'm', .partition = partition, .attempt = attempt};
    snprintf(id.job, sizeof id.job, "job_%.*s", job_end - 8, text + 8);
    char canonical[ATTEMPT_ID_MAX];
    attempt_id_format(&id, canonical);
    if (!job_id_is_valid(id.job) || strcmp(canonical, text)) /* signs and missing zeros: not a name we gave */
        return false;
    *ret = id;
    return true;
}
