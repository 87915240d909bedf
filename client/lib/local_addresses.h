/* Which datanodes are on this host. Immutable once made; any thread may ask. */
#ifndef CAIRN_CLIENT_LIB_LOCAL_ADDRESSES_H
#define CAIRN_CLIENT_LIB_LOCAL_ADDRESSES_H

#include <stdbool.h>

struct local_addresses;

/* only: this address alone is ours (several "hosts" share one machine on 127.0.0.x), or NULL or "": those of the
 * network interfaces, and 127.0.0.0/8. */
struct local_addresses *local_addresses_new(const char *only);
void local_addresses_free(struct local_addresses *l);
bool local_addresses_have(const struct local_addresses *l, const char *ip);

#endif
