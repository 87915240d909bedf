/* Differences between snapshots, kept for the next page of the same listing: so that a listing looks through what has
 * changed once and not once for each page, and all its pages are of one moment. Any thread. */
#ifndef CAIRN_NAMENODE_SERVE_DIFF_PAGES_H
#define CAIRN_NAMENODE_SERVE_DIFF_PAGES_H

#include "namenode/namespace/snapshot_diff.h"

struct diff_pages;
struct diff_pages *diff_pages_new(void);
void diff_pages_free(struct diff_pages *p);

struct diff_kept {
    char *key; /* who asks for what */
    struct arena arena;
    struct snapshot_diff diff; /* in the arena; the rest is diff_pages.c's */
    uint64_t put_ms;
    struct diff_kept *next;
};
struct diff_kept *diff_kept_new(const char *key, size_t max_bytes);
void diff_kept_free(struct diff_kept *d);

/* The caller's from now on; NULL: there is none. */
struct diff_kept *diff_pages_take(struct diff_pages *p, const char *key);
/* For the next page. It may go at any time: those that are too much for all together, the oldest first, and those that
 * nobody asked for in a minute. */
void diff_pages_put(struct diff_pages *p, struct diff_kept *d, uint64_t now_ms);
void diff_pages_tick(struct diff_pages *p, uint64_t now_ms);

#endif
