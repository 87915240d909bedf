#include "common/http_page.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><style>"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:66em;padding:0 "
    "1em;color:#222}h1{font-size:1.4em}"
    "h2{font-size:1.1em;margin-top:1.6em}table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}"
    "th,td{text-align:left;padding:.25em .8em .25em 0;border-bottom:1px solid #ddd}td.n,th.n{text-align:right}"
    "th{color:#666;font-weight:500}.bad{color:#b00}.ok{color:#070}a{color:#046;text-decoration:none}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,td{border-color:#333}a{color:#8bf}}</"
    "style>";

void http_page_begin(struct http_reply *reply, const char *title)
{
    struct buf *b = &reply->body;
    reply->content_type = "text/html; charset=utf-8";
    buf_append_str(b, head);
    buf_append_str(b, "<title>");
    html_escape(b, title);
    buf_append_str(b, "</title><h1>");
    html_escape(b, title);
    buf_append_str(b, "</h1>");
}

void html_bytes(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < ARRAY_COUNT(units); unit++)
        value /= 1024;
    buf_printf(b, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
}
