#include "rpc/registry.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/mem.h"

struct rpc_registry {
    struct rpc_registered *services;
    size_t count;
};

static size_t name_hash(struct slice name)
{
    return (size_t)XXH3_64bits(name.base, name.len);
}

static struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

void rpc_registry_add(struct rpc_registry *r, const struct rpc_service *service)
{
    r->services = mem_realloc_array(r->services, r->count + 1, sizeof *r->services);
    struct rpc_registered *s = &r->services[r->count++];
    *s = (struct rpc_registered){.protocol = mem_strdup(service->protocol),
                                 .protocol_len = strlen(service->protocol),
                                 .context = service->context,
                                 .methods = service->methods,
                                 .method_count = service->method_count};
    s->calls = mem_calloc(service->method_count + 1, sizeof *s->calls);
    size_t slots = 8;
    while (slots < 2 * service->method_count)
        slots *= 2;
    s->index_mask = slots - 1;
    s->index = mem_calloc(slots, sizeof *s->index);
    for (size_t i = 0; i < service->method_count; i++) {
        size_t at = name_hash(slice_of(service->methods[i].name)) & s->index_mask;
        while (s->index[at])
            at = (at + 1) & s->index_mask;
        s->index[at] = &service->methods[i];
    }
}

struct rpc_registry *rpc_registry_new(const struct rpc_service *services, size_t count)
{
    struct rpc_registry *r = mem_new(struct rpc_registry);
    for (size_t i = 0; i < count; i++)
        rpc_registry_add(r, &services[i]);
    return r;
}

void rpc_registry_free(struct rpc_registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        free(r->services[i].protocol);
        free(r->services[i].index);
        free((void *)(uintptr_t)r->services[i].calls);
    }
    free(r->services);
    free(r);
}

void rpc_registry_each(const struct rpc_registry *r, rpc_method_visitor visit, void *context)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t j = 0; j < r->services[i].method_count; j++)
            visit(context, r->services[i].protocol, r->services[i].methods[j].name,
                  atomic_load(&r->services[i].calls[j]));
}

const struct rpc_registered *rpc_registry_protocol(const struct rpc_registry *r, struct slice name)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->services[i].protocol_len == name.len && memcmp(r->services[i].protocol, name.base, name.len) == 0)
            return &r->services[i];
    return NULL;
}

const struct rpc_method *rpc_registered_method(const struct rpc_registered *s, struct slice name)
{
    for (size_t at = name_hash(name) & s->index_mask; s->index[at]; at = (at + 1) & s->index_mask) {
        const char *candidate = s->index[at]->name;
        if (strlen(candidate) == name.len && memcmp(candidate, name.base, name.len) == 0) /* there may be NULs in it */
            return s->index[at];
    }
    return NULL;
}
