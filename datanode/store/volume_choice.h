/* Which volume gets a new replica. Pure. */
#ifndef CAIRN_DATANODE_STORE_VOLUME_CHOICE_H
#define CAIRN_DATANODE_STORE_VOLUME_CHOICE_H

#include "datanode/store/volume.h"

struct volume_offer { /* of a volume that has room for it */
    uint16_t index;
    int64_t free_bytes;
};
/* One of the offers, of which there is at least one. turn: grows by one with each call; dice: in [0, 1). */
uint16_t volume_choose(const struct volume_choice *c, const struct volume_offer *offers, size_t count, uint64_t turn,
                       double dice);

#endif
