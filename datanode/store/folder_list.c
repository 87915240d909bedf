#include "datanode/store/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/mem.h"

/* "blk_<id>" or "blk_<id>_<stamp>.meta" */
static bool parse_name(const char *name, struct found *ret)
{
    char *end;
    if (strncmp(name, "blk_", 4) != 0 || !(name[4] == '-' || (name[4] >= '0' && name[4] <= '9')))
        return false;
    errno = 0;
    *ret = (struct found){.block_id = (uint64_t)strtoll(name + 4, &end, 10)};
    if (errno || *end == 0)
        return !errno;
    if (*end != '_' || end[1] < '0' || end[1] > '9')
        return false;
    ret->is_meta = true;
    ret->gen_stamp = strtoull(end + 1, &end, 10);
    return !errno && !strcmp(end, ".meta");
}

static int compare_found(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    if (a->block_id != b->block_id)
        return a->block_id < b->block_id ? -1 : 1;
    if (a->is_meta != b->is_meta)
        return a->is_meta ? 1 : -1;
    return a->gen_stamp < b->gen_stamp ? -1 : a->gen_stamp > b->gen_stamp;
}

int folder_list_read(const char *dir, struct folder_list *list, struct err *reterr)
{
    list->count = 0;
    DIR *d = opendir(dir);
    if (!d)
        return err_errno(reterr, errno, "cannot list '%s'", dir);
    struct dirent *e;
    while ((errno = 0, e = readdir(d)) != NULL) {
        struct found f;
        struct stat st;
        if (!parse_name(e->d_name, &f))
            continue;
        if (!f.is_meta) {
            if (fstatat(dirfd(d), e->d_name, &st, 0) < 0) {
                if (errno == ENOENT)
                    continue;
                break; /* its meta file must not look like one without data */
            }
            if (!S_ISREG(st.st_mode))
                continue;
            f.bytes = (uint64_t)st.st_size;
            f.names = st.st_nlink;
        }
        if (list->count == list->capacity) {
            list->capacity = list->capacity ? list->capacity * 2 : 256;
            list->items = mem_realloc_array(list->items, list->capacity, sizeof *list->items);
        }
        list->items[list->count++] = f;
    }
    int why = errno;
    closedir(d);
    if (why)
        return err_errno(reterr, why, "cannot list '%s'", dir);
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare_found);
    return 0;
}

const struct found *folder_list_meta(const struct folder_list *list, uint64_t block_id)
{
    const struct found *best = NULL;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].is_meta && list->items[i].block_id == block_id)
            best = &list->items[i];
    return best;
}

void folder_list_free(struct folder_list *list)
{
    mem_freep(&list->items);
    *list = (struct folder_list){0};
}
