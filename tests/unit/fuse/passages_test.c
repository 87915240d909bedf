/* Of opening a file and removing its name, either knows of the other. */
#include <pthread.h>
#include <stdatomic.h>

#include "fuse/posix/passages.h"
#include "tests/unit/check.h"

enum { FILE_A = 20000, FILE_B = 20001 };

static void test_a_removal_knows_of_those_who_open(void **state)
{
    struct passages *all = passages_new();
    struct passage open, remove, never = {0};
    passage_open(all, &open, FILE_A);
    assert_true(passage_remove(all, &remove, FILE_A));
    passage_end(all, &remove);
    assert_true(passage_remove(all, &remove, PASSAGE_ANY));
    passage_end(all, &remove);
    assert_false(passage_remove(all, &remove, FILE_B));
    passage_end(all, &remove);
    passage_end(all, &open);
    assert_false(passage_remove(all, &remove, FILE_A));
    passage_end(all, &remove);
    passage_end(all, &never);
    passages_free(all);
}

struct opening {
    struct passages *all;
    _Atomic int removed; /* before the file was opened */
    bool was_in_time;
};

static void *open_it(void *arg)
{
    struct opening *o = arg;
    struct passage p;
    passage_open(o->all, &p, FILE_A);
    o->was_in_time = !o->removed;
    passage_end(o->all, &p);
    return NULL;
}

static void removed_first(uint64_t inode)
{
    struct opening o = {.all = passages_new()};
    struct passage remove, next;
    pthread_t thread;
    assert_false(passage_remove(o.all, &remove, inode));
    assert_int_equal(pthread_create(&thread, NULL, open_it, &o), 0);
    while (!passage_remove(o.all, &next, FILE_A)) /* until it waits */
        passage_end(o.all, &next);
    o.removed = 1;
    passage_end(o.all, &remove);
    pthread_join(thread, NULL);
    assert_false(o.was_in_time);
    passage_wait_opened(o.all, FILE_A);
    passages_free(o.all);
}

static void test_who_opens_waits_for_a_removal(void **state)
{
    removed_first(FILE_A);
    removed_first(PASSAGE_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_removal_knows_of_those_who_open),
        cmocka_unit_test(test_who_opens_waits_for_a_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
