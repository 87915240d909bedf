#include "webhdfs/user_clients.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "rpc/rpc_client.h"

#define CLIENTS_KEPT_MAX 64 /* those in use beyond it live until their request ends */

struct user_client {
    struct dfs *fs;
    int64_t used_ms;
};
struct user_clients {
    const struct config *config;
    const char *uri;
    pthread_mutex_t lock;
    struct user_client kept[CLIENTS_KEPT_MAX]; /* under lock */
    size_t count;                              /* under lock */
};

struct user_clients *user_clients_new(const struct config *config, const char *uri)
{
    struct user_clients *u = mem_new(struct user_clients);
    u->config = config;
    u->uri = uri;
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void user_clients_free(struct user_clients *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        dfs_unref(u->kept[i].fs);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static struct dfs *find_locked(struct user_clients *u, const char *user)
{
    for (size_t i = 0; i < u->count; i++)
        if (strcmp(dfs_user(u->kept[i].fs), user) == 0) {
            u->kept[i].used_ms = clock_mono_ms();
            return dfs_ref(u->kept[i].fs);
        }
    return NULL;
}

/* Takes a reference of its own; returns the one that had to go, if any. */
static struct dfs *keep_locked(struct user_clients *u, struct dfs *fs)
{
    struct user_client fresh = {dfs_ref(fs), clock_mono_ms()};
    if (u->count < CLIENTS_KEPT_MAX) {
        u->kept[u->count++] = fresh;
        return NULL;
    }
    size_t oldest = 0;
    for (size_t i = 1; i < u->count; i++)
        if (u->kept[i].used_ms < u->kept[oldest].used_ms)
            oldest = i;
    struct dfs *gone = u->kept[oldest].fs;
    u->kept[oldest] = fresh;
    return gone;
}

int user_clients_get(struct user_clients *u, const char *user, struct dfs **ret, struct err *reterr)
{
    pthread_mutex_lock(&u->lock);
    struct dfs *fs = find_locked(u, user), *gone = NULL;
    int rc = 0;
    if (!fs) {
        rc = dfs_connect(u->config, u->uri, user, &fs, reterr); /* makes no connection yet: it does not block */
        gone = rc == 0 ? keep_locked(u, fs) : NULL;
    }
    pthread_mutex_unlock(&u->lock);
    dfs_unref(gone);
    if (rc == 0)
        *ret = fs;
    return rc;
}

int user_clients_call(struct user_clients *u, const char *user, const char *method, const ProtobufCMessage *request,
                      const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                      struct err *reterr)
{
    struct dfs *fs;
    int rc = user_clients_get(u, user, &fs, reterr);
    if (rc < 0)
        return rc;
    rc = rpc_client_call(dfs_namenode(fs), method, request, response_type, a, ret, reterr);
    dfs_unref(fs);
    return rc;
}
