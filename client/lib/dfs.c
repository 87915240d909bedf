#include "client/lib/dfs_internal.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/lib/dfs_path.h"
#include "client/lib/file_writer_internal.h"
#include "client/lib/lease_renewer.h"
#include "client/lib/local_addresses.h"
#include "client/lib/nameservice.h"
#include "client/lib/peer_cache.h"
#include "client/lib/viewfs.h"
#include "client/lib/short_circuit.h"
#include "client/lib/write_calls.h"
#include "common/mem.h"
#include "proto/message.h"
#include "rpc/rpc_client.h"

#define LEASE_RENEW_EVERY_MS 30000 /* half of the soft limit, at which others may take the file over */
#define WRITERS_LOOKED_AT_MS 5000  /* how often their connections are looked after, if not even more often */
#define DFS_LINKS_MAX        32    /* as Hadoop: symlinks followed for one call */
#define VIEW_SCHEME          "viewfs://"
#define CLIENT_PROTOCOL      "org.apache.hadoop.hdfs.protocol.ClientProtocol"

/* ---- where the namenode is ---- */

static void shuffle(struct net_address *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t random = 0;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return;
        struct net_address swapped = list[i - 1];
        list[i - 1] = list[random % i];
        list[random % i] = swapped;
    }
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
    if (nameservice_is_known(c, authority)) {
        struct nameservice_member members[NAMESERVICE_MEMBERS_MAX];
        int rc = nameservice_members(c, authority, members, ret_count, reterr);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < *ret_count; i++)
            ret[i] = members[i].address;
        if (config_bool(c, "dfs.client.failover.random.order"))
            shuffle(ret, *ret_count);
        *ret_uri = mem_printf("hdfs://%s", authority);
        return 0;
    }
    int rc = net_parse(authority, NAMENODE_DEFAULT_PORT, ret, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "'%s'", uri);
    char text[NET_ADDRESS_MAX];
    *ret_uri = mem_printf("hdfs://%s", net_format(ret, text));
    *ret_count = 1;
    return 0;
}

char *dfs_default_user(void)
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

static int view_connect(const struct config *config, const char *authority, const char *user, struct dfs **ret,
                        struct err *reterr)
{
    AUTO(dfs_unrefp) struct dfs *fs = mem_new(struct dfs);
    AUTO(mem_freep) char *name = mem_strndup(authority, strcspn(authority, "/"));
    atomic_init(&fs->refs, 1);
    pthread_mutex_init(&fs->lock, NULL);
    fs->config = config_copy(config);
    fs->uri = mem_printf(VIEW_SCHEME "%s", name); /* a path behind it makes a whole one, also without a name */
    fs->user = user && *user ? mem_strdup(user) : dfs_default_user();
    fs->peers = peer_cache_new();
    fs->local = local_addresses_new(config_get(fs->config, "cairn.client.local-address"));
    int rc = viewfs_new(fs->config, name, fs->user, &fs->view, reterr);
    if (rc < 0)
        return rc;
    fs->namenode = viewfs_main(fs->view)->namenode;
    fs->client_name = mem_strdup(viewfs_main(fs->view)->client_name);
    *ret = STEAL(fs);
    return 0;
}

static int connect_namenode(const struct dfs *fs, const struct net_address *addresses, size_t count,
                            const char *protocol, struct rpc_client **ret, struct err *reterr)
{
    const char *local_ip = config_get(fs->config, "cairn.client.local-address");
    struct rpc_client_options options = {
        .addresses = addresses,
        .address_count = count,
        .protocol = protocol,
        .user = fs->user,
        .local_ip = local_ip && *local_ip ? local_ip : NULL,
        .connect_timeout_ms = (int)config_ms(fs->config, "ipc.client.connect.timeout"),
        .call_timeout_ms = (int)config_ms(fs->config, "ipc.client.rpc-timeout.ms"),
        .retry_for_ms = (int)config_ms(fs->config, "cairn.client.retry-for"),
        .failovers_max = (int)config_int(fs->config, "dfs.client.failover.max.attempts"),
        .failover_delay_min_ms = (int)config_ms(fs->config, "dfs.client.failover.sleep.base.millis"),
        .failover_delay_max_ms = (int)config_ms(fs->config, "dfs.client.failover.sleep.max.millis"),
    };
    return rpc_client_new(&options, ret, reterr);
}

int dfs_posix_client(struct dfs *fs, const char *protocol, enum posix_connection which, struct rpc_client **ret,
                     struct err *reterr)
{
    struct net_address addresses[NAMESERVICE_MEMBERS_MAX];
    size_t count = 0;
    AUTO(mem_freep) char *uri = NULL;
    int rc = 0;
    if (fs->view)
        return err_set(reterr, ERR_UNSUPPORTED, "%s: a viewfs has no inode numbers", fs->uri);
    pthread_mutex_lock(&fs->lock);
    if (!fs->posix[which]) {
        rc = namenodes_of_uri(fs->config, fs->uri, addresses, &count, &uri, reterr);
        rc = rc < 0 ? rc : connect_namenode(fs, addresses, count, protocol, &fs->posix[which], reterr);
    }
    *ret = fs->posix[which];
    pthread_mutex_unlock(&fs->lock);
    return rc;
}

/* Often enough for a heartbeat at half of the time that datanodes wait for one. */
static int64_t look_at_writers_every_ms(const struct config *c)
{
    int64_t often_ms = config_ms(c, "dfs.client.socket-timeout") / 4;
    return often_ms >= WRITERS_LOOKED_AT_MS ? WRITERS_LOOKED_AT_MS : often_ms > 0 ? often_ms : 1;
}

static int renew_lease(void *fs)
{
    return call_renew_lease(fs, NULL);
}

int dfs_connect(const struct config *config, const char *uri, const char *user, struct dfs **ret, struct err *reterr)
{
    const char *chosen = uri ? uri : config_get(config, "fs.defaultFS");
    if (!chosen || !*chosen)
        return err_set(reterr, ERR_CONFIG, "no file system is named: set fs.defaultFS, or give -fs hdfs://host:port");
    if (strncmp(chosen, VIEW_SCHEME, strlen(VIEW_SCHEME)) == 0)
        return view_connect(config, chosen + strlen(VIEW_SCHEME), user, ret, reterr);
    struct net_address addresses[NAMESERVICE_MEMBERS_MAX];
    size_t count = 0;
    AUTO(dfs_unrefp) struct dfs *fs = mem_new(struct dfs);
    atomic_init(&fs->refs, 1);
    pthread_mutex_init(&fs->lock, NULL);
    int rc = namenodes_of_uri(config, chosen, addresses, &count, &fs->uri, reterr);
    if (rc < 0)
        return rc;
    fs->config = config_copy(config);
    fs->user = user && *user ? mem_strdup(user) : dfs_default_user();
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)(uintptr_t)fs;
    fs->client_name = mem_printf("CAIRN_%d_%016llx", (int)getpid(), (unsigned long long)random);
    fs->local = local_addresses_new(config_get(fs->config, "cairn.client.local-address"));
    fs->peers = peer_cache_new();
    fs->files = short_circuit_new(fs);
    fs->hedged.threads_max = (int)config_int(fs->config, "dfs.client.hedged.read.threadpool.size");
    fs->hedged.threshold_ms = config_ms(fs->config, "dfs.client.hedged.read.threshold.millis");
    rc = connect_namenode(fs, addresses, count, CLIENT_PROTOCOL, &fs->namenode, reterr);
    if (rc < 0)
        return rc;
    fs->leases =
        lease_renewer_new(&(struct lease_renewer_options){.renew = renew_lease,
                                                          .context = fs,
                                                          .heartbeat = file_writer_heartbeat,
                                                          .renew_every_ms = LEASE_RENEW_EVERY_MS,
                                                          .heartbeat_every_ms = look_at_writers_every_ms(config)});
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
    if (fs->namenode && !fs->view)
        rpc_client_cancel(fs->namenode); /* a renewal that hangs must not hold us up */
    lease_renewer_free(fs->leases);
    if (!fs->view)
        rpc_client_free(fs->namenode);
    rpc_client_free(fs->posix[POSIX_CALLS]);
    rpc_client_free(fs->posix[POSIX_WAITS]);
    viewfs_free(fs->view);
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

const char *dfs_home(const struct dfs *fs, struct arena *a)
{
    const char *parent = fs->view ? viewfs_home_parent(fs->view) : config_str(fs->config, "dfs.user.home.dir.prefix");
    size_t len = strlen(parent);
    while (len && parent[len - 1] == '/')
        len--;
    return arena_printf(a, "%.*s/%s", (int)len, parent, fs->user);
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

static int call_hear(struct dfs *fs, const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                     struct buf *ret_text, struct err *reterr)
{
    size_t before = a->total;
    ProtobufCMessage *response;
    int rc = rpc_client_call_hear(fs->namenode, method, request, response_type, a, &response, ret_text, reterr);
    if (rc < 0)
        return rc;
    /* What we make of an answer is no larger than the answer, and must not run into the arena's bound. */
    if (a->total - before > a->max_bytes - (a->total < a->max_bytes ? a->total : a->max_bytes))
        return err_set(reterr, ERR_TOO_LARGE, "%s: the answer is larger than half of the %zu bytes meant for it",
                       method, a->max_bytes);
    *ret = response;
    return 0;
}

int dfs_call(struct dfs *fs, const char *method, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
             struct err *reterr)
{
    return call_hear(fs, method, request, response_type, a, ret, NULL, reterr);
}

/* The text of an UnresolvedPathException is the path with the link in it replaced: "/a/b", "hdfs://host:port/a/b". */
static int path_of_unresolved(struct dfs *fs, struct buf *text, struct arena *a, char **ret, struct err *reterr)
{
    const char *path, *uri, *line = buf_cstr(text);
    text->base[strcspn(line, "\n")] = 0;
    int rc = dfs_resolve(fs, line, a, &path, &uri, reterr);
    if (rc < 0)
        return rc;
    if (uri && strcmp(uri, fs->uri) != 0)
        return err_set(reterr, ERR_UNRESOLVED_PATH, "a symbolic link leads to another file system, %s", line);
    *ret = (char *)path;
    return 0;
}

static bool is_one_of(const char *operation, const char *const *all)
{
    for (; *all; all++)
        if (strcmp(operation, *all) == 0)
            return true;
    return false;
}

static bool makes_a_name(const char *operation)
{
    return is_one_of(operation, (const char *const[]){"create", "mkdirs", "createSymlink", "rename", NULL});
}

/* What would not only look at what a link leads to, or go on below it, but put something else into its place. */
static bool takes_a_name(const char *operation)
{
    return is_one_of(operation, (const char *const[]){"create", "delete", "createSymlink", "rename", NULL});
}

int dfs_of_path(struct dfs *fs, const char *operation, struct arena *a, const char **path, struct dfs **ret,
                struct err *reterr)
{
    *ret = fs;
    if (!fs->view)
        return 0;
    struct view_target target;
    int rc = viewfs_resolve(fs->view, *path, a, &target, reterr);
    if (rc == ERR_NOT_FOUND && makes_a_name(operation)) {
        const char *parent = dfs_path_parent(a, *path);
        bool is_made_up = parent && viewfs_resolve(fs->view, parent, a, &target, NULL) == 0 && !target.fs;
        return is_made_up ? viewfs_read_only(operation, *path, reterr) : rc;
    }
    if (rc < 0)
        return rc;
    if (!target.fs || (target.is_link && takes_a_name(operation)))
        return viewfs_read_only(operation, *path, reterr);
    *ret = target.fs;
    *path = target.path;
    return 0;
}

int dfs_behind_view(struct dfs *fs, const char *path, struct arena *a, struct dfs **ret, const char **ret_path,
                    struct err *reterr)
{
    *ret_path = path;
    return dfs_of_path(fs, "delete", a, ret_path, ret, reterr);
}

int dfs_path_call(struct dfs *fs, const char *method, const ProtobufCMessage *request, char **path,
                  const ProtobufCMessageDescriptor *response_type, struct arena *a, ProtobufCMessage **ret,
                  struct err *reterr)
{
    const char *asked = *path, *there = *path;
    int found = dfs_of_path(fs, method, a, &there, &fs, reterr);
    if (found < 0)
        return found;
    *path = (char *)(uintptr_t)there;
    AUTO(buf_free) struct buf text = {0};
    for (int links = 0;; links++) {
        int rc = call_hear(fs, method, request, response_type, a, ret, &text, reterr);
        if (rc != ERR_UNRESOLVED_PATH)
            return rc;
        if (links == DFS_LINKS_MAX)
            return err_set(reterr, ERR_UNRESOLVED_PATH, "%s: more than %d symbolic links", asked, DFS_LINKS_MAX);
        rc = path_of_unresolved(fs, &text, a, path, reterr);
        if (rc < 0)
            return rc;
    }
}
