/* -chmod, -chown, -chgrp */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/fs/chmod_parse.h"
#include "client/fs/walk.h"

static int chmod_path(struct walk *w, struct item *it, struct err *reterr)
{
    uint16_t mode = chmod_apply(w->context, it->status.mode, it->status.type == DFS_DIR);
    if (mode == it->status.mode)
        return 0;
    int rc = it->fs->ops->set_permission(it->fs, it->path, mode, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "changing permissions of '%s'", it->text) : 0;
}

int chmod_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"R"}, {0}};
    struct err why;
    if (options_parse(args, 2, ARGS_ANY, f, true, &why) < 0) /* "-x" may be a mode */
        return shell_misuse(sh, reterr, "%s", why.text);
    const char *text = args_shift(args);
    struct chmod_change change;
    if (!chmod_parse(text, &change))
        return shell_misuse(sh, reterr, "chmod : mode '%s' does not match the expected pattern.", text);
    struct walk w = {.sh = sh, .context = &change, .recursive = f[0].on, .on_path = chmod_path};
    return walk_args(&w, args, reterr);
}

struct owners {
    const char *owner, *group; /* NULL: leave */
};

static int chown_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct owners *o = w->context;
    const char *owner = o->owner && strcmp(o->owner, it->status.owner) ? o->owner : NULL;
    const char *group = o->group && strcmp(o->group, it->status.group) ? o->group : NULL;
    if (!owner && !group)
        return 0;
    int rc = it->fs->ops->set_owner(it->fs, it->path, owner, group, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "changing ownership of '%s'", it->text) : 0;
}

#define NAME_CHARS "-+_./@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (size_t len = strlen(text); len && isspace((unsigned char)text[len - 1]);)
        text[--len] = '\0';
    return text;
}

static int owners_parse(struct shell *sh, const char *given, struct owners *o, struct err *reterr)
{
    char *text = trimmed(arena_strdup(&sh->arena, given));
    size_t owner_len = strspn(text, NAME_CHARS);
    char *colon = text + owner_len;
    bool good = *colon == '\0' || (*colon == ':' && colon[1 + strspn(colon + 1, NAME_CHARS)] == '\0');
    if (!good)
        return shell_misuse(sh, reterr, "'%s' does not match expected pattern for [owner][:group].", given);
    if (*colon == ':' && colon[1])
        o->group = colon + 1;
    *colon = '\0';
    if (owner_len)
        o->owner = text;
    if (!o->owner && !o->group)
        return shell_misuse(sh, reterr, "'%s' does not specify owner or group.", given);
    return 0;
}

static int chown_with(struct shell *sh, struct args *args, bool group_only, struct err *reterr)
{
    struct option_flag f[] = {{"R"}, {0}};
    int rc = shell_options(sh, args, 2, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct owners o = {0};
    const char *given = args_shift(args);
    if (group_only) {
        o.group = trimmed(arena_strdup(&sh->arena, given));
        if (!*o.group || o.group[strspn(o.group, NAME_CHARS)])
            rc = shell_misuse(sh, reterr, "'%s' does not match expected pattern for group", given);
    } else {
        rc = owners_parse(sh, given, &o, reterr);
    }
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &o, .recursive = f[0].on, .on_path = chown_path};
    return walk_args(&w, args, reterr);
}

int chown_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return chown_with(sh, args, false, reterr);
}

int chgrp_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return chown_with(sh, args, true, reterr);
}
