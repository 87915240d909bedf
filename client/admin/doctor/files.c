/* What is stored: blocks that are missing or short of copies, with their files; folders that users need; a test of
 * writing and reading. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/admin/doctor/doctor.h"
#include "client/lib/dfs_path.h"
#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_client.h"

#define NAMES_SHOWN_MAX 10
#define TEST_BYTES      (1 << 20)

/* ---- blocks ---- */

static int corrupt_files(struct doctor *d, struct buf *names, size_t *ret_count, struct err *reterr)
{
    Hdfs__ListCorruptFileBlocksRequestProto request = HDFS__LIST_CORRUPT_FILE_BLOCKS_REQUEST_PROTO__INIT;
    request.path = (char *)"/";
    ProtobufCMessage *answer;
    int rc = rpc_client_call(dfs_namenode(d->fs), "listCorruptFileBlocks", &request.base,
                             &hdfs__list_corrupt_file_blocks_response_proto__descriptor, &d->arena, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__CorruptFileBlocksProto *c = ((Hdfs__ListCorruptFileBlocksResponseProto *)answer)->corrupt;
    for (size_t i = 0; i < c->n_files && i < NAMES_SHOWN_MAX; i++)
        buf_printf(names, "%s%s", i ? ", " : "", c->files[i]);
    if (c->n_files > NAMES_SHOWN_MAX)
        buf_printf(names, " and %zu more", c->n_files - NAMES_SHOWN_MAX);
    *ret_count = c->n_files;
    return 0;
}

/* fsck's lines "PATH: Under replicated BP-...": the first few paths. */
static void short_files(struct doctor *d, struct buf *names)
{
    struct net_address pages;
    struct page page;
    struct err why;
    AUTO(buf_free) struct buf query = {0};
    doctor_namenode_pages(d, &pages);
    buf_append_str(&query, "/fsck?ugi=");
    for (const char *c = dfs_user(d->fs); *c; c++)
        buf_printf(&query, isalnum((unsigned char)*c) ? "%c" : "%%%02X", (unsigned char)*c);
    buf_append_str(&query, "&path=%2F");
    if (page_get(&pages, buf_cstr(&query), 3 * d->timeout_ms, &page, &why) < 0)
        return;
    size_t shown = 0;
    for (char *line = buf_cstr(&page.body), *next; line && shown <= NAMES_SHOWN_MAX; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        char *end = strstr(line, ":  Under replicated");
        if (!end)
            continue;
        *end = 0;
        if (shown++ == NAMES_SHOWN_MAX)
            buf_append_str(names, ", ...");
        else
            buf_printf(names, "%s%s", shown > 1 ? ", " : ": ", line);
    }
    buf_free(&page.body);
}

void doctor_check_blocks(struct doctor *d)
{
    struct dfs_stats s;
    struct err why;
    if (dfs_statfs(d->fs, &s, &why) < 0) {
        doctor_say(d, SEVERITY_NOTE, "blocks", NULL, "the blocks' state cannot be asked for: %s", why.text);
        return;
    }
    AUTO(buf_free) struct buf names = {0};
    size_t count = 0;
    bool listed = (s.missing_blocks || s.corrupt_blocks) && corrupt_files(d, &names, &count, &why) == 0;
    if (s.missing_blocks > 0)
        doctor_say(d, SEVERITY_ERROR, "blocks-missing",
                   "bring back the datanodes that had them; what cannot come back: `cairn fsck PATH -delete` removes "
                   "such files",
                   "%" PRId64 " block(s) have no readable copy. Files: %s", s.missing_blocks,
                   listed && count ? buf_cstr(&names) : "?");
    else if (s.corrupt_blocks > 0)
        doctor_say(
            d, SEVERITY_WARNING, "blocks-corrupt",
            "nothing now: they are replaced from good copies; look at the disks they came from (the datanodes' logs)",
            "%" PRId64 " block(s) have a corrupt copy", s.corrupt_blocks);
    if (s.under_replicated > s.missing_blocks) {
        AUTO(buf_free) struct buf some = {0};
        short_files(d, &some);
        doctor_say(d, SEVERITY_WARNING, "blocks-under-replicated",
                   "copies are made by themselves while enough datanodes are live; else add datanodes or `cairn fs "
                   "-setrep N PATH`",
                   "%" PRId64 " block(s) have fewer copies than wanted%s", s.under_replicated - s.missing_blocks,
                   buf_cstr(&some));
    }
    if (s.capacity > 0 && s.remaining < s.capacity / 20)
        doctor_say(d, SEVERITY_WARNING, "cluster-full", "delete files, or add datanodes",
                   "%.1f %% of the capacity is left", 100.0 * (double)s.remaining / (double)s.capacity);
}

/* ---- folders ---- */

static bool check_folder(struct doctor *d, const char *path, const char *code, const char *remedy_missing,
                         const char *remedy_denied)
{
    struct dfs_status status;
    struct err why;
    int rc = dfs_stat(d->fs, path, &d->arena, &status, &why);
    if (rc == ERR_NOT_FOUND) {
        doctor_say(d, SEVERITY_WARNING, code, remedy_missing, "%s does not exist", path);
        return false;
    }
    if (rc == 0)
        rc = dfs_check_access(d->fs, path, 3, &why);
    if (rc < 0)
        doctor_say(d, SEVERITY_WARNING, code, remedy_denied, "%s cannot write in %s: %.*s", dfs_user(d->fs), path,
                   (int)strcspn(why.text, "\n"), why.text);
    return rc == 0;
}

static const char *writable_folder(struct doctor *d)
{
    const char *user = dfs_user(d->fs), *home = dfs_home(d->fs, &d->arena);
    const char *make = arena_printf(&d->arena, "as the superuser: `cairn fs -mkdir -p %s` and `cairn fs -chown %s %s`",
                                    home, user, home);
    const char *own = arena_printf(&d->arena, "as the superuser: `cairn fs -chown -R %s %s`", user, home);
    bool home_good = check_folder(d, home, "home-folder", make, own);
    bool tmp_good = check_folder(d, "/tmp", "tmp-folder",
                                 "as the superuser: `cairn fs -mkdir /tmp` and `cairn fs -chmod 1777 /tmp`",
                                 "as the superuser: `cairn fs -chmod 1777 /tmp`");
    bool root_good = !home_good && !tmp_good && dfs_check_access(d->fs, "/", 3, NULL) == 0;
    return home_good ? home : tmp_good ? "/tmp" : root_good ? "" : NULL;
}

void doctor_check_folders(struct doctor *d)
{
    (void)writable_folder(d);
}

/* ---- writing ---- */

static int write_and_read(struct doctor *d, const char *path, struct err *reterr)
{
    AUTO(mem_freep) uint8_t *out = mem_calloc(1, TEST_BYTES);
    AUTO(mem_freep) uint8_t *in = mem_calloc(1, TEST_BYTES);
    for (size_t i = 0; i < TEST_BYTES; i++)
        out[i] = (uint8_t)(i * 2654435761u >> 13);
    struct file_create how = {.mode = 0600, .overwrite = true};
    struct file_writer *w;
    struct file_reader *r;
    size_t got = 0;
    int rc = file_writer_create(d->fs, path, &how, &w, reterr);
    if (rc < 0)
        return rc;
    rc = file_writer_write(w, out, TEST_BYTES, reterr);
    if (rc < 0)
        file_writer_abort(w);
    else
        rc = file_writer_close(w, reterr);
    if (rc == 0)
        rc = file_reader_open(d->fs, path, &r, reterr);
    if (rc < 0)
        return rc;
    rc = file_reader_pread(r, in, TEST_BYTES, 0, &got, reterr);
    file_reader_close(r);
    if (rc == 0 && (got != TEST_BYTES || memcmp(in, out, TEST_BYTES) != 0))
        rc = err_set(reterr, ERR_CHECKSUM, "%s: read back %zu bytes that are not what was written", path, got);
    return rc;
}

void doctor_test_write(struct doctor *d)
{
    struct err why;
    struct dfs_status status;
    size_t before = d->finding_count;
    const char *folder = writable_folder(d);
    while (d->finding_count > before) { /* said already by the check of folders */
        struct finding *f = &d->findings[--d->finding_count];
        free(f->text);
        free(f->remedy);
    }
    if (!folder) {
        doctor_say(d, SEVERITY_ERROR, "write-test", "see the findings about folders",
                   "no folder to write a test file in");
        return;
    }
    const char *path = arena_printf(&d->arena, "%s/.cairn-doctor-%d", folder, (int)getpid());
    int64_t started_ms = clock_mono_ms();
    int rc = write_and_read(d, path, &why);
    bool deleted;
    if (rc < 0)
        doctor_say(d, SEVERITY_ERROR, "write-test",
                   "see the findings about safe mode, datanodes and space; the text names what failed",
                   "a test file could not be written and read: %.*s", (int)strcspn(why.text, "\n"), why.text);
    else if (dfs_stat(d->fs, path, &d->arena, &status, NULL) == 0)
        doctor_say(d, SEVERITY_OK, "write-test", NULL,
                   "wrote and read %d KiB with replication %u in %s/, in %" PRId64 " ms", TEST_BYTES >> 10,
                   status.replication, folder, clock_mono_ms() - started_ms);
    if (dfs_delete(d->fs, path, false, &deleted, &why) < 0 && rc == 0)
        doctor_say(d, SEVERITY_NOTE, "write-test", "delete it by hand", "the test file %s could not be deleted: %s",
                   path, why.text);
}
