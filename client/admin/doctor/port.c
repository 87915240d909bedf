/* What is at the other end of a port: found out by asking, since a wrong port is the commonest mistake. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "client/admin/doctor/doctor.h"
#include "common/clock.h"

#define PAGE_MAX_BYTES (8u << 20)
#define HEAD_SHOWN     512
#define TIMEOUTS_MAX   10 /* for all of an answer: what comes byte by byte never times out */

/* Whatever comes back for these bytes, at most `capacity` of it. */
static size_t ask(const struct net_address *a, const void *bytes, size_t len, int timeout_ms, char *out,
                  size_t capacity, int *ret_rc, struct err *why)
{
    AUTO(net_closep) int fd = -1;
    *ret_rc = net_connect(a, NULL, timeout_ms, &fd, why);
    if (*ret_rc < 0)
        return 0;
    net_set_timeouts(fd, timeout_ms, timeout_ms);
    if (net_write_full(fd, bytes, len, NULL) < 0)
        return 0;
    size_t got = 0;
    int64_t end_ms = clock_mono_ms() + (int64_t)TIMEOUTS_MAX * timeout_ms;
    for (ssize_t n; got < capacity && clock_mono_ms() < end_ms && (n = recv(fd, out + got, capacity - got, 0)) > 0;)
        got += (size_t)n;
    return got;
}

static bool speaks_tls(const struct net_address *a, int timeout_ms)
{
    /* The shortest ClientHello of TLS 1.0 that servers answer, if only with an alert. */
    static const unsigned char hello[] = {22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3, 0, 0,  0, 0, 0, 0,
                                          0,  0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,
                                          0,  0, 0, 0, 0,  0, 0, 0, 0,  0, 2, 0, 47, 1, 0, 0};
    unsigned char answer[5];
    int rc;
    size_t got = ask(a, hello, sizeof hello, timeout_ms, (char *)answer, sizeof answer, &rc, NULL);
    return rc == 0 && got >= 3 && (answer[0] == 21 || answer[0] == 22) && answer[1] == 3;
}

enum port_speaks port_probe(const struct net_address *a, int timeout_ms)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char head[HEAD_SHOWN + 1];
    int rc;
    struct err why = {0};
    char ip[64];
    if (net_resolve(a->host, ip, &why) < 0)
        return PORT_NO_NAME;
    size_t got = ask(a, request, strlen(request), timeout_ms, head, HEAD_SHOWN, &rc, &why);
    if (rc < 0)
        return rc == ERR_TIMEOUT || !strstr(why.text, "refused") ? PORT_UNREACHABLE : PORT_REFUSED;
    head[got] = 0;
    if (strstr(head, "Hadoop IPC port"))
        return PORT_HADOOP_RPC;
    if (!strncmp(head, "HTTP/", 5) && !strcasestr(head, "https"))
        return PORT_HTTP;
    return !strncmp(head, "HTTP/", 5) || speaks_tls(a, timeout_ms) ? PORT_TLS : PORT_SILENT;
}

/* ---- pages ---- */

static int64_t date_of_head(const char *head)
{
    const char *at = strcasestr(head, "\ndate:");
    struct tm t = {0};
    if (!at || !strptime(at + strlen("\ndate:"), " %a, %d %b %Y %H:%M:%S", &t))
        return 0;
    return (int64_t)timegm(&t) * 1000;
}

static int page_take(struct buf *raw, struct page *ret, struct err *reterr)
{
    const char *text = buf_cstr(raw), *body = strstr(text, "\r\n\r\n");
    if (sscanf(text, "HTTP/1.%*d %d", &ret->status) != 1 || !body)
        return err_set(reterr, ERR_PROTOCOL, "the answer is not HTTP");
    ret->date_ms = date_of_head(text);
    buf_append_str(&ret->body, body + 4);
    return 0;
}

int page_get(const struct net_address *a, const char *path, int timeout_ms, struct page *ret, struct err *reterr)
{
    AUTO(net_closep) int fd = -1;
    AUTO(buf_free) struct buf raw = {0};
    char name[NET_ADDRESS_MAX];
    *ret = (struct page){0};
    int rc = net_connect(a, NULL, timeout_ms, &fd, reterr);
    if (rc < 0)
        return rc;
    net_set_timeouts(fd, timeout_ms, timeout_ms);
    buf_printf(&raw, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, net_format(a, name));
    rc = net_write_full(fd, raw.base, raw.len, reterr);
    if (rc < 0)
        return rc;
    buf_clear(&raw);
    char piece[16384];
    ssize_t n;
    int64_t end_ms = clock_mono_ms() + (int64_t)TIMEOUTS_MAX * timeout_ms;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0 && raw.len < PAGE_MAX_BYTES && clock_mono_ms() < end_ms)
        buf_append(&raw, piece, (size_t)n);
    if (n > 0)
        return err_set(reterr, ERR_TIMEOUT, "%s: the answer has no end", name);
    if (n < 0 && !raw.len)
        return errno == EAGAIN ? err_set(reterr, ERR_TIMEOUT, "%s did not answer within %d ms", name, timeout_ms)
                               : err_errno(reterr, errno, "%s", name);
    return page_take(&raw, ret, reterr);
}
