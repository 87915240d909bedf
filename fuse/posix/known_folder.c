#include "fuse/posix/known_folder.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

size_t known_folder_at(const struct known_folder *f, const char *name)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(f->entries[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool known_folder_is_at(const struct known_folder *f, size_t at, const char *name)
{
    return at < f->count && strcmp(f->entries[at]->name, name) == 0;
}

int64_t *known_folder_gap(struct known_folder *f, size_t at)
{
    return at ? &f->entries[at - 1]->gap_until_ms : &f->gap_until_ms;
}

/* Room for `count` instead of those from `at` up to `end`, which are gone. */
static void make_room(struct known_folder *f, size_t at, size_t end, size_t count)
{
    size_t left = f->count - end, wanted = at + count + left;
    if (wanted > f->capacity) {
        f->capacity = wanted + wanted / 2;
        f->entries = mem_realloc_array(f->entries, f->capacity, sizeof(struct known_entry *));
    }
    if (left)
        memmove(f->entries + at + count, f->entries + end, left * sizeof(struct known_entry *));
    f->count = wanted;
}

void known_folder_put_page(struct known_names *k, struct known_folder *f, const struct known_page *p, int64_t until_ms)
{
    const char *last = p->count ? p->next[p->count - 1].name : p->from;
    size_t at = known_folder_at(f, p->from), first = p->first ? 1 : 0,
           end = p->more ? known_folder_at(f, last) : f->count;
    if (!first && known_folder_is_at(f, at, p->from))
        at++;
    bool has_last = p->more && known_folder_is_at(f, end, last) && end >= at;
    int64_t gap = !p->more ? until_ms : has_last ? f->entries[end]->gap_until_ms : 0;
    end += has_last ? 1 : 0;
    if (end < at)
        return;
    for (size_t i = at; i < end; i++)
        known_entry_free(k, f->entries[i]);
    if (!first && (at ? strcmp(f->entries[at - 1]->name, p->from) == 0 : !*p->from))
        *known_folder_gap(f, at) = until_ms;
    make_room(f, at, end, first + p->count);
    if (first)
        f->entries[at] = known_entry_new(k, f, p->from, p->first, until_ms);
    for (size_t i = 0; i < p->count; i++)
        f->entries[at + first + i] = known_entry_new(k, f, p->next[i].name, &p->next[i].attr, until_ms);
    for (size_t i = 0; i + 1 < first + p->count; i++)
        f->entries[at + i]->gap_until_ms = until_ms;
    if (first + p->count)
        f->entries[at + first + p->count - 1]->gap_until_ms = gap;
}

void known_folder_put(struct known_names *k, struct known_folder *f, const char *name, const struct posix_attr *attr,
                      int64_t now_ms, int64_t until_ms)
{
    static const struct posix_attr absent = {0};
    size_t at = known_folder_at(f, name);
    int64_t *before = known_folder_gap(f, at), gap = *before;
    bool is_there = known_folder_is_at(f, at, name), is_closed = *before > now_ms;
    if (!is_there && (!is_closed || !attr))
        return;
    if (is_there) {
        gap = f->entries[at]->gap_until_ms;
        known_entry_free(k, f->entries[at]);
    }
    if (!attr && is_closed && gap > now_ms) {
        *before = gap < *before ? gap : *before;
        make_room(f, at, at + 1, 0);
        return;
    }
    make_room(f, at, at + is_there, 1);
    f->entries[at] = known_entry_new(k, f, name, attr ? attr : &absent, until_ms);
    f->entries[at]->gap_until_ms = gap;
}

void known_folder_forget(struct known_names *k, struct known_folder *f, const char *name)
{
    size_t at = known_folder_at(f, name);
    *known_folder_gap(f, at) = 0;
    if (!known_folder_is_at(f, at, name))
        return;
    known_entry_free(k, f->entries[at]);
    make_room(f, at, at + 1, 0);
}

void known_folder_clear(struct known_names *k, struct known_folder *f)
{
    for (size_t i = 0; i < f->count; i++)
        known_entry_free(k, f->entries[i]);
    free(f->entries);
    f->entries = NULL;
    f->count = f->capacity = 0;
    f->gap_until_ms = 0;
}
