/* Which clients are there: a writer is known by the connections it speaks through. A core: no I/O, no clock, guarded by
 * the namenode's lock. Many clients may share a connection; one may have several. */
#ifndef CAIRN_NAMENODE_NAMESPACE_WRITERS_H
#define CAIRN_NAMENODE_NAMESPACE_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writers;

struct writers *writers_new(void);
void writers_free(struct writers *w); /* NULL is fine */

/* The client spoke through this connection. */
void writers_seen(struct writers *w, const char *client_name, uint64_t connection);
/* Calls back for each client that has no connection left; the name is good until the callback returns. */
void writers_closed(struct writers *w, uint64_t connection, void (*on_gone)(void *context, const char *client_name),
                    void *context);
bool writers_is_here(const struct writers *w, const char *client_name);
size_t writers_count(const struct writers *w); /* clients with a connection */

#endif
