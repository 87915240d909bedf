#include "rpc/jmx.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void rpc_jmx_name(const struct rpc_server *s, const char *service, char ret[128])
{
    snprintf(ret, 128, "Hadoop:service=%s,name=RpcDetailedActivityForPort%u", service, rpc_server_port(s));
}

struct writer {
    const struct rpc_server *server;
    struct buf *to;
    const char *protocol;
};
struct sum {
    const char *method, *first_protocol;
    uint64_t calls;
};

static void add_up(void *context, const char *protocol, const char *method, uint64_t calls)
{
    struct sum *s = context;
    if (strcmp(method, s->method))
        return;
    s->first_protocol = s->first_protocol ? s->first_protocol : protocol;
    s->calls += calls;
}

/* Names of methods and protocols are ours: nothing in them needs escaping. */
static void write_total(void *context, const char *protocol, const char *method, uint64_t calls)
{
    struct writer *w = context;
    struct sum s = {.method = method};
    rpc_server_each_method(w->server, add_up, &s); /* protocols may share a name: one number for all */
    if (s.first_protocol == protocol)
        buf_printf(w->to, ",\n    \"%c%sNumOps\" : %" PRIu64, toupper((unsigned char)method[0]), method + 1, s.calls);
}

static void write_by_protocol(void *context, const char *protocol, const char *method, uint64_t calls)
{
    struct writer *w = context;
    if (w->protocol != protocol)
        buf_printf(w->to, "%s\n      \"%s\" : {", w->protocol ? "}," : "", protocol);
    buf_printf(w->to, "%s\"%s\" : %" PRIu64, w->protocol == protocol ? ", " : "", method, calls);
    w->protocol = protocol;
}

void rpc_jmx_bean(const struct rpc_server *s, const char *service, struct buf *to)
{
    struct writer w = {.server = s, .to = to};
    char name[128];
    rpc_jmx_name(s, service, name);
    buf_printf(to, "  {\n    \"name\" : \"%s\",\n    \"modelerType\" : \"RpcDetailedActivityForPort%u\"", name,
               rpc_server_port(s));
    rpc_server_each_method(s, write_total, &w);
    buf_append_str(to, ",\n    \"CallsByProtocol\" : {");
    rpc_server_each_method(s, write_by_protocol, &w);
    buf_append_str(to, w.protocol ? "}\n    }\n  }" : "}\n  }");
}
