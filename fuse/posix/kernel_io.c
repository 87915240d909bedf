/* Protocol: linux/fuse.h. */
#include "fuse/posix/kernel_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "fuse/posix/backing.h"

enum {                       /* Debian's headers are older */
       TMPFILE = 51,         /* Linux 6.2 */
       NOTIFY_RESEND = 7,    /* Linux 6.9 */
       NOTIFY_INC_EPOCH = 8, /* Linux 6.16 */
};
#define SMALLEST_PAGE_BYTES 4096
#define UNIQUE_AGAIN        ((uint64_t)1 << 63) /* in the number of a request that is sent again */

static struct keeper_memory *memory;
static int kernel_fd = -1;
static bool wants_backing;
static bool is_successor; /* the kernel said hello to a process before this one, */
static bool init_is_due;  /* and libfuse has not heard of it yet */

static bool wants_no_answer(uint32_t opcode)
{
    return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

static _Thread_local struct kernel_request current;

struct kernel_request *kernel_io_request(void)
{
    return &current;
}

/* The kernel says so, where it has a flag for it; libfuse does not hand them all on. It has none where a file's bytes
 * change otherwise than by a write, and who has CAP_FSETID is root, then. A SETATTR of nothing comes before such a
 * change and before a write if there are such bits, and of a chown(-1, -1). */
static bool drops_setid(const struct fuse_in_header *head, const char *body, size_t size)
{
    union {
        struct fuse_write_in write;
        struct fuse_create_in create;
        struct fuse_setattr_in setattr;
    } in = {.setattr = {.valid = 0}};
    memcpy(&in, body, size < sizeof in ? size : sizeof in);
    switch (head->opcode) {
    case FUSE_WRITE: return in.write.write_flags & FUSE_WRITE_KILL_SUIDGID;
    case FUSE_CREATE: return in.create.open_flags & FUSE_OPEN_KILL_SUIDGID;
    case FUSE_SETATTR:
        return (in.setattr.valid & FATTR_KILL_SUIDGID) ||
               ((in.setattr.valid & ~(uint32_t)(FATTR_FH | FATTR_LOCKOWNER)) == 0 && head->uid != 0);
    case FUSE_FALLOCATE:
    case FUSE_COPY_FILE_RANGE: return head->uid != 0;
    default: return false;
    }
}

static void request_taken(uint64_t unique)
{
    current = (struct kernel_request){.unique = unique & ~UNIQUE_AGAIN, .is_again = (unique & UNIQUE_AGAIN) != 0};
    current.noted = keeper_request_taken(memory, current.unique, current.is_again);
    if (!current.noted)
        current.noted = &current.no_place;
}

/* A page that the kernel has to make while it copies a request there is not made for a process that is being killed:
 * the request would fail with EIO. Each thread has one buffer, the same for all its life. */
static void make_pages(char *bytes, size_t size)
{
    static _Thread_local const char *made;
    for (size_t i = 0; made != bytes && i < size; i += SMALLEST_PAGE_BYTES)
        *(volatile char *)(bytes + i) = 0;
    made = bytes;
}

/* An older libfuse does not know O_TMPFILE's request. It looks like a create's, and so does its answer; the flags say
 * which it is: open(2)'s do, and overlayfs, which asks without them, is given them here. */
static void tmpfile_to_create(char *bytes, size_t len, struct fuse_in_header *head)
{
    struct fuse_create_in how;
    if (head->opcode != TMPFILE || len < sizeof *head + sizeof how)
        return;
    head->opcode = FUSE_CREATE;
    memcpy(bytes, head, sizeof *head);
    memcpy(&how, bytes + sizeof *head, sizeof how);
    how.flags |= O_TMPFILE;
    memcpy(bytes + sizeof *head, &how, sizeof how);
}

static ssize_t io_read(int fd, void *bytes, size_t size, void *userdata)
{
    make_pages(bytes, size);
    if (init_is_due) {
        init_is_due = false;
        memcpy(bytes, memory->init, memory->init_bytes);
        return (ssize_t)memory->init_bytes;
    }
    ssize_t n = read(fd, bytes, size);
    struct fuse_in_header head;
    if (n < (ssize_t)sizeof head)
        return n;
    memcpy(&head, bytes, sizeof head);
    tmpfile_to_create(bytes, (size_t)n, &head);
    if (head.opcode == FUSE_INIT && n <= KEEPER_INIT_MAX) {
        memcpy(memory->init, bytes, (size_t)n);
        memory->init_bytes = (uint32_t)n;
    } else if (!wants_no_answer(head.opcode)) {
        request_taken(head.unique);
        current.drops_setid = drops_setid(&head, (const char *)bytes + sizeof head, (size_t)n - sizeof head);
    }
    return n;
}

static bool is_init(uint64_t unique)
{
    struct fuse_in_header head;
    memcpy(&head, memory->init, sizeof head);
    return memory->init_bytes && unique == head.unique;
}

/* The kernel has had its answer to the first request: it must not get another one. */
static bool is_repeated_init(uint64_t unique)
{
    return is_successor && is_init(unique);
}

/* What libfuse does not know of is added to its answer to the first request: see privileges.h. */
static void agree_on_privileges(void *answer, size_t answer_bytes)
{
    struct fuse_init_in in = {0};
    struct fuse_init_out out;
    size_t bytes = memory->init_bytes - sizeof(struct fuse_in_header);
    if (answer_bytes < sizeof out)
        return;
    memcpy(&in, memory->init + sizeof(struct fuse_in_header), bytes < sizeof in ? bytes : sizeof in);
    memcpy(&out, answer, sizeof out);
    out.flags |= in.flags & FUSE_HANDLE_KILLPRIV_V2;
    memcpy(answer, &out, sizeof out);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct fuse_out_header head;
    memcpy(&head, iov[0].iov_base, sizeof head);
    if (head.unique && is_repeated_init(head.unique))
        return head.len;
    if (head.unique && is_init(head.unique) && count == 2) {
        agree_on_privileges(iov[1].iov_base, iov[1].iov_len);
        if (wants_backing)
            memory->passes_through = backing_agree(memory->init, memory->init_bytes, iov[1].iov_base, iov[1].iov_len);
    }
    ssize_t n = writev(fd, iov, count);
    if (head.unique)
        keeper_request_answered(memory, head.unique & ~UNIQUE_AGAIN);
    return n;
}

/* What others changed between two processes nobody was told. */
static void forget_open_files(int fd)
{
    struct {
        struct fuse_out_header head;
        struct fuse_notify_inval_inode_out what;
    } notice = {.head = {.len = sizeof notice, .error = FUSE_NOTIFY_INVAL_INODE}, .what = {.off = -1}};
    size_t unknown = 0;
    for (size_t i = 0; i < KEEPER_OPENS_MAX; i++) {
        notice.what.ino = memory->opens[i].inode;
        if (notice.what.ino && memory->opens[i].opens && write(fd, &notice, sizeof notice) < 0)
            unknown++;
    }
    if (unknown)
        log_debug("mount", "files that the kernel has forgotten: %zu", unknown);
}

static bool answer_eio(int fd, uint64_t unique)
{
    struct fuse_out_header answer = {.len = sizeof answer, .error = -EIO, .unique = unique};
    return write(fd, &answer, sizeof answer) == sizeof answer;
}

static size_t fail_all(int fd)
{
    size_t failed = 0;
    for (size_t i = 0; i < KEEPER_REQUESTS_MAX; i++) {
        struct keeper_request *r = &memory->requests[i];
        if (r->unique) /* it may have been sent again already */
            failed += answer_eio(fd, r->unique) || answer_eio(fd, r->unique | UNIQUE_AGAIN);
        r->unique = r->done = 0;
    }
    return failed;
}

/* Older kernels cannot send again: what was under way fails, instead of hanging for ever. So it does if one process
 * after another has died of it. */
static void resume(int fd)
{
    struct fuse_out_header notice = {.len = sizeof notice, .error = NOTIFY_RESEND};
    if (keeper_is_fruitless(memory))
        log_error("mount", "%zu requests failed that no process survived", fail_all(fd));
    if (write(fd, &notice, sizeof notice) != sizeof notice)
        log_warn("mount", "this kernel cannot send requests again: %zu of them failed", fail_all(fd));
}

/* libfuse fails what it is asked before it has heard the kernel's first request. The kernel waits with others until
 * that is answered, but it will not say it to this process: so that is heard before any thread reads what comes now. */
static int hear_init(struct fuse_session *session)
{
    struct fuse_buf first = {0};
    init_is_due = true;
    int n = fuse_session_receive_buf(session, &first);
    if (n > 0)
        fuse_session_process_buf(session, &first);
    free(first.mem);
    return n > 0 ? 0 : n < 0 ? n : -EIO;
}

bool kernel_io_forget_names(void)
{
    struct fuse_out_header notice = {.len = sizeof notice, .error = NOTIFY_INC_EPOCH};
    return write(kernel_fd, &notice, sizeof notice) == sizeof notice;
}

int kernel_io_fd(void)
{
    return kernel_fd;
}

int kernel_io_attach(struct fuse_session *session, int fd, struct keeper_memory *k, bool passes_through)
{
    static const struct fuse_custom_io io = {.writev = io_writev, .read = io_read};
    memory = k;
    kernel_fd = fd;
    wants_backing = passes_through;
    keeper_next_process(k, clock_mono_ms());
    int rc = fuse_session_custom_io(session, &io, fd);
    if (rc == 0 && k->wanted) {
        is_successor = true;
        rc = hear_init(session);
        (void)kernel_io_forget_names(); /* a kernel that cannot was told to believe them for a second */
        forget_open_files(fd);
        resume(fd);
    }
    return rc;
}
