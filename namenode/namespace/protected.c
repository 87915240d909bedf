#include "namenode/namespace/protected.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"

struct protected_directories {
    char **paths; /* normalised as path.text, sorted */
    size_t count;
    bool with_all_below;
};

static char *trim(char *text)
{
    static const char blanks[] = " \t\r";
    text += strspn(text, blanks);
    size_t len = strlen(text);
    while (len && strchr(blanks, text[len - 1]))
        len--;
    text[len] = 0;
    return text;
}

/* In place: one slash between components, none at the end, no "." and "..". */
static void normalize(char *path)
{
    char *to = path;
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t len = strcspn(at, "/");
        if (len == 2 && !memcmp(at, "..", 2)) {
            while (to > path && *--to != '/')
                ;
        } else if (len && !(len == 1 && *at == '.')) {
            *to++ = '/';
            memmove(to, at, len);
            to += len;
        }
        at += len;
    }
    if (to == path)
        *to++ = '/';
    *to = 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Is it something inside the directory? */
static bool is_inside(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return !strncmp(path, dir, len) && path[len] == '/';
}

struct protected_directories *protected_new(const char *list, bool with_all_below)
{
    struct protected_directories *d = mem_new(struct protected_directories);
    char *text = mem_strdup(list ? list : ""), *rest = NULL;
    d->with_all_below = with_all_below;
    for (char *word = strtok_r(text, ",\n", &rest); word; word = strtok_r(NULL, ",\n", &rest)) {
        word = trim(word);
        if (!*word)
            continue;
        if (*word != '/' || !strcmp(word, "/.reserved") || is_inside(word, "/.reserved")) {
            log_error("namespace", "fs.protected.directories: '%s' is no path of a directory, ignored", word);
            continue;
        }
        normalize(word);
        d->paths = mem_realloc_array(d->paths, d->count + 1, sizeof *d->paths);
        d->paths[d->count++] = mem_strdup(word);
    }
    if (d->count)
        qsort(d->paths, d->count, sizeof *d->paths, by_text);
    free(text);
    return d;
}

void protected_free(struct protected_directories *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++)
        free(d->paths[i]);
    free(d->paths);
    free(d);
}

static bool is_filled(const struct inode *n)
{
    return n && inode_is_dir(n) && n->child_count;
}

static bool is_filled_directory(struct txn *t, const char *text)
{
    static const struct fs_user anyone = {.name = "", .is_super = true};
    struct path p;
    return !path_resolve(t, &anyone, text, PATH_NO_FOLLOW | PATH_MAY_MISS, &p, NULL) && is_filled(path_target(&p));
}

int protected_check(struct txn *t, const struct path *p, struct err *reterr)
{
    const struct protected_directories *d = t->dir->protected;
    if (!d || !d->count || !is_filled(path_target(p)))
        return 0;
    for (size_t i = 0; i < d->count; i++)
        if (!strcmp(d->paths[i], p->text))
            return err_set(reterr, ERR_ACCESS, "Cannot delete/rename non-empty protected directory %s", p->text);
    for (size_t i = 0; i < d->count; i++)
        if (is_inside(d->paths[i], p->text) && is_filled_directory(t, d->paths[i]))
            return err_set(reterr, ERR_ACCESS, "Cannot delete/rename non-empty protected subdirectory %s", d->paths[i]);
    for (size_t i = d->with_all_below ? d->count : 0; i-- > 0;)
        if (is_inside(p->text, d->paths[i]))
            return err_set(reterr, ERR_ACCESS, "Cannot delete/rename subdirectory under protected subdirectory %s",
                           d->paths[i]);
    return 0;
}

int protected_check_inode(struct txn *t, struct inode *n, struct err *reterr)
{
    const struct protected_directories *d = t->dir->protected;
    struct inode *inodes[] = {NULL, n};
    struct path p = {.count = 1, .found = 2, .inodes = inodes};
    if (!d || !d->count || !is_filled(n))
        return 0;
    int rc = txn_path(t, n, &p.text, reterr);
    return rc ? rc : protected_check(t, &p, reterr);
}
