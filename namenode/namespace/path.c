#include "namenode/namespace/path.h"

#include <stdlib.h>
#include <string.h>

#include "namenode/namespace/history.h"

#define COMPONENTS_MAX 4096 /* of any path that is looked up */

/* ---- new names ---- */

static int check_component(const struct fsdir *dir, const char *text, const char *name, size_t len, struct err *reterr)
{
    if ((len == 1 && name[0] == '.') || (len == 2 && !memcmp(name, "..", 2)) || memchr(name, ':', len))
        return err_set(reterr, ERR_INVALID_PATH, "Invalid path name Invalid file name: %s", text);
    if (len > dir->limits.component_bytes)
        return err_set(
            reterr, ERR_NAME_TOO_LONG,
            "The maximum path component name limit of %.*s in directory %.*s is exceeded: limit=%zu length=%zu",
            (int)len, name, (int)(name - text > 1 ? name - text - 1 : 1), text, dir->limits.component_bytes, len);
    return 0;
}

size_t path_length(const char *text)
{
    size_t chars = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        chars += ((*at & 0xC0) != 0x80) + (*at >= 0xF0);
    return chars;
}

int path_check_new(const struct fsdir *dir, const char *text, const char *doing, struct err *reterr)
{
    if (!*text) /* Java's Path, which HDFS makes of it first */
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Can not create a Path from an empty string");
    if (text[0] != '/')
        return err_set(reterr, ERR_INVALID_PATH, "Invalid path name Invalid file name: %s", text);
    size_t depth = 0;
    bool is_reserved_inode = !strncmp(text, "/.reserved/.inodes/", 19);
    bool is_reserved_raw = !strncmp(text, "/.reserved/raw", 14) && (!text[14] || text[14] == '/');
    if (!strncmp(text, "/.reserved", 10) && (!text[10] || text[10] == '/') && !is_reserved_inode && !is_reserved_raw)
        return strcmp(doing, "mkdirs")
                   ? err_set(reterr, ERR_INVALID_PATH, "Invalid path name %s", text)
                   : err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                             "File name \".reserved\" is reserved and cannot be created. If this is during upgrade "
                             "change the name of the existing file or directory to another name before upgrading to "
                             "the new release.");
    if (path_length(text) > dir->limits.path_chars)
        return err_set(reterr, ERR_IO, "%s: Pathname too long.  Limit %zu characters, %zu levels.", doing,
                       dir->limits.path_chars, dir->limits.depth);
    for (const char *at = text; *at;) {
        const char *name = at + 1;
        size_t len = strcspn(name, "/");
        at = name + len;
        if (!len && at[strspn(at, "/")])
            return err_set(reterr, ERR_INVALID_PATH, "Invalid path name Invalid file name: %s", text);
        if (!len)
            break; /* slashes at the end are fine */
        depth++;
        int rc = check_component(dir, text, name, len, reterr);
        if (rc)
            return rc;
    }
    if (depth > dir->limits.depth)
        return err_set(reterr, ERR_IO, "%s: Pathname too long.  Limit %zu characters, %zu levels.", doing,
                       dir->limits.path_chars, dir->limits.depth);
    return 0;
}

/* ---- looking up ---- */

bool path_is_reserved_root(const char *text)
{
    return !strncmp(text, "/.reserved", 10) && !text[10 + strspn(text + 10, "/")];
}

static struct path unnamed(struct txn *t, const char *text, struct inode *root, struct inode *n)
{
    struct path p = {.text = text, .count = 1, .found = 2, .is_unnamed = true};
    p.names = arena_array(&t->arena, const char *, 1);
    p.inodes = arena_array(&t->arena, struct inode *, 2);
    p.names[0] = strrchr(text, '/') + 1;
    p.inodes[0] = root;
    p.inodes[1] = n;
    return p;
}

/* /.reserved/.inodes/ID[/rest] and /.reserved/raw/rest as the path that is meant. *ret_unnamed: there is none, it is
 * this inode. */
static int resolve_reserved(struct txn *t, const char *text, const char **ret, struct inode **ret_unnamed,
                            struct err *reterr)
{
    if (path_is_reserved_root(text))
        return err_set(reterr, ERR_INVALID_PATH, "Invalid path name %s", text);
    if (!strncmp(text, "/.reserved/raw", 14) && (!text[14] || text[14] == '/')) {
        *ret = text[14] ? text + 14 : "/";
        return 0;
    }
    if (strncmp(text, "/.reserved/.inodes/", 19)) {
        *ret = text;
        return 0;
    }
    char *end = NULL;
    uint64_t id = strtoull(text + 19, &end, 10);
    if (end == text + 19 || (*end && *end != '/'))
        return err_set(reterr, ERR_NOT_FOUND, "Invalid inode path: %s", text);
    struct inode *n = NULL;
    const char *path = NULL;
    int rc = txn_inode(t, id, &n, NULL);
    if (!rc)
        rc = txn_path(t, n, &path, NULL);
    if (rc)
        return err_set(reterr, ERR_NOT_FOUND, "File for given inode path does not exist: %s", text);
    if (!strncmp(path, PATH_OF_INODES, strlen(PATH_OF_INODES))) {
        *ret_unnamed = *end ? NULL : n;
        *ret = path;
        return *end ? err_set(reterr, ERR_NOT_FOUND, "File for given inode path does not exist: %s", text) : 0;
    }
    if (!strcmp(end, "/..") || !strncmp(end, "/../", 4)) {
        rc = txn_inode(t, n->parent, &n, reterr);
        rc = rc ? rc : txn_path(t, n, &path, reterr);
        if (rc)
            return rc;
        end += 3;
    }
    *ret = *end ? arena_printf(&t->arena, "%s%s", strcmp(path, "/") ? path : "", end) : path;
    return 0;
}

static int split(struct txn *t, const char *text, struct path *p, struct err *reterr)
{
    size_t len = strlen(text), max = 0;
    for (size_t i = 0; i < len; i++)
        max += text[i] == '/';
    if (max > COMPONENTS_MAX)
        return err_set(reterr, ERR_INVALID_PATH, "Invalid path name: %zu components, at most %d are possible", max,
                       COMPONENTS_MAX);
    p->names = arena_array(&t->arena, const char *, max + 1);
    char *normal = arena_alloc(&t->arena, len + 2), *to = normal;
    for (const char *at = text; *at;) {
        at += strspn(at, "/");
        size_t name_len = strcspn(at, "/");
        if (!name_len)
            break;
        p->names[p->count++] = arena_strndup(&t->arena, at, name_len);
        *to++ = '/';
        memcpy(to, at, name_len);
        to += name_len;
        at += name_len;
    }
    if (!p->count)
        *to++ = '/';
    *to = 0;
    p->text = normal;
    return 0;
}

const char *path_prefix(struct txn *t, const struct path *p, size_t count)
{
    if (!count)
        return "/";
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += 1 + strlen(p->names[i]);
    return arena_strndup(&t->arena, p->text, len);
}

/* Where the path begins behind "hdfs://host:port" or "file:"; the text itself when there is no scheme. */
static const char *after_authority(const char *text)
{
    size_t scheme = strcspn(text, ":/");
    if (!scheme || text[scheme] != ':')
        return text;
    const char *at = text + scheme + 1;
    return strncmp(at, "//", 2) ? at : at + 2 + strcspn(at + 2, "/");
}

/* "a/../b" => "b", "a//b" => "a/b"; a scheme and authority in front stay. */
static const char *normalize(struct txn *t, const char *text)
{
    const char *path = after_authority(text);
    if (!strstr(path, "/.") && !strstr(path, "//"))
        return text;
    char *out = arena_alloc(&t->arena, strlen(text) + 2);
    size_t base = (size_t)(path - text), len = base;
    memcpy(out, text, base);
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t name_len = strcspn(at, "/");
        if (name_len == 2 && !memcmp(at, "..", 2)) {
            while (len > base && out[--len] != '/')
                ;
        } else if (name_len && !(name_len == 1 && *at == '.')) {
            out[len++] = '/';
            memcpy(out + len, at, name_len);
            len += name_len;
        }
        at += name_len;
    }
    if (len == base)
        out[len++] = '/';
    out[len] = 0;
    return out;
}

/* What Java clients read from an UnresolvedPathException: the path to try instead. It may be longer than an error. */
static int unresolved(struct txn *t, const struct path *p, size_t link_index, struct err *reterr)
{
    const char *target = p->inodes[link_index]->target;
    const char *rest = p->text + strlen(path_prefix(t, p, link_index));
    const char *whole;
    if (after_authority(target)[0] == '/') {
        whole = arena_printf(&t->arena, "%s%s", target, rest);
    } else {
        const char *before = path_prefix(t, p, link_index - 1);
        whole = arena_printf(&t->arena, "%s/%s%s", strcmp(before, "/") ? before : "", target, rest);
    }
    t->unresolved = normalize(t, whole);
    return err_set(reterr, ERR_UNRESOLVED_PATH, "%s", t->unresolved);
}

static bool is_dot_snapshot(const struct inode *dir, const char *name)
{
    return !dir->as_of && (dir->is_snapshottable || dir->id == INODE_ROOT) && !strcmp(name, ".snapshot");
}

/* What may be done with what was found. */
static int check_snapshot(struct path *p, unsigned flags, struct err *reterr)
{
    if (p->in_snapshot && !(flags & PATH_SNAPSHOT))
        return err_set(reterr, ERR_SNAPSHOT_ACCESS, "Modification on a read-only snapshot is disallowed");
    const struct inode *target = path_target(p);
    if (target && target->as_of == AS_OF_LIST && !(flags & PATH_SNAPSHOT_LIST))
        p->found--;
    for (size_t i = p->found - 1; flags & PATH_CREATE && i < p->count; i++)
        if (!strcmp(p->names[i], ".snapshot"))
            return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "\".snapshot\" is a reserved name.");
    return 0;
}

static bool is_number(const char *text)
{
    size_t len = strlen(PATH_OF_INODES);
    return !strncmp(text, PATH_OF_INODES, len) && !text[len + strspn(text + len, "0123456789")];
}

int path_resolve(struct txn *t, const struct fs_user *u, const char *text, unsigned flags, struct path *ret,
                 struct err *reterr)
{
    struct path p = {0};
    struct inode *held = NULL, *root = NULL;
    bool follows = !(flags & PATH_NO_FOLLOW) && !(flags & PATH_NUMBERED_LINK && is_number(text));
    int rc = text[0] == '/'
                 ? resolve_reserved(t, text, &text, &held, reterr)
                 : err_set(reterr, ERR_INVALID_PATH, "Invalid path name Absolute path required, but got '%s'", text);
    rc = rc ? rc : txn_inode(t, INODE_ROOT, &root, reterr);
    if (!rc && held && u->is_super && !(flags & (PATH_CREATE | PATH_NO_FOLLOW))) {
        *ret = unnamed(t, text, root, held);
        return 0;
    }
    rc = rc ? rc : split(t, text, &p, reterr);
    if (rc)
        return rc;
    p.inodes = arena_array(&t->arena, struct inode *, p.count + 1);
    p.inodes[0] = root;
    p.found = 1;
    for (size_t i = 0; i < p.count; i++) {
        struct inode *at = p.inodes[i], *child = NULL;
        if (at->type == INODE_SYMLINK)
            return unresolved(t, &p, i, reterr);
        if (!inode_is_dir(at))
            return err_set(reterr, flags & PATH_CREATE ? ERR_PARENT_NOT_DIR : ERR_ACCESS, "%s (is not a directory)",
                           path_prefix(t, &p, i));
        bool is_list = is_dot_snapshot(at, p.names[i]);
        /* On the way into a snapshot its own version of the directory decides: below. The text only when it is needed.
         */
        if (!(is_list && i + 1 < p.count) && !access_allowed(u, at, ACCESS_EXECUTE))
            return access_check(u, at, ACCESS_EXECUTE, path_prefix(t, &p, i), reterr);
        rc = is_list ? 0 : txn_child(t, at, p.names[i], &child, reterr);
        if (rc)
            return rc;
        if (is_list)
            child = history_list(t, at);
        p.in_snapshot = p.in_snapshot || is_list;
        const struct inode *passed = child ? child : i ? p.inodes[i - 1] : at;
        if (at->as_of == AS_OF_LIST && !access_allowed(u, passed, ACCESS_EXECUTE))
            return access_check(u, passed, ACCESS_EXECUTE, path_prefix(t, &p, i - 1), reterr);
        if (!child)
            break;
        p.inodes[p.found++] = child;
    }
    rc = check_snapshot(&p, flags, reterr);
    if (rc)
        return rc;
    struct inode *target = path_target(&p);
    if (target && target->type == INODE_SYMLINK && follows)
        return unresolved(t, &p, p.count, reterr);
    if (!target && !(flags & PATH_MAY_MISS))
        return err_set(reterr, ERR_NOT_FOUND, "File does not exist: %s", p.text);
    *ret = p;
    return 0;
}
