#include "client/fs/item.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"

/* "hdfs://h:p/a" and "file:/a" have a scheme; "a:b" is a name. */
struct uri_parts {
    const char *scheme, *authority; /* NULL if there was none */
    const char *path;
};

static struct uri_parts uri_split(const char *text, struct arena *a)
{
    struct uri_parts parts = {.path = text};
    const char *colon = strchr(text, ':'), *slash = strchr(text, '/');
    if (!colon || colon == text || slash != colon + 1)
        return parts;
    parts.scheme = arena_strndup(a, text, (size_t)(colon - text));
    parts.path = colon + 1;
    if (!strncmp(parts.path, "//", 2)) {
        const char *from = parts.path + 2, *end = strchrnul(from, '/');
        if (end > from)
            parts.authority = arena_strndup(a, from, (size_t)(end - from));
        parts.path = *end ? end : "/";
    }
    return parts;
}

/* Absolute and normalised, below `cwd` if relative. */
static const char *path_absolute(const char *cwd, const char *path, struct arena *a)
{
    char *joined = *path == '/' ? arena_strdup(a, path) : arena_printf(a, "%s/%s", cwd, path);
    char *out = joined; /* what is written never overtakes what is read */
    const char *in = joined;
    while (*in) {
        while (*in == '/')
            in++;
        const char *end = strchrnul(in, '/');
        size_t len = (size_t)(end - in);
        if (len == 2 && !strncmp(in, "..", 2)) {
            while (out > joined && *--out != '/')
                ;
        } else if (len && !(len == 1 && *in == '.')) {
            *out++ = '/';
            memmove(out, in, len);
            out += len;
        }
        in = end;
    }
    if (out == joined)
        *out++ = '/';
    *out = '\0';
    return joined;
}

static int item_stat(struct item *it, struct arena *a, struct err *reterr)
{
    int rc = it->fs->ops->stat(it->fs, it->path, a, &it->status, reterr);
    it->exists = rc == 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int item_refresh(struct item *it, struct arena *a, struct err *reterr)
{
    int rc = item_stat(it, a, reterr);
    if (rc == 0 && !it->exists)
        return path_not_found(reterr, it->text);
    return rc;
}

int item_lookup(struct shell *sh, const char *text, struct arena *a, struct item *ret, struct err *reterr)
{
    if (!*text)
        return shell_misuse(sh, reterr, "Can not create a Path from an empty string");
    struct uri_parts parts = uri_split(text, a);
    struct item it = {.text = arena_strdup(a, text)};
    int rc = shell_fs_get(sh, parts.scheme, parts.authority, &it.fs, reterr);
    if (rc < 0)
        return rc;
    it.path = path_absolute(it.fs->working_dir, parts.path, a);
    rc = item_stat(&it, a, reterr);
    if (rc == 0)
        *ret = it;
    return rc;
}

int item_lookup_local(struct shell *sh, const char *text, struct arena *a, struct item *ret, struct err *reterr)
{
    if (!*text)
        return shell_misuse(sh, reterr, "Can not create a Path from an empty string");
    struct uri_parts parts = uri_split(text, a);
    struct item it = {.fs = shell_fs_local(sh), .text = arena_strdup(a, parts.path)};
    it.path = path_absolute(it.fs->working_dir, parts.path, a);
    int rc = item_stat(&it, a, reterr);
    if (rc == 0)
        *ret = it;
    return rc;
}

const char *path_relative(const char *cwd, const char *path, bool is_dir, struct arena *a)
{
    if (!strcmp(cwd, path))
        return ".";
    char *from = arena_printf(a, "%s%s", cwd, cwd[strlen(cwd) - 1] == '/' ? "" : "/");
    char *to = arena_printf(a, "%s%s", path, is_dir && path[strlen(path) - 1] != '/' ? "/" : "");
    size_t common = 0; /* behind the last slash of the part that both share */
    for (size_t i = 0; from[i] && from[i] == to[i]; i++)
        if (from[i] == '/')
            common = i + 1;
    const char *relative = strlen(path) > common ? path + common : "";
    for (const char *up = cwd + common; common <= strlen(cwd) && *up; up++) {
        relative = arena_printf(a, "..%s%s", *relative ? "/" : "", relative);
        up = strchrnul(up, '/');
        if (!*up)
            break;
    }
    return relative;
}

static const char *unquoted(const char *pattern, struct arena *a)
{
    char *text = arena_strdup(a, pattern), *out = text;
    for (const char *in = text; *in; in++) {
        if (*in == '\\' && in[1])
            in++;
        *out++ = *in;
    }
    *out = '\0';
    return text;
}

/* A match is called the way its pattern was: with scheme, absolute or relative. */
static const char *match_text(const struct uri_parts *pattern, struct shell_fs *fs, const struct dfs_match *m,
                              struct arena *a)
{
    if (pattern->scheme && pattern->authority)
        return arena_printf(a, "%s://%s%s", pattern->scheme, pattern->authority, m->path);
    if (pattern->scheme)
        return arena_printf(a, "%s://%s", pattern->scheme, m->path);
    if (pattern->path[0] == '/')
        return m->path;
    return path_relative(fs->working_dir, m->path, m->status.type == DFS_DIR, a);
}

int item_glob(struct shell *sh, const char *text, struct arena *a, struct item **ret, size_t *ret_count,
              struct err *reterr)
{
    if (!*text)
        return shell_misuse(sh, reterr, "Can not create a Path from an empty string");
    struct uri_parts parts = uri_split(text, a);
    struct shell_fs *fs;
    int rc = shell_fs_get(sh, parts.scheme, parts.authority, &fs, reterr);
    if (rc < 0)
        return rc;
    const char *pattern = path_absolute(fs->working_dir, parts.path, a);
    struct dfs_match *matches = NULL;
    size_t count = 0;
    rc = fs->ops->glob(fs, pattern, a, &matches, &count, reterr);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc < 0)
        count = 0;
    if (!count && dfs_glob_has_wildcard(pattern))
        return path_not_found(reterr, text);
    if (!count) {
        struct item *missing = arena_new(a, struct item);
        *missing = (struct item){.fs = fs, .text = unquoted(text, a), .path = unquoted(pattern, a)};
        *ret = missing;
        *ret_count = 1;
        return 0;
    }
    struct item *items = arena_array(a, struct item, count);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct item){.fs = fs,
                                 .text = match_text(&parts, fs, &matches[i], a),
                                 .path = matches[i].path,
                                 .exists = true,
                                 .status = matches[i].status};
    qsort(items, count, sizeof *items, item_compare);
    *ret = items;
    *ret_count = count;
    return 0;
}

void item_child(const struct item *parent, const char *name, const struct dfs_status *status, struct arena *a,
                struct item *ret)
{
    size_t len = strlen(parent->text);
    bool here = !strcmp(parent->text, ".");
    *ret = (struct item){
        .fs = parent->fs,
        .text =
            here ? name : arena_printf(a, "%s%s%s", parent->text, len && parent->text[len - 1] == '/' ? "" : "/", name),
        .path = dfs_path_join(a, parent->path, name),
        .exists = status != NULL,
    };
    if (status)
        ret->status = *status;
}

int item_child_lookup(const struct item *parent, const char *name, struct arena *a, struct item *ret,
                      struct err *reterr)
{
    if (!parent->exists)
        return path_not_found(reterr, parent->text);
    if (parent->status.type != DFS_DIR)
        return path_error(reterr, ERR_NOT_DIR, parent->text, "Is not a directory");
    item_child(parent, arena_strdup(a, name), NULL, a, ret);
    return item_stat(ret, a, reterr);
}

struct item item_suffixed(const struct item *it, const char *suffix, struct arena *a)
{
    return (struct item){.fs = it->fs,
                         .text = arena_printf(a, "%s%s", it->text, suffix),
                         .path = arena_printf(a, "%s%s", it->path, suffix)};
}

bool item_names_directory(const struct item *it)
{
    const char *slash = strrchr(it->text, '/');
    const char *name = slash ? slash + 1 : it->text;
    return !*name || !strcmp(name, ".") || !strcmp(name, "..");
}

int item_parent_exists(const struct item *it, bool *ret, struct err *reterr)
{
    if (item_names_directory(it))
        return shell_fs_exists(it->fs, it->path, ret, reterr);
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1 << 20);
    const char *parent = dfs_path_parent(&a, it->path);
    return shell_fs_exists(it->fs, parent ? parent : "/", ret, reterr);
}

const char *item_qualified(const struct item *it, struct arena *a)
{
    return arena_printf(a, "%s%s", it->fs->qualifier, it->path);
}

/* Characters that java.net.URI writes as %XX in a path compare as '%' followed by their code. */
static int uri_char(const char **at, int *pending)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)**at;
    if (*pending == 2) {
        *pending = 1;
        return hex[c >> 4];
    }
    if (*pending == 1) {
        *pending = 0;
        (*at)++;
        return hex[c & 15];
    }
    if (c && (c <= ' ' || c == 127 || strchr("\"#%<>?[\\]^`{|}", c))) {
        *pending = 2;
        return '%';
    }
    if (c)
        (*at)++;
    return c;
}

int item_compare(const void *left, const void *right)
{
    const char *a = ((const struct item *)left)->path, *b = ((const struct item *)right)->path;
    int pending_a = 0, pending_b = 0;
    for (;;) {
        int x = uri_char(&a, &pending_a), y = uri_char(&b, &pending_b);
        if (x != y || !x)
            return x - y;
    }
}
