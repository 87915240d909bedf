#include "client/lib/dfs_internal.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/lib/dfs_path.h"
#include "client/lib/lease_renewer.h"
#include "client/lib/local_addresses.h"
#include "client/lib/peer_cache.h"
#include "client/lib/short_circuit.h"
#include "common/mem.h"
#include "proto/message.h"
#include "rpc/rpc_client.h"

#define DFS_DEFAULT_PORT  8020
#define DFS_NAMENODES_MAX 16
#define DFS_LINKS_MAX     32 /* as Hadoop: symlinks followed for one call */
#define CLIENT_PROTOCOL   "org.apache.hadoop.hdfs.protocol.ClientProtocol"

/* ---- where the namenode is ---- */

static bool list_has(const char *list, const char *word, size_t len)
{
    for (const char *at = list; at && *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (n == len && strncmp(at, word, len) == 0)
            return true;
        at += n;
    }
    return false;
}

static int namenodes_of_nameservice(const struct config *c, const char *service, struct net_address *ret,
                                    size_t *ret_count, struct err *reterr)
{
    char key[512];
    snprintf(key, sizeof key, "dfs.ha.namenodes.%s", service);
    const char *ids = config_get(c, key);
    size_t count = 0;
    if (!ids) { /* a nameservice with a single namenode */
        snprintf(key, sizeof key, "dfs.namenode.rpc-address.%s", service);
        const char *address = config_get(c, key);
        if (!address)
            return err_set(reterr, ERR_CONFIG, "nameservice '%s': neither dfs.ha.namenodes.%s nor %s is set", service,
                           service, key);
        *ret_count = 1;
        return net_parse(address, DFS_DEFAULT_PORT, ret, reterr);
    }
    for (const char *at = ids; *(at += strspn(at, ", "));) {
        size_t n = strcspn(at, ", ");
        snprintf(key, sizeof key, "dfs.namenode.rpc-address.%s.%.*s", service, (int)n, at);
        const char *address = config_get(c, key);
        if (!address)
            return err_set(reterr, ERR_CONFIG, "nameservice '%s': %s is not set", service, key);
        if (count == DFS_NAMENODES_MAX)
            return err_set(reterr, ERR_CONFIG, "nameservice '%s' has more than %d namenodes", service,
                           DFS_NAMENODES_MAX);
        int rc = net_parse(address, DFS_DEFAULT_PORT, &ret[count++], reterr);
        if (rc < 0)
            return err_prefix(reterr, rc, "%s", key);
        at += n;
    }
    if (!count)
        return err_set(reterr, ERR_CONFIG, "dfs.ha.namenodes.%s names no namenode", service);
    *ret_count = count;
    return 0;
}

/* "hdfs://authority/whatever" => addresses, and the URI without its path. */
static int namenodes_of_uri(const struct config *c, const char *uri, struct net_address *ret, size_t *ret_count,
                            char **ret_uri, struct err *reterr)
{
    if (strncmp(uri, "hdfs://", 7) != 0)
        return err_set(reterr, ERR_CONFIG,
                       "'%s' is not a file system of ours: want hdfs://host:port (fs.defaultFS, or -fs)", uri);
    size_t len = strcspn(uri + 7, "/");
    if (!len)
        return err_set(reterr, ERR_CONFIG, "'%s' names no host: want hdfs://host:port (fs.defaultFS, or -fs)", uri);
    AUTO(mem_freep) char *authority = mem_strndup(uri + 7, len);
    const char *services = config_get(c, "dfs.nameservices");
    if (!strchr(authority, ':') && services && list_has(services, authority, len)) {
        int rc = namenodes_of_nameservice(c, authority, ret, ret_count, reterr);
        if (rc < 0)
            return rc;
        *ret_uri = mem_printf("hdfs://%s", authority);
        return 0;
    }
    int rc = net_parse(authority, DFS_DEFAULT_PORT, ret, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "'%s'", uri);
    char text[NET_ADDRESS_MAX];
    *ret_uri = mem_printf("hdfs://%s", net_format(ret, text));
    *ret_count = 1;
    return 0;
}

static char *default_user(void)
{
    const char *name = getenv("HADOOP_USER_NAME");
    if (name && *name)
        return mem_strdup(name);
    struct passwd pw, *found = NULL;
    char buf[4096];
    if (getpwuid_r(geteuid(), &pw, buf, sizeof buf, &found) == 0 && found)
        return mem_strdup(found->pw_name);
    return mem_printf("%u", (unsigned)geteuid());
}

/* ---- the object ---- */

int dfs_connect(const struct config *config, const char *uri, const char *user, struct dfs **ret, struct err *reterr)
{
    const char *chosen = uri ? uri : config_get(config, "fs.defaultFS");
    if (!chosen || !*chosen)
        return err_set(reterr, ERR_CONFIG, "no file system is named: set fs.defaultFS, or give -fs hdfs://host:port");
    struct net_address addresses[DFS_NAMENODES_MAX];
    size_t count = 0;
    AUTO(dfs_unrefp) struct dfs *fs = mem_new(struct dfs);
    atomic_init(&fs->refs, 1);
    pthread_mutex_init(&fs->lock, NULL);
    int rc = namenodes_of_uri(config, chosen, addresses, &count, &fs->uri, reterr);
    if (rc < 0)
        return rc;
    fs->config = config_copy(config);
    fs->user = user && *user ? mem_strdup(user) : default_user();
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)(uintptr_t)fs;
    fs->client_name = mem_printf("CAIRN_%d_%016llx", (int)getpid(), (unsigned long long)random);
    const char *local_ip = config_get(fs->config, "cairn.client.local-address");
    fs->local = local_addresses_new(local_ip);
    fs->peers = peer_cache_new();
    fs->files = short_circuit_new(fs);
    fs->hedged.threads_max = (int)config_int(fs->config, "dfs.client.hedged.read.threadpool.size");
    fs->hedged.threshold_ms = config_ms(fs->config, "dfs.client.hedged.read.threshold.millis");
    struct rpc_client_options options = {
        .addresses = addresses,
        .address_count = count,
        .protocol = CLIENT_PROTOCOL,
        .user = fs->user,
        .local_ip = local_ip && *local_ip ? local_ip : NULL,
        .connect_timeout_ms = (int)config_ms(fs->config, "ipc.client.connect.timeout"),
        .call_timeout_ms = (int)config_ms(fs->config, "ipc.client.rpc-timeout.ms"),
        .retry_for_ms = (int)config_ms(fs->config, "cairn.client.retry-for"),
    };
    rc = rpc_client_new(&options, &fs->namenode, reterr);
    if (rc < 0)
        return rc;
    fs->leases = lease_renewer_new(fs);
    *ret = STEAL(fs);
    return 0;
}

struct dfs *dfs_ref(struct dfs *fs)
{
    atomic_fetch_add(&fs->refs, 1);
    return fs;
}

void dfs_unref(struct dfs *fs)
{
    if (!fs || atomic_fetch_sub(&fs->refs, 1) != 1)
        return;
    if (fs->namenode)
        rpc_client_cancel(fs->namenode); /* a renewal that hangs must not hold us up */
    lease_renewer_free(fs->leases);
    rpc_client_free(fs->namenode);
    short_circuit_free(fs->files);
    peer_cache_free(fs->peers);
    local_addresses_free(fs->local);
    config_free(fs->config);
    pthread_mutex_destroy(&fs->lock);
    free(fs->uri);
    free(fs->user);
    free(fs->client_name);
    free(fs);
}

void dfs_unrefp(struct dfs **fs)
{
    dfs_unref(*fs);
    *fs = NULL;
}

void dfs_hedged_stats(struct dfs *fs, struct dfs_hedged_stats *ret)
{
    *ret = (struct dfs_hedged_stats){.ops = atomic_load(&fs->hedged.ops),
                                     .wins = atomic_load(&fs->hedged.wins),
                                     .in_current_thread = atomic_load(&fs->hedged.in_current_thread)};
}

const char *dfs_uri(const struct dfs *fs)
{
    return fs->uri;
}

const char *dfs_user(const struct dfs *fs)
{
    return fs->user;
}

const char *dfs_client_name(const struct dfs *fs)
{
    return fs->client_name;
}

const struct config *dfs_config(const struct dfs *fs)
{
    return fs->config;
}

struct rpc_client *dfs_namenode(struct dfs *fs)
{
    return fs->namenode;
}

/* ---- calls ---- */

int dfs_call(struct dfs *fs, const char *method, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
             struct err *reterr)
{
    size_t before = a->total;
    ProtobufCMessage *response;
    int rc = rpc_client_call(fs->namenode, method, request, response_type, a, &response, reterr);
    if (rc < 0)
        return rc;
    /* What we make of an answer is no larger than the answer, and must not run into the arena's bound. */
    if (a->total - before > a->max_bytes - (a->total < a->max_bytes ? a->total : a->max_bytes))
        return err_set(reterr, ERR_TOO_LARGE, "%s: the answer is larger than half of the %zu bytes meant for it",
                       method, a->max_bytes);
    *ret = response;
    return 0;
}

/* The text of an UnresolvedPathException is the path with the link in it replaced: "/a/b", "hdfs://host:port/a/b". */
static int path_of_unresolved(struct dfs *fs, const char *text, struct arena *a, char **ret, struct err *reterr)
{
    const char *line = arena_strndup(a, text, strcspn(text, "\n"));
    const char *path, *uri;
    int rc = dfs_path_resolve(line, fs->user, a, &path, &uri, reterr);
    if (rc < 0)
        return rc;
    if (uri && strcmp(uri, fs->uri) != 0)
        return err_set(reterr, ERR_UNRESOLVED_PATH, "a symbolic link leads to another file system, %s", line);
    *ret = (char *)path;
    return 0;
}

int dfs_path_call(struct dfs *fs, const char *method, const ProtobufCMessage *request, char **path,
                  const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                  struct err *reterr)
{
    const char *asked = *path;
    struct err local = {0}, *why = reterr ? reterr : &local; /* the text is needed even if nobody asked for it */
    for (int links = 0;; links++) {
        int rc = dfs_call(fs, method, request, response_type, a, ret, why);
        if (rc != ERR_UNRESOLVED_PATH)
            return rc;
        if (links == DFS_LINKS_MAX)
            return err_set(reterr, ERR_UNRESOLVED_PATH, "%s: more than %d symbolic links", asked, DFS_LINKS_MAX);
        char text[ERR_TEXT_MAX];
        memcpy(text, why->text, sizeof text);
        rc = path_of_unresolved(fs, text, a, path, reterr);
        if (rc < 0)
            return rc;
    }
}
