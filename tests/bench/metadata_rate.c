/* Rates of namenode calls through libhdfs's API, so that the same program measures any HDFS.
 *   metadata_rate HOST PORT FOLDER THREADS COUNT OPERATION
 * Every thread works on COUNT/THREADS names in a folder of its own, over a connection of its own. Prints calls per
 * second. Operations in the order in which one finds what those before it made: mkdir create stat rename delete. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hdfs.h"

#define THREADS_MAX 256

struct worker {
    pthread_t thread;
    hdfsFS fs;
    const char *root;
    int number, names;
    int (*call)(hdfsFS fs, const char *path);
    int failed_errno; /* of the first call that failed, or 0 */
};

static int call_mkdir(hdfsFS fs, const char *path)
{
    return hdfsCreateDirectory(fs, path);
}

static int call_create(hdfsFS fs, const char *path)
{
    char name[4096];
    snprintf(name, sizeof name, "%s-file", path);
    hdfsFile file = hdfsOpenFile(fs, name, O_WRONLY, 0, 0, 0);
    return file ? hdfsCloseFile(fs, file) : -1;
}

static int call_stat(hdfsFS fs, const char *path)
{
    hdfsFileInfo *info = hdfsGetPathInfo(fs, path);
    if (!info)
        return -1;
    hdfsFreeFileInfo(info, 1);
    return 0;
}

static int call_rename(hdfsFS fs, const char *path)
{
    char from[4096], to[4096];
    snprintf(from, sizeof from, "%s-file", path);
    snprintf(to, sizeof to, "%s-moved", path);
    return hdfsRename(fs, from, to);
}

static int call_delete(hdfsFS fs, const char *path)
{
    return hdfsDelete(fs, path, 0);
}

static const struct operation {
    const char *name;
    int (*call)(hdfsFS fs, const char *path);
} operations[] = {
    {"mkdir", call_mkdir},   {"create", call_create}, {"stat", call_stat},
    {"rename", call_rename}, {"delete", call_delete},
};

static const struct operation *operation_named(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (!strcmp(operations[i].name, name))
            return &operations[i];
    return NULL;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < w->names && !w->failed_errno; i++) {
        char path[2048];
        snprintf(path, sizeof path, "%s/%d/%d", w->root, w->number, i);
        if (w->call(w->fs, path) != 0)
            w->failed_errno = errno ? errno : EIO;
    }
    return NULL;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(struct worker *workers, int threads, const struct operation *operation)
{
    double start = seconds_now();
    for (int i = 0; i < threads; i++) {
        workers[i].call = operation->call;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            fprintf(stderr, "metadata_rate: cannot start thread %d\n", i);
            exit(1);
        }
    }
    int failed_errno = 0, calls = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        calls += workers[i].names;
        failed_errno = workers[i].failed_errno ? workers[i].failed_errno : failed_errno;
    }
    if (failed_errno) {
        fprintf(stderr, "metadata_rate: %s fails: %s\n", operation->name, strerror(failed_errno));
        return -1;
    }
    printf("%.1f\n", calls / (seconds_now() - start));
    return 0;
}

static hdfsFS connect_anew(const char *host, int port)
{
    struct hdfsBuilder *builder = hdfsNewBuilder();
    if (!builder)
        return NULL;
    hdfsBuilderSetNameNode(builder, host);
    hdfsBuilderSetNameNodePort(builder, (tPort)port);
    hdfsBuilderSetForceNewInstance(builder);
    return hdfsBuilderConnect(builder);
}

int main(int argc, char **argv)
{
    int threads = argc == 7 ? atoi(argv[4]) : 0, count = argc == 7 ? atoi(argv[5]) : 0;
    const struct operation *operation = argc == 7 ? operation_named(argv[6]) : NULL;
    if (threads < 1 || threads > THREADS_MAX || count < threads || !operation) {
        fprintf(stderr, "usage: metadata_rate HOST PORT FOLDER THREADS COUNT OPERATION (THREADS 1 to %d)\n",
                THREADS_MAX);
        return 2;
    }
    static struct worker workers[THREADS_MAX];
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.root = argv[3], .number = i, .names = count / threads};
        char folder[2048];
        snprintf(folder, sizeof folder, "%s/%d", argv[3], i);
        workers[i].fs = connect_anew(argv[1], atoi(argv[2]));
        if (!workers[i].fs || hdfsCreateDirectory(workers[i].fs, folder) != 0) {
            fprintf(stderr, "metadata_rate: %s:%s: %s\n", argv[1], argv[2], strerror(errno));
            return 1;
        }
    }
    int rc = run(workers, threads, operation);
    for (int i = 0; i < threads; i++)
        hdfsDisconnect(workers[i].fs);
    return rc ? 1 : 0;
}
