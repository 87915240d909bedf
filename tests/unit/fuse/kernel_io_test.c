/* A process that goes on where another one served, before a kernel that is a socket. */
#include "fuse/posix/kernel_io.h"

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

static const struct fuse_lowlevel_ops operations = {.init = init, .statfs = statfs_, .create = create};

struct first_request {
    struct fuse_in_header head;
    struct fuse_init_in init;
};

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
static void a_file_without_a_name_is_created(struct fuse_session *session, int kernel)
{
    struct {
        struct fuse_in_header head;
        struct fuse_create_in create;
        char name[2];
    } ask = {.head = {.opcode = 51, .unique = 6, .nodeid = FUSE_ROOT_ID},
             .create = {.flags = O_TMPFILE | O_RDWR, .mode = S_IFREG | 0640},
             .name = "/"};
    struct {
        struct fuse_out_header head;
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } answer;
    struct fuse_buf asked = {0};
    ask.head.len = offsetof(typeof(ask), name) + sizeof ask.name;
    assert_int_equal(write(kernel, &ask, ask.head.len), ask.head.len);
    assert_true(fuse_session_receive_buf(session, &asked) > 0);
    fuse_session_process_buf(session, &asked);
    free(asked.mem);
    assert_int_equal(creates, 1);
    assert_int_equal(create_flags, O_TMPFILE | O_RDWR);
    assert_int_equal(recv(kernel, &answer, sizeof answer, MSG_DONTWAIT), sizeof answer);
    assert_int_equal(answer.head.error, 0);
    assert_int_equal(answer.entry.nodeid, 5);
}

/* Else a thread that is quicker than the one that hears the first request would have libfuse fail what it read. */
static void test_the_first_request_is_heard_before_any_other_is_read(void **state)
{
    int fds[2];
    char *argv[] = {"cairn", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    struct fuse_in_header ask = {.len = sizeof ask, .opcode = FUSE_STATFS, .unique = 4, .nodeid = FUSE_ROOT_ID};
    assert_int_equal(write(fds[1], &ask, sizeof ask), sizeof ask);

    struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    assert_non_null(session);
    assert_int_equal(kernel_io_attach(session, fds[0], of_a_process_before(), false), 0);
    assert_int_equal(inits, 1);
    assert_int_equal(statfs_asked, 0);

    struct fuse_buf asked = {0};
    assert_true(fuse_session_receive_buf(session, &asked) > 0);
    fuse_session_process_buf(session, &asked);
    assert_int_equal(inits, 1);
    assert_int_equal(statfs_asked, 1);
    free(asked.mem);

    /* The kernel got notices and one answer, and none to what it did not ask. */
    char bytes[512];
    struct fuse_out_header head = {.unique = 0};
    while (head.unique == 0) {
        assert_true(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT) >= (ssize_t)sizeof head);
        memcpy(&head, bytes, sizeof head);
    }
    assert_int_equal(head.unique, ask.unique);
    assert_int_equal(head.error, 0);
    assert_int_equal(recv(fds[1], bytes, sizeof bytes, MSG_DONTWAIT), -1);
    a_file_without_a_name_is_created(session, fds[1]);
    fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_first_request_is_heard_before_any_other_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
