/* The first moments of an attempt's process: `cairn attempt` confines itself, becomes the user who submitted the job,
 * and goes on as `cairn task`. */
#ifndef CAIRN_SCHEDULER_WORKER_STAGE_H
#define CAIRN_SCHEDULER_WORKER_STAGE_H

#include "scheduler/worker/confine.h"

struct stage {
    uid_t uid; /* of whom; 0 = stay who we are */
    gid_t gid;
    char user[64];
    const char *group; /* of confine.h; "" = no control groups here */
    const char *attempt_id;
    struct confine_limits limits;
};
#define STAGE_ARGS_MAX 16
#define STAGE_TEXT_MAX 4096
/* The command line for it; argv points into text. */
void stage_arguments(const struct stage *s, char text[STAGE_TEXT_MAX], char *argv[STAGE_ARGS_MAX]);
/* Who runs the attempts of this user's jobs: when we are not root, we are. A user that this machine does not know is
 * `unknown_user`. ERR_ILLEGAL_ARGUMENT: neither is. */
int stage_user(const char *job_user, const char *unknown_user, struct stage *s, struct err *reterr) MUST_CHECK;

#endif
