/* -getfacl, -setfacl */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/fs/walk.h"

static const char *const type_words[] = {"user", "group", "mask", "other"};
static const char *const symbols[] = {"---", "--x", "-w-", "-wx", "r--", "r-x", "rw-", "rwx"};

/* ---- -getfacl ---- */

/* What the mask leaves of a named entry or of the owning group's. */
static unsigned effective(const struct dfs_acl *all, const struct dfs_acl_entry *e)
{
    if (!e->name && e->type != DFS_ACL_GROUP)
        return e->rwx;
    if (!e->is_default)
        return e->rwx & all->mode >> 3 & 7;
    return e->rwx & all->entries[all->count - 2].rwx; /* the default mask, or the group itself */
}

static void entry_print(const struct dfs_acl *all, const struct dfs_acl_entry *e, bool is_extended)
{
    printf("%s%s:%s:%s", e->is_default ? "default:" : "", type_words[e->type], e->name ? e->name : "",
           symbols[e->rwx & 7]);
    if (is_extended && effective(all, e) != e->rwx)
        printf("\t#effective:%s", symbols[effective(all, e)]);
    putchar('\n');
}

static int getfacl_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct dfs_status *st = &it->status;
    AUTO(arena_free) struct arena a;
    struct dfs_acl acl = {0}, all;
    arena_init(&a, 16 << 20);
    printf("# file: %s\n# owner: %s\n# group: %s\n", it->text, st->owner, st->group);
    if (st->mode & 01000)
        printf("# flags: --%c\n", st->mode & 1 ? 't' : 'T');
    if ((st->flags & 1) && it->fs->ops->get_acl) {
        int rc = it->fs->ops->get_acl(it->fs, it->path, &a, &acl, reterr);
        if (rc < 0)
            return rc;
    }
    dfs_acl_complete(st->mode, &acl, &a, &all);
    if (acl.has_mode)
        all.mode = acl.mode;
    size_t of_scope[2] = {0, 0};
    for (size_t i = 0; i < all.count; i++)
        of_scope[all.entries[i].is_default]++;
    for (size_t i = 0; i < all.count; i++)
        entry_print(&all, &all.entries[i], of_scope[all.entries[i].is_default] != 3);
    putchar('\n');
    return 0;
}

int getfacl_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"R"}, {0}};
    int rc = shell_options(sh, args, 0, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    if (args->count != 1)
        return shell_misuse(sh, reterr, args->count ? "Too many arguments" : "<path> is missing");
    struct walk w = {.sh = sh, .recursive = f[0].on, .on_path = getfacl_path};
    return walk_args(&w, args, reterr);
}

/* ---- -setfacl: the specification ---- */

#define FIELDS_MAX 5

/* At colons; empty ones at the end do not count, as in Java. */
static size_t split(char *text, char *fields[FIELDS_MAX])
{
    size_t count = 0;
    for (char *at = text;; at++) {
        char *field = at;
        at += strcspn(at, ":");
        bool is_last = !*at;
        *at = 0;
        if (count < FIELDS_MAX)
            fields[count] = field;
        count++;
        if (is_last)
            break;
    }
    if (count > FIELDS_MAX)
        return count;
    while (count && !*fields[count - 1])
        count--;
    return count;
}

static int invalid(struct shell *sh, const char *what, const char *text, struct err *reterr)
{
    return shell_misuse(sh, reterr, "%s%s", what, text);
}

static int permission_parse(const char *text, unsigned *ret)
{
    for (unsigned rwx = 0; rwx < 8; rwx++)
        if (!strcmp(text, symbols[rwx])) {
            *ret = rwx;
            return 0;
        }
    return ERR_ILLEGAL_ARGUMENT;
}

static int entry_parse(struct shell *sh, const char *text, bool with_permission, struct dfs_acl_entry *ret,
                       struct err *reterr)
{
    static const char bad[] = "Invalid <aclSpec> : ";
    char *fields[FIELDS_MAX];
    size_t count = split(arena_strdup(&sh->arena, text), fields), at = 0, type = 0;
    struct dfs_acl_entry e = {0};
    if (!count || count > FIELDS_MAX)
        return invalid(sh, bad, text, reterr);
    e.is_default = !strcmp(fields[0], "default");
    at += e.is_default;
    if (count <= at)
        return invalid(sh, bad, text, reterr);
    while (type < ARRAY_COUNT(type_words) && strcasecmp(fields[at], type_words[type]))
        type++;
    if (type == ARRAY_COUNT(type_words))
        return invalid(sh, "Invalid type of acl in <aclSpec> :", text, reterr);
    e.type = (enum dfs_acl_type)type;
    at++;
    if (count > at) {
        e.name = *fields[at] ? fields[at] : NULL;
        at++;
    }
    if (with_permission && count <= at)
        return invalid(sh, bad, text, reterr);
    if (with_permission && permission_parse(fields[at++], &e.rwx) < 0)
        return invalid(sh, "Invalid permission in <aclSpec> : ", text, reterr);
    if (count > at)
        return invalid(sh, bad, text, reterr);
    *ret = e;
    return 0;
}

static int spec_parse(struct shell *sh, const char *text, bool with_permission, struct dfs_acl *ret, struct err *reterr)
{
    size_t max = 1;
    for (const char *at = text; *at; at++)
        max += *at == ',';
    ret->entries = arena_array(&sh->arena, struct dfs_acl_entry, max);
    ret->count = 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        if (len) {
            int rc = entry_parse(sh, arena_strndup(&sh->arena, text, len), with_permission, &ret->entries[ret->count++],
                                 reterr);
            if (rc < 0)
                return rc;
        }
        text += len + (text[len] == ',');
    }
    return ret->count ? 0 : shell_misuse(sh, reterr, "Missing <acl_spec> entry");
}

/* ---- -setfacl ---- */

struct setfacl {
    enum dfs_acl_change change;
    struct dfs_acl all, access_only; /* files below a directory get no default entries */
};

static int setfacl_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct setfacl *s = w->context;
    bool has_entries = s->change != DFS_ACL_REMOVE && s->change != DFS_ACL_REMOVE_DEFAULT;
    const struct dfs_acl *acl = w->recursive && it->status.type != DFS_DIR ? &s->access_only : &s->all;
    if (!it->fs->ops->change_acl)
        return path_error(reterr, ERR_UNSUPPORTED, it->text, "this file system has no access control lists");
    if (has_entries && !acl->count)
        return 0;
    return it->fs->ops->change_acl(it->fs, it->path, s->change, acl->entries, acl->count, reterr);
}

enum { FLAG_B, FLAG_K, FLAG_R, FLAG_M, FLAG_X, FLAG_SET };

static int change_of(struct shell *sh, const struct option_flag *f, enum dfs_acl_change *ret, struct err *reterr)
{
    static const enum dfs_acl_change changes[] = {[FLAG_B] = DFS_ACL_REMOVE,
                                                  [FLAG_K] = DFS_ACL_REMOVE_DEFAULT,
                                                  [FLAG_M] = DFS_ACL_MODIFY,
                                                  [FLAG_X] = DFS_ACL_REMOVE_ENTRIES,
                                                  [FLAG_SET] = DFS_ACL_SET};
    int given = 0;
    for (int i = FLAG_B; i <= FLAG_SET; i++)
        if (i != FLAG_R && f[i].on) {
            *ret = changes[i];
            given++;
        }
    if (given > 1)
        return shell_misuse(sh, reterr, "Specified flags contains both remove and modify flags");
    return given;
}

static void without_defaults(struct shell *sh, const struct dfs_acl *all, struct dfs_acl *ret)
{
    *ret = (struct dfs_acl){.entries = arena_array(&sh->arena, struct dfs_acl_entry, all->count)};
    for (size_t i = 0; i < all->count; i++)
        if (!all->entries[i].is_default)
            ret->entries[ret->count++] = all->entries[i];
}

int setfacl_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"b"}, {"k"}, {"R"}, {"m"}, {"x"}, {"-set"}, {0}};
    struct setfacl s = {.change = DFS_ACL_REMOVE};
    int rc = shell_options(sh, args, 0, ARGS_ANY, f, reterr);
    int given = rc < 0 ? rc : change_of(sh, f, &s.change, reterr);
    if (given < 0)
        return given;
    if (f[FLAG_M].on || f[FLAG_X].on || f[FLAG_SET].on) {
        if (args->count < 2)
            return shell_misuse(sh, reterr,
                                args->count ? "Missing either <acl_spec> or <path>"
                                            : "Missing arguments: <acl_spec> <path>");
        rc = spec_parse(sh, args_shift(args), !f[FLAG_X].on, &s.all, reterr);
        if (rc < 0)
            return rc;
        without_defaults(sh, &s.all, &s.access_only);
    }
    if (args->count != 1)
        return shell_misuse(sh, reterr, args->count ? "Too many arguments" : "<path> is missing");
    if (!given)
        return shell_misuse(sh, reterr, "Expected one of -b, -k, -m, -x or --set options");
    struct walk w = {.sh = sh, .context = &s, .recursive = f[FLAG_R].on, .on_path = setfacl_path};
    return walk_args(&w, args, reterr);
}
