/* Attributes: getattr, setattr, statfs, readlink. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "fuse/posix/new_attributes.h"
#include "fuse/posix/privileges.h"

#define STAT_BLOCK_BYTES 512
#define DIR_SIZE_BYTES   4096
#define FULL_PIECE_BYTES (64 << 10)
#define GETATTR_TRIES    3
#define RELATIME_NS      ((int64_t)24 * 3600 * 1000000000)

static struct timespec timespec_of(uint64_t ns)
{
    return clock_timespec((int64_t)ns);
}

/* What 64 bits cannot say is the last that they can, as on other file systems. */
static uint64_t ns_of(const struct timespec *t)
{
    const int64_t seconds_max = INT64_MAX / 1000000000;
    if (t->tv_sec >= seconds_max || t->tv_sec < -seconds_max)
        return (uint64_t)(t->tv_sec < 0 ? INT64_MIN : INT64_MAX);
    return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

/* As relatime: once after a change, and once a day. */
bool attr_wants_atime(const struct posix_attr *attr)
{
    int64_t atime = (int64_t)attr->atime_ns;
    return atime <= (int64_t)attr->mtime_ns || atime <= (int64_t)attr->ctime_ns ||
           atime < clock_wall_ns() - RELATIME_NS;
}

/* Before the answer, or whoever looks at the time next is told the old one, and the kernel goes on believing that. */
void attr_note_read(struct request *op, uint64_t inode)
{
    struct posix_attr attr;
    struct posix_set set = {.what = POSIX_SET_READ};
    struct err err = {0};
    if (attr_settle(op, inode, &err) < 0 ||
        posix_setattr(op->fs, op->m->store.memory->session, inode, &set, &op->arena, &attr, &err) < 0)
        log_debug("mount", "an access time was not noted: inode=%" PRIu64 " err=%s", inode, err.text);
    known_names_inode_changed(op->m->known, inode);
    dir_stats_changed(op->m->dir_stats);
}

int attr_settle(struct request *op, uint64_t inode, struct err *reterr)
{
    struct node *n = node_get(op->m->nodes, inode);
    int rc = n ? new_attributes_flush(&op->m->store, n, reterr) : 0;
    if (n)
        node_put(op->m->nodes, n);
    return rc;
}

void attr_note_directory(struct request *op, const struct posix_attr *in)
{
    struct stat st;
    if (!in->directory)
        return;
    attr_to_stat(op->m, in->directory, &st);
    dir_stats_put(op->m->dir_stats, &st, op->since);
}

/* How much Python reads and writes at once, and cp writes. What is empty will be written from front to back: the larger
 * the piece, the fewer requests. Of what is not, a few bytes here and there are looked at, too, each with a piece. */
static blksize_t piece_bytes(off_t size)
{
    return size == 0 ? POSIX_IO_MAX_BYTES : FULL_PIECE_BYTES;
}

/* What is not saved yet. allocated: bytes that are. Without the node's lock: a write that waits must not make ls wait.
 */
static void show_unsaved(struct node *n, uint64_t allocated, struct stat *st)
{
    int64_t size = n->unsaved_size;
    if (size >= 0) {
        n->is_guessed = true;
        st->st_size = size;
        st->st_blksize = piece_bytes(size);
        int64_t bytes = n->unsaved_bytes + (n->is_streaming ? 0 : (int64_t)allocated);
        st->st_blocks = (bytes + STAT_BLOCK_BYTES - 1) / STAT_BLOCK_BYTES;
        st->st_mtim = st->st_ctim = timespec_of(n->unsaved_mtime_ns);
    }
    new_attributes_show(n, st);
    if (st->st_mode & (S_ISUID | S_ISGID))
        n->may_be_setid = true;
}

void attr_to_stat(struct posix_mount *m, const struct posix_attr *attr, struct stat *ret)
{
    struct stat st = {.st_ino = attr->id,
                      .st_mode = attr->mode,
                      .st_nlink = attr->nlink,
                      .st_uid = users_uid(m->users, attr->owner),
                      .st_gid = users_gid(m->users, attr->group),
                      .st_rdev = attr->rdev,
                      .st_size = (off_t)attr->size,
                      .st_blksize = piece_bytes((off_t)attr->size),
                      .st_blocks = (blkcnt_t)((attr->allocated + STAT_BLOCK_BYTES - 1) / STAT_BLOCK_BYTES),
                      .st_mtim = timespec_of(attr->mtime_ns),
                      .st_atim = timespec_of(attr->atime_ns),
                      .st_ctim = timespec_of(attr->ctime_ns)};
    if (S_ISDIR(attr->mode))
        st.st_size = DIR_SIZE_BYTES;
    else if (S_ISLNK(attr->mode) && attr->target)
        st.st_size = (off_t)strlen(attr->target);
    xattr_remember(m, attr);
    struct node *n = S_ISREG(attr->mode) ? node_get(m->nodes, attr->id) : NULL;
    if (n) {
        show_unsaved(n, attr->allocated, &st);
        node_put(m->nodes, n);
    }
    *ret = st;
}

/* What is not saved here yet is told as it is, whatever the answer was. */
bool attr_is_outdated(struct posix_mount *m, struct known_since since, uint64_t inode)
{
    if (!known_names_were_noted(m->known, since, inode, NULL))
        return false;
    struct node *n = node_get(m->nodes, inode);
    bool is_unsaved = n && n->unsaved_size >= 0;
    if (n)
        node_put(m->nodes, n);
    return !is_unsaved;
}

void attr_to_entry(struct posix_mount *m, struct known_since since, const struct posix_attr *attr,
                   struct fuse_entry_param *ret)
{
    *ret = (struct fuse_entry_param){.ino = ino_of_inode(m, attr->id), .entry_timeout = cache_seconds(m)};
    attr_to_stat(m, attr, &ret->attr); /* before it is looked whether something was noted */
    ret->attr_timeout = attr_is_outdated(m, since, attr->id) ? 0 : cache_seconds(m);
}

/* A new file whose first bytes are not saved yet: nobody else knows more. */
static bool reply_new(struct request *op, struct node *n)
{
    struct stat st;
    if (!n || !new_attributes_known(n, &st))
        return false;
    show_unsaved(n, 0, &st);
    fuse_reply_attr(op->req, &st, cache_seconds(op->m));
    return true;
}

static void reply_attr(struct request *op, const char *name, int rc, const struct stat *st, bool is_outdated)
{
    if (rc < 0) {
        request_fail(op, name);
        return;
    }
    fuse_reply_attr(op->req, st, is_outdated ? 0 : cache_seconds(op->m));
    request_end(op);
}

/* Asked once more if it was saved meanwhile: what was just closed is not to be seen as it was before. */
static int get_attr(struct request *op, uint64_t inode, struct stat *ret, bool *ret_outdated)
{
    int rc = 0;
    struct posix_attr attr;
    *ret_outdated = true;
    for (int tries = 0; rc == 0 && *ret_outdated && tries < GETATTR_TRIES; tries++) {
        struct known_since since = known_names_now(op->m->known);
        rc = posix_getattr(op->fs, inode, &op->arena, &attr, &op->err);
        if (rc == ERR_STALE && removed_find(op->m->removed, inode, &op->arena, &attr)) /* somebody is still in it */
            rc = 0;
        if (rc == 0)
            attr_to_stat(op->m, &attr, ret); /* before it is looked whether something was noted */
        *ret_outdated = rc == 0 && attr_is_outdated(op->m, since, inode);
    }
    return rc;
}

void posix_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request op;
    struct stat st;
    bool is_outdated;
    request_begin(&op, req);
    uint64_t inode = inode_of_ino(op.m, ino);
    if (dir_stats_get(op.m->dir_stats, inode, &st)) {
        fuse_reply_attr(req, &st, cache_seconds(op.m));
        request_end(&op);
        return;
    }
    struct node *n = node_get(op.m->nodes, inode);
    bool replied = reply_new(&op, n);
    if (n)
        node_put(op.m->nodes, n);
    if (replied) {
        request_end(&op);
        return;
    }
    int rc = get_attr(&op, inode, &st, &is_outdated);
    reply_attr(&op, "getattr", rc, &st, is_outdated);
}

/* Times that are set are to stay: what was written before must not be saved over them. It is saved with the time of
 * change that is set, which is one call less. */
static int save_before_times(struct request *op, struct node *n, struct posix_set *set)
{
    bool is_set = false;
    int rc = node_save_as_of(&op->m->store, n, set->what & POSIX_SET_MTIME ? set->mtime_ns : 0, &is_set, &op->err);
    if (is_set)
        set->what &= ~POSIX_SET_MTIME;
    return rc;
}

/* By a handle what cannot be saved now waits for the close or fsync, as other changes do, and the times change in any
 * case. */
static int set_size(struct request *op, struct node *n, int64_t size, bool by_handle, struct posix_set *set)
{
    int rc = node_resize(&op->m->store, n, size, &op->err);
    if (rc == 0 && !by_handle)
        rc = node_save(&op->m->store, n, &op->err);
    if (by_handle && n->unsaved_size < 0 && !(set->what & POSIX_SET_MTIME))
        set->what |= POSIX_SET_MTIME_NOW;
    return rc;
}

static struct posix_set set_of(struct request *op, const struct stat *attr, int to_set)
{
    struct posix_set set = {
        .mode = attr->st_mode & 07777, .atime_ns = ns_of(&attr->st_atim), .mtime_ns = ns_of(&attr->st_mtim)};
    if (to_set & FUSE_SET_ATTR_MODE)
        set.what |= POSIX_SET_MODE;
    if (to_set & FUSE_SET_ATTR_UID) {
        set.what |= POSIX_SET_OWNER;
        set.owner = users_uid_name(op->m->users, attr->st_uid, &op->arena);
    }
    if (to_set & FUSE_SET_ATTR_GID) {
        set.what |= POSIX_SET_GROUP;
        set.group = users_gid_name(op->m->users, attr->st_gid, &op->arena);
    }
    if (to_set & FUSE_SET_ATTR_ATIME_NOW)
        set.what |= POSIX_SET_ATIME_NOW;
    else if (to_set & FUSE_SET_ATTR_ATIME)
        set.what |= POSIX_SET_ATIME;
    if (to_set & FUSE_SET_ATTR_MTIME_NOW)
        set.what |= POSIX_SET_MTIME_NOW;
    else if (to_set & FUSE_SET_ATTR_MTIME)
        set.what |= POSIX_SET_MTIME;
    return set;
}

/* The same as it may wait for a new file's bytes; nothing if it is about the size, too. */
static struct staged_set staged_set_of(const struct stat *attr, int to_set)
{
    static const struct {
        int fuse;
        enum staged_field field;
    } kinds[] = {{FUSE_SET_ATTR_MODE, STAGED_MODE},
                 {FUSE_SET_ATTR_UID, STAGED_UID},
                 {FUSE_SET_ATTR_GID, STAGED_GID},
                 {FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW, STAGED_ATIME},
                 {FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW, STAGED_MTIME}};
    int64_t now_ns = clock_wall_ns();
    struct staged_set set = {
        .values = {[STAGED_MODE] = attr->st_mode & 07777,
                   [STAGED_UID] = attr->st_uid,
                   [STAGED_GID] = attr->st_gid,
                   [STAGED_ATIME] = to_set & FUSE_SET_ATTR_ATIME_NOW ? now_ns : (int64_t)ns_of(&attr->st_atim),
                   [STAGED_MTIME] = to_set & FUSE_SET_ATTR_MTIME_NOW ? now_ns : (int64_t)ns_of(&attr->st_mtim)}};
    for (size_t i = 0; i < ARRAY_COUNT(kinds) && !(to_set & FUSE_SET_ATTR_SIZE); i++)
        set.fields |= to_set & kinds[i].fuse ? 1u << kinds[i].field : 0;
    return set;
}

/* true: it will be saved with the file's first bytes. Else what waits so is saved before. */
static bool set_later(struct request *op, struct node *n, const struct stat *attr, int to_set, int *rc)
{
    struct staged_set later = staged_set_of(attr, to_set);
    if (later.fields && new_attributes_set(n, &later))
        return true;
    *rc = new_attributes_flush(&op->m->store, n, &op->err);
    return false;
}

void posix_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
    struct request op;
    struct posix_attr now;
    struct stat st;
    int rc = 0;
    request_begin(&op, req);
    uint64_t inode = inode_of_ino(op.m, ino);
    struct node *n = node_get(op.m->nodes, inode);
    if ((to_set & FUSE_SET_ATTR_SIZE) && !n)
        rc = node_need(op.m->nodes, inode, &n, &op.err);
    if (rc == 0)
        rc = to_set & FUSE_SET_ATTR_SIZE ? privileges_drop(&op, n) : privileges_drop_with(&op, inode, n, attr, &to_set);
    struct posix_set set = set_of(&op, attr, to_set);
    if (rc == 0 && (to_set & FUSE_SET_ATTR_SIZE))
        rc = set_size(&op, n, attr->st_size, fi != NULL, &set);
    bool sets = set.what != 0, is_later = rc == 0 && n && sets && set_later(&op, n, attr, to_set, &rc);
    set.what = is_later ? 0 : set.what;
    if (is_later && reply_new(&op, n)) {
        node_put(op.m->nodes, n);
        request_end(&op);
        return;
    }
    if (rc == 0 && n && (set.what & (POSIX_SET_MTIME | POSIX_SET_MTIME_NOW)))
        rc = save_before_times(&op, n, &set);
    if (n)
        node_put(op.m->nodes, n);
    struct known_since since = known_names_now(op.m->known);
    if (rc == 0 && set.what)
        rc = posix_setattr(op.fs, op.m->store.memory->session, inode, &set, &op.arena, &now, &op.err);
    else if (rc == 0)
        rc = posix_getattr(op.fs, inode, &op.arena, &now, &op.err);
    if (rc == 0)
        attr_to_stat(op.m, &now, &st); /* before it is looked whether something was noted */
    bool is_outdated = attr_is_outdated(op.m, since, inode);
    if (sets)
        known_names_inode_changed(op.m->known, inode);
    if (rc == 0 &&
        (now.mode & (S_ISUID | S_ISGID))) /* who opened it meanwhile may have seen neither them nor the note */
        node_invalidate(op.m->nodes, inode, false);
    if (rc == 0 && S_ISDIR(now.mode))
        dir_stats_changed(op.m->dir_stats);
    reply_attr(&op, "setattr", rc, &st, is_outdated);
}

/* As far as a quota reaches it is the size of the file system; what there is beside it in the cluster bounds only what
 * may still be written. */
void posix_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    enum { UNIT = 4096 };
    struct request op;
    struct posix_room room;
    request_begin(&op, req);
    int rc = posix_statfs(op.fs, inode_of_ino(op.m, ino), &room, &op.err);
    if (rc == ERR_STALE) /* it was removed */
        rc = posix_statfs(op.fs, op.m->root, &room, &op.err);
    if (rc < 0) {
        request_fail(&op, "statfs");
        return;
    }
    const struct posix_quota *space = &room.space, *names = &room.names;
    bool is_bound = space->quota >= 0, is_counted = names->quota >= 0;
    int64_t left = is_bound && space->left < room.remaining ? space->left : room.remaining;
    int64_t unused = space->quota > space->used ? space->quota - space->used : 0;
    int64_t free_names = names->quota > names->used ? names->quota - names->used : 0;
    struct statvfs st = {.f_bsize = UNIT,
                         .f_frsize = UNIT,
                         .f_blocks = (fsblkcnt_t)((is_bound ? space->quota : room.capacity) / UNIT),
                         .f_bfree = (fsblkcnt_t)((is_bound ? unused : room.remaining) / UNIT),
                         .f_bavail = (fsblkcnt_t)(left / UNIT),
                         .f_files = is_counted ? (fsfilcnt_t)names->quota : UINT32_MAX, /* there is no such limit */
                         .f_ffree = is_counted ? (fsfilcnt_t)free_names : UINT32_MAX,
                         .f_favail = is_counted ? (fsfilcnt_t)names->left : UINT32_MAX,
                         .f_namemax = POSIX_NAME_MAX};
    fuse_reply_statfs(req, &st);
    request_end(&op);
}

void posix_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct request op;
    struct posix_attr attr;
    request_begin(&op, req);
    int rc = posix_getattr(op.fs, inode_of_ino(op.m, ino), &op.arena, &attr, &op.err);
    if (rc == 0 && !attr.target)
        rc = err_set(&op.err, ERR_INVALID_PATH, "inode %lu is no symbolic link", (unsigned long)ino);
    if (rc < 0) {
        request_fail(&op, "readlink");
        return;
    }
    if (attr_wants_atime(&attr))
        attr_note_read(&op, attr.id);
    fuse_reply_readlink(req, attr.target);
    request_end(&op);
}
