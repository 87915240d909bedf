/* More calls than the handlers get done. */
#include "tests/unit/rpc/conversation.h"

static void put_blocking(struct buf *b, int32_t id)
{
    Hdfs__SetReplicationRequestProto request = HDFS__SET_REPLICATION_REQUEST_PROTO__INIT;
    char src[] = "/f";
    request.src = src;
    request.replication = 1;
    put_call(b, id, "setReplication", &request.base);
}

static void await_blocked(const struct fixture *f, int count)
{
    for (int64_t end_ms = clock_mono_ms() + PATIENCE_MS; f->service->blocked < count; sched_yield())
        assert_true(clock_mono_ms() < end_ms);
}

static void what_does_not_fit_the_queue_is_refused_when_asked_for(void **state)
{
    struct fixture f =
        fixture_start((struct rpc_server_options){.pool_threads = 1, .pool_queue_max = 2, .refuse_when_full = true});
    int fd = dial(&f);
    put_hello(&f.out);
    put_blocking(&f.out, 0);
    say(fd, &f.out);
    await_blocked(&f, 1); /* it runs, the queue is empty */
    for (int i = 1; i < 5; i++)
        put_blocking(&f.out, i);
    put_size(&f.out, 9, "quick");
    say(fd, &f.out);
    for (uint32_t i = 3; i < 5; i++)
        expect_error(fd, i, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_SERVER), ERR_IPC "RetriableException", "too busy");
    expect_size(fd, 9, 5);
    test_service_release(f.service);
    for (uint32_t i = 0; i < 3; i++) {
        struct answer a = hear(fd);
        assert_int_equal(a.head.call_id, i);
        buf_free(&a.frame);
    }
    put_blocking(&f.out, 5);
    say(fd, &f.out);
    struct answer a = hear(fd);
    assert_int_equal(a.head.status, RPC_STATUS(SUCCESS));
    buf_free(&a.frame);
    close(fd);
    fixture_stop(&f);
}

/* Many connections with many calls each: all are answered, and never do more wait than the queue and one of each. */
static void a_full_queue_is_not_read_into(void **state)
{
    enum { CONNECTIONS = 10, CALLS = 50 };
    struct fixture f = fixture_start((struct rpc_server_options){.pool_threads = 1, .pool_queue_max = 5});
    int fds[CONNECTIONS];
    for (int c = 0; c < CONNECTIONS; c++) {
        fds[c] = dial(&f);
        put_hello(&f.out);
        for (int i = 0; i < CALLS; i++)
            put_blocking(&f.out, i);
        say(fds[c], &f.out);
    }
    await_blocked(&f, 1);
    test_service_release(f.service);
    for (int c = 0; c < CONNECTIONS; c++) {
        for (int i = 0; i < CALLS; i++) {
            struct answer a = hear(fds[c]);
            assert_int_equal(a.head.call_id, i);
            buf_free(&a.frame);
        }
        close(fds[c]);
    }
    assert_int_equal(f.service->blocked, CONNECTIONS * CALLS);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_the_queue_is_refused_when_asked_for),
        cmocka_unit_test(a_full_queue_is_not_read_into),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
