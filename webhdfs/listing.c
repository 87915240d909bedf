/* LISTSTATUS: a large directory goes out page by page while the answer is sent, so that it costs the memory of one page
 * however many entries it has and however slowly the client takes them. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "webhdfs/call.h"
#include "webhdfs/json_shapes.h"

struct listing {
    struct webhdfs_call call; /* one of its own: the request's ends with its handler */
    char *path, *user;
    struct buf text, last; /* the page in JSON; the name that the next one comes after */
    size_t sent;           /* of the text */
    bool ended;
};

static void append_entries(struct buf *b, const Hdfs__DirectoryListingProto *page, struct buf *last)
{
    for (size_t i = 0; i < page->n_partiallisting; i++)
        json_file_status(b, NULL, page->partiallisting[i]);
    buf_clear(last);
    if (page->n_partiallisting) {
        const Hdfs__HdfsFileStatusProto *end = page->partiallisting[page->n_partiallisting - 1];
        buf_append(last, end->path.data, end->path.len);
    }
}

static void append_head(struct buf *b)
{
    json_begin(b, NULL, '{');
    json_begin(b, "FileStatuses", '{');
    json_begin(b, "FileStatus", '[');
}

static void append_tail(struct buf *b)
{
    json_end(b, ']');
    json_end(b, '}');
    json_end(b, '}');
}

static int next_page(struct listing *l, struct err *reterr)
{
    Hdfs__DirectoryListingProto *page;
    int rc = webhdfs_list_page(&l->call, (ProtobufCBinaryData){l->last.len, l->last.base}, &page);
    if (rc < 0) {
        *reterr = l->call.err;
        return rc;
    }
    buf_clear(&l->text);
    buf_append_str(&l->text, "}"); /* of the entry before, after which the first of these brings its comma */
    l->sent = 1;
    append_entries(&l->text, page, &l->last);
    l->ended = !page->remainingentries || !page->n_partiallisting;
    if (l->ended)
        append_tail(&l->text);
    arena_reset(&l->call.answers);
    return 0;
}

static int listing_read(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct listing *l = context;
    int rc = 0;
    while (rc == 0 && l->sent == l->text.len && !l->ended)
        rc = next_page(l, reterr);
    size_t left = l->text.len - l->sent, n = left < len ? left : len;
    if (rc < 0)
        return rc;
    if (n)
        memcpy(bytes, l->text.base + l->sent, n);
    l->sent += n;
    *ret_read = n;
    return 0;
}

static void listing_close(void *context)
{
    struct listing *l = context;
    arena_free(&l->call.answers);
    buf_free(&l->text);
    buf_free(&l->last);
    free(l->path);
    free(l->user);
    free(l);
}

/* Takes over the first page. */
static void send_in_pages(struct webhdfs_call *c, struct buf *first, struct buf *last)
{
    struct listing *l = mem_new(struct listing);
    l->path = mem_strdup(c->path);
    l->user = mem_strdup(c->user);
    l->text = *first;
    l->last = *last;
    l->call = (struct webhdfs_call){.w = c->w, .http = c->http, .path = l->path, .user = l->user};
    arena_init(&l->call.answers, WEBHDFS_CALL_MAX_BYTES);
    *first = *last = (struct buf){0};
    c->reply->source = (struct http_source){listing_read, listing_close, l, -1};
}

int webhdfs_list_status(struct webhdfs_call *c)
{
    Hdfs__DirectoryListingProto *page;
    struct buf *b = reply_json(c);
    AUTO(buf_free) struct buf last = {0};
    int rc = webhdfs_list_page(c, (ProtobufCBinaryData){0}, &page); /* a failure still gets a status of its own */
    if (rc < 0)
        return rc;
    append_head(b);
    append_entries(b, page, &last);
    if (page->remainingentries && page->n_partiallisting)
        send_in_pages(c, b, &last);
    else
        append_tail(b);
    return 0;
}
