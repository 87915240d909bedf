#include "webhdfs/origin.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

static bool list_has(const char *list, const char *word, size_t len)
{
    for (const char *at = list; *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (n && n == len && strncmp(at, word, len) == 0)
            return true;
        at += n;
    }
    return false;
}

/* Every word of `words` is in the list; NULL: there is none to ask for. */
static bool list_has_all(const char *list, const char *words)
{
    for (const char *at = words; at && *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (n && !list_has(list, at, n))
            return false;
        at += n;
    }
    return true;
}

/* "*" stands for any run of characters but spaces. */
static bool origin_matches(const char *pattern, size_t pattern_len, const char *origin, size_t len)
{
    size_t p = 0, o = 0, star = pattern_len, retry = 0;
    while (o < len) {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            retry = o;
        } else if (p < pattern_len && pattern[p] == origin[o]) {
            p++;
            o++;
        } else if (star < pattern_len) {
            p = star + 1;
            o = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

static bool regex_matches(const char *pattern, size_t pattern_len, const char *text, size_t len)
{
    char expression[1024], value[1024];
    regex_t compiled;
    if (pattern_len + 5 > sizeof expression || len >= sizeof value)
        return false;
    snprintf(expression, sizeof expression, "^(%.*s)$", (int)pattern_len, pattern);
    snprintf(value, sizeof value, "%.*s", (int)len, text);
    if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool found = regexec(&compiled, value, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

static bool is_allowed(const char *allowed, const char *origin, size_t len)
{
    for (const char *at = allowed; *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        bool is_regex = n > 6 && strncmp(at, "regex:", 6) == 0;
        if (n && (is_regex ? regex_matches(at + 6, n - 6, origin, len) : origin_matches(at, n, origin, len)))
            return true;
        at += n;
    }
    return false;
}

/* An Origin header may list several; one that is allowed is enough. */
static bool any_is_allowed(const char *allowed, const char *origins)
{
    for (const char *at = origins; *at;) {
        at += strspn(at, " ");
        size_t n = strcspn(at, " ");
        if (n && is_allowed(allowed, at, n))
            return true;
        at += n;
    }
    return false;
}

void origin_add_headers(struct http_request *request, struct http_reply *reply, void *config)
{
    const char *origin = http_header(request, "Origin");
    if (!origin || !config_bool(config, "hadoop.http.cross-origin.enabled"))
        return;
    const char *methods = config_str(config, "hadoop.http.cross-origin.allowed-methods"),
               *headers = config_str(config, "hadoop.http.cross-origin.allowed-headers");
    if (!any_is_allowed(config_str(config, "hadoop.http.cross-origin.allowed-origins"), origin) ||
        !list_has_all(methods, http_header(request, "Access-Control-Request-Method")) ||
        !list_has_all(headers, http_header(request, "Access-Control-Request-Headers")))
        return;
    http_reply_header(reply, "Access-Control-Allow-Origin", origin);
    http_reply_header(reply, "Access-Control-Allow-Credentials", "true");
    http_reply_header(reply, "Access-Control-Allow-Methods", methods);
    http_reply_header(reply, "Access-Control-Allow-Headers", headers);
    http_reply_header(reply, "Access-Control-Max-Age", config_str(config, "hadoop.http.cross-origin.max-age"));
}

static bool is_browser(const char *user_agent, const char *patterns)
{
    for (const char *at = patterns; user_agent && *at;) {
        at += strspn(at, ",");
        size_t n = strcspn(at, ",");
        if (n && regex_matches(at, n, user_agent, strlen(user_agent)))
            return true;
        at += n;
    }
    return false;
}

bool origin_is_trusted(const struct http_request *request, const struct config *config)
{
    if (!config_bool(config, "dfs.webhdfs.rest-csrf.enabled"))
        return true;
    const char *method = http_method(request);
    return !is_browser(http_header(request, "User-Agent"),
                       config_str(config, "dfs.webhdfs.rest-csrf.browser-useragents-regex")) ||
           list_has(config_str(config, "dfs.webhdfs.rest-csrf.methods-to-ignore"), method, strlen(method)) ||
           http_header(request, config_str(config, "dfs.webhdfs.rest-csrf.custom-header"));
}
