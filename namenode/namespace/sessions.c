#include "namenode/namespace/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/store.pb-c.h"
#include "common/mem.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/user.h"
#include "proto/message.h"

struct sessions {
    struct session *first;
    size_t count;
    uint64_t expiry_ms, next_id;
};

/* ---- memory ---- */

struct session *sessions_add(struct sessions *s, uint64_t id, const char *name, uint64_t now_ms)
{
    struct session *made = mem_new(struct session);
    made->id = id;
    made->name = mem_strdup(name);
    made->heard_ms = now_ms;
    made->next = s->first;
    s->first = made;
    s->count++;
    s->next_id = s->next_id > id ? s->next_id : id + 1;
    return made;
}

void session_set_name(struct session *session, const char *name)
{
    free(session->name);
    session->name = mem_strdup(name);
}

void sessions_remove(struct sessions *s, struct session *session)
{
    struct session **at = &s->first;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    s->count--;
    free(session->name);
    free(session->held);
    free(session);
}

void sessions_free(struct sessions *s)
{
    while (s && s->first)
        sessions_remove(s, s->first);
    free(s);
}

uint64_t sessions_expiry_ms(const struct sessions *s)
{
    return s->expiry_ms;
}

size_t sessions_count(const struct sessions *s)
{
    size_t count = 0;
    for (const struct session *at = s ? s->first : NULL; at; at = at->next)
        count += !at->is_ended;
    return count;
}

struct session *sessions_find(const struct sessions *s, uint64_t id)
{
    struct session *at = s ? s->first : NULL;
    while (at && (at->id != id || at->is_ended))
        at = at->next;
    return at;
}

uint64_t sessions_of_client(const struct sessions *s, const uint8_t client_id[16])
{
    for (const struct session *at = s ? s->first : NULL; at; at = at->next)
        for (size_t i = 0; !at->is_ended && i < at->client_count; i++)
            if (!memcmp(at->clients[i], client_id, SESSION_CLIENT_ID_LEN))
                return at->id;
    return 0;
}

uint64_t sessions_of_writer(const struct sessions *s, const char *client_name)
{
    for (const struct session *at = s ? s->first : NULL; at; at = at->next)
        if (!at->is_ended && *at->name && !strcmp(at->name, client_name))
            return at->id;
    return 0;
}

/* Where it is, or would be. */
static size_t held_index(const struct session *session, uint64_t inode)
{
    size_t low = 0, high = session->held_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (session->held[middle] < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool session_holds(const struct session *session, uint64_t inode)
{
    size_t i = held_index(session, inode);
    return i < session->held_count && session->held[i] == inode;
}

void session_held(struct session *session, uint64_t inode)
{
    size_t i = held_index(session, inode);
    if (session_holds(session, inode))
        return;
    if (session->held_count == session->held_capacity) {
        session->held_capacity = session->held_capacity ? 2 * session->held_capacity : 8;
        session->held = mem_realloc_array(session->held, session->held_capacity, sizeof *session->held);
    }
    memmove(session->held + i + 1, session->held + i, (session->held_count - i) * sizeof *session->held);
    session->held[i] = inode;
    session->held_count++;
}

void session_released(struct session *session, uint64_t inode)
{
    size_t i = held_index(session, inode);
    if (!session_holds(session, inode))
        return;
    session->held_count--;
    memmove(session->held + i, session->held + i + 1, (session->held_count - i) * sizeof *session->held);
}

bool sessions_owe_locks(const struct sessions *s)
{
    for (const struct session *at = s ? s->first : NULL; at; at = at->next)
        if (at->locks != LOCKS_SETTLED && !at->is_ended)
            return true;
    return false;
}

bool sessions_hold(const struct sessions *s, uint64_t inode, const struct session * not )
{
    for (const struct session *at = s ? s->first : NULL; at; at = at->next)
        if (at != not &&session_holds(at, inode))
            return true;
    return false;
}

struct session *sessions_next_ended(struct sessions *s, uint64_t now_ms)
{
    for (struct session *at = s->first; at; at = at->next) {
        at->has_expired = !at->is_ended && !at->waiting && now_ms > at->heard_ms + s->expiry_ms;
        at->is_ended = at->is_ended || at->has_expired;
        if (at->is_ended)
            return at;
    }
    return NULL;
}

/* ---- the store ---- */

static void put_record(struct txn *t, uint64_t id, const char *name, bool has_locked)
{
    Cairn__SessionRecord r = CAIRN__SESSION_RECORD__INIT;
    AUTO(buf_free) struct buf record = {0};
    struct key k;
    r.name = (char *)(uintptr_t)name;
    r.has_locks = r.locks = has_locked;
    message_pack(&record, &r.base);
    key_of(&k, 'H', id);
    store_batch_put(txn_batch(t), k.bytes, k.len, record.base, record.len);
}

int session_put_new(struct sessions *s, struct txn *t, const char *name, uint64_t *ret_id, struct err *reterr)
{
    uint8_t next[8];
    if (s->count >= SESSIONS_MAX)
        return err_posix(reterr, EBUSY, "there are %zu mounts already", s->count);
    if (strlen(name) > NAME_KEPT_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "a client's name is longer than %d bytes", NAME_KEPT_MAX);
    /* Not 1, 2, ...: another cluster that gets this one's address must not take a mount for one of its own. */
    uint64_t id = s->next_id > t->now_ns ? s->next_id : t->now_ns;
    put_record(t, id, name, false);
    be64_put(next, id + 1);
    store_batch_put(txn_batch(t), "H", 1, next, sizeof next);
    *ret_id = id;
    s->next_id = id + 1;
    return 0;
}

int session_drop_hold(struct sessions *s, struct txn *t, const struct session *session, uint64_t inode,
                      struct err *reterr)
{
    struct key k;
    struct inode *n = NULL;
    key_of_hold(&k, inode, session->id);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
    int rc = txn_inode(t, inode, &n, reterr);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc || !n->is_held || sessions_hold(s, inode, session))
        return rc;
    n->is_held = false;
    txn_dirty(n);
    txn_discard(t, n);
    return 0;
}

void session_drop(struct txn *t, uint64_t session)
{
    struct key k;
    key_of(&k, 'H', session);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
}

void session_put_locked(struct txn *t, const struct session *session)
{
    put_record(t, session->id, session->name, true);
}

static int load_session(struct sessions *s, struct slice key, struct slice value, uint64_t now_ms, struct err *reterr)
{
    if (key.len == 1 && value.len == 8) {
        s->next_id = be64_get(value.base);
        return 0;
    }
    Cairn__SessionRecord *r = key.len == 9 ? cairn__session_record__unpack(NULL, value.len, value.base) : NULL;
    if (!r)
        return err_set(reterr, ERR_IO, "metadata store: the record of a session is damaged");
    struct session *session = sessions_add(s, be64_get(key.base + 1), r->name, now_ms);
    session->has_locked = r->locks;
    session->locks = r->locks ? LOCKS_OWED : LOCKS_SETTLED;
    cairn__session_record__free_unpacked(r, NULL);
    return 0;
}

static int load_hold(struct sessions *s, struct slice key, uint64_t now_ms, struct err *reterr)
{
    if (key.len != 17)
        return err_set(reterr, ERR_IO, "metadata store: the record of a held file is damaged");
    uint64_t id = be64_get(key.base + 9);
    struct session *session = sessions_find(s, id);
    if (!session)
        session = sessions_add(s, id, "", now_ms); /* it ends in its time, and lets go */
    session_held(session, be64_get(key.base + 1));
    return 0;
}

static int load_table(struct store *store, char table, struct sessions *s, uint64_t now_ms, struct err *reterr)
{
    struct store_iter *it = store_iter_new(store, NULL, true);
    int rc = 0;
    for (store_iter_seek(it, &table, 1); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (!key.len || key.base[0] != (uint8_t)table)
            break;
        rc = table == 'H' ? load_session(s, key, store_iter_value(it), now_ms, reterr)
                          : load_hold(s, key, now_ms, reterr);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

int sessions_load(struct store *store, uint64_t expiry_ms, uint64_t now_ms, struct sessions **ret, struct err *reterr)
{
    struct sessions *s = mem_new(struct sessions);
    s->expiry_ms = expiry_ms;
    s->next_id = 1;
    int rc = load_table(store, 'H', s, now_ms, reterr);
    rc = rc ? rc : load_table(store, 'h', s, now_ms, reterr);
    if (rc)
        sessions_free(s);
    else
        *ret = s;
    return rc;
}
