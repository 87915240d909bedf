/* Operations by inode number, as a mount asks for them. */
#ifndef CAIRN_TESTS_NAMESPACE_NODE_CALLS_H
#define CAIRN_TESTS_NAMESPACE_NODE_CALLS_H

#include "tests/unit/namenode/namespace/fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "namenode/namespace/links.h"
#include "namenode/namespace/nodes.h"

#include "namenode/namespace/snapshots.h"

#define BLOCK (1u << 20)

static inline struct slice name_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline int make_as(struct fixture *f, const struct node_make *how, uint64_t *ret_id, bool *ret_made)
{
    struct inode *n = NULL;
    int rc = IN_TXN(f, node_make(t, how, &n, ret_made, ERR(f)) || !(*ret_id = n->id) ? ERR(f)->code : 0);
    return rc;
}

static inline int make(struct fixture *f, uint64_t parent, const char *name, uint32_t mode, uint64_t *ret_id)
{
    struct node_make how = {.parent = parent,
                            .name = name_of(name),
                            .mode = mode,
                            .owner = "ann",
                            .group = "staff",
                            .rdev = S_ISCHR(mode) || S_ISBLK(mode) ? 0x105 : 0,
                            .target = name_of(S_ISLNK(mode) ? "target" : ""),
                            .replication = 3,
                            .block_bytes = BLOCK};
    bool made;
    return make_as(f, &how, ret_id, &made);
}

static inline int make_unnamed(struct fixture *f, uint64_t parent, uint32_t mode, const struct session *holder,
                               uint64_t *ret_id)
{
    struct node_make how = {.parent = parent,
                            .name = name_of("/"),
                            .mode = mode,
                            .umask = 022,
                            .owner = "ann",
                            .group = "staff",
                            .replication = 3,
                            .block_bytes = BLOCK,
                            .holder = holder->id};
    bool made = false;
    int rc = make_as(f, &how, ret_id, &made);
    assert_int_equal(made, rc == 0);
    return rc;
}

static inline uint64_t must_make(struct fixture *f, uint64_t parent, const char *name, uint32_t mode)
{
    uint64_t id = 0;
    assert_int_equal(make(f, parent, name, mode, &id), 0);
    return id;
}

static inline int link_to(struct fixture *f, uint64_t id, uint64_t parent, const char *name)
{
    struct inode *n = NULL;
    return IN_TXN(f, node_link(t, id, parent, name_of(name), &n, ERR(f)));
}

static inline int unlink_from(struct fixture *f, uint64_t parent, const char *name, bool directory,
                              struct session *holder)
{
    struct inode *n = NULL;
    return IN_TXN(f, node_unlink(t, parent, name_of(name), directory, holder ? holder->id : 0, &n, ERR(f)));
}

static inline int rename_to(struct fixture *f, uint64_t parent, const char *name, uint64_t new_parent,
                            const char *new_name, uint32_t flags, struct session *holder)
{
    struct inode *n = NULL, *replaced = NULL;
    struct node_rename how = {parent, new_parent, name_of(name), name_of(new_name), flags};
    return IN_TXN(f, node_rename(t, &how, holder ? holder->id : 0, &n, &replaced, ERR(f)));
}

static inline uint64_t child_of(struct fixture *f, uint64_t parent, const char *name)
{
    struct inode *n = NULL;
    uint64_t id = 0;
    assert_int_equal(IN_TXN(f, node_lookup(t, parent, name_of(name), &n, ERR(f)) || (id = n ? n->id : 0, 0)), 0);
    return id;
}

static inline struct inode attr_of(struct fixture *f, uint64_t id) /* strings are gone */
{
    struct inode *n = NULL, copy = {0};
    int rc = IN_TXN(f, node_of(t, id, &n, ERR(f)) ? ERR(f)->code : (copy = *n, 0));
    assert_int_equal(rc, 0);
    return copy;
}

static inline struct session *open_session(struct fixture *f, const char *name)
{
    uint64_t id = 0;
    assert_int_equal(IN_TXN(f, session_put_new(f->nn.sessions, t, name, &id, ERR(f))), 0);
    return sessions_add(f->nn.sessions, id, name, f->now_ms);
}

static inline void end_session(struct fixture *f, uint64_t id)
{
    struct session *s;
    do { /* in steps */
        s = sessions_find(f->nn.sessions, id);
        s = s ? s : sessions_next_ended(f->nn.sessions, 0);
        if (s)
            assert_int_equal(posix_end_session(&f->nn, s, ERR(f)), 0);
    } while (s);
}

static inline int release(struct fixture *f, struct session *s, uint64_t id)
{
    int rc = IN_TXN(f, session_drop_hold(f->nn.sessions, t, s, id, ERR(f)));
    if (!rc)
        session_released(s, id);
    return rc;
}

static inline int gone(struct fixture *f, uint64_t id)
{
    struct inode *n = NULL;
    return IN_TXN(f, node_of(t, id, &n, ERR(f)));
}

#endif
