/* A tree of names in memory: what each call must answer, and what must be there then. */
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FAN = 5, NODES_MAX = 1024, PATIENCE_S = 10 };
enum kind { NONE, REGULAR, DIRECTORY, SYMLINK };

struct node {
    enum kind kind;
    unsigned links;
    uint32_t seed;       /* what is in a file */
    uint16_t child[FAN]; /* of a directory: node numbers, 0 is none */
    ino_t ino;           /* once it was seen */
};

struct tree {
    const struct place *place;
    struct node nodes[NODES_MAX]; /* the root is 1 */
};
enum { ROOT_NODE = 1 };

/* Path number to its components: one, two or three of FAN names. */
static unsigned components(unsigned path, unsigned *parts)
{
    unsigned count = 1, first = 0, of_this_length = FAN;
    while (path - first >= of_this_length)
        first += of_this_length, of_this_length *= FAN, count++;
    path -= first;
    for (unsigned i = count; i-- > 0; path /= FAN)
        parts[i] = path % FAN;
    return count;
}

static void path_text(const struct tree *tree, unsigned side, unsigned path, char *text)
{
    unsigned parts[3], count = components(path, parts);
    text += sprintf(text, "%s/tree", tree->place->sides[side]);
    for (unsigned i = 0; i < count; i++)
        text += sprintf(text, "/%c", 'a' + parts[i]);
}

/* Where a path leads in the model: its directory and name, and what is there (0: nothing). error: why it leads nowhere.
 */
struct spot {
    int error;
    unsigned parent, name, node;
};

static struct spot walk(const struct tree *tree, unsigned path)
{
    unsigned parts[3], count = components(path, parts), at = ROOT_NODE;
    for (unsigned i = 0; i + 1 < count; i++) {
        at = tree->nodes[at].child[parts[i]];
        if (!at || tree->nodes[at].kind == SYMLINK) /* they point nowhere */
            return (struct spot){.error = ENOENT};
        if (tree->nodes[at].kind != DIRECTORY)
            return (struct spot){.error = ENOTDIR};
    }
    return (struct spot){.parent = at, .name = parts[count - 1], .node = tree->nodes[at].child[parts[count - 1]]};
}

static bool is_below(const struct tree *tree, unsigned node, unsigned folder)
{
    for (unsigned i = 0; i < FAN; i++) {
        unsigned child = tree->nodes[folder].child[i];
        if (child && (child == node || (tree->nodes[child].kind == DIRECTORY && is_below(tree, node, child))))
            return true;
    }
    return false;
}

static bool is_empty(const struct node *node)
{
    for (unsigned i = 0; i < FAN; i++)
        if (node->child[i])
            return false;
    return true;
}

static void put(struct tree *tree, struct spot spot, unsigned node)
{
    tree->nodes[spot.parent].child[spot.name] = node;
}

static void drop(struct tree *tree, struct spot spot)
{
    if (spot.node && !--tree->nodes[spot.node].links)
        tree->nodes[spot.node].kind = NONE;
    put(tree, spot, 0);
}

/* 0 if there is none: directories that were moved into others lead deeper than any path, and are not reached for a
 * while. */
static unsigned free_node(const struct tree *tree)
{
    for (unsigned i = ROOT_NODE + 1; i < NODES_MAX; i++)
        if (!tree->nodes[i].kind)
            return i;
    return 0;
}

static void add(struct tree *tree, struct spot spot, enum kind kind, uint32_t seed)
{
    unsigned i = free_node(tree);
    tree->nodes[i] = (struct node){.kind = kind, .links = 1, .seed = seed};
    put(tree, spot, i);
}

/* ---- each operation: the errno that it must give, and what changes if that is 0 ---- */
static int expect_link(struct tree *tree, struct spot from, struct spot to)
{
    if (from.error || !from.node)
        return from.error ? from.error : ENOENT;
    if (to.error || to.node)
        return to.error ? to.error : EEXIST;
    if (tree->nodes[from.node].kind == DIRECTORY)
        return EPERM;
    tree->nodes[from.node].links++;
    put(tree, to, from.node);
    return 0;
}

static int expect_exchange(struct tree *tree, struct spot from, struct spot to)
{
    if (is_below(tree, from.parent, from.node) || from.parent == from.node || to.parent == from.node ||
        from.parent == to.node || is_below(tree, to.parent, from.node) || is_below(tree, from.parent, to.node))
        return EINVAL;
    put(tree, from, to.node);
    put(tree, to, from.node);
    return 0;
}

static int expect_rename(struct tree *tree, enum op_kind kind, struct spot from, struct spot to)
{
    if (from.error || to.error)
        return from.error ? from.error : to.error;
    if (!from.node || (kind == OP_EXCHANGE && !to.node))
        return ENOENT;
    if (kind == OP_NOREPLACE && to.node)
        return EEXIST;
    if (kind == OP_EXCHANGE)
        return expect_exchange(tree, from, to);
    bool from_dir = tree->nodes[from.node].kind == DIRECTORY,
         to_dir = to.node && tree->nodes[to.node].kind == DIRECTORY;
    if (from_dir && (to.parent == from.node || is_below(tree, to.parent, from.node)))
        return EINVAL;
    if (to_dir && (from.parent == to.node || is_below(tree, from.parent, to.node)))
        return ENOTEMPTY;
    if (from.node == to.node)
        return 0;
    if (to.node && from_dir != to_dir)
        return from_dir ? ENOTDIR : EISDIR;
    if (to_dir && !is_empty(&tree->nodes[to.node]))
        return ENOTEMPTY;
    drop(tree, to);
    put(tree, to, from.node);
    put(tree, from, 0);
    return 0;
}

static int expect_removal(struct tree *tree, struct spot spot, bool directory)
{
    if (spot.error || !spot.node)
        return spot.error ? spot.error : ENOENT;
    bool is_directory = tree->nodes[spot.node].kind == DIRECTORY;
    if (directory != is_directory)
        return directory ? ENOTDIR : EISDIR;
    if (directory && !is_empty(&tree->nodes[spot.node]))
        return ENOTEMPTY;
    drop(tree, spot);
    return 0;
}

static int expect(struct tree *tree, const struct op *op)
{
    struct spot from = walk(tree, op->file), to = walk(tree, op->other);
    static const enum kind made[] = {[OP_MAKE] = REGULAR, [OP_MKDIR] = DIRECTORY, [OP_SYMLINK] = SYMLINK};
    switch (op->kind) {
    case OP_LINK: return expect_link(tree, from, to);
    case OP_UNLINK: return expect_removal(tree, from, false);
    case OP_RMDIR: return expect_removal(tree, from, true);
    case OP_RENAME:
    case OP_NOREPLACE:
    case OP_EXCHANGE: return expect_rename(tree, op->kind, from, to);
    default: /* a new entry */
        if (from.error || from.node)
            return from.error ? from.error : EEXIST;
        add(tree, from, made[op->kind], op->seed);
        return 0;
    }
}

/* ---- the same, done ---- */
static int make_file(const char *path, uint32_t seed)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return -1;
    bool written = write(fd, &seed, sizeof(seed)) == sizeof(seed);
    return close(fd) || !written ? -1 : 0;
}

static int call(const struct op *op, const char *from, const char *to)
{
    switch (op->kind) {
    case OP_MAKE: return make_file(from, op->seed);
    case OP_MKDIR: return mkdir(from, 0755);
    case OP_SYMLINK: return symlink("nowhere", from);
    case OP_LINK: return link(from, to);
    case OP_UNLINK: return unlink(from);
    case OP_RMDIR: return rmdir(from);
    case OP_RENAME: return rename(from, to);
    case OP_NOREPLACE: return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    case OP_EXCHANGE: return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
    default: abort();
    }
}

/* ---- comparing what is there ---- */
static unsigned links_of(const struct tree *tree, const struct node *node)
{
    unsigned links = node->kind == DIRECTORY ? 2 : node->links;
    for (unsigned i = 0; i < FAN && node->kind == DIRECTORY; i++)
        links += tree->nodes[node->child[i]].kind == DIRECTORY;
    return links;
}

static void compare_file(const char *path, uint32_t wanted, struct finding *finding)
{
    uint32_t seed[2] = {0};
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, seed, sizeof(seed));
    if (fd >= 0)
        close(fd);
    if (got != sizeof(uint32_t) || seed[0] != wanted)
        found(finding, "%s: another file's content", path);
}

/* Inode numbers are compared on one side only: two mounts of one file system need not agree. */
static void compare_entry(struct tree *tree, unsigned side, const char *path, struct node *node,
                          struct finding *finding)
{
    static const mode_t formats[] = {[REGULAR] = S_IFREG, [DIRECTORY] = S_IFDIR, [SYMLINK] = S_IFLNK};
    struct stat st;
    if (lstat(path, &st))
        found(finding, "%s: lstat: %s", path, strerror(errno));
    else if ((st.st_mode & S_IFMT) != formats[node->kind])
        found(finding, "%s: is of another kind: mode %o", path, st.st_mode);
    else if (st.st_nlink != links_of(tree, node))
        found(finding, "%s: %lu links, not %u", path, (unsigned long)st.st_nlink, links_of(tree, node));
    else if (side == 0 && node->ino && node->ino != st.st_ino)
        found(finding, "%s: its inode number changed", path);
    else if (node->kind == REGULAR)
        compare_file(path, node->seed, finding);
    if (side == 0)
        node->ino = st.st_ino;
}

static void compare_folder(struct tree *tree, unsigned side, const char *path, unsigned folder, struct finding *finding)
{
    bool seen[FAN] = {false};
    DIR *dir = opendir(path);
    if (!dir) {
        found(finding, "%s: opendir: %s", path, strerror(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) && !*finding->text;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        unsigned i = e->d_name[0] - 'a';
        if (i >= FAN || e->d_name[1] || !tree->nodes[folder].child[i])
            found(finding, "%s: lists '%s', which is not there", path, e->d_name);
        else if (seen[i])
            found(finding, "%s: lists '%s' twice", path, e->d_name);
        else
            seen[i] = true;
    }
    closedir(dir);
    for (unsigned i = 0; i < FAN && !*finding->text; i++) {
        char below[PATH_MAX];
        unsigned child = tree->nodes[folder].child[i];
        snprintf(below, sizeof(below), "%s/%c", path, 'a' + i);
        if (child && !seen[i])
            found(finding, "%s: does not list '%c'", path, 'a' + i);
        else if (child)
            compare_entry(tree, side, below, &tree->nodes[child], finding);
        if (child && tree->nodes[child].kind == DIRECTORY && !*finding->text)
            compare_folder(tree, side, below, child, finding);
    }
}

/* The other mount may take a moment to hear of a change. */
void tree_check_all(struct tree *tree, struct finding *ret_finding)
{
    char path[PATH_MAX];
    time_t end = time(NULL) + PATIENCE_S;
    for (unsigned side = 0; side < tree->place->side_count && !*ret_finding->text; side++) {
        snprintf(path, sizeof(path), "%s/tree", tree->place->sides[side]);
        do {
            ret_finding->text[0] = 0;
            compare_folder(tree, side, path, ROOT_NODE, ret_finding);
        } while (*ret_finding->text && side && time(NULL) < end);
    }
}

void tree_do(struct tree *tree, const struct op *op, struct finding *ret_finding)
{
    if (op->kind == OP_LIST) {
        tree_check_all(tree, ret_finding);
        return;
    }
    bool makes = op->kind == OP_MAKE || op->kind == OP_MKDIR || op->kind == OP_SYMLINK;
    if (makes && !free_node(tree))
        return;
    char from[PATH_MAX], to[PATH_MAX];
    path_text(tree, 0, op->file, from);
    path_text(tree, 0, op->other, to);
    int wanted = expect(tree, op), error = call(op, from, to) ? errno : 0;
    if (error != wanted)
        found(ret_finding, "%s %s %s: %s, not %s", op_name(op->kind), from, to, strerror(error), strerror(wanted));
}

struct tree *tree_open(const struct place *place, struct finding *ret_finding)
{
    char path[PATH_MAX];
    struct tree *tree = calloc(1, sizeof(*tree));
    tree->place = place;
    tree->nodes[ROOT_NODE] = (struct node){.kind = DIRECTORY, .links = 1};
    snprintf(path, sizeof(path), "%s/tree", place->sides[0]);
    if (mkdir(path, 0755))
        found(ret_finding, "%s: %s", path, strerror(errno));
    return tree;
}

void tree_close(struct tree *tree)
{
    free(tree);
}
