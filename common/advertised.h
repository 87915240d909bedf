/* Addresses that a server tells to some of its clients in place of its own, chosen by where the client is:
 *     10.1.0.0/16=10.1.0.5, 172.18.0.1/32=localhost:19866, 0.0.0.0/0=host.example:19866/19867/19864
 * One entry is SUBNET=HOST[:TRANSFER[/IPC[/HTTP]]]; a port that is left out is the server's own. The entry with the
 * longest matching subnet counts, of equally long ones the first. Immutable once parsed; any thread may look. */
#ifndef CAIRN_COMMON_ADVERTISED_H
#define CAIRN_COMMON_ADVERTISED_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define ADVERTISED_TEXT_MAX    4096
#define ADVERTISED_ENTRIES_MAX 64

struct advertised;
struct advertised_address {
    char host[256];
    uint16_t transfer_port, ipc_port, http_port; /* 0: the server's own */
};

/* "" and NULL give a list without entries. ERR_CONFIG names the entry. */
int advertised_parse(const char *text, struct advertised **ret, struct err *reterr) MUST_CHECK;
void advertised_free(struct advertised *a); /* NULL is fine */
void advertised_freep(struct advertised **a);
/* What a client at this address (a literal) is told; NULL: nothing special. Borrowed from the list; a list of NULL is
 * one without entries. */
const struct advertised_address *advertised_find(const struct advertised *a, const char *client_ip);

#endif
