#include "namenode/namespace/inode.h"

#include "cairn/store.pb-c.h"
#include "tests/unit/check.h"

static int decode(const Cairn__InodeRecord *r, struct err *reterr)
{
    uint8_t bytes[256];
    struct arena a;
    struct inode *n = NULL;
    assert_true(cairn__inode_record__get_packed_size(r) <= sizeof bytes);
    size_t len = cairn__inode_record__pack(r, bytes);
    arena_init(&a, 1 << 20);
    int rc = inode_decode(17, (struct slice){bytes, len}, &a, &n, reterr);
    arena_free(&a);
    return rc;
}

static void a_link_has_a_target(void **state)
{
    struct err why;
    Cairn__InodeRecord r = CAIRN__INODE_RECORD__INIT;
    r.type = (Cairn__InodeRecord__Type)INODE_SYMLINK;
    r.name = (ProtobufCBinaryData){4, (uint8_t *)"link"};
    r.owner = r.group = "ann";
    r.has_target = true;
    r.target = (ProtobufCBinaryData){2, (uint8_t *)"/d"};
    assert_int_equal(decode(&r, &why), 0);
    r.has_target = false;
    assert_int_equal(decode(&r, &why), ERR_IO);
    assert_string_equal(why.text, "metadata store: inode 17 is damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_link_has_a_target)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
