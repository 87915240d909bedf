#include "namenode/namespace/writers.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/mem.h"

#define BUCKETS_FIRST      64
#define NAMES_PER_LINK_MAX 4096 /* of one connection; more are a client's mistake, and are not followed */

struct writer;

/* One client on one connection. */
struct link {
    struct writer *writer;
    struct link *next_of_connection;
};
struct connection {
    uint64_t id;
    struct connection *next;
    struct link *links;
    size_t link_count;
};
struct writer {
    struct writer *next;
    uint64_t hash;
    size_t connections;
    char name[];
};
struct writers {
    struct writer **writers;
    struct connection **connections;
    size_t writer_buckets, connection_buckets; /* powers of two */
    size_t writer_count, connection_count;
};

struct writers *writers_new(void)
{
    struct writers *w = mem_new(struct writers);
    w->writer_buckets = w->connection_buckets = BUCKETS_FIRST;
    w->writers = mem_calloc(BUCKETS_FIRST, sizeof(struct writer *));
    w->connections = mem_calloc(BUCKETS_FIRST, sizeof(struct connection *));
    return w;
}

static void links_free(struct connection *c)
{
    for (struct link *l = c->links, *next; l; l = next) {
        next = l->next_of_connection;
        free(l);
    }
}

void writers_free(struct writers *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->connection_buckets; i++)
        for (struct connection *c = w->connections[i], *next; c; c = next) {
            next = c->next;
            links_free(c);
            free(c);
        }
    for (size_t i = 0; i < w->writer_buckets; i++)
        for (struct writer *writer = w->writers[i], *next; writer; writer = next) {
            next = writer->next;
            free(writer);
        }
    free(w->writers);
    free(w->connections);
    free(w);
}

static struct writer **writer_slot(const struct writers *w, const char *name, uint64_t hash)
{
    struct writer **slot = &w->writers[hash & (w->writer_buckets - 1)];
    while (*slot && ((*slot)->hash != hash || strcmp((*slot)->name, name)))
        slot = &(*slot)->next;
    return slot;
}

static struct connection **connection_slot(const struct writers *w, uint64_t id)
{
    struct connection **slot = &w->connections[id & (w->connection_buckets - 1)]; /* ids are consecutive */
    while (*slot && (*slot)->id != id)
        slot = &(*slot)->next;
    return slot;
}

static void writers_grow(struct writers *w)
{
    struct writer **old = w->writers;
    size_t old_count = w->writer_buckets;
    w->writer_buckets *= 2;
    w->writers = mem_calloc(w->writer_buckets, sizeof(struct writer *));
    for (size_t i = 0; i < old_count; i++)
        for (struct writer *writer = old[i], *next; writer; writer = next) {
            next = writer->next;
            struct writer **to = &w->writers[writer->hash & (w->writer_buckets - 1)];
            writer->next = *to;
            *to = writer;
        }
    free(old);
}

static void connections_grow(struct writers *w)
{
    struct connection **old = w->connections;
    size_t old_count = w->connection_buckets;
    w->connection_buckets *= 2;
    w->connections = mem_calloc(w->connection_buckets, sizeof(struct connection *));
    for (size_t i = 0; i < old_count; i++)
        for (struct connection *c = old[i], *next; c; c = next) {
            next = c->next;
            struct connection **to = &w->connections[c->id & (w->connection_buckets - 1)];
            c->next = *to;
            *to = c;
        }
    free(old);
}

static struct connection *connection_get(struct writers *w, uint64_t id)
{
    struct connection **slot = connection_slot(w, id);
    if (*slot)
        return *slot;
    struct connection *c = *slot = mem_new(struct connection);
    c->id = id;
    if (++w->connection_count > w->connection_buckets)
        connections_grow(w);
    return c;
}

static struct writer *writer_get(struct writers *w, const char *name)
{
    size_t len = strlen(name);
    uint64_t hash = XXH3_64bits(name, len);
    struct writer **slot = writer_slot(w, name, hash);
    if (*slot)
        return *slot;
    struct writer *writer = *slot = mem_zalloc(sizeof *writer + len + 1);
    memcpy(writer->name, name, len);
    writer->hash = hash;
    if (++w->writer_count > w->writer_buckets)
        writers_grow(w);
    return writer;
}

void writers_seen(struct writers *w, const char *client_name, uint64_t connection)
{
    struct connection *c = connection_get(w, connection);
    for (struct link **at = &c->links, *l; (l = *at); at = &l->next_of_connection)
        if (!strcmp(l->writer->name, client_name)) {
            *at = l->next_of_connection; /* to the front: who spoke last speaks next */
            l->next_of_connection = c->links;
            c->links = l;
            return;
        }
    if (c->link_count == NAMES_PER_LINK_MAX)
        return;
    struct link *l = mem_new(struct link);
    l->writer = writer_get(w, client_name);
    l->next_of_connection = c->links;
    c->links = l;
    c->link_count++;
    l->writer->connections++;
}

void writers_closed(struct writers *w, uint64_t connection, void (*on_gone)(void *context, const char *client_name),
                    void *context)
{
    struct connection **slot = connection_slot(w, connection), *c = *slot;
    if (!c)
        return;
    *slot = c->next;
    w->connection_count--;
    for (struct link *l = c->links; l; l = l->next_of_connection) {
        struct writer *writer = l->writer;
        if (--writer->connections)
            continue;
        on_gone(context, writer->name);
        *writer_slot(w, writer->name, writer->hash) = writer->next;
        w->writer_count--;
        free(writer);
    }
    links_free(c);
    free(c);
}

bool writers_is_here(const struct writers *w, const char *client_name)
{
    return *writer_slot(w, client_name, XXH3_64bits(client_name, strlen(client_name))) != NULL;
}

size_t writers_count(const struct writers *w)
{
    return w->writer_count;
}
