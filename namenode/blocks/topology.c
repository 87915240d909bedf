#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/internal.h"

#define RACKS_MAX     60000
#define RACK_NAME_MAX 512

uint16_t rack_intern(struct blocks *b, const char *name)
{
    for (size_t i = 0; i < b->rack_count; i++)
        if (strcmp(b->racks[i].name, name) == 0)
            return (uint16_t)i;
    if (b->rack_count == RACKS_MAX)
        return 0; /* the default rack */
    b->racks = mem_realloc_array(b->racks, b->rack_count + 1, sizeof *b->racks);
    b->racks[b->rack_count].name = mem_strdup(name);
    return (uint16_t)b->rack_count++;
}

int rack_lookup(const struct blocks *b, const char *host)
{
    size_t low = 0, high = b->rack_table_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(b->rack_table[middle].host, host);
        if (order == 0)
            return b->rack_table[middle].rack;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

uint16_t rack_of_node(struct blocks *b, const struct datanode *node)
{
    int rack = rack_lookup(b, node->ip);
    if (rack < 0)
        rack = rack_lookup(b, node->hostname);
    return rack < 0 ? 0 : (uint16_t)rack;
}

const char *blocks_rack_of(const struct blocks *b, const char *host_or_ip)
{
    int rack = rack_lookup(b, host_or_ip);
    for (size_t i = 0; rack < 0 && i < b->node_count; i++)
        if (b->nodes[i] && (strcmp(b->nodes[i]->ip, host_or_ip) == 0 || strcmp(b->nodes[i]->hostname, host_or_ip) == 0))
            rack = b->nodes[i]->rack;
    return b->racks[rack < 0 ? 0 : rack].name;
}

void racks_refresh(struct blocks *b)
{
    int first = -1;
    b->has_racks = false;
    for (size_t i = 0; i < b->node_count && !b->has_racks; i++) {
        if (!b->nodes[i] || !datanode_is_normal(b->nodes[i]))
            continue;
        b->has_racks = first >= 0 && b->nodes[i]->rack != first;
        first = b->nodes[i]->rack;
    }
}

static void free_table(struct rack_entry *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(table[i].host);
    free(table);
}

void topology_free(struct blocks *b)
{
    free_table(b->rack_table, b->rack_table_count);
    for (size_t i = 0; i < b->rack_count; i++)
        free(b->racks[i].name);
    free(b->racks);
}

static void move_nodes(struct blocks *b)
{
    for (size_t i = 0; i < b->node_count; i++) {
        struct datanode *node = b->nodes[i];
        if (!node)
            continue;
        node->rack = rack_of_node(b, node);
        node->info.rack = b->racks[node->rack].name;
    }
    racks_refresh(b);
    b->recheck_wanted = true; /* blocks may lie on one rack now, or no longer */
    sweep_request(b);
}

static int by_host(const void *x, const void *y)
{
    return strcmp(((const struct rack_entry *)x)->host, ((const struct rack_entry *)y)->host);
}

int blocks_set_topology(struct blocks *b, const char *table_text, struct err *reterr)
{
    struct rack_entry *table = NULL;
    size_t count = 0;
    unsigned line_number = 0;
    for (const char *line = table_text; *line;) {
        line_number++;
        size_t len = strcspn(line, "\n");
        char text[RACK_NAME_MAX + 300], host[256], rack[RACK_NAME_MAX], more;
        bool is_long = len >= sizeof text;
        snprintf(text, sizeof text, "%.*s", (int)(is_long ? 0 : len), line);
        text[strcspn(text, "#\r")] = '\0';
        int fields = sscanf(text, " %255s %511s %c", host, rack, &more);
        line += len + (line[len] == '\n');
        if (fields < 1 && !is_long)
            continue;
        if (fields != 2 || rack[0] != '/' || is_long) {
            free_table(table, count);
            return err_set(reterr, ERR_CONFIG, "topology table, line %u: not \"host-or-address /rack\"", line_number);
        }
        if (strlen(rack) > 1 && rack[strlen(rack) - 1] == '/')
            rack[strlen(rack) - 1] = '\0';
        table = mem_realloc_array(table, count + 1, sizeof *table);
        table[count++] = (struct rack_entry){mem_strdup(host), rack_intern(b, rack)};
    }
    if (count)
        qsort(table, count, sizeof *table, by_host);
    free_table(b->rack_table, b->rack_table_count);
    b->rack_table = table;
    b->rack_table_count = count;
    move_nodes(b);
    return 0;
}

void blocks_set_rack(struct blocks *b, const char *host_or_ip, const char *rack)
{
    uint16_t index = rack_intern(b, rack);
    for (size_t i = 0; i < b->rack_table_count; i++)
        if (strcmp(b->rack_table[i].host, host_or_ip) == 0) {
            if (b->rack_table[i].rack != index) {
                b->rack_table[i].rack = index;
                move_nodes(b);
            }
            return;
        }
    b->rack_table = mem_realloc_array(b->rack_table, b->rack_table_count + 1, sizeof *b->rack_table);
    b->rack_table[b->rack_table_count++] = (struct rack_entry){mem_strdup(host_or_ip), index};
    qsort(b->rack_table, b->rack_table_count, sizeof *b->rack_table, by_host);
    move_nodes(b);
}
