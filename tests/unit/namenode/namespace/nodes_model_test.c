/* Random operations by inode number against a simple model of what there is. */
#include "tests/unit/namenode/namespace/node_calls.h"

#define MODEL_INODES 4000
#define MODEL_NAMES  400

struct model_inode {
    uint64_t id;
    uint32_t format;
    size_t nlink;     /* of a directory: 1 */
    unsigned holders; /* bits of sessions */
};
struct model_name {
    size_t parent, child; /* indexes */
    char name[2];
};
struct model {
    struct fixture *f;
    uint64_t random;
    struct model_inode inodes[MODEL_INODES];
    struct model_name names[MODEL_NAMES];
    size_t inode_count, name_count, done, refused, held;
    uint64_t sessions[2];
};

static size_t below(struct model *m, size_t limit)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (size_t)(m->random % limit);
}

static bool is_dir(const struct model *m, size_t i)
{
    return S_ISDIR(m->inodes[i].format);
}
static bool is_there(const struct model *m, size_t i)
{
    return m->inodes[i].nlink || m->inodes[i].holders;
}

static struct model_name *model_find(struct model *m, size_t parent, const char *name)
{
    for (size_t i = 0; i < m->name_count; i++)
        if (m->names[i].parent == parent && !strcmp(m->names[i].name, name))
            return &m->names[i];
    return NULL;
}

static size_t children(const struct model *m, size_t dir, bool only_dirs)
{
    size_t count = 0;
    for (size_t i = 0; i < m->name_count; i++)
        count += m->names[i].parent == dir && (!only_dirs || is_dir(m, m->names[i].child));
    return count;
}

static size_t parent_of(const struct model *m, size_t dir)
{
    for (size_t i = 0; i < m->name_count; i++)
        if (m->names[i].child == dir)
            return m->names[i].parent;
    return 0;
}

static bool model_is_above(const struct model *m, size_t top, size_t dir)
{
    for (; dir; dir = parent_of(m, dir))
        if (dir == top)
            return true;
    return top == 0;
}

static void model_add(struct model *m, size_t parent, const char *name, size_t child)
{
    assert_true(m->name_count < MODEL_NAMES);
    struct model_name *n = &m->names[m->name_count++];
    *n = (struct model_name){parent, child, {name[0], 0}};
    m->inodes[child].nlink++;
}

static void model_remove(struct model *m, struct model_name *n, int holder)
{
    struct model_inode *i = &m->inodes[n->child];
    i->nlink--;
    if (!i->nlink && holder >= 0 && !S_ISDIR(i->format))
        i->holders |= 1u << holder;
    m->held += i->holders != 0;
    *n = m->names[--m->name_count];
}

/* Some inode that is there, or (rarely) one that is not. */
static size_t any(struct model *m, bool dir)
{
    for (size_t tries = 0; tries < 200; tries++) {
        size_t i = below(m, m->inode_count);
        if (is_dir(m, i) == dir && (is_there(m, i) || !below(m, 40)))
            return i;
    }
    return 0;
}

static struct session *session_of(struct model *m, int which)
{
    return which < 0 ? NULL : sessions_find(m->f->nn.sessions, m->sessions[which]);
}

static void step_make(struct model *m)
{
    static const uint32_t formats[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFDIR, S_IFLNK, S_IFIFO};
    size_t parent = any(m, true);
    char name[2] = {(char)('a' + below(m, 5)), 0};
    uint32_t format = formats[below(m, ARRAY_COUNT(formats))];
    uint64_t id = 0;
    int wanted = !is_there(m, parent) ? ERR_STALE : model_find(m, parent, name) ? ERR_EXISTS : 0;
    if (m->inode_count == MODEL_INODES || m->name_count == MODEL_NAMES)
        return;
    assert_int_equal(make(m->f, m->inodes[parent].id, name, format | 0644, &id), wanted);
    m->refused += wanted != 0;
    if (wanted)
        return;
    m->inodes[m->inode_count] = (struct model_inode){.id = id, .format = format};
    model_add(m, parent, name, m->inode_count++);
}

static void step_make_unnamed(struct model *m)
{
    size_t parent = any(m, true), holder = below(m, 2);
    uint64_t id = 0;
    int wanted = is_there(m, parent) ? 0 : ERR_STALE;
    if (m->inode_count == MODEL_INODES)
        return;
    assert_int_equal(make_unnamed(m->f, m->inodes[parent].id, S_IFREG | 0644, session_of(m, (int)holder), &id), wanted);
    m->refused += wanted != 0;
    m->held += wanted == 0;
    if (!wanted)
        m->inodes[m->inode_count++] = (struct model_inode){.id = id, .format = S_IFREG, .holders = 1u << holder};
}

static void step_link(struct model *m)
{
    size_t child = any(m, !below(m, 10)), parent = any(m, true);
    char name[2] = {(char)('a' + below(m, 5)), 0};
    int wanted = !is_there(m, child)           ? ERR_STALE
                 : is_dir(m, child)            ? ERR_PERMISSION
                 : !is_there(m, parent)        ? ERR_STALE
                 : model_find(m, parent, name) ? ERR_EXISTS
                                               : 0;
    if (m->name_count == MODEL_NAMES)
        return;
    assert_int_equal(link_to(m->f, m->inodes[child].id, m->inodes[parent].id, name), wanted);
    if (!wanted)
        model_add(m, parent, name, child);
    m->refused += wanted != 0;
}

static void step_unlink(struct model *m)
{
    size_t parent = any(m, true);
    char name[2] = {(char)('a' + below(m, 5)), 0};
    bool directory = below(m, 2);
    int holder = (int)below(m, 4) - 2;
    struct model_name *n = model_find(m, parent, name);
    int wanted = !is_there(m, parent)                                  ? ERR_STALE
                 : !n                                                  ? ERR_NOT_FOUND
                 : directory && !is_dir(m, n->child)                   ? ERR_NOT_DIR
                 : !directory && is_dir(m, n->child)                   ? ERR_IS_DIR
                 : is_dir(m, n->child) && children(m, n->child, false) ? ERR_NOT_EMPTY
                                                                       : 0;
    assert_int_equal(unlink_from(m->f, m->inodes[parent].id, name, directory, session_of(m, holder)), wanted);
    if (!wanted)
        model_remove(m, n, holder);
    m->refused += wanted != 0;
}

static int rename_wanted(struct model *m, size_t from_dir, struct model_name *from, size_t to_dir,
                         struct model_name *to, uint32_t flags)
{
    if (!is_there(m, from_dir) || !is_there(m, to_dir))
        return ERR_STALE;
    if (!from)
        return ERR_NOT_FOUND;
    if (flags & NODE_NOREPLACE && to)
        return ERR_EXISTS;
    if (flags & NODE_EXCHANGE && !to)
        return ERR_NOT_FOUND;
    if (to && to->child == from->child)
        return 0;
    if (is_dir(m, from->child) && model_is_above(m, from->child, to_dir))
        return ERR_ILLEGAL_ARGUMENT;
    if (flags & NODE_EXCHANGE)
        return is_dir(m, to->child) && model_is_above(m, to->child, from_dir) ? ERR_ILLEGAL_ARGUMENT : 0;
    if (to && is_dir(m, from->child) && !is_dir(m, to->child))
        return ERR_NOT_DIR;
    if (to && !is_dir(m, from->child) && is_dir(m, to->child))
        return ERR_IS_DIR;
    return to && children(m, to->child, false) ? ERR_NOT_EMPTY : 0;
}

static void step_rename(struct model *m)
{
    size_t from_dir = any(m, true), to_dir = any(m, true), child;
    char name[2] = {(char)('a' + below(m, 5)), 0}, new_name[2] = {(char)('a' + below(m, 5)), 0};
    uint32_t flags = (uint32_t)below(m, 3);
    int holder = (int)below(m, 4) - 2;
    struct model_name *from = model_find(m, from_dir, name), *to = model_find(m, to_dir, new_name);
    int wanted = rename_wanted(m, from_dir, from, to_dir, to, flags);
    assert_int_equal(
        rename_to(m->f, m->inodes[from_dir].id, name, m->inodes[to_dir].id, new_name, flags, session_of(m, holder)),
        wanted);
    m->refused += wanted != 0;
    if (wanted || (to && to->child == from->child))
        return;
    child = from->child;
    if (flags & NODE_EXCHANGE) {
        from->child = to->child;
        to->child = child;
        return;
    }
    if (to)
        model_remove(m, to, holder);
    from = model_find(m, from_dir, name);
    m->inodes[child].nlink++; /* never without a name in between */
    model_remove(m, from, -1);
    m->inodes[child].nlink--;
    model_add(m, to_dir, new_name, child);
}

static void forget_below(struct model *m, size_t dir)
{
    for (size_t i = 0; i < m->name_count;)
        if (m->names[i].parent == dir) {
            size_t child = m->names[i].child;
            model_remove(m, &m->names[i], -1);
            if (is_dir(m, child))
                forget_below(m, child);
            i = 0;
        } else {
            i++;
        }
}

/* As HDFS clients do it: with all that is below. */
static void step_delete_tree(struct model *m)
{
    size_t dir = any(m, true);
    char name[2] = {(char)('a' + below(m, 5)), 0}, path[64];
    struct model_name *n = model_find(m, dir, name);
    bool done = false;
    if (!n)
        return;
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu/%s", (unsigned long long)m->inodes[dir].id, name);
    assert_int_equal(IN_TXN(m->f, tree_delete(t, &m->f->root, path, true, &done, ERR(m->f))), 0);
    assert_true(done);
    size_t child = n->child;
    model_remove(m, n, -1);
    if (is_dir(m, child))
        forget_below(m, child);
    for (size_t i = below(m, 3); i-- > 0;)
        reap_some(m->f);
}

static void step_release(struct model *m)
{
    size_t i = below(m, m->inode_count);
    int which = (int)below(m, 2);
    if (!(m->inodes[i].holders & 1u << which))
        return;
    assert_int_equal(release(m->f, session_of(m, which), m->inodes[i].id), 0);
    m->inodes[i].holders &= ~(1u << which);
}

static void step_end_session(struct model *m)
{
    int which = (int)below(m, 2);
    end_session(m->f, m->sessions[which]);
    for (size_t i = 0; i < m->inode_count; i++)
        m->inodes[i].holders &= ~(1u << which);
    m->sessions[which] = open_session(m->f, "again")->id;
}

static void check(struct model *m)
{
    struct fixture *f = m->f;
    reap_all(f);
    size_t there = 0;
    for (size_t i = 0; i < m->inode_count; i++) {
        struct model_inode *want = &m->inodes[i];
        if (i && !is_there(m, i)) {
            assert_int_equal(gone(f, want->id), ERR_STALE);
            continue;
        }
        there++;
        struct inode n = attr_of(f, want->id);
        assert_int_equal(inode_format(n.type), want->format);
        assert_int_equal(inode_nlink(&n), is_dir(m, i) ? 2 + children(m, i, true) : want->nlink);
        assert_int_equal(n.is_held, want->holders != 0);
        assert_int_equal(n.child_count, is_dir(m, i) ? children(m, i, false) : 0);
    }
    for (size_t i = 0; i < m->name_count; i++)
        assert_int_equal(child_of(f, m->inodes[m->names[i].parent].id, m->names[i].name),
                         m->inodes[m->names[i].child].id);
    assert_int_equal(f->nn.dir->counters.inodes, there);
}

static void run(void **state, uint64_t seed, size_t steps)
{
    struct model *m = mem_new(struct model);
    m->f = *state;
    m->random = seed * 0x9E3779B97F4A7C15ull + 1;
    m->inodes[m->inode_count++] = (struct model_inode){.id = INODE_ROOT, .format = S_IFDIR, .nlink = 1};
    for (size_t i = 0; i < 2; i++)
        m->sessions[i] = open_session(m->f, "mount")->id;
    for (size_t i = 0; i < steps; i++, m->done++) {
        size_t what = below(m, 100);
        if (what < 32)
            step_make(m);
        else if (what < 35)
            step_make_unnamed(m);
        else if (what < 50)
            step_link(m);
        else if (what < 65)
            step_unlink(m);
        else if (what < 88)
            step_rename(m);
        else if (what < 91)
            step_delete_tree(m);
        else if (what < 99)
            step_release(m);
        else if (!below(m, 5))
            step_end_session(m);
        if (!below(m, 50))
            check(m);
        if (!below(m, 400))
            fixture_reopen(m->f);
    }
    check(m);
    print_message("%zu operations, %zu refused, %zu times held\n", m->done, m->refused, m->held);
    assert_true(m->refused > steps / 20 && m->held > steps / 100);
    free(m);
}

static void random_operations_do_what_the_model_says(void **state)
{
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 3;
    print_message("SEED=%llu replays it\n", (unsigned long long)first);
    run(state, first, steps ? strtoull(steps, NULL, 10) : 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_operations_do_what_the_model_says, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
