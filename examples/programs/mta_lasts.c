/* vehicle<TAB>time<TAB>latitude<TAB>longitude<TAB>stop: each vehicle's last position. See examples/jobs/mta-stats. */
#include "mta.h"

#include <stdio.h>

static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes line)
{
    char copy[MTA_LINE_MAX], rest[MTA_LINE_MAX], *f[MTA_FIELDS + 1];
    (void)key;
    if (!mta_parse(line, copy, f))
        return 0;
    int n = snprintf(rest, sizeof rest, "%s\t%s\t%s\t%s", f[MTA_TIME], f[MTA_LATITUDE], f[MTA_LONGITUDE], f[MTA_STOP]);
    cairn_emit(task, cairn_bytes(f[MTA_VEHICLE], strlen(f[MTA_VEHICLE])), cairn_bytes(rest, (size_t)n));
    return 0;
}

/* The greatest as bytes, which is the latest. */
static int last(struct cairn_task *task, struct cairn_bytes vehicle)
{
    char best[MTA_LINE_MAX];
    size_t best_size = 0;
    struct cairn_bytes v;
    while (cairn_next(task, &v)) {
        int order = memcmp(v.data, best, v.size < best_size ? v.size : best_size);
        if (order > 0 || (order == 0 && v.size > best_size)) {
            best_size = v.size < sizeof best ? v.size : sizeof best;
            memcpy(best, v.data, best_size);
        }
    }
    cairn_emit(task, vehicle, cairn_bytes(best, best_size));
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .map = map, .combine = last, .reduce = last};
