/* -cat, -text, -head, -tail, -checksum */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "client/fs/walk.h"
#include "common/clock.h"
#include "common/mem.h"

#define BUFFER_BYTES    (1 << 20)
#define END_SHOWN_BYTES 1024 /* of head and tail */

static int output_write(const void *bytes, size_t len, struct err *reterr)
{
    const char *at = bytes;
    while (len) {
        ssize_t n = write(STDOUT_FILENO, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(reterr, err_from_errno(errno), "Unable to write to output stream.");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* At most `limit` bytes to standard output. */
static int show(struct source *in, int64_t limit, int64_t *ret_shown, struct err *reterr)
{
    AUTO(mem_freep) char *buffer = mem_alloc(BUFFER_BYTES);
    fflush(stdout);
    int64_t shown = 0;
    int rc = 0;
    while (rc == 0 && shown < limit) {
        size_t want = limit - shown < BUFFER_BYTES ? (size_t)(limit - shown) : BUFFER_BYTES, n;
        rc = in->read(in, buffer, want, &n, reterr);
        if (rc < 0 || !n)
            break;
        rc = output_write(buffer, n, reterr);
        shown += (int64_t)n;
    }
    if (ret_shown)
        *ret_shown = shown;
    return rc;
}

static int cat_path(struct walk *w, struct item *it, struct err *reterr)
{
    if (it->status.type == DFS_DIR)
        return path_error(reterr, ERR_IS_DIR, it->text, "Is a directory");
    struct source *in;
    int rc = it->fs->ops->open(it->fs, it->path, &in, reterr);
    if (rc < 0)
        return rc;
    rc = show(in, INT64_MAX, NULL, reterr);
    in->close(in);
    return rc;
}

static int cat_with(struct shell *sh, struct args *args, int (*on_path)(struct walk *, struct item *, struct err *),
                    struct err *reterr)
{
    struct option_flag f[] = {{"ignoreCrc"}, {0}}; /* taken; damaged replicas are passed over anyway */
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .on_path = on_path};
    return walk_args(&w, args, reterr);
}

int cat_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return cat_with(sh, args, cat_path, reterr);
}

/* ---- -text ---- */

/* gzip (any number of members) or zlib data to standard output. */
static int inflate_show(struct source *in, const char *text, struct err *reterr)
{
    AUTO(mem_freep) unsigned char *packed = mem_alloc(BUFFER_BYTES);
    AUTO(mem_freep) unsigned char *plain = mem_alloc(BUFFER_BYTES);
    z_stream z = {0};
    if (inflateInit2(&z, 15 + 32) != Z_OK)
        return err_set(reterr, ERR_NO_MEMORY, "%s: no memory to unpack", text);
    int rc = 0, state = Z_OK;
    bool ended = false;
    fflush(stdout);
    while (rc == 0) {
        if (!z.avail_in && !ended) {
            size_t n;
            rc = in->read(in, packed, BUFFER_BYTES, &n, reterr);
            if (rc < 0)
                break;
            z.next_in = packed;
            z.avail_in = (uInt)n;
            ended = n == 0;
        }
        if (state == Z_STREAM_END) {
            if (!z.avail_in)
                break;
            inflateReset(&z); /* one more member */
        } else if (!z.avail_in) {
            rc = err_set(reterr, ERR_IO, "`%s': Unexpected end of ZLIB input stream", text);
            break;
        }
        z.next_out = plain;
        z.avail_out = BUFFER_BYTES;
        state = inflate(&z, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            rc = err_set(reterr, ERR_IO, "`%s': damaged compressed data: %s", text, z.msg ? z.msg : "unknown format");
        else
            rc = output_write(plain, BUFFER_BYTES - z.avail_out, reterr);
    }
    inflateEnd(&z);
    return rc;
}

static bool name_ends(const char *path, const char *ending)
{
    size_t len = strlen(path), n = strlen(ending);
    return len > n && !strcmp(path + len - n, ending);
}

static int text_show(struct item *it, struct source *in, struct err *reterr)
{
    unsigned char magic[4] = {0};
    size_t have = 0, n;
    int rc;
    do {
        rc = in->read(in, magic + have, sizeof magic - have, &n, reterr);
        if (rc < 0)
            return rc;
        have += n;
    } while (n && have < sizeof magic);
    rc = in->seek(in, 0, reterr);
    if (rc < 0)
        return rc;
    if (have >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        return inflate_show(in, it->text, reterr);
    static const struct {
        const char *magic, *what;
    } refused[] = {{"SEQ", "SequenceFile"}, {"Obj", "Avro file"}, {"BZh", "bzip2"}, {"\x28\xb5\x2f\xfd", "Zstandard"}};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
        if (have >= strlen(refused[i].magic) && !memcmp(magic, refused[i].magic, strlen(refused[i].magic)))
            return err_set(reterr, ERR_UNSUPPORTED,
                           "`%s': %s data is not supported by -text; use -cat for the raw bytes", it->text,
                           refused[i].what);
    if (have && name_ends(it->path, ".deflate"))
        return inflate_show(in, it->text, reterr);
    return show(in, INT64_MAX, NULL, reterr);
}

static int text_path(struct walk *w, struct item *it, struct err *reterr)
{
    if (it->status.type == DFS_DIR)
        return path_error(reterr, ERR_IS_DIR, it->text, "Is a directory");
    struct source *in;
    int rc = it->fs->ops->open(it->fs, it->path, &in, reterr);
    if (rc < 0)
        return rc;
    rc = text_show(it, in, reterr);
    in->close(in);
    return rc;
}

int text_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return cat_with(sh, args, text_path, reterr);
}

/* ---- -head, -tail ---- */

static int one_file(struct shell *sh, const char *text, struct item *ret, struct err *reterr)
{
    int rc = item_lookup(sh, text, &sh->arena, ret, reterr);
    if (rc < 0)
        return rc;
    if (!ret->exists)
        return path_not_found(reterr, ret->text);
    return item_is_dir(ret) ? path_error(reterr, ERR_IS_DIR, ret->text, "Is a directory") : 0;
}

static int show_from(struct item *it, int64_t offset, int64_t limit, int64_t *ret_shown, struct err *reterr)
{
    struct source *in;
    int rc = it->fs->ops->open(it->fs, it->path, &in, reterr);
    if (rc < 0)
        return rc;
    rc = in->seek(in, offset, reterr);
    if (rc == 0)
        rc = show(in, limit, ret_shown, reterr);
    in->close(in);
    return rc;
}

int head_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct item it;
    int rc = shell_options(sh, args, 1, 1, NULL, reterr);
    if (rc < 0 || (rc = one_file(sh, args->v[0], &it, reterr)) < 0)
        return rc;
    return show_from(&it, 0, END_SHOWN_BYTES, NULL, reterr);
}

static int tail_show(struct item *it, int64_t *offset, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1 << 20);
    struct item now = *it;
    int rc = item_refresh(&now, &a, reterr);
    if (rc < 0)
        return rc;
    int64_t length = now.status.length, shown;
    if (*offset > length) {
        *offset = length; /* it was truncated: go on from there */
        return 0;
    }
    if (*offset < 0)
        *offset = length + *offset > 0 ? length + *offset : 0;
    rc = show_from(it, *offset, INT64_MAX, &shown, reterr);
    if (rc == 0)
        *offset += shown;
    return rc;
}

int tail_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"f"}, {"s", true}, {0}};
    struct item it;
    long long every_ms = 5000, given;
    int rc = shell_options(sh, args, 1, 1, f, reterr);
    if (rc < 0)
        return rc;
    if (f[0].on && f[1].value && *f[1].value) {
        struct err why;
        if (parse_number(f[1].value, INT64_MIN, INT64_MAX, &given, &why) < 0)
            return shell_misuse(sh, reterr, "%s", why.text);
        if (given > 0)
            every_ms = given;
    }
    rc = one_file(sh, args->v[0], &it, reterr);
    if (rc < 0)
        return rc;
    int64_t offset = -END_SHOWN_BYTES;
    rc = tail_show(&it, &offset, reterr);
    while (rc == 0 && f[0].on) {
        clock_sleep_ms(every_ms);
        rc = tail_show(&it, &offset, reterr);
    }
    return rc;
}

/* ---- -checksum ---- */

static int checksum_path(struct walk *w, struct item *it, struct err *reterr)
{
    const bool *verbose = w->context;
    if (it->status.type == DFS_DIR)
        return path_error(reterr, ERR_IS_DIR, it->text, "Is a directory");
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1 << 20);
    const char *algorithm, *hex;
    int rc = it->fs->ops->checksum(it->fs, it->path, &a, &algorithm, &hex, reterr);
    if (rc < 0)
        return rc;
    printf("%s\t%s", it->text, algorithm ? algorithm : "NONE");
    if (algorithm)
        printf("\t%s", hex);
    if (*verbose)
        printf("\tBlockSize=%" PRId64, it->status.block_bytes);
    putchar('\n');
    return 0;
}

int checksum_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"v"}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &f[0].on, .on_path = checksum_path};
    return walk_args(&w, args, reterr);
}
