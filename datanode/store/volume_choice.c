#include "datanode/store/volume_choice.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datanode/store/store_impl.h"

/* As Hadoop's AvailableSpaceVolumeChoosingPolicy: volumes that have hardly more room than the fullest one are the low
 * ones; of the rest one is taken in turn in `preference` of the cases. */
uint16_t volume_choose(const struct volume_choice *c, const struct volume_offer *offers, size_t count, uint64_t turn,
                       double dice)
{
    assert(count > 0);
    int64_t least = INT64_MAX, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = offers[i].free_bytes < least ? offers[i].free_bytes : least;
        most = offers[i].free_bytes > most ? offers[i].free_bytes : most;
    }
    if (!c->by_space || most - least < c->equal_bytes)
        return offers[turn % count].index;
    bool high = dice < c->preference;
    uint16_t chosen[VOLUMES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < VOLUMES_MAX; i++)
        if ((offers[i].free_bytes > least + c->equal_bytes) == high)
            chosen[n++] = offers[i].index;
    return n ? chosen[turn % n] : offers[turn % count].index;
}

int64_t store_room(const struct block_store *s, size_t volume)
{
    const struct volume *v = s->volumes[volume];
    struct volume_space space;
    if (!volume_ok(v) || volume_space(v, &space, NULL) < 0)
        return 0;
    bool keeps_some = s->small[volume] && small_log_has_any(s->small[volume]);
    return space.free_bytes - (keeps_some ? (int64_t)SMALL_SEGMENT_BYTES : 0);
}

static size_t offers_of(const struct block_store *s, int storage_type, uint64_t bytes, struct volume_offer *out)
{
    size_t count = 0;
    for (size_t i = 0; i < s->volume_count; i++) {
        if (storage_type >= 0 && s->volumes[i]->storage_type != storage_type)
            continue;
        int64_t room = store_room(s, i);
        if (room > 0 && (uint64_t)room >= bytes)
            out[count++] = (struct volume_offer){(uint16_t)i, room};
    }
    return count;
}

/* The one that was named, if it has room; else one of the wished kind, else of any kind. */
int store_choose_volume(struct block_store *s, const char *storage_id, int storage_type, uint64_t bytes, uint16_t *ret,
                        struct err *reterr)
{
    struct volume_offer offers[VOLUMES_MAX];
    size_t count = offers_of(s, -1, bytes, offers);
    for (size_t i = 0; storage_id && *storage_id && i < count; i++)
        if (!strcmp(s->volumes[offers[i].index]->storage_id, storage_id)) {
            *ret = offers[i].index;
            return 0;
        }
    if (s->volume_count > 1) {
        struct volume_offer wished[VOLUMES_MAX];
        size_t wished_count = offers_of(s, storage_type, bytes, wished);
        if (wished_count) {
            memcpy(offers, wished, sizeof offers);
            count = wished_count;
        }
    }
    if (!count)
        return err_set(reterr, ERR_NO_SPACE,
                       "Out of space: no volume of this datanode has %" PRIu64
                       " bytes free; free some or add a directory to "
                       "dfs.datanode.data.dir",
                       bytes);
    pthread_mutex_lock(&s->lock);
    size_t turn = s->next_volume++;
    pthread_mutex_unlock(&s->lock);
    *ret = volume_choose(&s->volume_choice, offers, count, turn, (double)(random() % 10000) / 10000);
    return 0;
}
