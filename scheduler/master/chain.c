/* Chains: a job that names others in cairn.job.after waits until all of them have succeeded; only then are its splits
 * computed, since its input may be what they write. When one fails, so does it. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/master/sched_internal.h"

static bool waits_for(const struct job *j, const char *job_id, size_t *ret_at)
{
    for (size_t i = 0; i < j->after_count; i++)
        if (!strcmp(j->after[i], job_id)) {
            *ret_at = i;
            return true;
        }
    return false;
}

void chain_over(struct sched *s, const struct job *over, int64_t now_ms, struct sched_actions *out)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        size_t at;
        if (j->state != CAIRN__JOB_STATE__JOB_WAITING || !waits_for(j, over->spec->jobid, &at))
            continue;
        if (over->state != CAIRN__JOB_STATE__JOB_SUCCEEDED) {
            char *why = mem_printf("%s, which it waited for, did not succeed", over->spec->jobid);
            sched_job_end(s, j, CAIRN__JOB_STATE__JOB_FAILED, why, now_ms, out);
            free(why);
            continue;
        }
        free(j->after[at]);
        j->after[at] = j->after[--j->after_count];
        j->version++;
        if (j->after_count == 0)
            sched_act(out, SCHED_PLAN, 0, j, NULL);
    }
}

void sched_planned(struct sched *s, int64_t now_ms, const char *job_id, struct arena *arena,
                   const Cairn__JobSpecProto *spec, const struct err *why_not, struct sched_actions *out)
{
    struct job *j = sched_job(s, job_id);
    struct err err = {0};
    if (!j || j->state != CAIRN__JOB_STATE__JOB_WAITING)
        return; /* killed meanwhile */
    if (!why_not && job_plan(j, arena, spec, &err) < 0)
        why_not = &err;
    if (why_not) {
        sched_job_end(s, j, CAIRN__JOB_STATE__JOB_FAILED, why_not->text, now_ms, out);
        return;
    }
    j->state = CAIRN__JOB_STATE__JOB_RUNNING;
    resources_learn_racks(&s->resources, j->spec->holders, j->spec->n_holders);
    sched_maybe_commit(j, out);
    sched_assign(s, now_ms, out);
}
