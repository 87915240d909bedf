/* `cairn job`: list, inspect, follow and kill jobs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/mem.h"
#include "common/terminal.h"
#include "client/lib/dfs.h"
#include "main/commands.h"
#include "scheduler/cli/job_client.h"
#include "scheduler/ids.h"

#define JOB_ARENA_BYTES (256u << 20)
#define LOG_TIMEOUT_MS  30000
#define LOG_FOLLOW_MS   300

static const char usage_text[] =
    "Usage: cairn job [generic options] COMMAND\n"
    "  -list [all]          running jobs, or all that are remembered\n"
    "  -status JOB          state and progress\n"
    "  -counters JOB        its counters\n"
    "  -history [JOB]       finished jobs, or every attempt of one\n"
    "  -logs [-f] JOB|ATTEMPT  what the attempts wrote to stderr; -f: and go on, to the end\n"
    "  -wait JOB            follow it to its end; exit code 0 if it succeeded\n"
    "  -kill JOB\n"
    "  -submit OPTIONS      as `cairn streaming OPTIONS`\n"
    "  -fail-task ATTEMPT   ends it as a failure of its task\n"
    "  -kill-task ATTEMPT   ends it; the task is tried again\n"
    "  -workers             who runs tasks\n"
    "  -drain WORKER        name or address: it ends what it runs and takes no more\n"
    "  -undrain WORKER\n"
    "  -schedules           recurring jobs (-D cairn.job.schedule='CRON')\n"
    "  -unschedule NAME\n";

static const char *attempt_state_name(Cairn__AttemptState state)
{
    static const char *const names[] = {[CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED] = "ASSIGNED",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING] = "RUNNING",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED] = "SUCCEEDED",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED] = "FAILED",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED] = "KILLED"};
    return (size_t)state < ARRAY_COUNT(names) && names[state] ? names[state] : "UNKNOWN";
}

static const char *time_text(int64_t at_ms, char out[32])
{
    time_t at = (time_t)(at_ms / 1000);
    struct tm tm;
    localtime_r(&at, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

static int list_jobs(struct job_client *c, bool all, bool only_finished, struct arena *a, struct err *reterr)
{
    const Cairn__ListJobsResponseProto *jobs;
    int rc = job_client_list(c, all, a, &jobs, reterr);
    if (rc < 0)
        return rc;
    size_t shown = 0;
    for (size_t i = 0; i < jobs->n_jobs; i++)
        shown += !only_finished || jobs->jobs[i]->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED;
    printf("Total jobs:%zu\n%-28s %-11s %-19s %-10s %11s %11s  %s\n", shown, "JobId", "State", "StartTime", "UserName",
           "Maps", "Reduces", "JobName");
    for (size_t i = 0; i < jobs->n_jobs; i++) {
        const Cairn__JobStatusProto *s = jobs->jobs[i];
        char when[32], maps[32], reduces[32];
        if (only_finished && s->state < CAIRN__JOB_STATE__JOB_SUCCEEDED)
            continue;
        snprintf(maps, sizeof maps, "%u/%u", s->mapsdone, s->maps);
        snprintf(reduces, sizeof reduces, "%u/%u", s->reducesdone, s->reduces);
        printf("%-28s %-11s %-19s %-10s %11s %11s  %s\n", s->jobid, job_state_name(s->state),
               time_text(s->submittedatms, when), s->user, maps, reduces, s->name);
    }
    return 0;
}

static void print_tasks(const char *kind, uint32_t all, uint32_t done, uint32_t running, uint32_t failed)
{
    printf("Number of %s: %u (%u done, %u running", kind, all, done, running);
    if (failed)
        printf(", %u failed", failed);
    printf(")\n");
}

static void print_status(const Cairn__JobStatusProto *s)
{
    char when[32];
    printf("Job: %s\nJob Name: %s\nUser: %s\nJob State: %s\n", s->jobid, s->name, s->user, job_state_name(s->state));
    printf("Submitted: %s\n", time_text(s->submittedatms, when));
    if (s->has_finishedatms)
        printf("Finished: %s (took %.1f s)\n", time_text(s->finishedatms, when),
               (double)(s->finishedatms - s->submittedatms) / 1000);
    printf("Output: %s\n", s->output ? s->output : "");
    print_tasks("maps", s->maps, s->mapsdone, s->mapsrunning, s->mapsfailed);
    print_tasks("reduces", s->reduces, s->reducesdone, s->reducesrunning, s->reducesfailed);
    printf("map() completion: %.2f\nreduce() completion: %.2f\n", (double)s->mapprogress, (double)s->reduceprogress);
    if (s->waitingfor)
        printf("Waiting for: %s\n", s->waitingfor);
    if (s->diagnostics)
        printf("Reason: %s\n", s->diagnostics);
}

static void print_counters(const Cairn__JobStatusProto *s)
{
    printf("Counters: %zu\n", s->n_counters);
    for (size_t i = 0; i < s->n_counters; i++)
        printf("%s\t%s\t%" PRId64 "\n", s->counters[i]->group, s->counters[i]->name, s->counters[i]->value);
}

static int show_job(struct job_client *c, const char *job_id, bool counters, struct arena *a, struct err *reterr)
{
    const Cairn__JobStatusProto *s;
    int rc = job_client_get(c, job_id, 0, 0, a, &s, reterr);
    if (rc == 0)
        counters ? print_counters(s) : print_status(s);
    return rc;
}

static int show_history(struct job_client *c, const char *job_id, struct arena *a, struct err *reterr)
{
    static const char *const localities[] = {"", "node-local", "rack-local", "remote", ""};
    int rc = show_job(c, job_id, false, a, reterr);
    const Cairn__GetAttemptsResponseProto *attempts;
    if (rc == 0)
        rc = job_client_attempts(c, job_id, a, &attempts, reterr);
    for (size_t i = 0; rc == 0 && i < attempts->n_attempts; i++) {
        const Cairn__AttemptProto *at = attempts->attempts[i];
        printf("%s\t%s\t%s\t%s\t%.1f s%s%s%s%s\n", at->attemptid, attempt_state_name(at->state), at->worker,
               localities[at->locality],
               at->has_finishedatms ? (double)(at->finishedatms - at->startedatms) / 1000 : 0.0,
               at->localityreason ? "\t" : "", at->localityreason ? at->localityreason : "",
               at->diagnostics ? "\t" : "", at->diagnostics ? at->diagnostics : "");
    }
    if (rc == 0) {
        const Cairn__JobStatusProto *s;
        if ((rc = job_client_get(c, job_id, 0, 0, a, &s, reterr)) == 0)
            print_counters(s);
    }
    return rc;
}

static int print_sink(const void *bytes, size_t len, void *arg, struct err *reterr)
{
    return fwrite(bytes, 1, len, stdout) == len ? 0 : err_set(reterr, ERR_IO, "write to stdout");
}

static bool attempt_is_over(const Cairn__AttemptProto *at)
{
    return at->state >= CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED;
}

struct log_place { /* of one attempt: how much of its log has been shown */
    char id[ATTEMPT_ID_MAX];
    int64_t shown;
    bool over;
};
struct log_places {
    struct log_place *list;
    size_t count;
};

static struct log_place *log_place_of(struct log_places *places, const char *attempt_id)
{
    for (size_t i = 0; i < places->count; i++)
        if (!strcmp(places->list[i].id, attempt_id))
            return &places->list[i];
    places->list = mem_realloc_array(places->list, places->count + 1, sizeof *places->list);
    struct log_place *p = &places->list[places->count++];
    *p = (struct log_place){0};
    snprintf(p->id, sizeof p->id, "%s", attempt_id);
    return p;
}

static int count_and_print(const void *bytes, size_t len, void *arg, struct err *reterr)
{
    struct log_place *p = arg;
    p->shown += (int64_t)len;
    return print_sink(bytes, len, NULL, reterr);
}

static int show_log(const Cairn__AttemptProto *at, struct log_place *place, struct arena *a, struct err *reterr)
{
    struct net_address address;
    int rc = net_parse(at->httpaddress, 0, &address, reterr);
    return rc < 0 ? rc
                  : http_get(&address, arena_printf(a, "/logs/%s?offset=%" PRId64, at->attemptid, place->shown),
                             LOG_TIMEOUT_MS, count_and_print, place, reterr);
}

/* What the logs have more than at the last call. *ret_live: some attempt is not over, so there may be still more. */
static int show_new_logs(struct job_client *c, const char *id, const struct attempt_id *one, bool follow,
                         struct log_places *places, bool *ret_live, struct arena *a, struct err *reterr)
{
    const Cairn__GetAttemptsResponseProto *attempts;
    int rc = job_client_attempts(c, one ? one->job : id, a, &attempts, reterr);
    *ret_live = false;
    for (size_t i = 0; rc == 0 && i < attempts->n_attempts; i++) {
        const Cairn__AttemptProto *at = attempts->attempts[i];
        if (one && strcmp(at->attemptid, id))
            continue;
        struct log_place *place = log_place_of(places, at->attemptid);
        *ret_live |= !attempt_is_over(at);
        if (place->over)
            continue;
        place->over = attempt_is_over(at);
        if (!one && !follow)
            printf("==== %s %s on %s\n", at->attemptid, attempt_state_name(at->state), at->worker);
        int64_t before = place->shown;
        rc = show_log(at, place, a, reterr);
        if (rc < 0 && !one) { /* the others may still be there */
            printf("(no log: %s)\n", reterr->text);
            rc = 0;
        }
        if (follow && !one && place->shown > before)
            printf("==== the above is of %s on %s\n", at->attemptid, at->worker);
    }
    fflush(stdout);
    return rc;
}

static int show_logs(struct job_client *c, const char *id, bool follow, struct arena *a, struct err *reterr)
{
    struct attempt_id attempt;
    bool one = attempt_id_parse(id, &attempt), live = false;
    struct log_places places = {0};
    int rc;
    for (;;) {
        rc = show_new_logs(c, id, one ? &attempt : NULL, follow, &places, &live, a, reterr);
        const Cairn__JobStatusProto *s = NULL;
        if (rc == 0 && follow && !live && !one)
            rc = job_client_get(c, id, 0, 0, a, &s, reterr);
        if (rc < 0 || !follow || (!live && (one || s->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED)))
            break;
        clock_sleep_ms(LOG_FOLLOW_MS);
        arena_reset(a);
    }
    if (rc == 0 && one && places.count == 0)
        rc = err_set(reterr, ERR_NOT_FOUND, "there is no attempt %s", id);
    free(places.list);
    return rc;
}

static int end_attempt(struct job_client *c, const char *id, bool fail, struct err *reterr)
{
    bool done = false;
    int rc = job_client_end_attempt(c, id, fail, &done, reterr);
    if (rc == 0)
        printf(!done ? "%s is over already\n" : fail ? "Failed task %s\n" : "Killed task %s\n", id);
    return rc;
}

static int show_workers(struct job_client *c, struct arena *a, struct err *reterr)
{
    const Cairn__ListWorkersResponseProto *workers;
    int rc = job_client_workers(c, a, &workers, reterr);
    if (rc < 0)
        return rc;
    printf("%-24s %-22s %-9s %7s %9s %7s  %s\n", "Worker", "Address", "State", "Slots", "Memory", "Cores", "Rack");
    for (size_t i = 0; i < workers->n_workers; i++) {
        const Cairn__WorkerStatusProto *w = workers->workers[i];
        char slots[32];
        snprintf(slots, sizeof slots, "%u/%u", w->running, w->slots);
        printf("%-24s %-22s %-9s %7s %6u MB %7u  %s\n", w->name, w->address, w->state, slots, w->memorymb, w->vcores,
               w->rack ? w->rack : "");
    }
    return 0;
}

static int show_schedules(struct job_client *c, struct arena *a, struct err *reterr)
{
    const Cairn__ListSchedulesResponseProto *all;
    int rc = job_client_schedules(c, a, &all, reterr);
    if (rc < 0)
        return rc;
    printf("%-24s %-16s %-10s %-19s %5s %7s  %-28s %s\n", "Name", "Times", "User", "Next", "Runs", "Skipped", "LastJob",
           "Problem");
    for (size_t i = 0; i < all->n_schedules; i++) {
        const Cairn__ScheduleProto *s = all->schedules[i];
        char when[32];
        printf("%-24s %-16s %-10s %-19s %5u %7u  %-28s %s\n", s->name, s->cron, s->job->user,
               time_text(s->nextatms, when), s->runs, s->skipped, s->lastjobid ? s->lastjobid : "",
               s->problem ? s->problem : "");
    }
    return 0;
}

static int kill_job(struct job_client *c, const char *job_id, struct err *reterr)
{
    bool killed = false;
    int rc = job_client_kill(c, job_id, &killed, reterr);
    if (rc == 0)
        printf(killed ? "Killed job %s\n" : "Job %s is over already\n", job_id);
    return rc;
}

static int wait_job(struct job_client *c, const char *job_id, struct arena *a, int *ret_exit, struct err *reterr)
{
    const Cairn__JobStatusProto *s;
    job_interrupt_watch(job_id);
    int rc = job_client_follow(c, job_id, a, &s, reterr);
    if (rc == ERR_CANCELLED) {
        *ret_exit = 130;
        return 0;
    }
    if (rc == 0) {
        print_status(s);
        *ret_exit = s->state == CAIRN__JOB_STATE__JOB_SUCCEEDED ? 0 : 1;
    }
    return rc;
}

static int run(struct job_client *c, int argc, char **argv, struct arena *a, int *ret_exit, struct err *reterr)
{
    const char *command = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : NULL;
    if (!strcmp(command, "-list") && (!arg || !strcmp(arg, "all")))
        return list_jobs(c, arg != NULL, false, a, reterr);
    if (!strcmp(command, "-history") && (!arg || !strcmp(arg, "all")))
        return list_jobs(c, true, true, a, reterr);
    if (!strcmp(command, "-workers") && !arg)
        return show_workers(c, a, reterr);
    if (!strcmp(command, "-schedules") && !arg)
        return show_schedules(c, a, reterr);
    if (argc == 4 && !strcmp(command, "-logs") && !strcmp(arg, "-f"))
        return show_logs(c, argv[3], true, a, reterr);
    if (arg && argc == 3) {
        if (!strcmp(command, "-fail-task") || !strcmp(command, "-kill-task"))
            return end_attempt(c, arg, !strcmp(command, "-fail-task"), reterr);
        if (!strcmp(command, "-drain") || !strcmp(command, "-undrain"))
            return job_client_drain(c, arg, !strcmp(command, "-drain"), reterr);
        if (!strcmp(command, "-unschedule"))
            return job_client_unschedule(c, arg, reterr);
        if (!strcmp(command, "-status"))
            return show_job(c, arg, false, a, reterr);
        if (!strcmp(command, "-counters"))
            return show_job(c, arg, true, a, reterr);
        if (!strcmp(command, "-history"))
            return show_history(c, arg, a, reterr);
        if (!strcmp(command, "-logs"))
            return show_logs(c, arg, false, a, reterr);
        if (!strcmp(command, "-kill"))
            return kill_job(c, arg, reterr);
        if (!strcmp(command, "-wait"))
            return wait_job(c, arg, a, ret_exit, reterr);
    }
    fputs(usage_text, stderr);
    *ret_exit = EXIT_USAGE;
    return 0;
}

int job_main(int argc, char **argv)
{
    struct err err = {0};
    struct config *config = NULL;
    struct dfs *fs = NULL;
    struct job_client *client = NULL;
    struct arena a;
    if (argc > 1 && !strcmp(argv[1], "-submit"))
        return streaming_main(argc - 1, argv + 1);
    arena_init(&a, JOB_ARENA_BYTES);
    int exit_code = 0;
    int rc = cli_load(&argc, argv, &config, &err);
    if (rc == 0 && argc == 2 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help"))) {
        fputs(usage_text, stdout);
    } else if (rc == 0) {
        if (argc > 1 && strcmp(argv[1], "-logs") != 0) /* what tasks write may be in colour */
            terminal_guard(&stdout);
        rc = dfs_connect(config, NULL, NULL, &fs, &err); /* only for who we are */
        if (rc == 0)
            rc = job_client_connect(config, dfs_user(fs), &client, &err);
        if (rc == 0)
            rc = run(client, argc, argv, &a, &exit_code, &err);
    }
    if (rc < 0)
        fprintf(stderr, "job: %s\n", err.text);
    job_client_free(client);
    dfs_unref(fs);
    arena_free(&a);
    config_free(config);
    return rc < 0 ? 1 : exit_code;
}
