#include "fuse/posix/new_attributes.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "fuse/users.h"

#define SET_ARENA_BYTES (64 << 10)

struct new_attributes {
    _Atomic bool is_known; /* `made`, and nothing but what was set here has changed since */
    pthread_mutex_t lock;  /* of what follows, for who only shows it; it changes with the node's lock held, too */
    struct stat made;
    struct staged_set set; /* to be saved */
    int64_t changed_ns;    /* when the last of them was set */
};

static struct new_attributes *attributes_of(struct node *n)
{
    if (!n->new_attributes) {
        n->new_attributes = mem_new(struct new_attributes);
        pthread_mutex_init(&n->new_attributes->lock, NULL);
    }
    return n->new_attributes;
}

void new_attributes_free(struct node *n)
{
    if (n->new_attributes)
        pthread_mutex_destroy(&n->new_attributes->lock);
    free(n->new_attributes);
}

void new_attributes_made(struct node *n, const struct stat *st)
{
    pthread_rwlock_wrlock(&n->lock);
    struct new_attributes *a = attributes_of(n);
    a->made = *st;
    a->is_known = true;
    if (n->is_stale) /* looked at afterwards: whoever says so looks the other way round */
        a->is_known = false;
    pthread_rwlock_unlock(&n->lock);
}

void new_attributes_outdated(struct node *n)
{
    struct new_attributes *a = n->new_attributes;
    if (a)
        a->is_known = false;
}

/* Nothing is saved of it, and nobody but this mount has changed it. The node's lock is held. */
static bool is_as_made(const struct node *n)
{
    const struct new_attributes *a = n->new_attributes;
    return a && a->is_known && !n->is_held && !n->has_lost_stream && node_is_new(n);
}

/* Not waiting for a save that is under way: then it can be asked as well. */
bool new_attributes_known(struct node *n, struct stat *ret)
{
    if (!n->new_attributes || pthread_rwlock_tryrdlock(&n->lock) != 0)
        return false;
    bool known = is_as_made(n);
    if (known)
        *ret = n->new_attributes->made;
    pthread_rwlock_unlock(&n->lock);
    return known;
}

/* The time of change goes with the bytes, which have one in any case. 0 there means none. */
static void note_set(struct node *n, const struct staged_set *set)
{
    struct new_attributes *a = n->new_attributes;
    pthread_mutex_lock(&a->lock);
    for (int i = 0; i < STAGED_FIELDS; i++)
        if (staged_has(set, i))
            a->set.values[i] = set->values[i];
    a->set.fields |= set->fields & ~(1u << STAGED_MTIME);
    a->changed_ns = clock_wall_ns();
    pthread_mutex_unlock(&a->lock);
    if (staged_has(set, STAGED_MODE) && (set->values[STAGED_MODE] & (S_ISUID | S_ISGID)))
        n->may_be_setid = true;
    if (staged_has(set, STAGED_MTIME))
        n->unsaved_mtime_ns = (uint64_t)set->values[STAGED_MTIME];
    node_note(n);
}

bool new_attributes_set(struct node *n, const struct staged_set *set)
{
    struct err err = {0};
    const struct new_attributes *a = n->new_attributes;
    if (!a || !a->is_known || (staged_has(set, STAGED_MTIME) && !set->values[STAGED_MTIME]))
        return false;
    pthread_rwlock_wrlock(&n->lock);
    bool waits = is_as_made(n) && n->staging && staging_note_set(n->staging, set, &err) == 0;
    if (waits)
        note_set(n, set);
    pthread_rwlock_unlock(&n->lock);
    return waits;
}

void new_attributes_show(struct node *n, struct stat *st)
{
    struct new_attributes *a = n->new_attributes;
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    const struct staged_set *set = &a->set;
    if (staged_has(set, STAGED_MODE))
        st->st_mode = (st->st_mode & S_IFMT) | (mode_t)set->values[STAGED_MODE];
    if (staged_has(set, STAGED_UID))
        st->st_uid = (uid_t)set->values[STAGED_UID];
    if (staged_has(set, STAGED_GID))
        st->st_gid = (gid_t)set->values[STAGED_GID];
    if (staged_has(set, STAGED_ATIME))
        st->st_atim = clock_timespec(set->values[STAGED_ATIME]);
    struct timespec changed = clock_timespec(a->changed_ns);
    if (set->fields && (st->st_ctim.tv_sec < changed.tv_sec ||
                        (st->st_ctim.tv_sec == changed.tv_sec && st->st_ctim.tv_nsec < changed.tv_nsec)))
        st->st_ctim = changed;
    pthread_mutex_unlock(&a->lock);
}

bool new_attributes_unsaved(const struct node_store *s, const struct node *n, struct arena *a, struct posix_set *ret)
{
    static const unsigned what[STAGED_FIELDS] = {[STAGED_MODE] = POSIX_SET_MODE,
                                                 [STAGED_UID] = POSIX_SET_OWNER,
                                                 [STAGED_GID] = POSIX_SET_GROUP,
                                                 [STAGED_ATIME] = POSIX_SET_ATIME};
    if (!n->new_attributes || !n->new_attributes->set.fields)
        return false;
    const struct staged_set *set = &n->new_attributes->set;
    *ret = (struct posix_set){.mode = (uint32_t)set->values[STAGED_MODE],
                              .owner = users_uid_name(s->users, (uid_t)set->values[STAGED_UID], a),
                              .group = users_gid_name(s->users, (gid_t)set->values[STAGED_GID], a),
                              .atime_ns = (uint64_t)set->values[STAGED_ATIME]};
    for (int i = 0; i < STAGED_FIELDS; i++)
        ret->what |= staged_has(set, i) ? what[i] : 0;
    return true;
}

void new_attributes_saved(struct node *n)
{
    struct new_attributes *a = n->new_attributes;
    if (!a)
        return;
    a->is_known = false;
    n->was_changed = true; /* before they are not shown any more */
    pthread_mutex_lock(&a->lock);
    a->set.fields = 0;
    pthread_mutex_unlock(&a->lock);
}

void new_attributes_resume(struct node *n, const struct staged_set *set)
{
    if (set->fields) {
        attributes_of(n);
        note_set(n, set);
    }
}

int new_attributes_save(struct node_store *s, struct node *n, struct err *reterr)
{
    AUTO_ARENA(a, SET_ARENA_BYTES);
    struct posix_set set;
    struct posix_attr attr;
    if (!new_attributes_unsaved(s, n, &a, &set))
        return 0;
    int rc = posix_setattr(s->fs, s->memory->session, n->id, &set, &a, &attr, reterr);
    if (rc == 0)
        new_attributes_saved(n);
    if (rc == 0 && n->staging)
        rc = staging_forget_set(n->staging, reterr);
    return rc;
}

int new_attributes_flush(struct node_store *s, struct node *n, struct err *reterr)
{
    struct new_attributes *a = n->new_attributes;
    if (!a)
        return 0;
    new_attributes_outdated(n); /* from here on none are added: the kernel changes a file's attributes one at a time */
    pthread_mutex_lock(&a->lock);
    bool has_any = a->set.fields != 0;
    pthread_mutex_unlock(&a->lock);
    if (!has_any) /* nor does it wait for a stream that waits for a datanode */
        return 0;
    pthread_rwlock_wrlock(&n->lock);
    int rc = new_attributes_save(s, n, reterr);
    pthread_rwlock_unlock(&n->lock);
    return rc;
}
