/* One name: looking it up, making, linking, removing and moving it. */
#include <string.h>

#include "fuse/posix/kernel_io.h"
#include "fuse/posix/posix_mount.h"
#include "rpc/rpc_client.h"

static void reply_entry(struct request *op, const char *name, int rc, const struct posix_attr *attr)
{
    struct fuse_entry_param entry;
    if (rc < 0) {
        request_fail(op, name);
        return;
    }
    attr_to_entry(op->m, op->known_since, attr, &entry);
    fuse_reply_entry(op->req, &entry);
    request_end(op);
}

/* The folder that is mounted has nothing above it here. */
static uint64_t child_of(const struct posix_mount *m, fuse_ino_t parent, const char **name)
{
    if (parent == FUSE_ROOT_ID && strcmp(*name, "..") == 0)
        *name = ".";
    return inode_of_ino(m, parent);
}

static void reply_absent(struct request *op, double seconds)
{
    fuse_reply_entry(op->req, &(struct fuse_entry_param){.entry_timeout = seconds});
    request_end(op);
}

/* What is fetched ahead is kept as long as word of changes comes; "." and ".." are no entries of their own. */
static bool may_be_known(const struct posix_mount *m, const char *name)
{
    return cache_absent_seconds(m) > 0 && strlen(name) <= POSIX_NAME_MAX && strcmp(name, ".") && strcmp(name, "..");
}

/* The answer goes out before it is let go of: see known_names.h. */
static bool reply_known(struct request *op, uint64_t dir, const char *name)
{
    struct fuse_entry_param entry = {0};
    const struct posix_attr *attr;
    int64_t left_ms;
    known_names_hold(op->m->known);
    enum known_name known = known_names_find(op->m->known, dir, name, &attr, &left_ms);
    if (known == NAME_KNOWN && node_is_open(op->m->nodes, attr->id))
        known = NAME_NOT_KNOWN;
    double seconds = known != NAME_NOT_KNOWN ? (double)left_ms / 1000 : 0;
    if (known == NAME_KNOWN) {
        entry.ino = ino_of_inode(op->m, attr->id);
        attr_to_stat(op->m, attr, &entry.attr);
        entry.attr_timeout = entry.entry_timeout = seconds;
        fuse_reply_entry(op->req, &entry);
        request_end(op);
    } else if (known == NAME_ABSENT) {
        reply_absent(op, seconds);
    }
    known_names_let_go(op->m->known);
    return known != NAME_NOT_KNOWN;
}

static int look(struct request *op, uint64_t dir, const char *name, struct posix_attr *ret)
{
    struct posix_page next;
    if (!may_be_known(op->m, name))
        return posix_lookup(op->fs, dir, name, &op->arena, ret, &op->err);
    uint32_t ahead = known_names_ahead(op->m->known, dir);
    int rc = posix_lookup_ahead(op->fs, dir, name, ahead, &op->arena, ret, &next, &op->err);
    if (rc == 0)
        known_names_page(
            op->m->known, op->known_since,
            &(struct known_page){
                .dir = dir, .from = name, .first = ret, .next = next.entries, .count = next.count, .more = next.more});
    return rc;
}

void posix_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct request op;
    struct posix_attr attr;
    request_begin(&op, req);
    uint64_t dir = child_of(op.m, parent, &name);
    if (may_be_known(op.m, name) && reply_known(&op, dir, name))
        return;
    int rc = look(&op, dir, name, &attr);
    double absent_s = cache_absent_seconds(op.m);
    if (rc == 0 && attr.id == 0 && absent_s > 0) {
        reply_absent(&op, absent_s);
        return;
    }
    if (rc == 0 && attr.id == 0)
        rc = err_set(&op.err, ERR_NOT_FOUND, "%s", name);
    reply_entry(&op, "lookup", rc, &attr);
}

/* What the namenode answered, whatever it was; an answer given again may be of long ago. */
static void note_names(struct request *op, int rc, const struct known_change *list, size_t count)
{
    if (rc == 0 && !kernel_io_request()->is_again) {
        known_names_did(op->m->known, op->known_since, list, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        known_names_changed(op->m->known, list[i].dir, list[i].name);
}

/* What a process that died has done of this request already, the namenode does not do again. */
static const struct rpc_call_id *call_id_of(struct request *op)
{
    uint64_t number = kernel_io_request()->unique >> 1, rest = number / RPC_NAMED_CALLS; /* the kernel's are even */
    struct rpc_call_id *id = arena_new(&op->arena, struct rpc_call_id);
    memcpy(id->client, op->m->store.memory->caller, 8);
    memcpy(id->client + 8, &rest, 8);
    id->call = (int32_t)(number % RPC_NAMED_CALLS);
    return id;
}

/* The answer to a process that died is given again, but what it held went when this one said what is open. */
static int make_unnamed_again(struct request *op, struct posix_make *how, struct posix_attr *ret, bool *ret_made)
{
    uint64_t session = op->m->store.memory->session;
    int rc = posix_open(op->fs, session, ret->id, how->handles, &op->arena, ret, &op->err);
    how->call_id = NULL;
    return rc == ERR_STALE ? posix_make(op->fs, session, how, &op->arena, ret, ret_made, &op->err) : rc;
}

int make_node(struct request *op, fuse_ino_t parent, const char *name, struct posix_make *how, struct posix_attr *ret,
              bool *ret_made)
{
    const struct fuse_ctx *who = fuse_req_ctx(op->req);
    how->parent = inode_of_ino(op->m, parent);
    how->name = how->is_unnamed ? "" : name;
    how->umask = who->umask;
    how->owner = users_uid_name(op->m->users, who->uid, &op->arena);
    how->group = users_gid_name(op->m->users, who->gid, &op->arena);
    how->call_id = call_id_of(op);
    int rc = posix_make(op->fs, op->m->store.memory->session, how, &op->arena, ret, ret_made, &op->err);
    if (rc == 0 && how->is_unnamed && kernel_io_request()->is_again)
        rc = make_unnamed_again(op, how, ret, ret_made);
    if (!how->is_unnamed)
        note_names(op, rc, &(struct known_change){how->parent, name, ret}, 1);
    if (rc == 0)
        attr_note_directory(op, ret);
    if (rc == 0 && S_ISDIR(ret->mode) && !kernel_io_request()->is_again && may_be_known(op->m, name))
        known_names_page(op->m->known, op->known_since, &(struct known_page){.dir = ret->id, .from = ""});
    op->known_since = known_names_now(op->m->known); /* what was noted just now, the answer knows */
    return rc;
}

static void make_and_reply(fuse_req_t req, const char *operation, fuse_ino_t parent, const char *name,
                           struct posix_make how)
{
    struct request op;
    struct posix_attr attr;
    bool made;
    request_begin(&op, req);
    reply_entry(&op, operation, make_node(&op, parent, name, &how, &attr, &made), &attr);
}

void posix_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    make_and_reply(req, "mkdir", parent, name, (struct posix_make){.mode = S_IFDIR | (mode & 07777)});
}

void posix_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    make_and_reply(req, "mknod", parent, name, (struct posix_make){.mode = mode, .rdev = device});
}

void posix_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    make_and_reply(req, "symlink", parent, name, (struct posix_make){.mode = S_IFLNK | 0777, .target = target});
}

/* What had no name has one from now on, or soon. That is said before: whoever closes it meanwhile has to save it. And
 * after: somebody may have seen meanwhile that it had none. */
static int link_node(struct request *op, uint64_t inode, uint64_t parent, const char *name, struct posix_attr *ret)
{
    struct node *n = NULL;
    int rc = attr_settle(op, inode, &op->err);
    if (rc == 0 && node_is_open(op->m->nodes, inode))
        rc = node_need(op->m->nodes, inode, &n, &op->err);
    if (rc < 0)
        return rc;
    if (n)
        node_named(op->m->nodes, n);
    rc = posix_link(op->fs, op->m->store.memory->session, call_id_of(op), inode, parent, name, &op->arena, ret,
                    &op->err);
    if (n) {
        node_named(op->m->nodes, n);
        node_put(op->m->nodes, n);
    }
    return rc;
}

void posix_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    struct request op;
    struct posix_attr attr;
    request_begin(&op, req);
    uint64_t inode = inode_of_ino(op.m, ino), dir = inode_of_ino(op.m, parent);
    int rc = link_node(&op, inode, dir, name, &attr);
    note_names(&op, rc, &(struct known_change){dir, name, &attr}, 1);
    known_names_inode_changed(op.m->known, inode);
    op.known_since = known_names_now(op.m->known); /* what was noted just now, the answer knows */
    if (rc == 0)
        attr_note_directory(&op, &attr);
    reply_entry(&op, "link", rc, &attr);
}

/* The namenode keeps what is open here; it does not know what is, and whether this is the last link, so we say hold
 * whenever the file of that name is open, or just being opened. Until passage_end nobody opens it who is not counted.
 */
static bool is_open_here(struct request *op, struct passage *p, uint64_t parent, const char *name)
{
    struct posix_attr attr;
    if (!passage_remove(op->m->passages, p, PASSAGE_ANY) && !node_any_open(op->m->nodes))
        return false;
    passage_end(op->m->passages, p);
    bool found = posix_lookup(op->fs, parent, name, &op->arena, &attr, NULL) == 0 && attr.id;
    return passage_remove(op->m->passages, p, found ? attr.id : UINT64_MAX) ||
           (found && node_is_open(op->m->nodes, attr.id));
}

static void note_held(struct request *op, uint64_t inode)
{
    passage_wait_opened(op->m->passages, inode);
    node_held(op->m->nodes, inode, node_namings(op->m->nodes, inode)); /* the kernel links and removes in turn */
}

static void remove_and_reply(fuse_req_t req, const char *operation, fuse_ino_t parent, const char *name, bool directory)
{
    struct request op;
    struct posix_attr attr;
    struct passage p = {0};
    request_begin(&op, req);
    uint64_t dir = inode_of_ino(op.m, parent);
    bool hold = !directory && is_open_here(&op, &p, dir, name);
    int rc = posix_unlink(op.fs, op.m->store.memory->session, call_id_of(&op), dir, name, directory, hold, &op.arena,
                          &attr, &op.err);
    passage_end(op.m->passages, &p);
    note_names(&op, rc, &(struct known_change){dir, name, NULL}, 1);
    if (rc == 0 && attr.nlink > 0)
        known_names_inode_changed(op.m->known, attr.id);
    if (rc == 0 && hold && attr.nlink == 0)
        note_held(&op, attr.id);
    if (rc == 0 && directory) {
        removed_add(op.m->removed, &attr);
        dir_stats_changed(op.m->dir_stats);
    } else if (rc == 0) {
        attr_note_directory(&op, &attr);
    }
    request_reply(&op, operation, rc);
}

void posix_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_and_reply(req, "unlink", parent, name, false);
}

void posix_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_and_reply(req, "rmdir", parent, name, true);
}

static void note_renamed(struct request *op, const struct posix_rename *how, int rc, const struct posix_attr *moved,
                         const struct posix_attr *replaced)
{
    bool is_exchange = how->flags & POSIX_RENAME_EXCHANGE;
    const struct known_change both[] = {{how->parent, how->name, is_exchange ? replaced : NULL},
                                        {how->new_parent, how->new_name, moved}};
    /* Two names of one file stay both, and the answer is the same as of a move to where nothing was. */
    bool may_be_one = rc == 0 && !replaced->id && !S_ISDIR(moved->mode) && moved->nlink > 1;
    bool is_one = rc == 0 && replaced->id == moved->id;
    bool is_not_all = may_be_one || is_one || how->flags & POSIX_RENAME_WHITEOUT; /* that the answer told */
    note_names(op, is_not_all ? ERR_STALE : rc, both, ARRAY_COUNT(both));
    if (rc == 0 && replaced->id && !is_exchange)
        known_names_inode_changed(op->m->known, replaced->id); /* under other names */
}

void posix_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                     unsigned flags)
{
    struct request op;
    struct posix_attr moved, replaced;
    struct passage p = {0};
    request_begin(&op, req);
    struct posix_rename how = {.parent = inode_of_ino(op.m, parent),
                               .name = name,
                               .new_parent = inode_of_ino(op.m, new_parent),
                               .new_name = new_name,
                               .flags = flags,
                               .call_id = call_id_of(&op)};
    bool may_replace = !(flags & (POSIX_RENAME_NOREPLACE | POSIX_RENAME_EXCHANGE));
    how.hold = may_replace && is_open_here(&op, &p, how.new_parent, new_name);
    if (flags & POSIX_RENAME_WHITEOUT) {
        how.owner = users_uid_name(op.m->users, fuse_req_ctx(req)->uid, &op.arena);
        how.group = users_gid_name(op.m->users, fuse_req_ctx(req)->gid, &op.arena);
    }
    int rc = posix_rename(op.fs, op.m->store.memory->session, &how, &op.arena, &moved, &replaced, &op.err);
    passage_end(op.m->passages, &p);
    note_renamed(&op, &how, rc, &moved, &replaced);
    if (rc == 0 && how.hold && replaced.id && replaced.nlink == 0)
        note_held(&op, replaced.id);
    if (rc == 0 && may_replace && replaced.id && S_ISDIR(replaced.mode))
        removed_add(op.m->removed, &replaced);
    if (rc == 0 && (S_ISDIR(moved.mode) || (replaced.id && S_ISDIR(replaced.mode)) || how.parent != how.new_parent))
        dir_stats_changed(op.m->dir_stats);
    else if (rc == 0)
        attr_note_directory(&op, &moved);
    request_reply(&op, "rename", rc);
}
