#include "namenode/seam.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/namespace/detached.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/policy.h"
#include "namenode/serve/park.h"

static bool lookup(void *context, uint64_t block_id, struct block_record *ret)
{
    struct namenode *nn = context;
    struct txn t;
    struct err why = {0};
    txn_begin(&t, nn->dir, 0);
    int rc = txn_block(&t, block_id, ret, &why);
    txn_end(&t);
    if (rc && rc != ERR_NOT_FOUND) { /* what cannot be read may well exist: nobody may delete its replicas */
        log_error("namespace", "block=%llu: %s", (unsigned long long)block_id, why.text);
        *ret = (struct block_record){.block_id = block_id, .state = BLOCK_UNREADABLE};
    }
    return rc != ERR_NOT_FOUND;
}

/* ---- all blocks in order ---- */

struct scan {
    struct store_iter *it;
    bool started;
};

static void *scan_open(void *context)
{
    struct namenode *nn = context;
    struct scan *s = mem_new(struct scan);
    s->it = store_iter_new(nn->store, NULL, true);
    return s;
}

static void scan_seek(void *scan, uint64_t block_id)
{
    struct scan *s = scan;
    struct key k;
    key_of(&k, 'b', block_id);
    store_iter_seek(s->it, k.bytes, k.len);
    s->started = true;
}

static bool scan_next(void *scan, struct block_record *ret)
{
    struct scan *s = scan;
    if (!s->started)
        scan_seek(scan, 0);
    for (; store_iter_valid(s->it); store_iter_next(s->it)) {
        struct slice key = store_iter_key(s->it);
        if (key.len != 9 || key.base[0] != 'b')
            return false;
        struct err why = {0};
        int rc = block_record_decode(be64_get(key.base + 1), store_iter_value(s->it), ret, &why);
        if (rc) {
            log_error("namespace", "%s", why.text);
            continue;
        }
        store_iter_next(s->it);
        return true;
    }
    return false;
}

static void scan_close(void *scan)
{
    struct scan *s = scan;
    store_iter_free(s->it);
    free(s);
}

/* ---- news and questions ---- */

static uint64_t total_complete_blocks(void *context)
{
    struct namenode *nn = context;
    return nn->dir->counters.complete_blocks;
}

static void on_min_replicas(void *context, uint64_t block_id)
{
    struct namenode *nn = context;
    struct txn t;
    struct file_op o = {nn, &t, (uint64_t)clock_mono_ms()};
    struct err why = {0};
    uint64_t inode = 0;
    const struct detached_block *detached = detached_find(nn->detached, block_id);
    if (detached) { /* an edit waits for it */
        park_block_complete(nn, detached->inode);
        return;
    }
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    int rc = file_block_replicated(&o, block_id, &inode, &why);
    txn_end(&t);
    if (rc)
        log_warn("namespace", "block=%llu could not be completed: %s", (unsigned long long)block_id, why.text);
    if (inode)
        park_block_complete(nn, inode);
}

static uint8_t policy(void *context, uint64_t block_id)
{
    struct namenode *nn = context;
    struct txn t;
    struct block_record record;
    struct inode *n = NULL;
    uint8_t found = POLICY_UNSPECIFIED;
    txn_begin(&t, nn->dir, 0);
    if (!txn_block(&t, block_id, &record, NULL) && !txn_inode(&t, record.inode_id, &n, NULL) &&
        inode_policy(&t, n, &found, NULL))
        found = POLICY_UNSPECIFIED; /* what cannot be read is reported where it matters more */
    txn_end(&t);
    return found;
}

static int on_recovered(void *context, const struct block_recovery *r, uint64_t now_ms, uint64_t *ret_seq,
                        struct err *reterr)
{
    struct namenode *nn = context;
    struct txn t;
    struct file_op o = {nn, &t, now_ms};
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    int rc = file_block_recovered(&o, r, reterr);
    *ret_seq = journal_latest(nn->journal);
    txn_end(&t);
    return rc;
}

struct blocks_seam namespace_seam(struct namenode *nn)
{
    return (struct blocks_seam){
        .context = nn,
        .lookup = lookup,
        .scan_open = scan_open,
        .scan_seek = scan_seek,
        .scan_next = scan_next,
        .scan_close = scan_close,
        .total_complete_blocks = total_complete_blocks,
        .on_min_replicas = on_min_replicas,
        .policy = policy,
        .on_recovered = on_recovered,
    };
}
