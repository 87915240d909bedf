#include "common/http.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/check.h"

#define PIECE (128u << 10) /* the server's, in common/http_impl.h */

struct upload {
    size_t bytes;
    uint64_t sum;
};

/* Where uploads to /cut wait until their client is gone, and what is told when they were given up. */
static struct {
    sem_t begun, client_gone, given_up;
} cut;

static int take(void *context, const void *bytes, size_t len, struct err *reterr)
{
    struct upload *u = context;
    for (size_t i = 0; i < len; i++)
        u->sum += ((const uint8_t *)bytes)[i];
    u->bytes += len;
    return 0;
}

static void finish(void *context, const struct err *why, struct http_reply *reply)
{
    struct upload *u = context;
    buf_printf(&reply->body, "%zu bytes, sum %llu", u->bytes, (unsigned long long)u->sum);
    free(u);
}

static void on_upload(struct http_request *request, struct http_reply *reply, void *context)
{
    reply->upload =
        (struct http_upload){.write = take, .finish = finish, .abort = free, .context = mem_new(struct upload)};
}

static int take_when_the_client_is_gone(void *context, const void *bytes, size_t len, struct err *reterr)
{
    struct upload *u = context;
    if (!u->bytes) {
        sem_post(&cut.begun);
        sem_wait(&cut.client_gone);
    }
    u->bytes += len;
    return 0;
}

static void give_up(void *context)
{
    free(context);
    sem_post(&cut.given_up);
}

static void on_cut_upload(struct http_request *request, struct http_reply *reply, void *context)
{
    reply->upload = (struct http_upload){
        .write = take_when_the_client_is_gone, .finish = finish, .abort = give_up, .context = mem_new(struct upload)};
}

static int refuse(void *context, const void *bytes, size_t len, struct err *reterr)
{
    return err_set(reterr, ERR_DS_QUOTA, "there is no room");
}

static void say_why(void *context, const struct err *why, struct http_reply *reply)
{
    buf_append_str(&reply->body, why ? why->text : "fine");
    free(context);
}

static void on_refused_upload(struct http_request *request, struct http_reply *reply, void *context)
{
    reply->upload =
        (struct http_upload){.write = refuse, .finish = say_why, .abort = give_up, .context = mem_new(struct upload)};
}

static int start(void **state)
{
    static const struct http_route routes[] = {{"PUT", "/up", on_upload, .may_block = true},
                                               {"PUT", "/cut", on_cut_upload, .may_block = true},
                                               {"PUT", "/refused", on_refused_upload, .may_block = true}};
    struct http_options options = {
        .listen = {.host = "127.0.0.1"}, .routes = routes, .route_count = ARRAY_COUNT(routes)};
    struct err why;
    sem_init(&cut.begun, 0, 0);
    sem_init(&cut.client_gone, 0, 0);
    sem_init(&cut.given_up, 0, 0);
    return http_start(&options, (struct http_server **)state, &why);
}

static int stop(void **state)
{
    http_stop(*state);
    return 0;
}

/* The request, ready to be sent at once; chunk 0: with its length instead of chunks. */
static struct buf request_of(const char *path, size_t bytes, size_t chunk, uint64_t *ret_sum)
{
    struct buf b = {0};
    *ret_sum = 0;
    buf_printf(&b, "PUT %s HTTP/1.1\r\nHost: here\r\n", path);
    if (chunk)
        buf_append_str(&b, "Transfer-Encoding: chunked\r\n\r\n");
    else
        buf_printf(&b, "Content-Length: %zu\r\n\r\n", bytes);
    for (size_t at = 0; at < bytes; at++) {
        size_t left = bytes - at;
        uint8_t byte = (uint8_t)(at * 7 + at / 251);
        if (chunk && at % chunk == 0)
            buf_printf(&b, "%s%zx\r\n", at ? "\r\n" : "", left < chunk ? left : chunk);
        buf_append(&b, &byte, 1);
        *ret_sum += byte;
    }
    if (chunk)
        buf_append_str(&b, bytes ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
    return b;
}

static void check_answer(struct http_server *s, size_t bytes, size_t chunk)
{
    struct net_address to = {.host = "127.0.0.1", .port = http_port(s)};
    struct err why;
    uint64_t sum;
    struct buf request = request_of("/up", bytes, chunk, &sum);
    char answer[1024] = "", want[100];
    size_t len = 0;
    AUTO(net_closep) int fd = -1;
    assert_int_equal(net_connect(&to, NULL, 5000, &fd, &why), 0);
    net_set_timeouts(fd, 20000, 20000);
    assert_int_equal(net_write_full(fd, request.base, request.len, &why), 0);
    snprintf(want, sizeof want, "%zu bytes, sum %llu", bytes, (unsigned long long)sum);
    while (!strstr(answer, want)) { /* nothing more is sent: what the server has must do */
        ssize_t got = recv(fd, answer + len, sizeof answer - 1 - len, 0);
        if (got <= 0)
            fail_msg("no answer to %zu bytes in chunks of %zu; got \"%s\"", bytes, chunk, answer);
        len += (size_t)got;
        answer[len] = 0;
    }
    buf_free(&request);
}

static void an_upload_ends_wherever_its_last_piece_does(void **state)
{
    const size_t over[] = {0, 1, 99, 4000, 20000, 30000, PIECE - 1};
    const size_t chunks[] = {0, 4096, 5000, 65536, PIECE + 7, 10 * PIECE};
    for (size_t i = 0; i < ARRAY_COUNT(over); i++)
        for (size_t j = 0; j < ARRAY_COUNT(chunks); j++)
            for (size_t pieces = 0; pieces <= 3; pieces++)
                check_answer(*state, pieces * PIECE + over[i], chunks[j]);
}

static void check_cut(struct http_server *s, size_t bytes, size_t chunk)
{
    struct net_address to = {.host = "127.0.0.1", .port = http_port(s)};
    struct err why;
    uint64_t sum;
    struct buf request = request_of("/cut", bytes, chunk, &sum);
    struct timespec until;
    int fd = -1;
    assert_int_equal(net_connect(&to, NULL, 5000, &fd, &why), 0);
    assert_int_equal(net_write_full(fd, request.base, request.len - 20, &why), 0);
    sem_wait(&cut.begun);
    close(fd);
    sem_post(&cut.client_gone);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20; /* far less than a connection may be idle */
    if (sem_timedwait(&cut.given_up, &until) < 0)
        fail_msg("the end after %zu bytes in chunks of %zu was not noticed", bytes, chunk);
    buf_free(&request);
}

static void a_client_that_goes_while_its_upload_rests_is_noticed(void **state)
{
    for (size_t bytes = PIECE + 1000; bytes < 4 * PIECE; bytes += 9973) {
        check_cut(*state, bytes, 0);
        check_cut(*state, bytes, 65536);
    }
}

/* Sends a body of so many MiB, as far as the server takes it; what it answers. */
static size_t send_refused(struct http_server *s, size_t mib, char answer[1024])
{
    struct net_address to = {.host = "127.0.0.1", .port = http_port(s)};
    struct err why;
    char head[100];
    AUTO(mem_freep) char *piece = mem_calloc(1, 1 << 20);
    AUTO(net_closep) int fd = -1;
    size_t sent = 0, len = 0;
    assert_int_equal(net_connect(&to, NULL, 5000, &fd, &why), 0);
    net_set_timeouts(fd, 20000, 20000);
    snprintf(head, sizeof head, "PUT /refused HTTP/1.1\r\nHost: here\r\nContent-Length: %zu\r\n\r\n", mib << 20);
    assert_int_equal(net_write_full(fd, head, strlen(head), &why), 0);
    while (sent < mib && net_write_full(fd, piece, 1 << 20, &why) == 0)
        sent++;
    for (ssize_t got; sent == mib && !strstr(answer, "room"); len += (size_t)got)
        if ((got = recv(fd, answer + len, 1023 - len, 0)) <= 0)
            break;
    return sent;
}

static void an_upload_that_has_failed_is_not_taken_to_its_end(void **state)
{
    char answer[1024] = "";
    struct timespec until;
    assert_int_equal(send_refused(*state, 8, answer), 8);
    assert_non_null(strstr(answer, "there is no room"));
    assert_true(send_refused(*state, 4096, answer) < 4096);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(&cut.given_up, &until), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upload_ends_wherever_its_last_piece_does, start, stop),
        cmocka_unit_test_setup_teardown(a_client_that_goes_while_its_upload_rests_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(an_upload_that_has_failed_is_not_taken_to_its_end, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
