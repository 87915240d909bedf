#include "namenode/namespace/edit_turns.h"

#include <stdlib.h>

#include "common/mem.h"

#define SLOTS          256
#define LOSSES_TO_TURN 2

struct edit_turns {
    struct turn {
        uint64_t inode, session, until_ms;
        unsigned losses;
    } slots[SLOTS]; /* by inode */
};

struct edit_turns *edit_turns_new(void)
{
    return mem_new(struct edit_turns);
}

void edit_turns_free(struct edit_turns *t)
{
    free(t);
}

static bool is_turn(const struct turn *s, uint64_t now_ms)
{
    return s->losses >= LOSSES_TO_TURN && s->until_ms > now_ms;
}

bool edit_turns_must_wait(const struct edit_turns *t, uint64_t inode, uint64_t session, uint64_t now_ms)
{
    const struct turn *s = &t->slots[inode % SLOTS];
    return s->inode == inode && s->session != session && is_turn(s, now_ms);
}

void edit_turns_lost(struct edit_turns *t, uint64_t inode, uint64_t session, uint64_t now_ms)
{
    struct turn *s = &t->slots[inode % SLOTS];
    bool is_own = s->inode == inode && s->session == session && s->until_ms > now_ms;
    if (!is_own && is_turn(s, now_ms))
        return;
    *s = (struct turn){inode, session, now_ms + EDIT_TURN_MS, is_own ? s->losses + 1 : 1};
}

void edit_turns_give(struct edit_turns *t, uint64_t inode, uint64_t session, bool is_here, uint64_t now_ms)
{
    uint64_t until_ms = now_ms + (is_here ? EDIT_TURN_MS : EDIT_TURN_AWAY_MS);
    t->slots[inode % SLOTS] = (struct turn){inode, session, until_ms, LOSSES_TO_TURN};
}

void edit_turns_is_back(struct edit_turns *t, uint64_t session, uint64_t now_ms)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (t->slots[i].session == session && is_turn(&t->slots[i], now_ms))
            t->slots[i].until_ms = now_ms + EDIT_TURN_MS;
}

void edit_turns_won(struct edit_turns *t, uint64_t inode, uint64_t session)
{
    struct turn *s = &t->slots[inode % SLOTS];
    if (s->inode == inode && s->session == session)
        *s = (struct turn){0};
}
