/* `cairn namenode`: puts the parts together, serves, and takes them down in reverse order. */
#include "common/daemon.h"

#include <malloc.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "common/proxy_users.h"
#include "common/user_groups.h"
#include "main/commands.h"
#include "namenode/blocks/blocks.h"
#include "namenode/housekeeping.h"
#include "namenode/journal/log_cut.h"
#include "namenode/name_folder.h"
#include "namenode/namespace/cache_pools.h"
#include "namenode/namespace/detached.h"
#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/graves.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/tokens.h"
#include "namenode/namespace/txn.h"
#include "namenode/namespace/user.h"
#include "namenode/namespace/writers.h"
#include "namenode/pages/pages.h"
#include "namenode/rpc_ports.h"
#include "namenode/seam.h"
#include "namenode/serve/diff_pages.h"
#include "namenode/serve/membership.h"
#include "namenode/serve/park.h"
#include "namenode/serve/posix_state.h"
#include "namenode/trash_emptier.h"
#include "rpc/reconfigure.h"

#define LEASE_SOFT_MS  60000
#define LEASE_RETRY_MS 30000 /* between attempts at a last block's recovery */
#define MALLOC_ARENAS  2     /* a few busy threads: more arenas would cost memory, not save time */
#define PORT_RPC       8020
#define PORT_HTTP      9870

struct parts {
    struct namenode nn;
    struct name_folder folder;
    struct reaper reaper;
    struct rpc_ports ports;
    struct pages *pages;
    char user[256]; /* of this process */
    pthread_t housekeeper;
    bool keeps_house;
    struct trash_emptier *trash_emptier;
};

static const char usage[] =
    "Usage: cairn namenode [-format [-force | -nonInteractive] [-clusterId ID]] [generic options] [--ready-fd N]\n"
    "Serves the namespace in dfs.namenode.name.dir, which is made on the first start.\n"
    "  -format          make an empty file system there and exit\n";

/* ---- settings ---- */

/* dfs.namenode.rpc-address, or the authority of fs.defaultFS. */
static int rpc_address(const struct config *c, struct net_address *ret, struct err *reterr)
{
    const char *text = config_str(c, "dfs.namenode.rpc-address");
    if (*text)
        return net_parse(text, PORT_RPC, ret, reterr);
    const char *uri = config_str(c, "fs.defaultFS");
    if (strncmp(uri, "hdfs://", 7))
        return err_set(reterr, ERR_CONFIG,
                       "fs.defaultFS is '%s', not hdfs://HOST:PORT: set it, or dfs.namenode.rpc-address", uri);
    char authority[NET_ADDRESS_MAX];
    snprintf(authority, sizeof authority, "%.*s", (int)strcspn(uri + 7, "/"), uri + 7);
    int rc = net_parse(authority, PORT_RPC, ret, reterr);
    return rc ? err_prefix(reterr, rc, "fs.defaultFS") : 0;
}

static void os_user(char out[256])
{
    struct passwd entry, *found = NULL;
    char memory[16384];
    if (!getpwuid_r(geteuid(), &entry, memory, sizeof memory, &found) && found)
        snprintf(out, 256, "%s", found->pw_name);
    else
        snprintf(out, 256, "%u", (unsigned)geteuid());
}

/* ---- parts ---- */

static int open_namespace(struct parts *p, struct err *reterr)
{
    struct namenode *nn = &p->nn;
    char store_path[4200];
    struct fsdir_options options;
    name_folder_store_path(&p->folder, store_path, sizeof store_path);
    os_user(p->user);
    user_groups_fix(config_str(nn->config, "hadoop.user.group.static.mapping.overrides"));
    fsdir_options_from_config(&options, nn->config);
    options.superuser = p->user;
    int rc = logs_cut(store_path, reterr);
    rc = rc ? rc : store_open(store_path, &nn->store, reterr);
    rc = rc ? rc : journal_start(nn->store, rpc_hold_answers, &nn->journal, reterr);
    rc = rc ? rc : fsdir_open(nn->store, nn->journal, &options, (uint64_t)clock_wall_ns(), &nn->dir, reterr);
    if (rc)
        return rc;
    journal_wait(nn->journal,
                 journal_latest(nn->journal)); /* a new root is on the disk before the folder counts as made */
    rc = name_folder_finish(&p->folder, &nn->ids, reterr);
    if (rc)
        return rc;
    nn->first_block_since_start = nn->dir->counters.next_block;
    nn->leases =
        leases_new(LEASE_SOFT_MS, (uint64_t)config_ms(nn->config, "dfs.namenode.lease-hard-limit-sec"), LEASE_RETRY_MS);
    nn->writers = writers_new();
    nn->detached = detached_new();
    nn->edit_turns = edit_turns_new();
    rc = graves_load(nn->store, (uint64_t)config_ms(nn->config, "cairn.namenode.edit.grace"), &nn->graves, reterr);
    rc = rc ? rc : cache_pools_load(nn->store, &nn->cache_pools, reterr);
    rc = rc ? rc : tokens_load(nn->store, nn->config, &nn->tokens, reterr);
    rc = rc ? rc : housekeeping_tokens(nn, reterr); /* a key, before anyone asks */
    if (rc)
        return rc;
    rc = posix_state_open(nn, reterr);
    return rc ? rc : leases_load(nn, nn->started_ms, reterr);
}

static int read_location_hosts(struct namenode *nn, struct err *reterr)
{
    static const char *const names[] = {
        [LOCATION_HOSTS_NAME] = "name", [LOCATION_HOSTS_ADDRESS] = "address", [LOCATION_HOSTS_BOTH] = "both"};
    const char *text = config_str(nn->config, "cairn.block-locations.hosts");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            nn->location_hosts = (enum location_hosts)i;
            return 0;
        }
    return err_set(reterr, ERR_CONFIG, "cairn.block-locations.hosts is '%s': want name, address or both", text);
}

static void open_blocks(struct parts *p)
{
    struct blocks_options options;
    struct blocks_seam seam = namespace_seam(&p->nn);
    blocks_options_from_config(&options, p->nn.config);
    options.pool_id = p->nn.ids.block_pool_id;
    if (getrandom(&options.seed, sizeof options.seed, 0) != sizeof options.seed)
        options.seed = (uint64_t)clock_wall_ns();
    p->nn.parked = parked_new();
    p->nn.diff_pages = diff_pages_new();
    p->nn.blocks = blocks_new(&options, &seam, p->nn.started_ms);
}

static int start(struct parts *p, const struct config *c, struct err *reterr)
{
    struct namenode *nn = &p->nn;
    struct net_address address, http;
    nn->config = c;
    int rc = rpc_address(c, &address, reterr);
    rc = rc ? rc : net_parse(config_str(c, "dfs.namenode.http-address"), PORT_HTTP, &http, reterr);
    rc = rc ? rc : rpc_ports_check(c, reterr);
    rc = rc ? rc : read_location_hosts(nn, reterr);
    if (rc)
        return rc;
    net_format(&address, nn->address);
    rc = name_folder_open(c, nn->address, &p->folder, &nn->ids, reterr);
    rc = rc ? rc : open_namespace(p, reterr);
    if (rc)
        return rc;
    open_blocks(p);
    rc = membership_load(nn, reterr);
    rc = rc ? rc : housekeeping_start(nn, &p->housekeeper, reterr);
    if (rc)
        return rc;
    p->keeps_house = true;
    rc = trash_emptier_start(nn, &p->trash_emptier, reterr);
    if (rc)
        return rc;
    nn->proxy_users = proxy_users_new("hadoop.proxyuser", c);
    rc = rpc_ports_start(nn, address, &p->ports, reterr);
    return rc ? rc : pages_start(nn, nn->rpc, p->user, &http, &p->pages, reterr);
}

static void stop(struct parts *p)
{
    struct namenode *nn = &p->nn;
    pages_stop(p->pages);
    trash_emptier_stop(p->trash_emptier);
    /* Parked calls are answered before the server waits for its calls, the rest by the journal's last sync. */
    if (p->keeps_house)
        housekeeping_stop(nn, p->housekeeper);
    rpc_ports_stop(&p->ports);
    reconfiguration_free(nn->reconfiguration);
    proxy_users_free(nn->proxy_users);
    journal_stop(nn->journal);
    blocks_free(nn->blocks);
    parked_free(nn->parked);
    diff_pages_free(nn->diff_pages);
    posix_state_close(nn);
    detached_free(nn->detached);
    edit_turns_free(nn->edit_turns);
    graves_free(nn->graves);
    cache_pools_free(nn->cache_pools);
    tokens_free(nn->tokens);
    writers_free(nn->writers);
    leases_free(nn->leases);
    fsdir_free(nn->dir);
    store_close(nn->store);
    name_folder_close(&p->folder);
}

static void parts_init(struct parts *p)
{
    pthread_condattr_t monotonic;
    *p = (struct parts){.folder.lock_fd = -1};
    p->nn.reaper = &p->reaper;
    p->nn.started_wall_ms = clock_wall_ms();
    p->nn.started_ms = (uint64_t)clock_mono_ms();
    pthread_mutex_init(&p->nn.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->nn.housekeeping_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* ---- commands ---- */

static int run(struct daemon *d, const struct config *c, struct err *reterr)
{
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    struct parts *p = mem_new(struct parts);
    parts_init(p);
    int rc = start(p, c, reterr);
    if (!rc) {
        namenode_lock(&p->nn); /* clients may be at work already */
        struct counters counters = p->nn.dir->counters;
        namenode_unlock(&p->nn);
        log_info("namenode", "ready rpc=%s files=%llu blocks=%llu took_ms=%lld", p->nn.address,
                 (unsigned long long)counters.inodes, (unsigned long long)counters.blocks,
                 (long long)(clock_mono_ms() - (int64_t)p->nn.started_ms));
        daemon_ready(d);
        daemon_wait(d);
    }
    stop(p);
    free(p);
    return rc;
}

static int format(const struct config *c, int argc, char **argv, struct err *reterr)
{
    struct format_options options = {.ask = isatty(STDIN_FILENO)};
    struct net_address address;
    struct namenode_ids ids;
    char text[NET_ADDRESS_MAX];
    for (int i = 2; i < argc; i++) {
        if (!strcasecmp(argv[i], "-force"))
            options.force = true;
        else if (!strcasecmp(argv[i], "-nonInteractive"))
            options.ask = false;
        else if (!strcasecmp(argv[i], "-clusterId") && i + 1 < argc && strlen(argv[i + 1]) < sizeof ids.cluster_id)
            options.cluster_id = argv[++i];
        else
            return err_set(reterr, ERR_CONFIG, "-format: '%s' is not an option", argv[i]);
    }
    int rc = rpc_address(c, &address, reterr);
    return rc ? rc : name_folder_format(c, net_format(&address, text), &options, &ids, reterr);
}

int namenode_main(int argc, char **argv)
{
    struct daemon d;
    struct config *c = NULL;
    struct err why = {0};
    int rc = daemon_begin(&d, &argc, argv, &c, &why);
    if (!rc && argc > 1 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(usage, stdout);
        config_free(c);
        return 0;
    }
    if (!rc && argc > 1 && !strcasecmp(argv[1], "-format"))
        rc = format(c, argc, argv, &why);
    else if (!rc && argc > 1 && strcasecmp(argv[1], "-regular"))
        rc = err_set(&why, ERR_CONFIG, "'%s' is not an option; `cairn namenode -help` lists them", argv[1]);
    else if (!rc)
        rc = run(&d, c, &why);
    int code = rc ? daemon_fail("namenode", &why) : 0;
    config_free(c);
    return code;
}
