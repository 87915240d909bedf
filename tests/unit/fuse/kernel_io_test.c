/* A process that goes on where another one served, before a kernel that is a socket. */
#include "fuse/posix/kernel_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

static int inits, statfs_asked;

static void init(void *arg, struct fuse_conn_info *conn)
{
    inits++;
}

static void statfs_(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st = {.f_bsize = 4096};
    statfs_asked++;
    fuse_reply_statfs(req, &st);
}

static int creates, create_flags;

static void create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    creates++;
    create_flags = fi->flags;
    assert_int_equal(parent, FUSE_ROOT_ID);
    assert_int_equal(mode, S_IFREG | 0640);
    fuse_reply_create(req, &(struct fuse_entry_param){.ino = 5, .attr = {.st_mode = mode}}, fi);
}

static bool dropped; /* what the request that was heard last says of set-id bits */

static void heard(fuse_req_t req)
{
    dropped = kernel_io_request()->drops_setid;
    fuse_reply_err(req, EIO);
}

static void write_(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                   struct fuse_file_info *fi)
{
    heard(req);
}

static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
    heard(req);
}

static void fallocate_(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
    heard(req);
}

static const struct fuse_lowlevel_ops operations = {
    .init = init, .statfs = statfs_, .create = create, .write = write_, .setattr = setattr, .fallocate = fallocate_};

struct first_request {
    struct fuse_in_header head;
    struct fuse_init_in init;
};

struct session {
    int fd, kernel; /* both ends of the socket */
    struct fuse_session *fuse;
    struct fuse_args args;
};

static void begin(struct session *s)
{
    static char *argv[] = {"cairn", NULL};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    s->args = (struct fuse_args)FUSE_ARGS_INIT(1, argv);
    s->fd = fds[0];
    s->kernel = fds[1];
    s->fuse = fuse_session_new(&s->args, &operations, sizeof operations, NULL);
    assert_non_null(s->fuse);
}

static void attach(struct session *s, struct keeper_memory *k)
{
    assert_int_equal(kernel_io_attach(s->fuse, s->fd, k, false), 0);
}

static void end(struct session *s)
{
    fuse_session_destroy(s->fuse);
    fuse_opt_free_args(&s->args);
    close(s->kernel);
}

static void hear(struct session *s)
{
    struct fuse_buf asked = {0};
    assert_true(fuse_session_receive_buf(s->fuse, &asked) > 0);
    fuse_session_process_buf(s->fuse, &asked);
    free(asked.mem);
}

static void ask(struct session *s, const void *request, size_t size)
{
    assert_int_equal(write(s->kernel, request, size), size);
    hear(s);
}

static uint32_t flags_agreed(uint32_t offered)
{
    struct session s;
    struct first_request first = {.head = {.len = sizeof first, .opcode = FUSE_INIT, .unique = 2},
                                  .init = {.major = FUSE_KERNEL_VERSION,
                                           .minor = FUSE_KERNEL_MINOR_VERSION,
                                           .max_readahead = 1 << 17,
                                           .flags = offered}};
    struct {
        struct fuse_out_header head;
        struct fuse_init_out init;
    } answer;
    begin(&s);
    attach(&s, keeper_memory_new());
    ask(&s, &first, sizeof first);
    assert_int_equal(recv(s.kernel, &answer, sizeof answer, MSG_DONTWAIT), sizeof answer);
    assert_int_equal(answer.head.error, 0);
    end(&s);
    return answer.init.flags;
}

static void test_set_id_bits_are_left_to_the_mount_if_the_kernel_can(void **state)
{
    assert_true(flags_agreed(FUSE_BIG_WRITES | FUSE_HANDLE_KILLPRIV_V2) & FUSE_HANDLE_KILLPRIV_V2);
    assert_false(flags_agreed(FUSE_BIG_WRITES | FUSE_HANDLE_KILLPRIV) &
                 (FUSE_HANDLE_KILLPRIV_V2 | FUSE_HANDLE_KILLPRIV));
}

/* uid: who asks. */
static bool drops(struct session *s, uint32_t opcode, uint32_t uid, const void *body, size_t size)
{
    char bytes[512], answer[512];
    struct fuse_in_header head = {
        .len = (uint32_t)(sizeof head + size), .opcode = opcode, .unique = 8, .nodeid = FUSE_ROOT_ID, .uid = uid};
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, body, size);
    ask(s, bytes, head.len);
    assert_true(recv(s->kernel, answer, sizeof answer, MSG_DONTWAIT) > 0);
    return dropped;
}

static bool write_drops(struct session *s, uint32_t uid, uint32_t flags)
{
    struct {
        struct fuse_write_in in;
        char byte[8];
    } body = {.in = {.size = 8, .write_flags = flags}};
    return drops(s, FUSE_WRITE, uid, &body, sizeof body);
}

static bool setattr_drops(struct session *s, uint32_t uid, uint32_t valid)
{
    struct fuse_setattr_in in = {.valid = valid};
    return drops(s, FUSE_SETATTR, uid, &in, sizeof in);
}

static void who_may_not_leave_set_id_bits(struct session *s)
{
    struct fuse_fallocate_in allocate = {.length = 1};
    assert_true(write_drops(s, 1000, FUSE_WRITE_KILL_SUIDGID));
    assert_true(write_drops(s, 0, FUSE_WRITE_KILL_SUIDGID | FUSE_WRITE_LOCKOWNER));
    assert_false(write_drops(s, 1000, FUSE_WRITE_LOCKOWNER));
    assert_true(setattr_drops(s, 0, FATTR_UID | FATTR_KILL_SUIDGID));
    assert_true(setattr_drops(s, 1000, FATTR_SIZE | FATTR_FH | FATTR_KILL_SUIDGID));
    assert_false(setattr_drops(s, 1000, FATTR_SIZE | FATTR_FH));
    assert_true(setattr_drops(s, 1000, FATTR_FH));
    assert_false(setattr_drops(s, 0, 0));
    assert_true(drops(s, FUSE_FALLOCATE, 1000, &allocate, sizeof allocate));
    assert_false(drops(s, FUSE_FALLOCATE, 0, &allocate, sizeof allocate));
}

static struct keeper_memory *of_a_process_before(void)
{
    struct keeper_memory *k = keeper_memory_new();
    struct first_request first = {
        .head = {.len = sizeof first, .opcode = FUSE_INIT, .unique = 2},
        .init = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_readahead = 1 << 17},
    };
    memcpy(k->init, &first, sizeof first);
    k->init_bytes = sizeof first;
    k->wanted = 1;
    return k;
}

/* As Linux has it since 6.2, whatever libfuse knows. */
static void a_file_without_a_name_is_created(struct session *s)
{
    struct {
        struct fuse_in_header head;
        struct fuse_create_in create;
        char name[2];
    } request = {.head = {.opcode = 51, .unique = 6, .nodeid = FUSE_ROOT_ID},
                 .create = {.flags = O_TMPFILE | O_RDWR, .mode = S_IFREG | 0640},
                 .name = "/"};
    struct {
        struct fuse_out_header head;
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } answer;
    request.head.len = offsetof(typeof(request), name) + sizeof request.name;
    ask(s, &request, request.head.len);
    assert_int_equal(creates, 1);
    assert_int_equal(create_flags, O_TMPFILE | O_RDWR);
    assert_int_equal(recv(s->kernel, &answer, sizeof answer, MSG_DONTWAIT), sizeof answer);
    assert_int_equal(answer.head.error, 0);
    assert_int_equal(answer.entry.nodeid, 5);
}

/* Else a thread that is quicker than the one that hears the first request would have libfuse fail what it read. */
static void test_the_first_request_is_heard_before_any_other_is_read(void **state)
{
    struct session s;
    struct fuse_in_header request = {.len = sizeof request, .opcode = FUSE_STATFS, .unique = 4, .nodeid = FUSE_ROOT_ID};
    begin(&s);
    assert_int_equal(write(s.kernel, &request, sizeof request), sizeof request);
    inits = 0;
    attach(&s, of_a_process_before());
    assert_int_equal(inits, 1);
    assert_int_equal(statfs_asked, 0);
    hear(&s);
    assert_int_equal(inits, 1);
    assert_int_equal(statfs_asked, 1);

    /* The kernel got notices and one answer, and none to what it did not ask. */
    char bytes[512];
    struct fuse_out_header head = {.unique = 0};
    while (head.unique == 0) {
        assert_true(recv(s.kernel, bytes, sizeof bytes, MSG_DONTWAIT) >= (ssize_t)sizeof head);
        memcpy(&head, bytes, sizeof head);
    }
    assert_int_equal(head.unique, request.unique);
    assert_int_equal(head.error, 0);
    assert_int_equal(recv(s.kernel, bytes, sizeof bytes, MSG_DONTWAIT), -1);
    a_file_without_a_name_is_created(&s);
    who_may_not_leave_set_id_bits(&s);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set_id_bits_are_left_to_the_mount_if_the_kernel_can),
                                       cmocka_unit_test(test_the_first_request_is_heard_before_any_other_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
