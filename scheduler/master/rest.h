/* The REST API. */
#ifndef CAIRN_SCHEDULER_MASTER_REST_H
#define CAIRN_SCHEDULER_MASTER_REST_H

#include "common/http.h"
#include "scheduler/master/master.h"

#define REST_ROUTES 5
extern const struct http_route rest_routes[REST_ROUTES]; /* context: struct master */
/* On cairn.scheduler.rest-address; *ret stays NULL when that is "off", or taken and nobody's wish. */
int rest_start(struct master *m, const struct config *config, struct http_server **ret, struct err *reterr) MUST_CHECK;
/* From the core, or from the store; NULL with err set. In the arena. */
Cairn__JobRecordProto *rest_job_record(struct master *m, const char *job_id, struct arena *a, struct err *err);

#endif
