#include "namenode/serve/location_hosts.h"

#include <string.h>

static Hdfs__DatanodeInfoProto *named_by_address(struct arena *a, const Hdfs__DatanodeInfoProto *node)
{
    Hdfs__DatanodeInfoProto *copy = arena_new(a, Hdfs__DatanodeInfoProto);
    *copy = *node;
    copy->id = arena_new(a, Hdfs__DatanodeIDProto);
    *copy->id = *node->id;
    copy->id->hostname = copy->id->ipaddr;
    return copy;
}

static bool has_two_names(const Hdfs__DatanodeInfoProto *node)
{
    return strcmp(node->id->hostname, node->id->ipaddr) != 0;
}

/* Storages, types and flags stand in arrays of their own beside the datanodes. */
static void location_add(Hdfs__LocatedBlockProto *to, const Hdfs__LocatedBlockProto *from, size_t i,
                         Hdfs__DatanodeInfoProto *node)
{
    size_t at = to->n_locs;
    to->locs[at] = node;
    to->iscached[at] = from->iscached[i];
    to->storagetypes[at] = from->storagetypes[i];
    to->storageids[at] = from->storageids[i];
    to->n_locs = to->n_iscached = to->n_storagetypes = to->n_storageids = at + 1;
}

static void add_both_forms(struct arena *a, Hdfs__LocatedBlockProto *l, const Hdfs__LocatedBlockProto *old)
{
    size_t count = old->n_locs, chosen = old->b->blockid % count;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        location_add(l, old, i, old->locs[i]);
    for (size_t i = 0; i < count; i++)
        if (has_two_names(old->locs[i])) {
            location_add(l, old, i, named_by_address(a, old->locs[i]));
            any = true;
        }
    if (!any || count == 1)
        return;
    location_add(l, old, chosen, old->locs[chosen]);
    if (has_two_names(old->locs[chosen]))
        location_add(l, old, chosen, named_by_address(a, old->locs[chosen]));
}

void location_hosts_name(struct arena *a, Hdfs__LocatedBlockProto *l, enum location_hosts form)
{
    if (form == LOCATION_HOSTS_NAME || !l->n_locs)
        return;
    Hdfs__LocatedBlockProto old = *l;
    size_t most = 2 * old.n_locs + 2;
    l->n_locs = 0;
    l->locs = arena_array(a, Hdfs__DatanodeInfoProto *, most);
    l->iscached = arena_array(a, protobuf_c_boolean, most);
    l->storagetypes = arena_array(a, Hdfs__StorageTypeProto, most);
    l->storageids = arena_array(a, char *, most);
    if (form == LOCATION_HOSTS_BOTH)
        add_both_forms(a, l, &old);
    else
        for (size_t i = 0; i < old.n_locs; i++)
            location_add(l, &old, i, named_by_address(a, old.locs[i]));
}
