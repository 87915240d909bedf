#include "common/http_servlets.h"

#include <dirent.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"

/* ---- /conf ---- */

/* hadoop.security.sensitive-config-keys: what stands in files that daemons share with others may be keys to their data.
 * This is its default, as expressions of POSIX's. */
#define SENSITIVE_KEYS                                                                                                 \
    "secret,password,username$,ssl.keystore.pass$,fs.s3a.*.server-side-encryption.key,fs.s3a.encryption.algorithm,"    \
    "fs.s3a.encryption.key,fs.azure\\.account.key.*,credential$,oauth.*token"

struct conf_out {
    struct buf *b;
    const char *only;
    const regex_t *sensitive; /* NULL: all are */
    bool json;
};

/* Any expression of the list. false: there is one that is not understood. */
static bool compile_any(const char *list, regex_t *ret)
{
    AUTO(buf_free) struct buf any = {0};
    for (const char *at = list; *(at += strspn(at, ", \t\n"));) {
        size_t len = strcspn(at, ", \t\n");
        buf_printf(&any, "%s%.*s", any.len ? "|" : "", (int)len, at);
        at += len;
    }
    return regcomp(ret, any.len ? buf_cstr(&any) : "$^", REG_EXTENDED | REG_NOSUB | REG_ICASE) == 0;
}

static void append_property(const char *name, const char *value, const char *source, void *arg)
{
    const struct conf_out *o = arg;
    if (!value || (o->only && strcmp(o->only, name) != 0))
        return;
    if (!o->sensitive || regexec(o->sensitive, name, 0, NULL, 0) == 0)
        value = "<redacted>";
    if (o->json) {
        json_begin(o->b, NULL, '{');
        json_text(o->b, "key", name);
        json_text(o->b, "value", value);
        json_bool(o->b, "isFinal", false);
        json_text(o->b, "resource", source);
        json_end(o->b, '}');
        return;
    }
    buf_append_str(o->b, "<property><name>");
    html_escape(o->b, name);
    buf_append_str(o->b, "</name><value>");
    html_escape(o->b, value);
    buf_append_str(o->b, "</value><final>false</final><source>");
    html_escape(o->b, source);
    buf_append_str(o->b, "</source></property>\n");
}

void conf_page(struct http_request *request, struct http_reply *reply, void *config)
{
    const char *format = http_query(request, "format"), *accept = http_header(request, "Accept"),
               *name = http_query(request, "name");
    bool json = format ? strcasecmp(format, "json") == 0 : accept && strstr(accept, "json");
    struct conf_out o = {&reply->body, name && *name ? name : NULL, NULL, json};
    if (format && !json && strcasecmp(format, "xml") != 0) {
        http_fail(reply, 400, "Bad format: %.50s", format);
        return;
    }
    if (o.only && !config_get(config, o.only)) {
        http_fail(reply, 404, "Property %.200s not found", o.only);
        return;
    }
    reply->content_type = json ? "application/json; charset=utf-8" : "text/xml; charset=utf-8";
    if (json) {
        json_begin(o.b, NULL, '{');
        json_begin(o.b, "properties", '[');
    } else {
        buf_append_str(o.b, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?><configuration>\n");
    }
    regex_t sensitive;
    const char *given = config_get(config, "hadoop.security.sensitive-config-keys");
    o.sensitive = compile_any(given ? given : SENSITIVE_KEYS, &sensitive) ? &sensitive : NULL;
    config_each(config, append_property, &o);
    if (o.sensitive)
        regfree(&sensitive);
    if (json) {
        json_end(o.b, ']');
        json_end(o.b, '}');
    } else {
        buf_append_str(o.b, "</configuration>\n");
    }
}

/* ---- /logLevel ---- */

static bool find_level(const char *text, enum log_level *ret)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {{"ERROR", LOG_LEVEL_ERROR}, {"FATAL", LOG_LEVEL_ERROR}, {"WARN", LOG_LEVEL_WARN},
                  {"INFO", LOG_LEVEL_INFO},   {"DEBUG", LOG_LEVEL_DEBUG}, {"TRACE", LOG_LEVEL_DEBUG}};
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++)
        if (strcasecmp(text, levels[i].name) == 0) {
            *ret = levels[i].level;
            return true;
        }
    return false;
}

/* Lines in the form that `hadoop daemonlog` looks for: those with the marker. There is one level for the whole process,
 * whatever log is named. */
void log_level_page(struct http_request *request, struct http_reply *reply, void *config)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    const char *log = http_query(request, "log"), *level = http_query(request, "level");
    struct buf *b = &reply->body;
    enum log_level wanted, now = LOG_LEVEL_ERROR;
    reply->content_type = "text/html; charset=utf-8";
    buf_append_str(b, "<!doctype html><title>Log level</title>\n");
    if (log) {
        buf_append_str(b, "<!-- OUTPUT -->Submitted Class Name: <b>");
        html_escape(b, log);
        buf_append_str(b, "</b><br />\n<!-- OUTPUT -->Log Class: <b>this process</b><br />\n");
    }
    if (log && level && !find_level(level, &wanted)) {
        buf_append_str(b, "<!-- OUTPUT -->Bad Level : <b>");
        html_escape(b, level);
        buf_append_str(b, "</b><br />\n");
    } else if (log && level) {
        log_set_level(wanted);
        buf_append_str(b, "<!-- OUTPUT -->Setting Level to ");
        html_escape(b, level);
        buf_append_str(b, " ...<br />\n");
    }
    while (now < LOG_LEVEL_DEBUG && log_enabled(now + 1))
        now++;
    buf_printf(b, "<!-- OUTPUT -->Effective Level: <b>%s</b><br />\n", names[now]);
}

/* ---- /stacks ---- */

static void task_line(const char *task, const char *file, char *out, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/self/task/%.20s/%s", task, file);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(out, (int)size, f))
        out[0] = 0;
    if (f)
        fclose(f);
    out[strcspn(out, "\n")] = 0;
}

/* Native threads have no stacks that a program could print of itself; the kernel knows where each one waits. */
void stacks_page(struct http_request *request, struct http_reply *reply, void *config)
{
    DIR *d = opendir("/proc/self/task");
    char name[64], stat[1024], where[128];
    buf_append_str(&reply->body, "Process Thread Dump: name, id, state, where it waits in the kernel\n");
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        task_line(e->d_name, "comm", name, sizeof name);
        task_line(e->d_name, "stat", stat, sizeof stat);
        task_line(e->d_name, "wchan", where, sizeof where);
        const char *state = strrchr(stat, ')');
        buf_printf(&reply->body, "Thread %s (%s): %c %s\n", e->d_name, name, state && state[1] ? state[2] : '?',
                   where[0] && where[0] != '0' ? where : "-");
    }
    if (d)
        closedir(d);
}
