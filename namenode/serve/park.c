#include "namenode/serve/park.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/namespace/sessions.h"
#include "namenode/serve/op.h"

struct parked_call {
    struct rpc_call *call;
    uint64_t inode, deadline_ms;
    struct parked_call *next;
};
struct parked {
    struct parked_call *first;
    size_t count;
};

#define PARKED_MAX 4096

struct parked *parked_new(void)
{
    return mem_new(struct parked);
}

void parked_free(struct parked *p)
{
    free(p);
}

bool park(struct namenode *nn, struct rpc_call *call, uint64_t inode, uint64_t deadline_ms)
{
    if (nn->parked->count >= PARKED_MAX || nn->stopping)
        return false;
    struct parked_call *c = mem_new(struct parked_call);
    *c = (struct parked_call){call, inode, deadline_ms, nn->parked->first};
    nn->parked->first = c;
    nn->parked->count++;
    pthread_cond_signal(&nn->housekeeping_wake);
    return true;
}

bool park_any(const struct namenode *nn)
{
    return nn->parked->count > 0;
}

static void answer(struct namenode *nn, struct parked_call **link, bool closed)
{
    struct parked_call *c = *link;
    Hdfs__CompleteResponseProto response = HDFS__COMPLETE_RESPONSE_PROTO__INIT;
    response.result = closed;
    rpc_call_prepare(c->call, &response.base);
    answer_when_synced(nn, c->call);
    *link = c->next;
    nn->parked->count--;
    free(c);
}

void park_block_complete(struct namenode *nn, uint64_t inode)
{
    struct parked_call **link = &nn->parked->first;
    while (*link && (*link)->inode != inode)
        link = &(*link)->next;
    if (!*link)
        return;
    struct txn t;
    struct file_op o = {nn, &t, (uint64_t)clock_mono_ms()};
    struct inode *n = NULL;
    struct err why = {0};
    bool closed = false;
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    int rc = txn_inode(&t, inode, &n, &why);
    if (!rc && n->is_open) /* the writer waits for this: it is its own change */
        t.session = sessions_of_writer(nn->sessions, n->client_name);
    if (!rc && n->is_open && txn_is_attached(&t, n))
        rc = file_try_close(&o, n, &closed, &why);
    txn_end(&t);
    if (rc)
        log_warn("files", "inode %llu could not be closed: %s", (unsigned long long)inode, why.text);
    if (closed)
        answer(nn, link, true);
}

void park_expire(struct namenode *nn, uint64_t now_ms)
{
    for (struct parked_call **link = &nn->parked->first; *link;) {
        if ((*link)->deadline_ms <= now_ms)
            answer(nn, link, false);
        else
            link = &(*link)->next;
    }
}
