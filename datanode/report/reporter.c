#include "datanode/report/reporter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/advertised.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "datanode/report/reporter_impl.h"

#define RETRY_FIRST_MS               100
#define RETRY_MAX_MS                 5000
#define CALL_TIMEOUT_MS              60000
#define WORKERS                      4
#define HEARTBEAT_SOON_MS            200
#define HEARTBEAT_SELDOM_MS          60000 /* longer intervals are set by who wants few of them */
#define COMMANDS_EXPECTED_MS         5000
#define HEARTBEATS_WITHOUT_LEASE_MAX 10 /* then the report goes out without one */

/* ---- who we are ---- */

void registration_fill(struct reporter *r, struct registration *ret)
{
    pthread_mutex_lock(&r->lock);
    ret->self = r->self;
    pthread_mutex_unlock(&r->lock);
    struct self *s = &ret->self;
    ret->message = (Hdfs__DatanodeRegistrationProto)HDFS__DATANODE_REGISTRATION_PROTO__INIT;
    ret->id = (Hdfs__DatanodeIDProto)HDFS__DATANODE_IDPROTO__INIT;
    ret->storage = (Hdfs__StorageInfoProto)HDFS__STORAGE_INFO_PROTO__INIT;
    ret->keys = (Hdfs__ExportedBlockKeysProto)HDFS__EXPORTED_BLOCK_KEYS_PROTO__INIT;
    ret->key = (Hdfs__BlockKeyProto)HDFS__BLOCK_KEY_PROTO__INIT;
    ret->id.ipaddr = s->ip;
    ret->id.hostname = s->hostname;
    ret->id.datanodeuuid = s->uuid;
    ret->id.xferport = s->transfer_port;
    ret->id.infoport = s->http_port;
    ret->id.ipcport = s->ipc_port;
    ret->storage.layoutversion = (uint32_t)DN_LAYOUT_VERSION;
    ret->storage.namespceid = s->pool.namespace_id;
    ret->storage.clusterid = s->pool.cluster_id;
    ret->storage.ctime = s->pool.ctime_ms;
    ret->keys.currentkey = &ret->key;
    ret->message.datanodeid = &ret->id;
    ret->message.storageinfo = &ret->storage;
    ret->message.keys = &ret->keys;
    ret->message.softwareversion = (char *)SOFTWARE_VERSION;
}

void reporter_self(struct reporter *r, struct arena *a, Hdfs__DatanodeIDProto *ret)
{
    struct registration *reg = arena_new(a, struct registration);
    registration_fill(r, reg);
    *ret = reg->id;
}

bool means_unregistered(int code)
{
    return code == ERR_UNREGISTERED_NODE || code == ERR_DISALLOWED_NODE || code == ERR_INCORRECT_VERSION;
}

void reporter_lose_registration(struct reporter *r)
{
    pthread_mutex_lock(&r->lock);
    r->registered = false;
    pthread_cond_signal(&r->actor_wake);
    pthread_mutex_unlock(&r->lock);
}

/* What the settings say, and for clients on a network of ours the address we have there: "0.0.0.0/0=outside" is not
 * meant for our neighbours. */
static char *advertised_with_own_subnets(const struct settings *s, char out[ADVERTISED_TEXT_MAX + 1])
{
    struct ifaddrs *list = NULL;
    int len = snprintf(out, ADVERTISED_TEXT_MAX + 1, "%s", s->advertised);
    if (*s->local_ip || getifaddrs(&list) < 0)
        return out; /* bound to one address: the namenode knows it */
    for (struct ifaddrs *i = list; i && len < ADVERTISED_TEXT_MAX; i = i->ifa_next) {
        char ip[INET_ADDRSTRLEN];
        if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_LOOPBACK)
            continue;
        const struct sockaddr_in *a = (const void *)i->ifa_addr, *mask = (const void *)i->ifa_netmask;
        if (!inet_ntop(AF_INET, &a->sin_addr, ip, sizeof ip))
            continue;
        int n = snprintf(out + len, (size_t)(ADVERTISED_TEXT_MAX + 1 - len), ",%s/%d=%s", ip,
                         __builtin_popcount(mask->sin_addr.s_addr), ip);
        if (len + n > ADVERTISED_TEXT_MAX)
            out[len] = 0; /* what does not fit is left out */
        len += n;
    }
    freeifaddrs(list);
    return out;
}

/* ---- handshake ---- */

static int copy_text(char *to, size_t to_bytes, const char *from, const char *what, struct err *reterr)
{
    if (!*from || strlen(from) >= to_bytes)
        return err_set(reterr, ERR_PROTOCOL, "the namenode's %s is empty or too long", what);
    snprintf(to, to_bytes, "%s", from);
    return 0;
}

static int ask_version(struct reporter *r, struct arena *a, struct pool_identity *ret, struct err *reterr)
{
    Hdfs__VersionRequestProto request = HDFS__VERSION_REQUEST_PROTO__INIT;
    ProtobufCMessage *message;
    int rc = rpc_client_call(r->rpc, "versionRequest", &request.base, &hdfs__version_response_proto__descriptor, a,
                             &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__NamespaceInfoProto *info = ((const Hdfs__VersionResponseProto *)message)->info;
    struct pool_identity pool = {.namespace_id = info->storageinfo->namespceid, .ctime_ms = info->storageinfo->ctime};
    rc = copy_text(pool.pool_id, sizeof pool.pool_id, info->blockpoolid, "block pool id", reterr);
    if (rc == 0)
        rc = copy_text(pool.cluster_id, sizeof pool.cluster_id, info->storageinfo->clusterid, "cluster id", reterr);
    if (rc == 0)
        *ret = pool;
    return rc;
}

static int register_self(struct reporter *r, struct arena *a, struct err *reterr)
{
    Hdfs__RegisterDatanodeRequestProto request = HDFS__REGISTER_DATANODE_REQUEST_PROTO__INIT;
    struct registration reg;
    ProtobufCMessage *message;
    registration_fill(r, &reg);
    request.registration = &reg.message;
    char own_ip[64]; /* it differs from what the namenode sees if addresses are translated on the way */
    if (rpc_client_local_ip(r->rpc, own_ip))
        reg.id.ipaddr = own_ip;
    char advertised[ADVERTISED_TEXT_MAX + 1];
    if (*r->dn->settings.advertised)
        reg.message.advertised = advertised_with_own_subnets(&r->dn->settings, advertised);
    int rc = rpc_client_call(r->rpc, "registerDatanode", &request.base,
                             &hdfs__register_datanode_response_proto__descriptor, a, &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__DatanodeIDProto *id = ((const Hdfs__RegisterDatanodeResponseProto *)message)->registration->datanodeid;
    if (strcmp(id->datanodeuuid, reg.self.uuid) != 0)
        return err_set(reterr, ERR_PROTOCOL, "the namenode registered us as %s, we are %s", id->datanodeuuid,
                       reg.self.uuid);
    pthread_mutex_lock(&r->lock);
    if (*id->ipaddr && strlen(id->ipaddr) < sizeof r->self.ip)
        snprintf(r->self.ip, sizeof r->self.ip, "%s", id->ipaddr);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

static int handshake(struct reporter *r, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct pool_identity pool;
    arena_init(&a, REPORT_ARENA_BYTES);
    int rc = ask_version(r, &a, &pool, reterr);
    if (rc < 0)
        return rc;
    rc = block_store_open_pool(r->dn->store, &pool, reterr);
    if (rc < 0) {
        if (rc == ERR_BAD_STATE) {
            pthread_mutex_lock(&r->lock);
            r->fatal = *reterr;
            pthread_cond_broadcast(&r->registered_changed);
            pthread_mutex_unlock(&r->lock);
        }
        return rc;
    }
    pthread_mutex_lock(&r->lock);
    r->self.pool = pool;
    pthread_mutex_unlock(&r->lock);
    rc = register_self(r, &a, reterr);
    if (rc < 0)
        return rc;
    commands_forget(r);
    int64_t now_ms = clock_mono_ms();
    r->lease_id = 0;
    r->heartbeats_without_lease = 0;
    r->peers_version = 0; /* a namenode that was restarted counts anew */
    r->full_report_due_ms = now_ms;
    r->next_heartbeat_ms = now_ms;
    pthread_mutex_lock(&r->lock);
    if (!r->ready && r->dn->settings.report_initial_delay_ms > 0)
        r->full_report_due_ms += random() % r->dn->settings.report_initial_delay_ms;
    r->registered = true;
    pthread_cond_broadcast(&r->registered_changed);
    pthread_cond_signal(&r->sender_wake);
    log_info("report", "registered with=%s uuid=%s address=%s:%u pool=%s", r->dn->settings.namenode.host, r->self.uuid,
             r->self.ip, r->self.transfer_port, pool.pool_id);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

/* ---- the actor ---- */

static void actor_sleep_locked(struct reporter *r, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&r->actor_wake, &r->lock, &t);
}

static void log_away(struct reporter *r, const char *what, const struct err *why)
{
    if (!r->away_logged)
        log_warn("report", "%s failed, will go on trying: %s", what, why->text);
    r->away_logged = true;
}

static void log_back(struct reporter *r)
{
    if (r->away_logged)
        log_info("report", "the namenode answers again");
    r->away_logged = false;
}

static void full_report_if_due(struct reporter *r)
{
    struct err why;
    int64_t now_ms = clock_mono_ms();
    bool without_lease = r->heartbeats_without_lease >= HEARTBEATS_WITHOUT_LEASE_MAX;
    if (now_ms < r->full_report_due_ms || (!r->lease_id && !without_lease))
        return;
    uint64_t lease_id = r->lease_id;
    r->lease_id = 0;
    r->heartbeats_without_lease = 0;
    int rc = send_full_report(r, lease_id, &why);
    if (rc < 0) {
        log_warn("report", "full block report failed: %s", why.text);
        if (means_unregistered(rc))
            reporter_lose_registration(r);
        r->full_report_due_ms = clock_mono_ms() + r->dn->settings.heartbeat_ms;
        return;
    }
    now_ms = clock_mono_ms();
    r->full_report_due_ms = now_ms + r->dn->settings.report_interval_ms;
    pthread_mutex_lock(&r->lock);
    r->last_full_report_ms = now_ms;
    r->ready = true;
    pthread_cond_broadcast(&r->registered_changed);
    pthread_mutex_unlock(&r->lock);
}

/* With the heartbeats; a node that keeps nothing in memory has nothing to say. */
static void cache_report_if_due(struct reporter *r)
{
    struct err why;
    int64_t now_ms = clock_mono_ms();
    if (!r->dn->settings.locked_bytes_max || now_ms < r->cache_report_due_ms)
        return;
    r->cache_report_due_ms = now_ms + r->dn->settings.cache_report_interval_ms;
    if (send_cache_report(r, &why) < 0)
        log_warn("report", "cache report failed: %s", why.text);
}

static void one_round(struct reporter *r)
{
    struct err why;
    int64_t now_ms = clock_mono_ms();
    if (now_ms >= r->next_heartbeat_ms) {
        bool want_lease = now_ms >= r->full_report_due_ms && !r->lease_id;
        int rc = send_heartbeat(r, want_lease, &why);
        if (rc < 0) {
            log_away(r, "heartbeat", &why);
            if (means_unregistered(rc))
                reporter_lose_registration(r);
        } else {
            log_back(r);
            r->heartbeats_without_lease += want_lease && !r->lease_id;
        }
        int64_t period_ms = r->dn->settings.heartbeat_ms;
        if (rc < 0 && period_ms > 1000)
            period_ms = 1000; /* it may be back in a moment */
        r->next_heartbeat_ms = now_ms + period_ms;
    }
    full_report_if_due(r);
    cache_report_if_due(r);
}

static bool take_wishes_locked(struct reporter *r)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms < r->commands_expected_until_ms && r->next_heartbeat_ms > now_ms + HEARTBEAT_SOON_MS)
        r->next_heartbeat_ms = now_ms + HEARTBEAT_SOON_MS;
    if (r->full_report_wanted) {
        r->full_report_wanted = false;
        r->full_report_due_ms = r->next_heartbeat_ms = 0;
    }
    if (r->storage_failed) {
        r->storage_failed = false;
        r->next_heartbeat_ms = 0;
    }
    return r->next_heartbeat_ms <= now_ms;
}

static void *actor_run(void *arg)
{
    struct reporter *r = arg;
    int64_t retry_ms = RETRY_FIRST_MS;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        bool registered = r->registered;
        struct err why;
        pthread_mutex_unlock(&r->lock);
        int rc = registered ? 0 : handshake(r, &why);
        if (rc < 0)
            log_away(r, "registration with the namenode", &why);
        else {
            log_back(r);
            one_round(r);
        }
        pthread_mutex_lock(&r->lock);
        if (rc < 0 && !r->stopping) {
            actor_sleep_locked(r, retry_ms);
            retry_ms = retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : retry_ms * 2;
            continue;
        }
        retry_ms = RETRY_FIRST_MS;
        if (!r->stopping && r->registered && !take_wishes_locked(r)) {
            int64_t wait_ms = r->next_heartbeat_ms - clock_mono_ms();
            actor_sleep_locked(r, wait_ms > 0 ? wait_ms : 1);
            take_wishes_locked(r);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- life ---- */

static const char *os_user(char *buffer, size_t bytes)
{
    struct passwd entry, *found = NULL;
    const char *named = getenv("HADOOP_USER_NAME");
    if (named && *named)
        return named;
    return getpwuid_r(geteuid(), &entry, buffer, bytes, &found) == 0 && found ? found->pw_name : "cairn";
}

static int new_client(struct reporter *r, struct err *reterr)
{
    const struct settings *s = &r->dn->settings;
    char buffer[1024];
    struct rpc_client_options o = {.addresses = &s->namenode,
                                   .address_count = 1,
                                   .protocol = DATANODE_PROTOCOL,
                                   .user = os_user(buffer, sizeof buffer),
                                   .local_ip = *s->local_ip ? s->local_ip : NULL,
                                   .call_timeout_ms = CALL_TIMEOUT_MS};
    return rpc_client_new(&o, &r->rpc, reterr);
}

static void fill_self(struct reporter *r)
{
    const struct datanode *dn = r->dn;
    snprintf(r->self.ip, sizeof r->self.ip, "%s", *dn->settings.local_ip ? dn->settings.local_ip : "127.0.0.1");
    snprintf(r->self.hostname, sizeof r->self.hostname, "%s", dn->settings.hostname);
    snprintf(r->self.uuid, sizeof r->self.uuid, "%s", block_store_uuid(dn->store));
    r->self.transfer_port = dn->transfer_port;
    r->self.http_port = dn->http_port;
    r->self.ipc_port = dn->ipc_port;
}

int reporter_start(struct datanode *dn, struct reporter *_Atomic *ret, struct err *reterr)
{
    struct reporter *r = mem_new(struct reporter);
    r->dn = dn;
    r->changes_due_ms = NEVER_MS;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->report_lock, NULL);
    pthread_mutex_init(&r->deletion_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->actor_wake, &attr);
    pthread_cond_init(&r->sender_wake, &attr);
    pthread_cond_init(&r->registered_changed, &attr);
    pthread_condattr_destroy(&attr);
    fill_self(r);
    *ret = r; /* handlers may use it from now on */
    int rc = new_client(r, reterr);
    if (rc == 0)
        rc = pool_new("dn-commands", WORKERS, &r->workers, reterr);
    if (rc == 0)
        rc = pool_new("dn-copies", WORKERS, &r->copiers, reterr);
    if (rc == 0)
        rc = pool_new("dn-cache", 1, &r->cachers, reterr);
    if (rc == 0) {
        int failed = pthread_create(&r->actor, NULL, actor_run, r);
        r->actor_started = failed == 0;
        if (!failed) {
            failed = pthread_create(&r->sender, NULL, sender_run, r);
            r->sender_started = failed == 0;
        }
        if (failed)
            rc = err_errno(reterr, failed, "cannot start the reporter's threads");
    }
    return rc;
}

void reporter_stop(struct reporter *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_broadcast(&r->actor_wake);
    pthread_cond_broadcast(&r->sender_wake);
    pthread_cond_broadcast(&r->registered_changed);
    pthread_mutex_unlock(&r->lock);
    if (r->rpc)
        rpc_client_cancel(r->rpc);
    if (r->actor_started)
        pthread_join(r->actor, NULL);
    if (r->sender_started)
        pthread_join(r->sender, NULL);
    pool_free(r->workers);
    pool_free(r->copiers);
    pool_free(r->cachers);
    rpc_client_free(r->rpc);
    changes_free(r);
    peers_free(r->peers);
    pthread_cond_destroy(&r->actor_wake);
    pthread_cond_destroy(&r->sender_wake);
    pthread_cond_destroy(&r->registered_changed);
    pthread_mutex_destroy(&r->report_lock);
    pthread_mutex_destroy(&r->deletion_lock);
    pthread_mutex_destroy(&r->lock);
    mem_freep(&r);
}

int reporter_wait_registered(struct reporter *r, int64_t timeout_ms, struct err *reterr)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += timeout_ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    int rc = 0, waited = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->ready && !r->fatal.code && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&r->registered_changed, &r->lock, &t);
    if (r->fatal.code) {
        *reterr = r->fatal;
        rc = r->fatal.code;
    } else if (!r->ready) {
        rc = err_set(reterr, ERR_TIMEOUT, "not registered within %" PRId64 " ms", timeout_ms);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

bool reporter_registered(struct reporter *r)
{
    pthread_mutex_lock(&r->lock);
    bool registered = r->registered;
    pthread_mutex_unlock(&r->lock);
    return registered;
}

void reporter_expect_commands(struct reporter *r)
{
    if (r->dn->settings.heartbeat_ms > HEARTBEAT_SELDOM_MS)
        return;
    pthread_mutex_lock(&r->lock);
    r->commands_expected_until_ms = clock_mono_ms() + COMMANDS_EXPECTED_MS;
    pthread_cond_signal(&r->actor_wake);
    pthread_mutex_unlock(&r->lock);
}

void reporter_trigger(struct reporter *r, bool full)
{
    pthread_mutex_lock(&r->lock);
    if (full)
        r->full_report_wanted = true;
    changes_due_locked(r, 0);
    pthread_cond_signal(&r->actor_wake);
    pthread_mutex_unlock(&r->lock);
}

void reporter_transfer_begin(struct reporter *r)
{
    pthread_mutex_lock(&r->lock);
    r->transfers++;
    pthread_mutex_unlock(&r->lock);
}

void reporter_transfer_end(struct reporter *r)
{
    pthread_mutex_lock(&r->lock);
    r->transfers--;
    pthread_mutex_unlock(&r->lock);
}

void reporter_status(struct reporter *r, struct reporter_status *ret)
{
    memset(ret, 0, sizeof *ret);
    net_format(&r->dn->settings.namenode, ret->namenode);
    pthread_mutex_lock(&r->lock);
    ret->registered = r->registered;
    ret->last_heartbeat_ms = r->last_heartbeat_ms;
    ret->last_full_report_ms = r->last_full_report_ms;
    ret->transfers = r->transfers;
    pthread_mutex_unlock(&r->lock);
}
