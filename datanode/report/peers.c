/* How this datanode reaches the others, by their uuid, in clusters where clients are told special addresses: a client
 * names the rest of its pipeline as it reaches it, which need not be how we do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "datanode/report/reporter_impl.h"

struct peer {
    char uuid[UUID_MAX], ip[256], hostname[256];
    uint32_t transfer_port, ipc_port;
};
struct peers {
    size_t count;
    struct peer list[];
};

void peers_free(struct peers *p)
{
    free(p);
}

void peers_set(struct reporter *r, Hdfs__DatanodeIDProto *const *list, size_t count)
{
    struct peers *fresh = mem_calloc(1, sizeof *fresh + count * sizeof *fresh->list);
    for (size_t i = 0; i < count; i++) {
        struct peer *p = &fresh->list[fresh->count++];
        snprintf(p->uuid, sizeof p->uuid, "%s", list[i]->datanodeuuid);
        snprintf(p->ip, sizeof p->ip, "%s", list[i]->ipaddr);
        snprintf(p->hostname, sizeof p->hostname, "%s", list[i]->hostname);
        p->transfer_port = list[i]->xferport;
        p->ipc_port = list[i]->ipcport;
    }
    pthread_mutex_lock(&r->lock);
    struct peers *old = r->peers;
    r->peers = fresh;
    pthread_mutex_unlock(&r->lock);
    peers_free(old);
}

int reporter_peer_address(struct reporter *r, const Hdfs__DatanodeIDProto *id, enum peer_port port,
                          struct net_address *ret, struct err *reterr)
{
    bool by_name = r->dn->settings.use_hostnames;
    const char *host = by_name ? id->hostname : id->ipaddr;
    uint32_t number = port == PEER_TRANSFER ? id->xferport : id->ipcport;
    struct peer found = {0};
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; r->peers && i < r->peers->count; i++)
        if (strcmp(r->peers->list[i].uuid, id->datanodeuuid) == 0)
            found = r->peers->list[i];
    pthread_mutex_unlock(&r->lock);
    if (*found.uuid) {
        host = by_name ? found.hostname : found.ip;
        number = port == PEER_TRANSFER ? found.transfer_port : found.ipc_port;
    }
    if (!number || number > UINT16_MAX || !*host || strlen(host) >= sizeof ret->host)
        return err_set(reterr, ERR_PROTOCOL, "'%.255s:%u' is not the address of a datanode", host, number);
    *ret = (struct net_address){.port = (uint16_t)number};
    snprintf(ret->host, sizeof ret->host, "%s", host);
    return 0;
}
