/* `cairn doctor`: what its parts share. Each part looks at one side of a file system, ours or Apache's, and adds what
 * it found wrong, with what mends it. A part that cannot look (no permission, no page) says so in a note and goes on.
 */
#ifndef CAIRN_CLIENT_ADMIN_DOCTOR_DOCTOR_H
#define CAIRN_CLIENT_ADMIN_DOCTOR_DOCTOR_H

#include <jansson.h>
#include <pthread.h>

#include "client/lib/dfs.h"
#include "common/buf.h"
#include "common/config.h"

enum severity {
    SEVERITY_OK,      /* looked at and fine */
    SEVERITY_NOTE,    /* could not be looked at, or good to know */
    SEVERITY_WARNING, /* works now; may not for long, or not for everyone */
    SEVERITY_ERROR,   /* does not work */
};
struct finding {
    enum severity severity;
    const char *code; /* static: "datanode-unreachable" */
    char *text, *remedy;
};

struct doctor {
    const struct config *config;
    const char *uri; /* what was asked for: hdfs://..., or fs.defaultFS */
    struct dfs *fs;  /* NULL until the namenode answered */
    bool write_test;
    int timeout_ms; /* for each connection that is tried */
    struct arena arena;

    struct dfs_datanode *live, *dead;
    size_t live_count, dead_count;
    bool nodes_known;
    json_t *info; /* the namenode's NameNodeInfo bean, or NULL */

    pthread_mutex_t lock; /* of what follows */
    struct finding *findings;
    size_t finding_count;
};

/* remedy NULL: there is nothing to do. Any thread. */
void doctor_say(struct doctor *d, enum severity severity, const char *code, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The parts, in the order they run. They never fail: what goes wrong is a finding. */
void doctor_check_settings(struct doctor *d);
void doctor_check_host(struct doctor *d);
bool doctor_check_namenode(struct doctor *d); /* false: nothing more can be asked */
void doctor_check_safe_mode(struct doctor *d);
void doctor_check_datanodes(struct doctor *d);
void doctor_check_blocks(struct doctor *d);
void doctor_check_folders(struct doctor *d);
void doctor_test_write(struct doctor *d);

/* ---- looking at ports ---- */

enum port_speaks {
    PORT_SILENT, /* connected, and it says nothing we understand */
    PORT_REFUSED,
    PORT_UNREACHABLE, /* no answer, no route */
    PORT_NO_NAME,     /* the host's name is not known here */
    PORT_HTTP,
    PORT_TLS,
    PORT_HADOOP_RPC,
};
enum port_speaks port_probe(const struct net_address *a, int timeout_ms);
struct page {
    int status;
    int64_t date_ms; /* the server's clock, from the Date header; 0 = it did not say */
    struct buf body;
};
/* GET with a bounded answer. page->body is the caller's to free. */
int page_get(const struct net_address *a, const char *path, int timeout_ms, struct page *ret,
             struct err *reterr) MUST_CHECK;
/* Where the namenode's pages are. */
void doctor_namenode_pages(const struct doctor *d, struct net_address *ret);

#endif
