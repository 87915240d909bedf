/* Protocol: linux/fuse.h. */
#include "fuse/posix/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"
#include "fuse/posix/kernel_io.h"

/* Debian's headers are older. */
#define INIT_PASSTHROUGH (1u << 5) /* of flags2 */
#define INIT_STACK_DEPTH 1         /* the files below are of an ordinary file system */
#define OPEN_PASSTHROUGH (1u << 7)
struct backing_map {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};
#define IOC_BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)

bool backing_agree(const void *request, size_t request_bytes, void *answer, size_t answer_bytes)
{
    struct fuse_init_in in = {0};
    struct fuse_init_out out;
    if (request_bytes < sizeof(struct fuse_in_header) || answer_bytes < sizeof out)
        return false;
    request_bytes -= sizeof(struct fuse_in_header);
    memcpy(&in, (const char *)request + sizeof(struct fuse_in_header),
           request_bytes < sizeof in ? request_bytes : sizeof in);
    if (!(in.flags & FUSE_INIT_EXT) || !(in.flags2 & INIT_PASSTHROUGH))
        return false;
    memcpy(&out, answer, sizeof out);
    out.flags |= FUSE_INIT_EXT;
    out.flags2 |= INIT_PASSTHROUGH;
    out.unused[0] = INIT_STACK_DEPTH; /* max_stack_depth */
    memcpy(answer, &out, sizeof out);
    return true;
}

static bool is_on(const struct posix_mount *m)
{
    return m->options.passthrough && m->store.memory->passes_through;
}

int backing_fetch(struct request *op, struct node *n, const struct posix_attr *attr, const struct fuse_file_info *fi)
{
    struct file_reader *r;
    struct err why = {0};
    int fd = -1;
    uint32_t opens;
    if (!is_on(op->m) || (fi->flags & O_ACCMODE) != O_RDONLY || attr->size < BACKING_MIN_BYTES ||
        attr->is_being_written)
        return -1;
    if (keeper_count_open(op->m->store.memory, n->id, 0, &opens) && opens > 0)
        return -1; /* the kind is decided */
    int rc = file_reader_open(op->fs, n->path, &r, &why);
    if (rc == 0) {
        rc = file_reader_local_file(r, &fd, &why);
        file_reader_close(r);
    }
    if (rc < 0)
        log_debug("mount", "inode=%lu is read by the mount: err=%s", (unsigned long)n->id, why.text);
    return fd;
}

void backing_begin(struct posix_mount *m)
{
    if (is_on(m))
        pthread_mutex_lock(&m->backing_lock);
}

void backing_end(struct posix_mount *m)
{
    if (is_on(m))
        pthread_mutex_unlock(&m->backing_lock);
}

static int32_t kernel_takes(int fd)
{
    struct backing_map map = {.fd = fd};
    int id = ioctl(kernel_io_fd(), IOC_BACKING_OPEN, &map);
    if (id < 0)
        log_warn("mount", "the kernel does not read by itself: %s", strerror(errno));
    return id > 0 ? id : 0;
}

int backing_opened(struct posix_mount *m, struct node *n, const struct fuse_file_info *fi, int fd, int32_t *ret,
                   struct err *reterr)
{
    uint32_t opens;
    *ret = 0;
    _Atomic int32_t *backing = is_on(m) ? keeper_backing(m->store.memory, n->id, &opens) : NULL;
    if (!backing) /* off, or more files are open than the keeper counts */
        return 0;
    if (opens == 1 && fd >= 0 && *backing == 0)
        *backing = kernel_takes(fd);
    *ret = *backing;
    if (*ret && (fi->flags & O_ACCMODE) != O_RDONLY)
        return err_set(reterr, ERR_BUSY, "it is open in a mount that was read-only");
    return 0;
}

void backing_released(struct posix_mount *m, struct node *n)
{
    uint32_t opens, id;
    _Atomic int32_t *backing = is_on(m) ? keeper_backing(m->store.memory, n->id, &opens) : NULL;
    if (!backing || opens > 0 || *backing == 0)
        return;
    id = (uint32_t)*backing;
    *backing = 0;
    if (ioctl(kernel_io_fd(), IOC_BACKING_CLOSE, &id) < 0)
        log_debug("mount", "backing=%u is not closed: %s", id, strerror(errno));
}

int backing_reply(fuse_req_t req, const struct fuse_file_info *fi, int32_t backing)
{
    struct fuse_open_out out = {.fh = fi->fh, .open_flags = OPEN_PASSTHROUGH, .padding = (uint32_t)backing};
    return backing ? fuse_reply_buf(req, (const char *)&out, sizeof out) : fuse_reply_open(req, fi);
}
