/* /jmx: beans as Hadoop's daemons show them, by the names that dashboards and exporters read. A daemon makes its beans
 * anew for each request. */
#ifndef CAIRN_COMMON_JMX_H
#define CAIRN_COMMON_JMX_H

#include <jansson.h>

#include "common/http.h"

json_t *jmx_bean(json_t *beans, const char *name, const char *type); /* appended to the array; borrowed from it */
void jmx_number(json_t *bean, const char *name, int64_t value);
void jmx_double(json_t *bean, const char *name, double value);
void jmx_bool(json_t *bean, const char *name, bool value);
void jmx_text(json_t *bean, const char *name, const char *value); /* bytes that are no UTF-8: "" */
void jmx_inner(json_t *bean, const char *name, json_t *value);    /* taken; Hadoop's way: JSON inside a string */

/* What a JVM would tell of itself, about this process: java.lang's Memory, Runtime, OperatingSystem and Threading, and
 * Hadoop:service=SERVICE,name=JvmMetrics. */
void jmx_add_process(json_t *beans, const char *service, int64_t started_wall_ms);
int64_t jmx_thread_count(void);
void jmx_add_text(json_t *beans, const struct buf *text); /* a bean that is written already */
/* RpcActivityForPortN, from the metrics of the RPC server. */
void jmx_add_rpc(json_t *beans, const char *service, unsigned port);

/* Answers with what ?qry=PATTERN ("*" stands for anything) or ?get=BEAN::ATTRIBUTE asks for. Takes `beans`. */
void jmx_answer(struct http_request *request, struct http_reply *reply, json_t *beans);

#endif
