#include "fuse/posix/known_names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/compiler.h"
#include "common/mem.h"
#include "fuse/posix/known_folder.h"

#define NOTES_MAX        1024 /* an answer that took longer than so many changes is not believed at all */
#define OWNERS_MAX       64   /* different ones; attributes of further ones are not kept */
#define AHEAD_PER_LOOK   32   /* entries, each about as dear as a thirtieth of a call */
#define FOLDERS_BEGUN    64   /* so many show what is usual */
#define FOLDER_BUCKETS   1024
#define SHARED_SLOTS     1024
#define ENTRY_BYTES      256 /* about, for the size of the table */
#define ALLOCATION_BYTES 16

struct note { /* name NULL: of the inode; id 0: of everything */
    uint64_t id;
    char *name;
};

struct known_names {
    size_t bytes_max;
    int64_t believe_ms;
    pthread_rwlock_t lock; /* of all below */
    size_t bytes;
    struct known_folder *folders[FOLDER_BUCKETS], *hand;
    struct known_entry **inodes; /* those that have attributes */
    size_t inode_mask;
    struct note notes[NOTES_MAX];
    _Atomic uint64_t note_count; /* so far; changed under the lock */
    char *owners[OWNERS_MAX];
    size_t owner_count;
    unsigned begun;           /* folders, lately; and */
    _Atomic unsigned gone_on; /* .. of which a second name was asked for */
    struct shared {
        uint64_t dir;
        int64_t until_ms;
    } shared[SHARED_SLOTS]; /* by whose number */
};

/* ---- life ---- */

struct known_names *known_names_new(size_t bytes_max, int64_t believe_ms)
{
    struct known_names *k = mem_new(struct known_names);
    pthread_rwlockattr_t fair;
    size_t buckets = 1;
    while (buckets * ENTRY_BYTES < bytes_max)
        buckets *= 2;
    k->inodes = mem_calloc(buckets, sizeof(struct known_entry *));
    k->inode_mask = buckets - 1;
    k->bytes_max = bytes_max;
    k->believe_ms = believe_ms;
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); /* news must not wait */
    pthread_rwlock_init(&k->lock, &fair);
    pthread_rwlockattr_destroy(&fair);
    return k;
}

/* ---- entries ---- */

static struct known_entry **inode_slot(struct known_names *k, uint64_t id)
{
    return &k->inodes[(id * 0x9E3779B97F4A7C15u >> 20) & k->inode_mask];
}

static const char *owner_kept(struct known_names *k, const char *name)
{
    for (size_t i = 0; i < k->owner_count; i++)
        if (strcmp(k->owners[i], name) == 0)
            return k->owners[i];
    if (k->owner_count == OWNERS_MAX)
        return NULL;
    return k->owners[k->owner_count++] = mem_strdup(name);
}

static size_t entry_bytes(const struct known_entry *e)
{
    size_t target = e->attr.target ? strlen(e->attr.target) + 1 : 0;
    return sizeof *e + strlen(e->name) + 1 + target + ALLOCATION_BYTES + sizeof(struct known_entry *);
}

struct known_entry *known_entry_new(struct known_names *k, struct known_folder *f, const char *name,
                                    const struct posix_attr *attr, int64_t until_ms)
{
    size_t name_bytes = strlen(name) + 1, target_bytes = attr->target ? strlen(attr->target) + 1 : 0;
    struct known_entry *e = mem_zalloc(sizeof *e + name_bytes + target_bytes);
    memcpy(e->name, name, name_bytes);
    e->folder = f;
    e->until_ms = until_ms;
    e->attr = *attr;
    e->attr.directory = NULL;
    if (target_bytes)
        e->attr.target = memcpy(e->name + name_bytes, attr->target, target_bytes);
    if (attr->id) {
        e->attr.owner = owner_kept(k, attr->owner);
        e->attr.group = owner_kept(k, attr->group);
    }
    /* Who writes a file as HDFS's clients do makes it longer without a word. */
    e->has_attr = !attr->id || (e->attr.owner && e->attr.group && !attr->is_being_written);
    if (e->has_attr && attr->id) {
        struct known_entry **slot = inode_slot(k, attr->id);
        e->next_of_inode = *slot;
        *slot = e;
    }
    k->bytes += entry_bytes(e);
    return e;
}

static void drop_attr(struct known_names *k, struct known_entry *e)
{
    if (!e->has_attr || !e->attr.id)
        return;
    struct known_entry **at = inode_slot(k, e->attr.id);
    while (*at != e)
        at = &(*at)->next_of_inode;
    *at = e->next_of_inode;
    e->has_attr = false;
}

void known_entry_free(struct known_names *k, struct known_entry *e)
{
    drop_attr(k, e);
    k->bytes -= entry_bytes(e);
    free(e);
}

/* Of all its names, or of those in one folder. */
static void drop_inode(struct known_names *k, uint64_t id, const struct known_folder *in)
{
    for (struct known_entry *e = *inode_slot(k, id), *next; e; e = next) {
        next = e->next_of_inode;
        if (e->attr.id == id && (!in || e->folder == in))
            drop_attr(k, e);
    }
}

/* ---- folders ---- */

static struct known_folder **folder_slot(struct known_names *k, uint64_t id)
{
    struct known_folder **at = &k->folders[id % FOLDER_BUCKETS];
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct known_folder *folder_need(struct known_names *k, uint64_t id)
{
    struct known_folder **at = folder_slot(k, id), *f = *at;
    if (f) {
        f->was_used = true;
        return f;
    }
    f = *at = mem_new(struct known_folder);
    f->id = id;
    f->left = f->right = f;
    if (k->hand) { /* it is the last that the hand comes to */
        f->right = k->hand;
        f->left = k->hand->left;
        f->left->right = f->right->left = f;
    }
    k->hand = k->hand ? k->hand : f;
    k->bytes += sizeof *f + ALLOCATION_BYTES;
    return f;
}

static void folder_drop(struct known_names *k, struct known_folder *f)
{
    if (!f)
        return;
    known_folder_clear(k, f);
    *folder_slot(k, f->id) = f->next;
    f->left->right = f->right;
    f->right->left = f->left;
    if (k->hand == f)
        k->hand = f->right == f ? NULL : f->right;
    k->bytes -= sizeof *f + ALLOCATION_BYTES;
    free(f);
}

/* What was just fetched stays, unless it is too much alone. */
static void evict(struct known_names *k, const struct known_folder *keep)
{
    while (k->bytes > k->bytes_max && k->hand && (k->hand != keep || k->hand->right != keep)) {
        struct known_folder *f = k->hand;
        if (f == keep || atomic_exchange(&f->was_used, false))
            k->hand = f->right;
        else
            folder_drop(k, f);
    }
    if (k->bytes > k->bytes_max && k->hand)
        known_folder_clear(k, k->hand); /* what was learnt about asking it stays */
}

static void clear(struct known_names *k)
{
    while (k->hand)
        folder_drop(k, k->hand);
}

void known_names_free(struct known_names *k)
{
    if (!k)
        return;
    clear(k);
    for (size_t i = 0; i < NOTES_MAX; i++)
        free(k->notes[i].name);
    for (size_t i = 0; i < k->owner_count; i++)
        free(k->owners[i]);
    free(k->inodes);
    pthread_rwlock_destroy(&k->lock);
    free(k);
}

/* ---- notes ---- */

struct known_since known_names_now(struct known_names *k)
{
    return (struct known_since){k->note_count, clock_mono_ms()};
}

/* For answers that are under way. */
static void push(struct known_names *k, uint64_t id, const char *name)
{
    struct note *n = &k->notes[k->note_count % NOTES_MAX];
    free(n->name);
    *n = (struct note){id, name ? mem_strdup(name) : NULL};
    k->note_count++;
}

/* To all that is known, or to what was put into one folder just now. */
static void apply(struct known_names *k, const struct note *n, struct known_folder *in)
{
    struct known_folder *f = n->name ? *folder_slot(k, n->id) : NULL;
    if (n->id)
        drop_inode(k, n->id, in); /* a folder, too: its times */
    else if (in)
        known_folder_clear(k, in);
    else
        clear(k);
    if (f && (!in || f == in))
        known_folder_forget(k, f, n->name);
}

/* name NULL: the inode, or something in it. */
static bool was_noted(const struct known_names *k, struct known_since since, uint64_t id, const char *name)
{
    if (k->note_count - since.notes > NOTES_MAX)
        return true;
    for (uint64_t i = since.notes; i < k->note_count; i++) {
        const struct note *n = &k->notes[i % NOTES_MAX];
        if (!n->id || (n->id == id && (!name || (n->name && strcmp(n->name, name) == 0))))
            return true;
    }
    return false;
}

bool known_names_were_noted(struct known_names *k, struct known_since since, uint64_t id, const char *name)
{
    if (k->note_count == since.notes)
        return false;
    pthread_rwlock_rdlock(&k->lock);
    bool noted = was_noted(k, since, id, name);
    pthread_rwlock_unlock(&k->lock);
    return noted;
}

static struct shared *shared_slot(struct known_names *k, uint64_t dir)
{
    return &k->shared[dir % SHARED_SLOTS];
}

static bool is_shared(struct known_names *k, uint64_t dir, int64_t now_ms)
{
    const struct shared *s = shared_slot(k, dir);
    return s->dir == dir && s->until_ms > now_ms;
}

static void mark_shared(struct known_names *k, uint64_t dir)
{
    *shared_slot(k, dir) = (struct shared){dir, clock_mono_ms() + SHARED_MS};
}

void known_names_told(struct known_names *k, uint64_t id, const char *name)
{
    pthread_rwlock_wrlock(&k->lock);
    if (name)
        mark_shared(k, id);
    for (struct known_entry *e = *inode_slot(k, id); !name && e; e = e->next_of_inode)
        if (e->attr.id == id)
            mark_shared(k, e->folder->id);
    push(k, id, name);
    apply(k, &k->notes[(k->note_count - 1) % NOTES_MAX], NULL);
    pthread_rwlock_unlock(&k->lock);
}

static void note(struct known_names *k, uint64_t id, const char *name)
{
    pthread_rwlock_wrlock(&k->lock);
    push(k, id, name);
    apply(k, &k->notes[(k->note_count - 1) % NOTES_MAX], NULL);
    pthread_rwlock_unlock(&k->lock);
}

void known_names_changed(struct known_names *k, uint64_t dir, const char *name)
{
    note(k, dir, name);
}

void known_names_inode_changed(struct known_names *k, uint64_t id)
{
    note(k, id, NULL);
}

void known_names_all_changed(struct known_names *k)
{
    note(k, 0, NULL);
}

void known_names_did(struct known_names *k, struct known_since since, const struct known_change *list, size_t count)
{
    bool is_sure = true;
    pthread_rwlock_wrlock(&k->lock);
    for (size_t i = 0; i < count; i++) {
        const struct known_change *c = &list[i];
        is_sure =
            is_sure && !was_noted(k, since, c->dir, c->name) && !(c->attr && was_noted(k, since, c->attr->id, NULL));
    }
    for (size_t i = 0; i < count; i++) {
        const struct known_change *c = &list[i];
        struct known_folder *f = *folder_slot(k, c->dir);
        push(k, c->dir, c->name);
        drop_inode(k, c->dir, NULL);
        if (c->attr) {
            push(k, c->attr->id, NULL);
            drop_inode(k, c->attr->id, NULL); /* under its other names */
        }
        if (f && is_sure)
            known_folder_put(k, f, c->name, c->attr, since.at_ms, since.at_ms + k->believe_ms);
        else if (f)
            known_folder_forget(k, f, c->name);
    }
    evict(k, NULL);
    pthread_rwlock_unlock(&k->lock);
}

/* ---- looking ---- */

void known_names_hold(struct known_names *k)
{
    pthread_rwlock_rdlock(&k->lock);
}

void known_names_let_go(struct known_names *k)
{
    pthread_rwlock_unlock(&k->lock);
}

enum known_name known_names_find(struct known_names *k, uint64_t dir, const char *name, const struct posix_attr **ret,
                                 int64_t *ret_left_ms)
{
    struct known_folder *f = *folder_slot(k, dir);
    if (!f)
        return NAME_NOT_KNOWN;
    size_t at = known_folder_at(f, name);
    bool is_there = known_folder_is_at(f, at, name);
    const struct known_entry *e = is_there ? f->entries[at] : NULL;
    int64_t now_ms = clock_mono_ms();
    *ret_left_ms = (e ? e->until_ms : *known_folder_gap(f, at)) - now_ms;
    if (*ret_left_ms <= 0 || (e && !e->has_attr) || is_shared(k, dir, now_ms))
        return NAME_NOT_KNOWN;
    k->gone_on += f->looks++ == 1 && f->is_begun;
    f->hits++;
    f->asked++;
    f->was_used = true;
    *ret = e ? &e->attr : NULL;
    return e && e->attr.id ? NAME_KNOWN : NAME_ABSENT;
}

/* ---- being told ---- */

/* So many looks have not been paid for yet. Under the lock. */
static uint32_t count_look(struct known_names *k, struct known_folder *f)
{
    uint32_t looks = f->looks++, asked = f->asked;
    f->asked = 1;
    k->gone_on += looks == 1 && f->is_begun;
    if (looks)
        return asked;
    bool is_usual = 2 * k->gone_on > k->begun;
    f->is_begun = true;
    if (++k->begun > FOLDERS_BEGUN) {
        k->begun /= 2;
        k->gone_on = k->gone_on / 2;
    }
    return is_usual ? 1 : 0;
}

uint32_t known_names_ahead(struct known_names *k, uint64_t dir)
{
    if (!k->bytes_max)
        return 0;
    pthread_rwlock_wrlock(&k->lock);
    struct known_folder *f = folder_need(k, dir);
    uint64_t trusted = AHEAD_TRUST + AHEAD_PER_LOOK * f->hits, wanted = (uint64_t)AHEAD_PER_LOOK * count_look(k, f);
    if (is_shared(k, dir, clock_mono_ms()))
        wanted = 0;
    trusted = trusted > f->fetched ? trusted - f->fetched : 0;
    wanted = wanted < AHEAD_MAX ? wanted : AHEAD_MAX;
    wanted = wanted < trusted ? wanted : trusted;
    f->fetched += wanted;
    evict(k, f);
    pthread_rwlock_unlock(&k->lock);
    return (uint32_t)wanted;
}

void known_names_page(struct known_names *k, struct known_since since, const struct known_page *page)
{
    if (!k->bytes_max)
        return;
    pthread_rwlock_wrlock(&k->lock);
    if (k->note_count - since.notes <= NOTES_MAX) {
        int64_t until_ms = since.at_ms + k->believe_ms;
        bool is_alone = page->more && !page->count; /* then it is of use only where something is known already */
        struct known_folder *f = is_alone ? *folder_slot(k, page->dir) : folder_need(k, page->dir);
        size_t at = f ? known_folder_at(f, page->from) : 0;
        if (f && (!is_alone || known_folder_is_at(f, at, page->from)))
            known_folder_put_page(k, f, page, until_ms);
        for (uint64_t i = since.notes; f && i < k->note_count; i++)
            apply(k, &k->notes[i % NOTES_MAX], f);
        evict(k, f);
    }
    pthread_rwlock_unlock(&k->lock);
}
