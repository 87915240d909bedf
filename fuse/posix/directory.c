/* Listing directories, page by page.
 *
 * The kernel resumes at any offset it was given before, however long ago and whatever changed since. An offset says:
 * page of this handle, index in it, and some bits of the name there, so that in a page that was loaded anew the place
 * is found again though entries before it came or went. A page is remembered by the name it begins behind; behind the
 * last entry of one is the start of the next, wherever that is by then: who removes what he is told, which is all of
 * the page, goes on there. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/clock.h"
#include "common/mem.h"
#include "fuse/posix/posix_mount.h"

#define PAGE_ENTRIES     1000
#define PAGE_ARENA_BYTES (16 << 20)
#define PAGES_MAX        (1u << 22) /* of PAGE_ENTRIES names each */

#define OFFSET_HASH_BITS  24
#define OFFSET_INDEX_BITS 12
#define OFFSET_INDEX_MASK ((1u << OFFSET_INDEX_BITS) - 1)
#define OFFSET_AT_START   OFFSET_INDEX_MASK /* as index: of the page, behind none of its entries */
#define OFFSET_FIRST      3                 /* 1 is behind ".", 2 behind ".." */

struct listing {
    uint64_t number; /* the handle's */
    struct listing *next;
    pthread_mutex_t lock; /* of what follows */
    uint64_t inode;
    char **starts; /* [page]: the name it begins behind; the first one is NULL */
    size_t start_count;
    struct arena arena; /* of the page that is loaded */
    struct posix_page page;
    struct known_since since; /* of when it was asked for */
    size_t page_number;
    bool is_loaded;
};

/* Handles by number. One that is not known was given out by a process before this one: it is begun anew. */
struct listings {
    pthread_mutex_t lock;
    uint64_t last_number;
    struct listing *first;
};

struct listings *listings_new(void)
{
    struct listings *all = mem_new(struct listings);
    pthread_mutex_init(&all->lock, NULL);
    all->last_number = (uint64_t)getpid() << 32;
    return all;
}

static void listing_free(struct listing *l)
{
    for (size_t i = 0; i < l->start_count; i++)
        free(l->starts[i]);
    free(l->starts);
    arena_free(&l->arena);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void listings_free(struct listings *all)
{
    for (struct listing *l = all ? all->first : NULL, *next; l; l = next) {
        next = l->next;
        listing_free(l);
    }
    if (all)
        pthread_mutex_destroy(&all->lock);
    free(all);
}

static struct listing *listing_add_locked(struct listings *all, uint64_t number, uint64_t inode)
{
    struct listing *l = mem_new(struct listing);
    pthread_mutex_init(&l->lock, NULL);
    arena_init(&l->arena, PAGE_ARENA_BYTES);
    l->number = number;
    l->inode = inode;
    l->starts = mem_calloc(1, sizeof *l->starts);
    l->start_count = 1;
    l->next = all->first;
    all->first = l;
    return l;
}

static struct listing *listing_of(struct listings *all, uint64_t number, uint64_t inode)
{
    pthread_mutex_lock(&all->lock);
    struct listing *l = all->first;
    while (l && l->number != number)
        l = l->next;
    if (!l)
        l = listing_add_locked(all, number, inode);
    pthread_mutex_unlock(&all->lock);
    return l;
}

static void listing_end(struct listings *all, uint64_t number)
{
    pthread_mutex_lock(&all->lock);
    struct listing **at = &all->first;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    struct listing *l = *at;
    if (l)
        *at = l->next;
    pthread_mutex_unlock(&all->lock);
    if (!l)
        return;
    pthread_mutex_lock(&l->lock); /* the kernel lets nobody list any more: what the last one did is seen here */
    pthread_mutex_unlock(&l->lock);
    listing_free(l);
}

void posix_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct posix_mount *m = fuse_req_userdata(req);
    pthread_mutex_lock(&m->listings->lock);
    fi->fh = ++m->listings->last_number;
    listing_add_locked(m->listings, fi->fh, inode_of_ino(m, ino));
    pthread_mutex_unlock(&m->listings->lock);
    if (fuse_reply_open(req, fi) < 0) /* the caller was interrupted: nobody will close it */
        listing_end(m->listings, fi->fh);
}

void posix_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct posix_mount *m = fuse_req_userdata(req);
    listing_end(m->listings, fi->fh);
    fuse_reply_err(req, 0);
}

/* Every change is on the disk when its call returns. */
void posix_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    fuse_reply_err(req, 0);
}

static uint64_t name_bits(const char *name)
{
    return XXH3_64bits(name, strlen(name)) >> (64 - OFFSET_HASH_BITS);
}

/* Of the place behind an entry of the page that is loaded. */
static off_t offset_behind(const struct listing *l, size_t index)
{
    bool is_last = index + 1 == l->page.count && l->page_number + 1 < l->start_count;
    uint64_t page = l->page_number + is_last, at = is_last ? OFFSET_AT_START : index;
    uint64_t place = (page << OFFSET_INDEX_BITS | at) + 1;
    return (off_t)(place << OFFSET_HASH_BITS | name_bits(l->page.entries[index].name));
}

/* What comes behind the page is what is behind its last name now, not what was there when it was seen before. Where
 * later pages began stays known: whoever was told of a place in them goes on there. */
static void listing_link(struct listing *l, size_t number)
{
    const char *last = l->page.count ? l->page.entries[l->page.count - 1].name : NULL;
    bool known = number + 1 < l->start_count;
    if (!last || (!known && (!l->page.more || l->start_count == PAGES_MAX)))
        return;
    if (!known)
        l->starts = mem_realloc_array(l->starts, ++l->start_count, sizeof *l->starts);
    else if (strcmp(l->starts[number + 1], last) == 0)
        return;
    else
        free(l->starts[number + 1]);
    l->starts[number + 1] = mem_strdup(last);
}

static int listing_load(struct listing *l, struct request *op, size_t number, struct err *reterr)
{
    struct known_since since = known_names_now(op->m->known);
    if (l->is_loaded && l->page_number == number)
        return 0;
    l->is_loaded = false;
    arena_reset(&l->arena);
    int rc = posix_readdir(op->fs, l->inode, l->starts[number], PAGE_ENTRIES, &l->arena, &l->page, reterr);
    if (rc == ERR_STALE || rc == ERR_NOT_FOUND) { /* a removed directory is empty */
        l->page = (struct posix_page){0};
        rc = 0;
    }
    if (rc < 0)
        return rc;
    l->page_number = number;
    l->since = since;
    l->is_loaded = true;
    if (l->page.directory.id && cache_absent_seconds(op->m) > 0)
        known_names_page(op->m->known, since,
                         &(struct known_page){.dir = l->inode,
                                              .from = l->starts[number] ? l->starts[number] : "",
                                              .next = l->page.entries,
                                              .count = l->page.count,
                                              .more = l->page.more});
    listing_link(l, number);
    return 0;
}

/* In a page that was loaded anew. The entry may have gone: then the next one has taken its place. */
static size_t index_behind(const struct posix_page *page, size_t index, uint64_t bits)
{
    if (index < page->count && name_bits(page->entries[index].name) == bits)
        return index + 1;
    for (size_t i = 0; i < page->count; i++)
        if (name_bits(page->entries[i].name) == bits)
            return i + 1;
    return index;
}

/* Loads the page and finds the entry that comes after the offset. */
static int listing_seek(struct listing *l, struct request *op, off_t offset, size_t *ret, struct err *reterr)
{
    uint64_t place = (uint64_t)offset >> OFFSET_HASH_BITS, bits = (uint64_t)offset & ((1u << OFFSET_HASH_BITS) - 1);
    size_t page = 0, index = 0;
    if (place > 0) {
        page = (place - 1) >> OFFSET_INDEX_BITS;
        index = (place - 1) & OFFSET_INDEX_MASK;
    }
    bool was_loaded = l->is_loaded && l->page_number == page, is_behind_all = false;
    int rc = 0;
    while (rc == 0 && page >= l->start_count && !is_behind_all) { /* a page this process has not seen */
        size_t known = l->start_count;
        rc = listing_load(l, op, known - 1, reterr);
        is_behind_all = l->start_count == known; /* there were more names when the offset was given out */
    }
    if (rc == 0 && !is_behind_all)
        rc = listing_load(l, op, page, reterr);
    if (rc == 0 && is_behind_all)
        *ret = index_behind(&l->page, l->page.count, bits);
    else if (rc < 0 || place == 0 || index == OFFSET_AT_START)
        *ret = 0;
    else
        *ret = was_loaded ? index + 1 : index_behind(&l->page, index, bits);
    return rc;
}

struct filler {
    struct request *op;
    char *bytes;
    size_t used, size;
    bool plus;
};

/* False: there is no room for it. */
static bool fill(struct filler *f, const char *name, const struct fuse_entry_param *entry, off_t next)
{
    char *to = f->bytes + f->used;
    size_t room = f->size - f->used;
    size_t n = f->plus ? fuse_add_direntry_plus(f->op->req, to, room, name, entry, next)
                       : fuse_add_direntry(f->op->req, to, room, name, &entry->attr, next);
    if (n > room)
        return false;
    f->used += n;
    return true;
}

/* The folder that is mounted has nothing above it here; nor has one that was removed. */
static bool fill_dots(struct filler *f, const struct listing *l, off_t offset)
{
    bool is_top = l->inode == f->op->m->root || !l->page.directory.parent;
    struct fuse_entry_param dot = {.attr = {.st_ino = l->inode, .st_mode = S_IFDIR}}, up = dot;
    up.attr.st_ino = is_top ? l->inode : l->page.directory.parent;
    return (offset > 0 || fill(f, ".", &dot, 1)) && (offset > 1 || fill(f, "..", &up, 2));
}

/* A page is listed over many requests: who listed it slowly must not bring back what has changed meanwhile. Without
 * attributes the kernel asks for itself. */
static bool fill_entry(struct filler *f, const struct listing *l, const struct posix_entry *e, off_t next)
{
    struct posix_mount *m = f->op->m;
    struct fuse_entry_param entry = {.attr = {.st_ino = e->attr.id, .st_mode = e->attr.mode}};
    bool is_fresh = (double)(clock_mono_ms() - l->since.at_ms) <= cache_seconds(m) * 1000;
    if (f->plus && is_fresh && !known_names_were_noted(m->known, l->since, l->inode, e->name) &&
        !attr_is_outdated(m, l->since, e->attr.id))
        attr_to_entry(m, l->since, &e->attr, &entry);
    return fill(f, e->name, &entry, next);
}

static int fill_page(struct filler *f, struct listing *l, off_t offset, struct err *reterr)
{
    size_t index = 0;
    int rc = listing_seek(l, f->op, offset < OFFSET_FIRST ? 0 : offset, &index, reterr);
    if (rc == 0 && offset < OFFSET_FIRST && !fill_dots(f, l, offset))
        return 0;
    while (rc == 0) {
        for (; index < l->page.count; index++) {
            const struct posix_entry *e = &l->page.entries[index];
            bool has_room =
                strlen(e->name) <= POSIX_NAME_MAX; /* HDFS's clients can make longer ones, programs read none */
            if (has_room && !fill_entry(f, l, e, offset_behind(l, index)))
                return 0;
        }
        if (!l->page.more || l->page_number + 1 >= l->start_count)
            return 0;
        rc = listing_load(l, f->op, l->page_number + 1, reterr);
        index = 0;
    }
    return rc;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi, bool plus)
{
    struct request op;
    request_begin(&op, req);
    uint64_t inode = inode_of_ino(op.m, ino);
    struct listing *l = listing_of(op.m->listings, fi->fh, inode);
    AUTO(mem_freep) char *bytes = mem_alloc(size);
    struct filler f = {&op, bytes, 0, size, plus};
    pthread_mutex_lock(&l->lock);
    if (offset == 0)
        l->is_loaded = false; /* rewinddir(3) sees what is there now */
    int rc = fill_page(&f, l, offset, &op.err);
    bool wants_atime = l->is_loaded && l->page.directory.id && attr_wants_atime(&l->page.directory);
    pthread_mutex_unlock(&l->lock);
    if (rc < 0 && f.used == 0) {
        request_fail(&op, "readdir");
        return;
    }
    if (offset == 0 && wants_atime)
        attr_note_read(&op, inode);
    fuse_reply_buf(req, bytes, f.used);
    request_end(&op);
}

void posix_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    list(req, ino, size, offset, fi, false);
}

void posix_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    list(req, ino, size, offset, fi, true);
}
