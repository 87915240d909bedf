#include "fuse/id_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define ENTRIES_MAX 65536

struct id_entry {
    bool group;
    uint32_t number;
    char name[64];
};
struct id_table {
    struct id_entry *entries;
    size_t count;
};

static int add_line(struct id_table *t, const char *path, size_t number, char *line, struct err *reterr)
{
    struct id_entry e;
    char kind[8], rest[2];
    line[strcspn(line, "#\n")] = 0;
    if (!line[strspn(line, " \t\r")])
        return 0;
    if (sscanf(line, "%7s %63s %" SCNu32 " %1s", kind, e.name, &e.number, rest) != 3 ||
        (strcmp(kind, "uid") != 0 && strcmp(kind, "gid") != 0) || e.number == UINT32_MAX)
        return err_set(reterr, ERR_CONFIG, "%s, line %zu: want `uid NAME NUMBER` or `gid NAME NUMBER`", path, number);
    if (t->count == ENTRIES_MAX)
        return err_set(reterr, ERR_CONFIG, "%s has more than %d entries", path, ENTRIES_MAX);
    e.group = kind[0] == 'g';
    t->entries = mem_realloc_array(t->entries, t->count + 1, sizeof e);
    t->entries[t->count++] = e;
    return 0;
}

int id_table_load(const char *path, struct id_table **ret, struct err *reterr)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(reterr, errno, "table of users '%s'", path);
    struct id_table *t = mem_new(struct id_table);
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int rc = 0;
    while (rc == 0 && getline(&line, &capacity, f) > 0)
        rc = add_line(t, path, ++number, line, reterr);
    free(line);
    fclose(f);
    if (rc < 0)
        id_table_free(t);
    else
        *ret = t;
    return rc;
}

void id_table_free(struct id_table *t)
{
    if (!t)
        return;
    free(t->entries);
    free(t);
}

bool id_table_number(const struct id_table *t, bool group, const char *name, uint32_t *ret)
{
    for (size_t i = 0; t && i < t->count; i++)
        if (t->entries[i].group == group && strcmp(t->entries[i].name, name) == 0) {
            *ret = t->entries[i].number;
            return true;
        }
    return false;
}

const char *id_table_name(const struct id_table *t, bool group, uint32_t number)
{
    for (size_t i = 0; t && i < t->count; i++)
        if (t->entries[i].group == group && t->entries[i].number == number)
            return t->entries[i].name;
    return NULL;
}
