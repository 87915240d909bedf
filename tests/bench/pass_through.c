/* The floor that any FUSE file system pays: it hands every request to the folder below and does nothing of its own.
 *   pass_through FOLDER TARGET     in the foreground, until it is unmounted or told to end
 * Attributes and names are believed for a second, as in the mounts it stands beside. */
#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS     65536
#define TIMEOUT_S 1.0

/* A file that the kernel knows of; its address is the node id. */
struct node {
    struct node *next;
    uint64_t lookups; /* guarded by nodes_lock */
    dev_t dev;
    ino_t ino;
    int fd; /* O_PATH */
};

struct open_dir {
    DIR *dir;
    struct dirent *entry; /* read, and did not fit into the last answer */
    off_t offset;         /* of it */
};

static struct node root, *slots[SLOTS];
static pthread_mutex_t nodes_lock = PTHREAD_MUTEX_INITIALIZER;

static struct node *node_of(fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino;
}

static int fd_of(fuse_ino_t ino)
{
    return node_of(ino)->fd;
}

/* The path by which the kernel opens again what an O_PATH descriptor stands for. */
static const char *path_of(fuse_ino_t ino, char path[32])
{
    snprintf(path, 32, "/proc/self/fd/%d", fd_of(ino));
    return path;
}

static void reply(fuse_req_t req, int rc)
{
    fuse_reply_err(req, rc < 0 ? errno : 0);
}

/* ---- nodes ---- */

static struct node **slot_of(dev_t dev, ino_t ino)
{
    struct node **at = &slots[ino % SLOTS];
    while (*at && ((*at)->ino != ino || (*at)->dev != dev))
        at = &(*at)->next;
    return at;
}

/* Takes fd. */
static struct node *node_seen(int fd, const struct stat *st)
{
    pthread_mutex_lock(&nodes_lock);
    struct node **at = slot_of(st->st_dev, st->st_ino), *n = *at;
    if (n) {
        close(fd);
    } else if ((n = calloc(1, sizeof *n))) {
        *n = (struct node){.dev = st->st_dev, .ino = st->st_ino, .fd = fd};
        *at = n;
    } else {
        abort();
    }
    n->lookups++;
    pthread_mutex_unlock(&nodes_lock);
    return n;
}

static void node_forget(fuse_ino_t ino, uint64_t lookups)
{
    struct node *n = node_of(ino);
    pthread_mutex_lock(&nodes_lock);
    n->lookups -= lookups;
    if (n->lookups == 0 && n != &root) {
        *slot_of(n->dev, n->ino) = n->next;
        close(n->fd);
        free(n);
    }
    pthread_mutex_unlock(&nodes_lock);
}

/* 0 or an errno. */
static int entry_of(fuse_ino_t parent, const char *name, struct fuse_entry_param *ret)
{
    *ret = (struct fuse_entry_param){.attr_timeout = TIMEOUT_S, .entry_timeout = TIMEOUT_S};
    int fd = openat(fd_of(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fstatat(fd, "", &ret->attr, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0) {
        int error = errno;
        close(fd);
        return error;
    }
    ret->ino = (uintptr_t)node_seen(fd, &ret->attr);
    return 0;
}

static void reply_entry(fuse_req_t req, fuse_ino_t parent, const char *name, int rc)
{
    struct fuse_entry_param e;
    int error = rc < 0 ? errno : entry_of(parent, name, &e);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_entry(req, &e);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    reply_entry(req, parent, name, 0);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    node_forget(ino, lookups);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        node_forget(forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

/* ---- attributes ---- */

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;
    if (fstatat(fd_of(ino), "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        fuse_reply_err(req, errno);
    else
        fuse_reply_attr(req, &st, TIMEOUT_S);
}

static struct timespec time_to_set(int flags, int set, int now, struct timespec given)
{
    if (flags & now)
        given.tv_nsec = UTIME_NOW;
    else if (!(flags & set))
        given.tv_nsec = UTIME_OMIT;
    return given;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *a, int flags, struct fuse_file_info *fi)
{
    char path[32];
    int rc = 0;
    path_of(ino, path);
    if (flags & FUSE_SET_ATTR_MODE)
        rc = chmod(path, a->st_mode);
    if (rc == 0 && flags & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
        rc = fchownat(fd_of(ino), "", flags & FUSE_SET_ATTR_UID ? a->st_uid : (uid_t)-1,
                      flags & FUSE_SET_ATTR_GID ? a->st_gid : (gid_t)-1, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
    if (rc == 0 && flags & FUSE_SET_ATTR_SIZE)
        rc = fi ? ftruncate((int)fi->fh, a->st_size) : truncate(path, a->st_size);
    if (rc == 0 && flags & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
        struct timespec times[] = {time_to_set(flags, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, a->st_atim),
                                   time_to_set(flags, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, a->st_mtim)};
        rc = utimensat(AT_FDCWD, path, times, 0);
    }
    if (rc < 0)
        fuse_reply_err(req, errno);
    else
        op_getattr(req, ino, fi);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st;
    if (fstatvfs(fd_of(ino), &st) < 0)
        fuse_reply_err(req, errno);
    else
        fuse_reply_statfs(req, &st);
}

/* ---- names ---- */

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    reply_entry(req, parent, name, mkdirat(fd_of(parent), name, mode));
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    reply_entry(req, parent, name, symlinkat(target, fd_of(parent), name));
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    char path[32];
    reply_entry(req, parent, name, linkat(AT_FDCWD, path_of(ino, path), fd_of(parent), name, AT_SYMLINK_FOLLOW));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(fd_of(ino), "", target, sizeof target - 1);
    if (len < 0) {
        fuse_reply_err(req, errno);
        return;
    }
    target[len] = '\0';
    fuse_reply_readlink(req, target);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    reply(req, unlinkat(fd_of(parent), name, 0));
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    reply(req, unlinkat(fd_of(parent), name, AT_REMOVEDIR));
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                      unsigned flags)
{
    reply(req, renameat2(fd_of(parent), name, fd_of(new_parent), new_name, flags));
}

/* ---- files ---- */

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    struct fuse_entry_param e;
    int fd = openat(fd_of(parent), name, (fi->flags | O_CREAT | O_CLOEXEC) & ~O_NOFOLLOW, mode);
    int error = fd < 0 ? errno : entry_of(parent, name, &e);
    if (error) {
        if (fd >= 0)
            close(fd);
        fuse_reply_err(req, error);
        return;
    }
    fi->fh = (uint64_t)fd;
    fuse_reply_create(req, &e, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    char path[32];
    int fd = open(path_of(ino, path), (fi->flags | O_CLOEXEC) & ~O_NOFOLLOW);
    if (fd < 0) {
        fuse_reply_err(req, errno);
        return;
    }
    fi->fh = (uint64_t)fd;
    fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(size);
    bytes.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    bytes.buf[0].fd = (int)fi->fh;
    bytes.buf[0].pos = offset;
    fuse_reply_data(req, &bytes, 0);
}

static void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset,
                         struct fuse_file_info *fi)
{
    struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));
    out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    out.buf[0].fd = (int)fi->fh;
    out.buf[0].pos = offset;
    ssize_t written = fuse_buf_copy(&out, in, 0);
    if (written < 0)
        fuse_reply_err(req, (int)-written);
    else
        fuse_reply_write(req, (size_t)written);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    reply(req, close(dup((int)fi->fh)));
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    reply(req, data_only ? fdatasync((int)fi->fh) : fsync((int)fi->fh));
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    reply(req, close((int)fi->fh));
}

/* ---- directories ---- */

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
    return (struct open_dir *)(uintptr_t)fi->fh;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    int fd = openat(fd_of(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct open_dir *d = dir ? calloc(1, sizeof *d) : NULL;
    if (!d) {
        fuse_reply_err(req, errno);
        return;
    }
    d->dir = dir;
    fi->fh = (uintptr_t)d;
    fuse_reply_open(req, fi);
}

/* One entry into the answer, with its attributes if `plus`. 0: it does not fit. */
static size_t add_entry(fuse_req_t req, fuse_ino_t ino, struct dirent *entry, bool plus, char *at, size_t room)
{
    bool is_dot = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    struct fuse_entry_param e = {.attr = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)}};
    if (!plus) {
        size_t len = fuse_add_direntry(req, at, room, entry->d_name, &e.attr, entry->d_off);
        return len > room ? 0 : len;
    }
    if (!is_dot && entry_of(ino, entry->d_name, &e) != 0)
        e = (struct fuse_entry_param){.attr = {.st_ino = entry->d_ino}}; /* gone meanwhile: the kernel looks itself */
    size_t len = fuse_add_direntry_plus(req, at, room, entry->d_name, &e, entry->d_off);
    if (len > room && e.ino)
        node_forget(e.ino, 1);
    return len > room ? 0 : len;
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi, bool plus)
{
    struct open_dir *d = dir_of(fi);
    char *answer = malloc(size);
    size_t used = 0;
    if (offset != d->offset) {
        seekdir(d->dir, offset);
        d->entry = NULL;
        d->offset = offset;
    }
    while (answer && (d->entry || (d->entry = readdir(d->dir)))) {
        size_t len = add_entry(req, ino, d->entry, plus, answer + used, size - used);
        if (!len)
            break;
        used += len;
        d->offset = d->entry->d_off;
        d->entry = NULL;
    }
    fuse_reply_buf(req, answer, used);
    free(answer);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    read_dir(req, ino, size, offset, fi, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    read_dir(req, ino, size, offset, fi, true);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    closedir(dir_of(fi)->dir);
    free(dir_of(fi));
    fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .statfs = op_statfs,
    .mkdir = op_mkdir,
    .symlink = op_symlink,
    .link = op_link,
    .readlink = op_readlink,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .rename = op_rename,
    .create = op_create,
    .open = op_open,
    .read = op_read,
    .write_buf = op_write_buf,
    .flush = op_flush,
    .fsync = op_fsync,
    .release = op_release,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_releasedir,
};

/* Every file the kernel knows of is open here. */
static void open_as_many_as_allowed(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int serve(struct fuse_session *session, const char *target)
{
    struct fuse_loop_config *loop = fuse_loop_cfg_create();
    int rc = fuse_set_signal_handlers(session);
    rc = rc == 0 ? fuse_session_mount(session, target) : rc;
    rc = rc == 0 ? fuse_session_loop_mt(session, loop) : rc;
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_loop_cfg_destroy(loop);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: pass_through FOLDER TARGET\n");
        return 2;
    }
    root.fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.fd < 0) {
        perror(argv[1]);
        return 1;
    }
    open_as_many_as_allowed();
    umask(0);
    char *options[] = {argv[0], "-o", "default_permissions,fsname=pass_through", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, options);
    struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    int rc = session ? serve(session, argv[2]) : 1;
    if (session)
        fuse_session_destroy(session);
    return rc != 0;
}
