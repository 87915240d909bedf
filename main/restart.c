#include "main/restart.h"

#include <signal.h>
#include <sys/wait.h>

#define DELAY_MIN_MS 1000
#define DELAY_MAX_MS 60000
#define RAN_WELL_MS  60000

bool restart_is_wanted(int exit_status)
{
    if (!WIFSIGNALED(exit_status))
        return WEXITSTATUS(exit_status) != 0;
    int sig = WTERMSIG(exit_status);
    return sig != SIGTERM && sig != SIGINT && sig != SIGHUP;
}

int64_t restart_delay_ms(struct restart *r, int64_t now_ms)
{
    int64_t delay_ms = DELAY_MIN_MS;
    if (now_ms - r->started_ms >= RAN_WELL_MS)
        r->failures = 0;
    for (int i = 0; i < r->failures && delay_ms < DELAY_MAX_MS; i++)
        delay_ms *= 2;
    r->failures++;
    return delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
}
