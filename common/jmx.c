#include "common/jmx.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/metrics.h"

json_t *jmx_bean(json_t *beans, const char *name, const char *type)
{
    json_t *bean = json_object();
    jmx_text(bean, "name", name);
    jmx_text(bean, "modelerType", type);
    json_array_append_new(beans, bean);
    return bean;
}

void jmx_number(json_t *bean, const char *name, int64_t value)
{
    json_object_set_new(bean, name, json_integer((json_int_t)value));
}

void jmx_double(json_t *bean, const char *name, double value)
{
    json_object_set_new(bean, name, json_real(value));
}

void jmx_bool(json_t *bean, const char *name, bool value)
{
    json_object_set_new(bean, name, json_boolean(value));
}

void jmx_text(json_t *bean, const char *name, const char *value)
{
    json_t *text = json_string(value);
    json_object_set_new(bean, name, text ? text : json_string(""));
}

void jmx_inner(json_t *bean, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    jmx_text(bean, name, text ? text : "{}");
    free(text);
    json_decref(value);
}

/* ---- this process ---- */

static int64_t proc_number(const char *path, const char *key)
{
    char line[256];
    long long value = 0;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) {
            value = strtoll(line + strlen(key), NULL, 10);
            break;
        }
    if (f)
        fclose(f);
    return value;
}

static int64_t folder_entries(const char *path)
{
    DIR *d = opendir(path);
    int64_t count = 0;
    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count > 2 ? count - 2 : 0;
}

static json_t *memory_usage(int64_t used, int64_t max)
{
    json_t *usage = json_object();
    jmx_number(usage, "init", 0);
    jmx_number(usage, "used", used);
    jmx_number(usage, "committed", used);
    jmx_number(usage, "max", max);
    return usage;
}

static void add_memory(json_t *beans, int64_t resident, int64_t total)
{
    json_t *b = jmx_bean(beans, "java.lang:type=Memory", "sun.management.MemoryImpl");
    json_object_set_new(b, "HeapMemoryUsage", memory_usage(resident, total));
    json_object_set_new(b, "NonHeapMemoryUsage", memory_usage(0, -1));
    jmx_number(b, "ObjectPendingFinalizationCount", 0);
}

static void add_runtime(json_t *beans, int64_t started_wall_ms)
{
    char name[300], host[256] = "localhost";
    json_t *b = jmx_bean(beans, "java.lang:type=Runtime", "sun.management.RuntimeImpl");
    (void)gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%d@%s", (int)getpid(), host);
    jmx_text(b, "Name", name);
    jmx_number(b, "Pid", getpid());
    jmx_number(b, "StartTime", started_wall_ms);
    jmx_number(b, "Uptime", clock_wall_ms() - started_wall_ms);
    jmx_text(b, "VmName", "none: native code");
    jmx_text(b, "VmVersion", "");
    jmx_text(b, "SpecVersion", "");
}

static void add_system(json_t *beans, int64_t total, int64_t free_bytes)
{
    struct rusage usage;
    struct rlimit files = {0};
    struct utsname system = {0};
    double load = 0;
    json_t *b = jmx_bean(beans, "java.lang:type=OperatingSystem", "com.sun.management.internal.OperatingSystemImpl");
    getrusage(RUSAGE_SELF, &usage);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    (void)uname(&system);
    if (getloadavg(&load, 1) != 1)
        load = -1;
    jmx_text(b, "Name", system.sysname);
    jmx_text(b, "Version", system.release);
    jmx_text(b, "Arch", system.machine);
    jmx_number(b, "AvailableProcessors", sysconf(_SC_NPROCESSORS_ONLN));
    jmx_double(b, "SystemLoadAverage", load);
    jmx_number(b, "OpenFileDescriptorCount", folder_entries("/proc/self/fd"));
    jmx_number(b, "MaxFileDescriptorCount", (int64_t)files.rlim_cur);
    jmx_number(b, "ProcessCpuTime",
               ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
                   ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000);
    jmx_number(b, "TotalPhysicalMemorySize", total);
    jmx_number(b, "FreePhysicalMemorySize", free_bytes);
    jmx_number(b, "CommittedVirtualMemorySize", proc_number("/proc/self/status", "VmSize:") * 1024);
}

int64_t jmx_thread_count(void)
{
    return proc_number("/proc/self/status", "Threads:");
}

void jmx_add_process(json_t *beans, const char *service, int64_t started_wall_ms)
{
    int64_t resident = proc_number("/proc/self/status", "VmRSS:") * 1024, threads = jmx_thread_count();
    int64_t total = proc_number("/proc/meminfo", "MemTotal:") * 1024,
            left = proc_number("/proc/meminfo", "MemAvailable:") * 1024;
    const double mib = 1 << 20;
    char name[128];
    add_memory(beans, resident, total);
    add_runtime(beans, started_wall_ms);
    add_system(beans, total, left);
    json_t *b = jmx_bean(beans, "java.lang:type=Threading", "sun.management.ThreadImpl");
    jmx_number(b, "ThreadCount", threads);
    snprintf(name, sizeof name, "Hadoop:service=%s,name=JvmMetrics", service);
    b = jmx_bean(beans, name, "JvmMetrics");
    jmx_text(b, "tag.Context", "jvm");
    jmx_text(b, "tag.ProcessName", service);
    jmx_double(b, "MemHeapUsedM", (double)resident / mib);
    jmx_double(b, "MemHeapCommittedM", (double)resident / mib);
    jmx_double(b, "MemHeapMaxM", (double)total / mib);
    jmx_double(b, "MemMaxM", (double)total / mib);
    jmx_double(b, "MemNonHeapUsedM", 0);
    jmx_double(b, "MemNonHeapCommittedM", 0);
    jmx_number(b, "GcCount", 0);
    jmx_number(b, "GcTimeMillis", 0);
    jmx_number(b, "ThreadsRunnable", threads);
    jmx_number(b, "ThreadsBlocked", 0);
    jmx_number(b, "ThreadsWaiting", 0);
    jmx_number(b, "ThreadsTimedWaiting", 0);
}

void jmx_add_text(json_t *beans, const struct buf *text)
{
    json_t *bean = json_loadb((const char *)text->base, text->len, 0, NULL);
    if (bean)
        json_array_append_new(beans, bean);
}

void jmx_add_rpc(json_t *beans, const char *service, unsigned port)
{
    char name[128], text[16];
    int64_t calls = metric_value("cairn_rpc_calls_total"), errors = metric_value("cairn_rpc_errors_total");
    snprintf(name, sizeof name, "Hadoop:service=%s,name=RpcActivityForPort%u", service, port);
    json_t *b = jmx_bean(beans, name, "RpcActivityForPort");
    snprintf(text, sizeof text, "%u", port);
    jmx_text(b, "tag.port", text);
    jmx_text(b, "tag.Context", "rpc");
    jmx_number(b, "NumOpenConnections", metric_value("cairn_rpc_connections"));
    jmx_number(b, "RpcProcessingTimeNumOps", calls);
    jmx_number(b, "RpcQueueTimeNumOps", calls);
    jmx_number(b, "TotalRequests", calls);
    jmx_number(b, "RpcCallSuccesses", calls - errors);
    jmx_number(b, "CallQueueLength", 0); /* there is no queue: a call runs where it was read */
}

/* ---- answers ---- */

/* "*" stands for any run of bytes. Linear in both: after a star, only the last one is tried again. */
static bool matches(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (*pattern == *name || *pattern == '?') {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static void dump(struct http_reply *reply, json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(2));
    if (text)
        buf_append_str(&reply->body, text);
    free(text);
    json_decref(root);
    reply->content_type = "application/json; charset=utf8";
    http_reply_header(reply, "Access-Control-Allow-Methods", "GET");
    http_reply_header(reply, "Access-Control-Allow-Origin", "*");
}

static void answer_error(struct http_reply *reply, int status, const char *text)
{
    json_t *root = json_object();
    reply->status = status;
    jmx_text(root, "result", "ERROR");
    jmx_text(root, "message", text);
    dump(reply, root);
}

static void answer_one(struct http_reply *reply, const char *get, json_t *beans)
{
    const char *colons = strstr(get, "::");
    size_t i;
    json_t *bean;
    if (!colons || colons == get || !colons[2]) {
        answer_error(reply, 400, "query format is not as expected.");
        return;
    }
    json_array_foreach(beans, i, bean)
    {
        const char *name = json_string_value(json_object_get(bean, "name"));
        json_t *value = json_object_get(bean, colons + 2);
        if (strlen(name) != (size_t)(colons - get) || strncmp(name, get, strlen(name)) != 0)
            continue;
        if (!value) {
            char text[300];
            snprintf(text, sizeof text, "No attribute with name %.200s was found.", colons + 2);
            answer_error(reply, 404, text);
            return;
        }
        dump(reply, json_pack("{s:[{s:O, s:O, s:O}]}", "beans", "name", json_object_get(bean, "name"), "modelerType",
                              json_object_get(bean, "modelerType"), colons + 2, value));
        return;
    }
    dump(reply, json_pack("{s:[]}", "beans"));
}

void jmx_answer(struct http_request *request, struct http_reply *reply, json_t *beans)
{
    const char *query = http_query(request, "qry"), *get = http_query(request, "get");
    if (get) {
        answer_one(reply, get, beans);
        json_decref(beans);
        return;
    }
    json_t *wanted = json_array(), *bean;
    size_t i;
    json_array_foreach(beans, i,
                       bean) if (!query || !*query || matches(query, json_string_value(json_object_get(bean, "name"))))
        json_array_append(wanted, bean);
    json_decref(beans);
    dump(reply, json_pack("{s:o}", "beans", wanted));
}
