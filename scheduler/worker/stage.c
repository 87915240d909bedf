#include "scheduler/worker/stage.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "main/commands.h"

enum { ARG_COMMAND, ARG_UID, ARG_GID, ARG_USER, ARG_GROUP, ARG_ATTEMPT, ARG_LIMITS, ARG_COUNT };

void stage_arguments(const struct stage *s, char text[STAGE_TEXT_MAX], char *argv[STAGE_ARGS_MAX])
{
    const struct confine_limits *l = &s->limits;
    char limits[128], uid[16], gid[16];
    snprintf(limits, sizeof limits, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, l->memory_mb, l->vcores,
             l->cpu_seconds, l->file_mb, l->processes);
    snprintf(uid, sizeof uid, "%u", (unsigned)s->uid);
    snprintf(gid, sizeof gid, "%u", (unsigned)s->gid);
    const char *words[] = {"cairn", "attempt", uid, gid, s->user, s->group, s->attempt_id, limits};
    size_t at = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        argv[i] = text + at;
        at += (size_t)snprintf(text + at, STAGE_TEXT_MAX - at, "%s", words[i]) + 1;
    }
    argv[sizeof words / sizeof words[0]] = NULL;
}

int stage_user(const char *job_user, const char *unknown_user, struct stage *s, struct err *reterr)
{
    char bytes[16384];
    struct passwd entry, *found = NULL;
    *s = (struct stage){0};
    if (geteuid() != 0)
        return 0;
    (void)getpwnam_r(job_user, &entry, bytes, sizeof bytes, &found);
    if (!found && unknown_user[0])
        (void)getpwnam_r(unknown_user, &entry, bytes, sizeof bytes, &found);
    if (!found)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                       "this node knows no user '%s', as whom the job's tasks would run (cairn.worker.unknown-user)",
                       job_user);
    s->uid = found->pw_uid;
    s->gid = found->pw_gid;
    snprintf(s->user, sizeof s->user, "%s", found->pw_name);
    return 0;
}

static int become(const char *user, uid_t uid, gid_t gid)
{
    if (uid == 0)
        return 0;
    return initgroups(user, gid) < 0 || setgid(gid) < 0 || setuid(uid) < 0 ? -1 : 0;
}

int attempt_main(int argc, char **argv)
{
    char *task[] = {"cairn task", NULL};
    struct confine_limits l = {0};
    if (argc != ARG_COUNT || sscanf(argv[ARG_LIMITS], "%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%" SCNd64,
                                    &l.memory_mb, &l.vcores, &l.cpu_seconds, &l.file_mb, &l.processes) != 5) {
        fprintf(stderr, "cairn attempt is started by a worker\n");
        return EXIT_FAILURE;
    }
    struct confine_held held = {false, false};
    if (argv[ARG_GROUP][0])
        held = confine_enter(argv[ARG_GROUP], argv[ARG_ATTEMPT]);
    confine_self(&l, held);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what the command leaves behind stays ours, and ends with us */
    if (become(argv[ARG_USER], (uid_t)strtoul(argv[ARG_UID], NULL, 10), (gid_t)strtoul(argv[ARG_GID], NULL, 10)) < 0) {
        fprintf(stderr, "cannot become %s: %s\n", argv[ARG_USER], strerror(errno));
        return EXIT_FAILURE;
    }
    return task_main(1, task);
}
