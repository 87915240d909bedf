/* Full block reports: every replica of every storage, so that the namenode can forget what it believed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "datanode/report/reporter_impl.h"
#include "proto/block_list.h"

#define SPLIT_ABOVE    1000000 /* dfs.blockreport.split.threshold: then one call per storage */
#define DIGEST_READ_MS 2000

static void add_entry(const struct replica_view *v, void *list)
{
    block_list_add(list, &(struct block_list_entry){.block_id = v->block_id,
                                                    .length_bytes = v->disk_bytes,
                                                    .gen_stamp = v->gen_stamp,
                                                    .xxh3 = v->xxh3,
                                                    .state = (uint32_t)v->original_state});
}

struct full_report {
    struct storage_view storages[VOLUMES_MAX];
    struct block_list lists[VOLUMES_MAX];
    size_t count;
    uint64_t total;
};

static void gather(struct reporter *r, struct full_report *f)
{
    struct storage_view all[VOLUMES_MAX];
    size_t count = block_store_storages(r->dn->store, all, VOLUMES_MAX);
    for (size_t i = 0; i < count; i++) {
        if (all[i].failed)
            continue;
        block_store_each(r->dn->store, i, add_entry, &f->lists[f->count]);
        f->total += f->lists[f->count].count;
        f->storages[f->count++] = all[i];
    }
}

static Hdfs__StorageBlockReportProto *storage_message(const struct full_report *f, size_t i, struct arena *a)
{
    Hdfs__StorageBlockReportProto *m = arena_new(a, Hdfs__StorageBlockReportProto);
    Hdfs__DatanodeStorageProto *storage = arena_new(a, Hdfs__DatanodeStorageProto);
    *m = (Hdfs__StorageBlockReportProto)HDFS__STORAGE_BLOCK_REPORT_PROTO__INIT;
    *storage = (Hdfs__DatanodeStorageProto)HDFS__DATANODE_STORAGE_PROTO__INIT;
    storage->storageuuid = (char *)f->storages[i].storage_id;
    storage->has_state = storage->has_storagetype = 1;
    storage->storagetype = (Hdfs__StorageTypeProto)f->storages[i].storage_type;
    m->storage = storage;
    block_list_fill(&f->lists[i], m, a);
    return m;
}

struct report_call {
    size_t from, count; /* storages */
    int index, total;   /* of the calls */
    int64_t report_id;
    uint64_t lease_id;
};

static int call_once(struct reporter *r, const struct full_report *f, const struct report_call *c, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct registration reg;
    ProtobufCMessage *message;
    Hdfs__BlockReportRequestProto request = HDFS__BLOCK_REPORT_REQUEST_PROTO__INIT;
    Hdfs__BlockReportContextProto context = HDFS__BLOCK_REPORT_CONTEXT_PROTO__INIT;
    arena_init(&a, REPORT_ARENA_BYTES);
    registration_fill(r, &reg);
    context.totalrpcs = c->total;
    context.currpc = c->index;
    context.id = c->report_id;
    context.has_leaseid = 1;
    context.leaseid = c->lease_id;
    request.registration = &reg.message;
    request.blockpoolid = reg.self.pool.pool_id;
    request.context = &context;
    request.reports = arena_array(&a, Hdfs__StorageBlockReportProto *, c->count + 1);
    for (size_t i = 0; i < c->count; i++)
        request.reports[request.n_reports++] = storage_message(f, c->from + i, &a);
    int rc = rpc_client_call(r->rpc, "blockReport", &request.base, &hdfs__block_report_response_proto__descriptor, &a,
                             &message, reterr);
    if (rc == 0 && ((const Hdfs__BlockReportResponseProto *)message)->cmd)
        obey(r, ((const Hdfs__BlockReportResponseProto *)message)->cmd);
    return rc;
}

static int call_all(struct reporter *r, const struct full_report *f, uint64_t lease_id, struct err *reterr)
{
    struct report_call c = {.count = f->count, .total = 1, .report_id = clock_wall_ns() | 1, .lease_id = lease_id};
    if (f->total < SPLIT_ABOVE || f->count < 2)
        return call_once(r, f, &c, reterr);
    int rc = 0;
    c.count = 1;
    c.total = (int)f->count;
    for (; rc == 0 && c.from < f->count; c.from++, c.index++)
        rc = call_once(r, f, &c, reterr);
    return rc;
}

int send_full_report(struct reporter *r, uint64_t lease_id, struct err *reterr)
{
    int64_t began = clock_mono_ms();
    block_store_load_digests(r->dn->store, DIGEST_READ_MS);
    struct full_report *f = mem_new(struct full_report);
    pthread_mutex_lock(&r->report_lock);
    int rc = send_changes_locked(r, reterr);
    if (rc == 0) {
        gather(r, f);
        rc = call_all(r, f, lease_id, reterr);
    }
    pthread_mutex_unlock(&r->report_lock);
    if (rc == 0)
        log_info("report", "full block report: storages=%zu blocks=%" PRIu64 " took_ms=%" PRId64, f->count, f->total,
                 clock_mono_ms() - began);
    for (size_t i = 0; i < f->count; i++)
        block_list_free(&f->lists[i]);
    mem_freep(&f);
    return rc;
}
