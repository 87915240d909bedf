/* Connections to datanodes, kept for a moment after a read or a write so that the next one needs no handshake. Any
 * thread. */
#ifndef CAIRN_CLIENT_LIB_PEER_CACHE_H
#define CAIRN_CLIENT_LIB_PEER_CACHE_H

#include <stdint.h>

#define PEER_KEEP_MS                                                                                                   \
    3000 /* who answers waits longer for the next request: datanodes 4 s, unless they are told else                    \
          */

struct peer_cache;

struct peer_cache *peer_cache_new(void);
void peer_cache_free(struct peer_cache *c); /* closes what is kept; NULL is fine */
/* A kept connection to address ("ip:port", or whatever names the peer), now the caller's, or -1. The datanode may have
 * closed it in the meantime.
 */
int peer_cache_take(struct peer_cache *c, const char *address);
void peer_cache_put(struct peer_cache *c, const char *address, int fd); /* takes fd, in any case */

#endif
