/* What is known of one folder: some of its entries, in order, and between which of them there are no others. Guarded by
 * known_names.c's lock. */
#ifndef CAIRN_FUSE_POSIX_KNOWN_FOLDER_H
#define CAIRN_FUSE_POSIX_KNOWN_FOLDER_H

#include <stdatomic.h>

#include "client/lib/posix.h"
#include "fuse/posix/known_names.h"

struct known_entry {
    struct known_entry *next_of_inode; /* in known_names.c's table */
    struct known_folder *folder;
    int64_t until_ms;
    int64_t gap_until_ms;   /* no other name is between this one and the next known, or the end; 0: nobody knows */
    bool has_attr;          /* else only that there is such a name */
    struct posix_attr attr; /* id 0: there is no such name */
    char name[];            /* and a symbolic link's target */
};

struct known_folder {
    struct known_folder *next;         /* in its bucket */
    struct known_folder *left, *right; /* in the clock */
    uint64_t id;
    struct known_entry **entries; /* by name */
    size_t count, capacity;
    int64_t gap_until_ms; /* before the first one */
    _Atomic bool was_used;
    bool is_begun;          /* by a look for which something was fetched */
    _Atomic uint32_t looks; /* in all */
    _Atomic uint32_t asked; /* of them, since something was fetched */
    _Atomic uint64_t hits;  /* answered from here */
    uint64_t fetched;       /* entries, ahead of their being asked for */
};

struct known_names;
/* known_names.c's: entries come and go by these. NULL: what it needs has no place. */
struct known_entry *known_entry_new(struct known_names *k, struct known_folder *f, const char *name,
                                    const struct posix_attr *attr, int64_t until_ms);
void known_entry_free(struct known_names *k, struct known_entry *e);

/* The first that does not come before the name. */
size_t known_folder_at(const struct known_folder *f, const char *name);
bool known_folder_is_at(const struct known_folder *f, size_t at, const char *name);
/* The gap that ends before this place. */
int64_t *known_folder_gap(struct known_folder *f, size_t at);
void known_folder_put_page(struct known_names *k, struct known_folder *f, const struct known_page *p, int64_t until_ms);
/* As it is now, where that says more than what is known. */
void known_folder_put(struct known_names *k, struct known_folder *f, const char *name, const struct posix_attr *attr,
                      int64_t now_ms, int64_t until_ms);
void known_folder_forget(struct known_names *k, struct known_folder *f, const char *name);
void known_folder_clear(struct known_names *k, struct known_folder *f);

#endif
