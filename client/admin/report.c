/* -report and -printTopology, in the lines that scripts look for. */
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/admin/admin.h"
#include "client/fs/human.h"
#include "hdfs/client_namenode.pb-c.h"

static void line_bytes(const char *label, int64_t n)
{
    char text[HUMAN_MAX];
    printf("%s: %" PRId64 " (%s)\n", label, n, human_bytes(n, text));
}

static void line_percent(const char *label, int64_t part, int64_t whole, float of_nothing)
{
    char text[HUMAN_MAX];
    float percent = whole <= 0 ? of_nothing : (float)part * 100.0f / (float)whole;
    printf("%s: %s%%\n", label, human_fixed(percent, 2, text));
}

static void line_date(const char *label, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    char text[64];
    strftime(text, sizeof text, "%a %b %d %H:%M:%S %Z %Y", &local);
    printf("%s: %s\n", label, text);
}

/* The name of an address, or the address again when it has none. */
static void print_looked_up(const char *ip)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;
    char host[NI_MAXHOST];
    if (getaddrinfo(ip, NULL, &hints, &found) != 0)
        return;
    if (getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0, 0) == 0)
        printf(" (%s)", host);
    freeaddrinfo(found);
}

static const char *const admin_state_words[] = {"Normal", "Decommission in progress", "Decommissioned",
                                                "Entering maintenance", "In maintenance"};
static const char *const admin_state_names[] = {"In Service", "Decommission In Progress", "Decommissioned",
                                                "Entering Maintenance", "In Maintenance"};

static const char *state_text(const char *const *texts, int state)
{
    return state >= 0 && state < (int)ARRAY_COUNT(admin_state_words) ? texts[state] : "Unknown";
}

static void print_datanode(const struct dfs_datanode *dn)
{
    printf("Name: %s:%u", dn->ip, dn->xfer_port);
    print_looked_up(dn->ip);
    printf("\nHostname: %s\n", dn->host_name);
    if (dn->rack && strcmp(dn->rack, "/default-rack"))
        printf("Rack: %s\n", dn->rack);
    if (dn->upgrade_domain)
        printf("Upgrade domain: %s\n", dn->upgrade_domain);
    printf("Decommission Status : %s\n", state_text(admin_state_words, dn->admin_state));
    line_bytes("Configured Capacity", dn->capacity);
    line_bytes("DFS Used", dn->used);
    line_bytes("Non DFS Used", dn->non_dfs_used);
    line_bytes("DFS Remaining", dn->remaining);
    line_percent("DFS Used%", dn->used, dn->capacity, 100);
    line_percent("DFS Remaining%", dn->remaining, dn->capacity, 0);
    int64_t cache_left = dn->cache_capacity - dn->cache_used;
    line_bytes("Configured Cache Capacity", dn->cache_capacity);
    line_bytes("Cache Used", dn->cache_used);
    line_bytes("Cache Remaining", cache_left);
    line_percent("Cache Used%", dn->cache_used, dn->cache_capacity, 100);
    line_percent("Cache Remaining%", cache_left, dn->cache_capacity, 0);
    printf("Xceivers: %u\n", dn->xceiver_count);
    line_date("Last contact", dn->last_update_ms);
    if (dn->last_block_report_ms)
        line_date("Last Block Report", dn->last_block_report_ms);
    else
        puts("Last Block Report: Never");
    printf("Num of Blocks: %" PRId64 "\n\n\n", dn->num_blocks);
}

static int print_datanodes(struct admin *a, enum dfs_report_type type, bool asked, const char *word, struct err *reterr)
{
    struct dfs_datanode *nodes;
    size_t count;
    int rc = dfs_datanode_report(a->fs, type, &a->arena, &nodes, &count, reterr);
    if (rc < 0)
        return rc;
    if (count || asked)
        printf("%s datanodes (%zu):\n\n", word, count);
    for (size_t i = 0; i < count; i++)
        print_datanode(&nodes[i]);
    return 0;
}

static void print_block_stats(const struct dfs_stats *st, const Hdfs__GetFsReplicatedBlockStatsResponseProto *blocks,
                              const Hdfs__GetFsECBlockGroupStatsResponseProto *groups)
{
    printf("Replicated Blocks:\n"
           "\tUnder replicated blocks: %" PRId64 "\n"
           "\tBlocks with corrupt replicas: %" PRId64 "\n"
           "\tMissing blocks: %" PRId64 "\n"
           "\tMissing blocks (with replication factor 1): %" PRId64 "\n",
           blocks ? (int64_t)blocks->low_redundancy : st->under_replicated,
           blocks ? (int64_t)blocks->corrupt_blocks : st->corrupt_blocks,
           blocks ? (int64_t)blocks->missing_blocks : st->missing_blocks,
           blocks ? (int64_t)blocks->missing_repl_one_blocks : st->missing_repl_one_blocks);
    if (blocks && blocks->has_highest_prio_low_redundancy_blocks)
        printf("\tLow redundancy blocks with highest priority to recover: %" PRIu64 "\n",
               blocks->highest_prio_low_redundancy_blocks);
    printf("\tPending deletion blocks: %" PRId64 "\n",
           blocks ? (int64_t)blocks->pending_deletion_blocks : st->pending_deletion_blocks);
    if (!groups)
        return;
    printf("Erasure Coded Block Groups: \n"
           "\tLow redundancy block groups: %" PRIu64 "\n"
           "\tBlock groups with corrupt internal blocks: %" PRIu64 "\n"
           "\tMissing block groups: %" PRIu64 "\n",
           groups->low_redundancy, groups->corrupt_blocks, groups->missing_blocks);
    if (groups->has_highest_prio_low_redundancy_blocks)
        printf("\tLow redundancy blocks with highest priority to recover: %" PRIu64 "\n",
               groups->highest_prio_low_redundancy_blocks);
    printf("\tPending deletion blocks: %" PRIu64 "\n", groups->pending_deletion_blocks);
}

static int print_summary(struct admin *a, struct err *reterr)
{
    struct dfs_stats st;
    bool safe_mode;
    int rc = dfs_statfs(a->fs, &st, reterr);
    if (rc < 0 || (rc = dfs_safemode(a->fs, DFS_SAFEMODE_GET, &safe_mode, reterr)) < 0)
        return rc;
    Hdfs__GetFsReplicatedBlockStatsRequestProto blocks_request =
        HDFS__GET_FS_REPLICATED_BLOCK_STATS_REQUEST_PROTO__INIT;
    Hdfs__GetFsECBlockGroupStatsRequestProto groups_request = HDFS__GET_FS_ECBLOCK_GROUP_STATS_REQUEST_PROTO__INIT;
    ProtobufCMessage *blocks = NULL, *groups = NULL;
    rc = admin_call(a, "getFsReplicatedBlockStats", &blocks_request.base,
                    &hdfs__get_fs_replicated_block_stats_response_proto__descriptor, &blocks, reterr);
    if (rc == 0)
        rc = admin_call(a, "getFsECBlockGroupStats", &groups_request.base,
                        &hdfs__get_fs_ecblock_group_stats_response_proto__descriptor, &groups, reterr);
    if (rc < 0 && rc != ERR_NO_SUCH_METHOD) /* servers before 3.1 have neither; getFsStats says as much */
        return rc;
    if (safe_mode)
        puts("Safe mode is ON");
    int64_t present = st.used + st.remaining;
    line_bytes("Configured Capacity", st.capacity);
    line_bytes("Present Capacity", present);
    line_bytes("DFS Remaining", st.remaining);
    line_bytes("DFS Used", st.used);
    char percent[HUMAN_MAX];
    printf("DFS Used%%: %s\n", human_percent(present ? (double)st.used / (double)present : 0, 2, percent));
    print_block_stats(&st, (void *)blocks, (void *)groups);
    puts("\n-------------------------------------------------");
    return 0;
}

int report_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct {
        const char *option, *word;
        enum dfs_report_type type;
        bool asked;
    } lists[] = {
        {"-live", "Live", DFS_REPORT_LIVE},
        {"-dead", "Dead", DFS_REPORT_DEAD},
        {"-decommissioning", "Decommissioning", DFS_REPORT_DECOMMISSIONING},
        {"-enteringmaintenance", "Entering maintenance", DFS_REPORT_ENTERING_MAINTENANCE},
        {"-inmaintenance", "In maintenance", DFS_REPORT_IN_MAINTENANCE},
    };
    bool all = true;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "-slownodes"))
            return err_set(reterr, ERR_UNSUPPORTED, "-slownodes is not supported by this client");
        size_t k = 0;
        while (k < ARRAY_COUNT(lists) && strcmp(argv[i], lists[k].option))
            k++;
        if (k == ARRAY_COUNT(lists))
            return admin_misuse(a, reterr, "Illegal option %s", argv[i]);
        lists[k].asked = true;
        all = false;
    }
    int rc = print_summary(a, reterr);
    for (size_t k = 0; rc == 0 && k < ARRAY_COUNT(lists); k++)
        if (all || lists[k].asked)
            rc = print_datanodes(a, lists[k].type, lists[k].asked, lists[k].word, reterr);
    return rc;
}

static int by_rack(const void *x, const void *y)
{
    const struct dfs_datanode *a = x, *b = y;
    int order = strcmp(a->rack, b->rack);
    if (!order)
        order = strcmp(a->ip, b->ip);
    return order ? order : a->xfer_port - b->xfer_port;
}

int topology_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    struct dfs_datanode *nodes;
    size_t count;
    int rc = dfs_datanode_report(a->fs, DFS_REPORT_ALL, &a->arena, &nodes, &count, reterr);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        if (!nodes[i].rack)
            nodes[i].rack = "/default-rack";
    if (count)
        qsort(nodes, count, sizeof *nodes, by_rack);
    for (size_t i = 0; i < count; i++) {
        const struct dfs_datanode *dn = &nodes[i];
        if (!i || strcmp(dn->rack, nodes[i - 1].rack))
            printf("%sRack: %s\n", i ? "\n" : "", dn->rack);
        printf("   %s:%u", dn->ip, dn->xfer_port);
        print_looked_up(dn->ip);
        printf(" %s\n", state_text(admin_state_names, dn->admin_state));
    }
    if (count)
        putchar('\n');
    return 0;
}
