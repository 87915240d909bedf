/* vehicle<TAB>time<TAB>latitude<TAB>longitude<TAB>stop: each vehicle's last position. See examples/jobs/mta-stats. */
#include "mta.h"

#include <stdio.h>

static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes line)
{
    static struct mta_text copy, rest;
    char *f[MTA_FIELDS + 1];
    (void)key;
    if (!mta_parse(line, &copy, f))
        return 0;
    size_t room = line.size + 8;
    int n = snprintf(mta_room(&rest, room), room, "%s\t%s\t%s\t%s", f[MTA_TIME], f[MTA_LATITUDE], f[MTA_LONGITUDE],
                     f[MTA_STOP]);
    cairn_emit(task, cairn_bytes(f[MTA_VEHICLE], strlen(f[MTA_VEHICLE])), cairn_bytes(rest.text, (size_t)n));
    return 0;
}

/* The greatest as bytes, which is the latest. */
static int last(struct cairn_task *task, struct cairn_bytes vehicle)
{
    static struct mta_text best;
    size_t best_size = 0;
    struct cairn_bytes v;
    while (cairn_next(task, &v)) {
        int order = best_size ? memcmp(v.data, best.text, v.size < best_size ? v.size : best_size) : 1;
        if (order > 0 || (order == 0 && v.size > best_size)) {
            best_size = v.size;
            mta_copy(&best, v);
        }
    }
    cairn_emit(task, vehicle, cairn_bytes(best.text, best_size));
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .map = map, .combine = last, .reduce = last};
