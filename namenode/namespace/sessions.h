/* Who mounts are: sessions, what they hold open though it has no name any more, and since when nothing was heard of
 * them. A core, guarded by the namenode's lock: time comes in. The store has a copy (tables 'H' and 'h') that goes with
 * the changes of the txn given; memory is told after the commit, by the functions without a txn. */
#ifndef CAIRN_NAMENODE_NAMESPACE_SESSIONS_H
#define CAIRN_NAMENODE_NAMESPACE_SESSIONS_H

#include "namenode/namespace/txn.h"

#define SESSIONS_MAX          4096
#define SESSION_CLIENTS_MAX   8
#define SESSION_CLIENT_ID_LEN 16

enum owed_locks {
    LOCKS_SETTLED,
    LOCKS_OWED,   /* it may have some, and has not come back yet */
    LOCKS_COMING, /* it has, and says one after the other which; then it waits for changes */
};

struct session {
    uint64_t id;
    char *name; /* the mount's client name: whose leases are its */
    uint64_t heard_ms;
    size_t waiting;                                              /* calls of it that wait for an answer */
    uint8_t clients[SESSION_CLIENTS_MAX][SESSION_CLIENT_ID_LEN]; /* RPC clients whose calls are its own */
    size_t client_count;
    uint64_t *held; /* inodes, sorted */
    size_t held_count, held_capacity;
    bool has_locked;       /* ever, and the store knows */
    enum owed_locks locks; /* that were set before the namenode was started */
    bool is_ended;         /* gone for everybody; what it holds is being let go. It expired: nothing was heard of it */
    bool has_expired;
    struct session *next;
};
struct sessions;

/* All of the store, heard of just now. */
int sessions_load(struct store *s, uint64_t expiry_ms, uint64_t now_ms, struct sessions **ret,
                  struct err *reterr) MUST_CHECK;
void sessions_free(struct sessions *s); /* NULL is fine, here and where one asks */
uint64_t sessions_expiry_ms(const struct sessions *s);
size_t sessions_count(const struct sessions *s); /* that have not ended */

struct session *sessions_find(const struct sessions *s, uint64_t id);               /* NULL: not there, or ended */
uint64_t sessions_of_client(const struct sessions *s, const uint8_t client_id[16]); /* 0: nobody's */
uint64_t sessions_of_writer(const struct sessions *s, const char *client_name);     /* likewise */
/* Somebody may have locks that are not known. */
bool sessions_owe_locks(const struct sessions *s);
bool sessions_hold(const struct sessions *s, uint64_t inode,
                   const struct session * not ); /* somebody else than `not` */
/* One that has ended, or of which nothing was heard for too long: it counts as ended from now on. NULL: none. */
struct session *sessions_next_ended(struct sessions *s, uint64_t now_ms);

/* ---- in the store ---- */
/* *ret_id: a number that was never given out. ERR_BUSY: there are too many. */
int session_put_new(struct sessions *s, struct txn *t, const char *name, uint64_t *ret_id,
                    struct err *reterr) MUST_CHECK;
/* What txn_hold holds. It stays if others hold it, or if it has got a name; else it goes. */
int session_drop_hold(struct sessions *s, struct txn *t, const struct session *session, uint64_t inode,
                      struct err *reterr) MUST_CHECK;
void session_drop(struct txn *t, uint64_t session);
/* Whoever has this store next knows that it may have locks. */
void session_put_locked(struct txn *t, const struct session *session);

/* ---- in memory ---- */
struct session *sessions_add(struct sessions *s, uint64_t id, const char *name, uint64_t now_ms);
void session_set_name(struct session *session, const char *name);
void session_held(struct session *session, uint64_t inode);
void session_released(struct session *session, uint64_t inode);
bool session_holds(const struct session *session, uint64_t inode);
void sessions_remove(struct sessions *s, struct session *session);

#endif
