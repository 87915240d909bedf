#include "namenode/serve/park.h"

#include <stdlib.h>

#include "common/mem.h"

struct parked_call {
    struct rpc_call *call;
    uint64_t inode, deadline_ms;
    const ProtobufCMessage *message;
    park_again again;
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

bool park(struct namenode *nn, struct rpc_call *call, uint64_t inode, const ProtobufCMessage *message, park_again again,
          uint64_t deadline_ms)
{
    if (nn->parked->count >= PARKED_MAX || nn->stopping)
        return false;
    struct parked_call *c = mem_new(struct parked_call);
    *c = (struct parked_call){call, inode, deadline_ms, message, again, nn->parked->first};
    nn->parked->first = c;
    nn->parked->count++;
    return true;
}

bool park_any(const struct namenode *nn)
{
    return nn->parked->count > 0;
}

/* *link is the next one afterwards. */
static void try_again(struct namenode *nn, struct parked_call ***link, bool is_last)
{
    struct parked_call *c = **link;
    bool answered = false;
    c->again(nn, c->call, c->inode, c->message, is_last, &answered);
    if (!answered) {
        *link = &c->next;
        return;
    }
    **link = c->next;
    nn->parked->count--;
    free(c);
}

void park_block_complete(struct namenode *nn, uint64_t inode)
{
    for (struct parked_call **link = &nn->parked->first; *link;) {
        if ((*link)->inode == inode)
            try_again(nn, &link, false);
        else
            link = &(*link)->next;
    }
}

void park_expire(struct namenode *nn, uint64_t now_ms)
{
    for (struct parked_call **link = &nn->parked->first; *link;) {
        if ((*link)->deadline_ms <= now_ms)
            try_again(nn, &link, true);
        else
            link = &(*link)->next;
    }
}
