/* Blocks and the datanodes that hold them. */
#include <stdio.h>

#include "webhdfs/json_shapes.h"
#include "webhdfs/token_text.h"

static void xfer_address(const Hdfs__DatanodeInfoProto *d, char out[300])
{
    snprintf(out, 300, "%s:%u", d->id->ipaddr, d->id->xferport);
}

static const char *rack_of(const Hdfs__DatanodeInfoProto *d)
{
    return d->location ? d->location : "/default-rack";
}

static void json_datanode(struct buf *b, const Hdfs__DatanodeInfoProto *d)
{
    static const char *const states[] = {"NORMAL", "DECOMMISSION_INPROGRESS", "DECOMMISSIONED", "ENTERING_MAINTENANCE",
                                         "IN_MAINTENANCE"};
    char address[300];
    xfer_address(d, address);
    json_begin(b, NULL, '{');
    json_text(b, "adminState", d->adminstate < ARRAY_COUNT(states) ? states[d->adminstate] : states[0]);
    json_int(b, "blockPoolUsed", (int64_t)d->blockpoolused);
    json_int(b, "cacheCapacity", (int64_t)d->cachecapacity);
    json_int(b, "cacheUsed", (int64_t)d->cacheused);
    json_int(b, "capacity", (int64_t)d->capacity);
    json_int(b, "dfsUsed", (int64_t)d->dfsused);
    json_text(b, "hostName", d->id->hostname);
    json_int(b, "infoPort", d->id->infoport);
    json_int(b, "infoSecurePort", d->id->infosecureport);
    json_text(b, "ipAddr", d->id->ipaddr);
    json_int(b, "ipcPort", d->id->ipcport);
    json_int(b, "lastBlockReportMonotonic", (int64_t)d->lastblockreportmonotonic);
    json_int(b, "lastBlockReportTime", (int64_t)d->lastblockreporttime);
    json_int(b, "lastUpdate", (int64_t)d->lastupdate);
    json_int(b, "lastUpdateMonotonic", (int64_t)d->lastupdatemonotonic);
    json_text(b, "name", address);
    json_text(b, "networkLocation", rack_of(d));
    json_int(b, "remaining", (int64_t)d->remaining);
    json_text(b, "storageID", d->id->datanodeuuid);
    if (d->upgradedomain)
        json_text(b, "upgradeDomain", d->upgradedomain);
    json_int(b, "xceiverCount", d->xceivercount);
    json_int(b, "xferPort", d->id->xferport);
    json_end(b, '}');
}

static void json_located_block(struct buf *b, const char *key, const Hdfs__LocatedBlockProto *l)
{
    json_begin(b, key, '{');
    json_begin(b, "block", '{');
    json_int(b, "blockId", (int64_t)l->b->blockid);
    json_text(b, "blockPoolId", l->b->poolid);
    json_int(b, "generationStamp", (int64_t)l->b->generationstamp);
    json_int(b, "numBytes", (int64_t)l->b->numbytes);
    json_end(b, '}');
    json_begin(b, "blockToken", '{');
    struct buf token = {0};
    token_to_url_text(l->blocktoken, &token);
    json_text(b, "urlString", buf_cstr(&token));
    buf_free(&token);
    json_end(b, '}');
    json_begin(b, "cachedLocations", '[');
    for (size_t i = 0; i < l->n_locs; i++)
        if (i < l->n_iscached && l->iscached[i])
            json_datanode(b, l->locs[i]);
    json_end(b, ']');
    json_bool(b, "isCorrupt", l->corrupt);
    json_begin(b, "locations", '[');
    for (size_t i = 0; i < l->n_locs; i++)
        json_datanode(b, l->locs[i]);
    json_end(b, ']');
    json_int(b, "startOffset", (int64_t)l->offset);
    json_begin(b, "storageTypes", '[');
    for (size_t i = 0; i < l->n_storagetypes; i++)
        json_text(b, NULL, storage_type_name((int)l->storagetypes[i]));
    json_end(b, ']');
    json_end(b, '}');
}

void json_located_blocks(struct buf *b, const char *key, const Hdfs__LocatedBlocksProto *l)
{
    json_begin(b, key, '{');
    json_int(b, "fileLength", (int64_t)l->filelength);
    json_bool(b, "isLastBlockComplete", l->islastblockcomplete);
    json_bool(b, "isUnderConstruction", l->underconstruction);
    if (l->lastblock)
        json_located_block(b, "lastLocatedBlock", l->lastblock);
    else
        json_text(b, "lastLocatedBlock", NULL);
    json_begin(b, "locatedBlocks", '[');
    for (size_t i = 0; i < l->n_blocks; i++)
        json_located_block(b, NULL, l->blocks[i]);
    json_end(b, ']');
    json_end(b, '}');
}

static void json_block_location(struct buf *b, const Hdfs__LocatedBlockProto *l)
{
    char address[300], place[600];
    json_begin(b, NULL, '{');
    json_begin(b, "cachedHosts", '[');
    for (size_t i = 0; i < l->n_locs; i++)
        if (i < l->n_iscached && l->iscached[i])
            json_text(b, NULL, l->locs[i]->id->hostname);
    json_end(b, ']');
    json_bool(b, "corrupt", l->corrupt);
    json_begin(b, "hosts", '[');
    for (size_t i = 0; i < l->n_locs; i++)
        json_text(b, NULL, l->locs[i]->id->hostname);
    json_end(b, ']');
    json_int(b, "length", (int64_t)l->b->numbytes);
    json_begin(b, "names", '[');
    for (size_t i = 0; i < l->n_locs; i++) {
        xfer_address(l->locs[i], address);
        json_text(b, NULL, address);
    }
    json_end(b, ']');
    json_int(b, "offset", (int64_t)l->offset);
    json_begin(b, "storageTypes", '[');
    for (size_t i = 0; i < l->n_storagetypes; i++)
        json_text(b, NULL, storage_type_name((int)l->storagetypes[i]));
    json_end(b, ']');
    json_begin(b, "topologyPaths", '[');
    for (size_t i = 0; i < l->n_locs; i++) {
        xfer_address(l->locs[i], address);
        snprintf(place, sizeof place, "%s/%s", rack_of(l->locs[i]), address);
        json_text(b, NULL, place);
    }
    json_end(b, ']');
    json_end(b, '}');
}

void json_block_locations(struct buf *b, const char *key, const Hdfs__LocatedBlocksProto *l)
{
    json_begin(b, key, '[');
    for (size_t i = 0; i < l->n_blocks; i++)
        json_block_location(b, l->blocks[i]);
    json_end(b, ']');
}
