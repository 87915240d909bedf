/* Calls per second of our RPC client against our RPC server on this machine: what a namenode operation costs
 * before it does anything. Usage: rpc_bench [seconds per row]. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_client.h"
#include "rpc/rpc_server.h"

#define LATENCIES_MAX 200000

struct bench_thread {
    pthread_t id;
    struct rpc_client *client;
    int64_t until_ms;
    long calls, failures;
    uint32_t *latencies_ns;
    size_t latency_count;
};

static struct net_address server_address = {"127.0.0.1", 0};

static void get_file_info(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    char user[] = "ada", group[] = "staff";
    Hdfs__FsPermissionProto perm = HDFS__FS_PERMISSION_PROTO__INIT;
    perm.perm = 0644;
    Hdfs__HdfsFileStatusProto fs = HDFS__HDFS_FILE_STATUS_PROTO__INIT;
    fs.filetype = HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_FILE;
    fs.permission = &perm;
    fs.owner = user;
    fs.group = group;
    fs.has_fileid = 1;
    fs.fileid = 16400;
    Hdfs__GetFileInfoResponseProto response = HDFS__GET_FILE_INFO_RESPONSE_PROTO__INIT;
    response.fs = &fs;
    rpc_call_reply(call, &response.base);
}

static const struct rpc_method bench_methods[] = {
    RPC_METHOD("getFileInfo", hdfs__get_file_info, get_file_info, 0),
};

static struct rpc_client *bench_client(void)
{
    struct rpc_client_options o = {.addresses = &server_address,
                                   .address_count = 1,
                                   .protocol = "org.apache.hadoop.hdfs.protocol.ClientProtocol",
                                   .user = "ada"};
    struct rpc_client *c;
    if (rpc_client_new(&o, &c, NULL) < 0)
        abort();
    return c;
}

static void *bench_run(void *arg)
{
    struct bench_thread *t = arg;
    struct arena a;
    arena_init(&a, 1 << 20);
    char src[] = "/";
    Hdfs__GetFileInfoRequestProto request = HDFS__GET_FILE_INFO_REQUEST_PROTO__INIT;
    request.src = src;
    for (int64_t before = clock_mono_ns(); before / 1000000 < t->until_ms;) {
        ProtobufCMessage *response;
        t->failures += rpc_client_call(t->client, "getFileInfo", &request.base,
                                       &hdfs__get_file_info_response_proto__descriptor, &a, &response, NULL) < 0;
        arena_reset(&a);
        int64_t after = clock_mono_ns();
        if (t->latency_count < LATENCIES_MAX)
            t->latencies_ns[t->latency_count++] = (uint32_t)(after - before);
        t->calls++;
        before = after;
    }
    arena_free(&a);
    return NULL;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void bench_row(int threads, bool shared, int seconds)
{
    struct bench_thread *t = mem_calloc((size_t)threads, sizeof *t);
    struct rpc_client *common = shared ? bench_client() : NULL;
    uint32_t *all = mem_calloc((size_t)threads * LATENCIES_MAX, sizeof *all);
    double cpu = cpu_seconds();
    int64_t begin_ms = clock_mono_ms();
    for (int i = 0; i < threads; i++) {
        t[i].client = shared ? common : bench_client();
        t[i].latencies_ns = all + (size_t)i * LATENCIES_MAX;
        t[i].until_ms = begin_ms + seconds * 1000;
        pthread_create(&t[i].id, NULL, bench_run, &t[i]);
    }
    long calls = 0, failures = 0;
    size_t count = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(t[i].id, NULL);
        calls += t[i].calls;
        failures += t[i].failures;
        for (size_t k = 0; k < t[i].latency_count; k++)
            all[count++] = t[i].latencies_ns[k];
        if (!shared)
            rpc_client_free(t[i].client);
    }
    double took_s = (double)(clock_mono_ms() - begin_ms) / 1000;
    cpu = cpu_seconds() - cpu;
    qsort(all, count, sizeof *all, compare_u32);
    printf("%2d threads, %-19s %8.0f calls/s  p50 %4.0f us  p99 %5.0f us  %4.1f us CPU/call  %ld failed\n", threads,
           shared ? "one connection:" : "a connection each:", (double)calls / took_s, count ? all[count / 2] / 1e3 : 0,
           count ? all[count * 99 / 100] / 1e3 : 0, cpu / (double)calls * 1e6, failures);
    rpc_client_free(common);
    free(all);
    free(t);
}

static struct rpc_server *server_start(void)
{
    struct rpc_service service = {"org.apache.hadoop.hdfs.protocol.ClientProtocol", bench_methods,
                                  ARRAY_COUNT(bench_methods), NULL};
    struct rpc_server_options o = {.listen = server_address, .services = &service, .service_count = 1};
    struct rpc_server *server;
    struct err err;
    if (rpc_server_start(&o, &server, &err) < 0) {
        fprintf(stderr, "rpc_bench: %s\n", err.text);
        exit(1);
    }
    server_address.port = rpc_server_port(server);
    return server;
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 3;
    struct err err;
    struct rpc_server *server = NULL;
    if (argc <= 2) {
        server = server_start();
    } else if (net_parse(argv[2], 0, &server_address, &err) < 0) {
        fprintf(stderr, "rpc_bench: %s\n", err.text);
        return 2;
    }
    bench_row(1, false, seconds);
    bench_row(16, false, seconds);
    bench_row(16, true, seconds);
    rpc_server_stop(server);
    return 0;
}
