/* Many clients of one namenode: makes, looks at, and removes files without data, and prints calls per second.
 *
 *   namenode_load HOST:PORT make FOLDER COUNT [THREADS]     FOLDER/tNN/dNNNN/fNNNN, 1000 files per folder
 *   namenode_load HOST:PORT stat FOLDER COUNT [THREADS]
 *   namenode_load HOST:PORT mkdir FOLDER COUNT [THREADS]
 *   namenode_load HOST:PORT delete FOLDER                   all at once */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_client.h"

#define THREADS_MAX      64
#define FILES_PER_FOLDER 1000

struct load {
    struct net_address address;
    const char *what, *folder;
    long count;
    int threads;
};
struct worker {
    pthread_t id;
    const struct load *load;
    struct rpc_client *client;
    struct arena arena;
    int number;
    long failures;
};

static struct rpc_client *connect_to(const struct net_address *address)
{
    struct rpc_client_options o = {.addresses = address,
                                   .address_count = 1,
                                   .protocol = "org.apache.hadoop.hdfs.protocol.ClientProtocol",
                                   .user = "root"};
    struct rpc_client *c = NULL;
    struct err why = {0};
    if (rpc_client_new(&o, &c, &why) < 0) {
        fprintf(stderr, "namenode_load: %s\n", why.text);
        exit(1);
    }
    return c;
}

static ProtobufCMessage *call(struct worker *w, const char *method, const ProtobufCMessage *request,
                              const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *response = NULL;
    struct err why = {0};
    if (rpc_client_call(w->client, method, request, type, &w->arena, &response, &why) < 0) {
        if (!w->failures++)
            fprintf(stderr, "namenode_load: %s: %s\n", method, why.text);
        return NULL;
    }
    return response;
}

static void make_file(struct worker *w, char *path)
{
    Hdfs__FsPermissionProto mode = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__CreateRequestProto create = HDFS__CREATE_REQUEST_PROTO__INIT;
    char name[32];
    snprintf(name, sizeof name, "load-%d", w->number);
    mode.perm = 0644;
    create.src = path;
    create.masked = &mode;
    create.clientname = name;
    create.createflag = HDFS__CREATE_FLAG_PROTO__CREATE | HDFS__CREATE_FLAG_PROTO__OVERWRITE;
    create.createparent = 1;
    create.replication = 1;
    create.blocksize = 128 << 20;
    Hdfs__CreateResponseProto *made = (void *)call(w, "create", &create.base, &hdfs__create_response_proto__descriptor);
    if (!made)
        return;
    Hdfs__CompleteRequestProto complete = HDFS__COMPLETE_REQUEST_PROTO__INIT;
    complete.src = path;
    complete.clientname = name;
    complete.has_fileid = 1;
    complete.fileid = made->fs->fileid;
    call(w, "complete", &complete.base, &hdfs__complete_response_proto__descriptor);
}

static void make_directory(struct worker *w, char *path)
{
    Hdfs__FsPermissionProto mode = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__MkdirsRequestProto q = HDFS__MKDIRS_REQUEST_PROTO__INIT;
    mode.perm = 0755;
    q.src = path;
    q.masked = &mode;
    q.createparent = 1;
    call(w, "mkdirs", &q.base, &hdfs__mkdirs_response_proto__descriptor);
}

static void look(struct worker *w, char *path)
{
    Hdfs__GetFileInfoRequestProto q = HDFS__GET_FILE_INFO_REQUEST_PROTO__INIT;
    q.src = path;
    Hdfs__GetFileInfoResponseProto *r =
        (void *)call(w, "getFileInfo", &q.base, &hdfs__get_file_info_response_proto__descriptor);
    if (r && !r->fs && !w->failures++)
        fprintf(stderr, "namenode_load: %s is not there\n", path);
}

static void delete_all(struct worker *w, char *path)
{
    Hdfs__DeleteRequestProto q = HDFS__DELETE_REQUEST_PROTO__INIT;
    q.src = path;
    q.recursive = 1;
    call(w, "delete", &q.base, &hdfs__delete_response_proto__descriptor);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    const struct load *l = w->load;
    arena_init(&w->arena, 1 << 20);
    for (long i = w->number; i < l->count; i += l->threads) {
        char path[1024];
        long mine = i / l->threads;
        snprintf(path, sizeof path, "%s/t%02d/d%04ld/f%04ld", l->folder, w->number, mine / FILES_PER_FOLDER,
                 mine % FILES_PER_FOLDER);
        if (!strcmp(l->what, "make"))
            make_file(w, path);
        else if (!strcmp(l->what, "mkdir"))
            make_directory(w, path);
        else
            look(w, path);
        arena_reset(&w->arena);
    }
    arena_free(&w->arena);
    return NULL;
}

int main(int argc, char **argv)
{
    struct load l = {0};
    struct worker workers[THREADS_MAX] = {0};
    long failures = 0;
    if (argc < 4 || net_parse(argv[1], 8020, &l.address, NULL) < 0) {
        fprintf(stderr, "usage: %s HOST:PORT make|stat|mkdir|delete FOLDER [COUNT [THREADS]]\n", argv[0]);
        return 2;
    }
    l.what = argv[2];
    l.folder = argv[3];
    l.count = argc > 4 ? strtol(argv[4], NULL, 10) : 1;
    l.threads = argc > 5 ? (int)strtol(argv[5], NULL, 10) : 16;
    if (l.threads < 1 || l.threads > THREADS_MAX)
        l.threads = 16;
    int64_t start_ms = clock_mono_ms();
    if (!strcmp(l.what, "delete")) {
        struct worker w = {.load = &l, .client = connect_to(&l.address)};
        arena_init(&w.arena, 1 << 20);
        delete_all(&w, argv[3]);
        failures = w.failures;
        arena_free(&w.arena);
        rpc_client_free(w.client);
    } else {
        for (int i = 0; i < l.threads; i++) {
            workers[i] = (struct worker){.load = &l, .client = connect_to(&l.address), .number = i};
            if (pthread_create(&workers[i].id, NULL, run, &workers[i]))
                return 1;
        }
        for (int i = 0; i < l.threads; i++) {
            pthread_join(workers[i].id, NULL);
            rpc_client_free(workers[i].client);
            failures += workers[i].failures;
        }
    }
    double seconds = (double)(clock_mono_ms() - start_ms) / 1000;
    printf("%s %ld in %.3f s: %.0f/s, %ld failures\n", l.what, l.count, seconds,
           (double)l.count / (seconds > 0 ? seconds : 1e-3), failures);
    return failures != 0;
}
