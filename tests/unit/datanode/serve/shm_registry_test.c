#include "tests/unit/check.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datanode/serve/shm_registry.h"
#include "proto/shm_slot.h"

struct client {
    struct shm_registry *registry;
    struct shm_id id;
    void *base; /* as a client sees the segment */
};

static void open_client(struct client *c)
{
    int fd;
    c->registry = shm_registry_new();
    assert_int_equal(shm_registry_add(c->registry, &c->id, &fd, NULL), 0);
    c->base = mmap(NULL, SHM_SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(c->base != MAP_FAILED);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    close(fd);
}

static void close_client(struct client *c)
{
    munmap(c->base, SHM_SEGMENT_BYTES);
    shm_registry_free(c->registry);
}

static void a_change_reaches_every_slot_of_the_block(void **state)
{
    struct client c;
    open_client(&c);
    for (unsigned i = 0; i < SHM_SLOTS; i++) {
        shm_slot_set(c.base, i, SHM_SLOT_VALID | SHM_SLOT_ANCHORABLE);
        assert_int_equal(shm_registry_register(c.registry, c.id, (int32_t)i, 100 + i % 2, false, NULL), 0);
    }
    shm_registry_invalidate(c.registry, 101);
    for (unsigned i = 0; i < SHM_SLOTS; i++) {
        assert_int_equal(shm_slot_is_valid(c.base, i), i % 2 == 0);
        assert_int_equal(*shm_slot_word(c.base, i) & SHM_SLOT_ANCHORABLE, 0);
    }
    close_client(&c);
}

static void only_what_is_in_memory_may_be_anchored(void **state)
{
    struct client c;
    open_client(&c);
    for (unsigned i = 0; i < 2; i++) {
        shm_slot_set(c.base, i, SHM_SLOT_VALID);
        assert_int_equal(shm_registry_register(c.registry, c.id, (int32_t)i, 7 + i, i == 0, NULL), 0);
    }
    assert_true(*shm_slot_word(c.base, 0) == (SHM_SLOT_VALID | SHM_SLOT_ANCHORABLE));
    assert_true(*shm_slot_word(c.base, 1) == SHM_SLOT_VALID);
    shm_registry_unanchor(c.registry, 7);
    assert_true(*shm_slot_word(c.base, 0) == SHM_SLOT_VALID);
    close_client(&c);
}

static void slots_are_taken_once_and_given_back(void **state)
{
    struct client c;
    struct err why;
    open_client(&c);
    assert_int_equal(shm_registry_register(c.registry, c.id, 5, 1, false, &why), ERR_INVALID_REQUEST); /* not valid */
    shm_slot_set(c.base, 5, SHM_SLOT_VALID);
    assert_int_equal(shm_registry_register(c.registry, c.id, 5, 1, false, NULL), 0);
    assert_int_equal(shm_registry_register(c.registry, c.id, 5, 2, false, &why), ERR_INVALID_REQUEST);
    assert_int_equal(shm_registry_unregister(c.registry, c.id, 5, NULL), 0);
    assert_false(shm_slot_is_valid(c.base, 5));
    assert_int_equal(shm_registry_unregister(c.registry, c.id, 5, &why), ERR_INVALID_REQUEST);
    const int32_t wrong[] = {-1, SHM_SLOTS, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(shm_registry_register(c.registry, c.id, wrong[i], 1, false, &why), ERR_INVALID_REQUEST);
    struct shm_id nobody = {c.id.hi, c.id.lo + 1};
    assert_int_equal(shm_registry_register(c.registry, nobody, 0, 1, false, &why), ERR_INVALID_REQUEST);
    close_client(&c);
}

static void a_segment_that_ends_invalidates_what_it_had(void **state)
{
    struct client c;
    open_client(&c);
    shm_slot_set(c.base, 0, SHM_SLOT_VALID);
    assert_int_equal(shm_registry_register(c.registry, c.id, 0, 1, false, NULL), 0);
    shm_registry_remove(c.registry, c.id);
    assert_false(shm_slot_is_valid(c.base, 0));
    shm_registry_remove(c.registry, c.id);
    shm_registry_invalidate(c.registry, 1);
    close_client(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_reaches_every_slot_of_the_block),
        cmocka_unit_test(only_what_is_in_memory_may_be_anchored),
        cmocka_unit_test(slots_are_taken_once_and_given_back),
        cmocka_unit_test(a_segment_that_ends_invalidates_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
