/* When a daemon that died is started again. Decides only: no clock, no processes. */
#ifndef CAIRN_MAIN_RESTART_H
#define CAIRN_MAIN_RESTART_H

#include <stdbool.h>
#include <stdint.h>

struct restart { /* begins zeroed */
    int64_t started_ms;
    int failures; /* in a row */
};
/* Whether it failed: a daemon that ended well or was asked to end (SIGTERM, SIGINT, SIGHUP) is let go. */
bool restart_is_wanted(int exit_status);
/* How long to wait: a second, doubling up to a minute; one that ran well for a while begins anew. */
int64_t restart_delay_ms(struct restart *r, int64_t now_ms);

#endif
