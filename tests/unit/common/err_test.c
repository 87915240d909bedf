#include "tests/unit/check.h"

#include <errno.h>

#include "common/err.h"

static void code_is_returned_and_text_kept(void **state)
{
    struct err err;
    assert_int_equal(err_set(&err, ERR_NOT_FOUND, "File does not exist: %s", "/x"), ERR_NOT_FOUND);
    assert_string_equal(err.text, "File does not exist: /x");
    assert_string_equal(err_java_class(&err), "java.io.FileNotFoundException");
    assert_int_equal(err_to_errno(ERR_NOT_FOUND), ENOENT);
    assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

static void every_class_maps_back_to_its_first_row(void **state)
{
    for (int i = 0; i < ERR_INDEX_REMOTE; i++) {
        struct err err = {.code = -(i + 1)};
        assert_int_equal(err_from_java_class(err_java_class(&err)), -(i + 1));
    }
    assert_int_equal(err_from_java_class("com.example.Unheard"), ERR_REMOTE);
    assert_int_equal(err_from_java_class(NULL), ERR_REMOTE);
}

static void remote_class_is_kept_for_the_way_back(void **state)
{
    struct err err;
    err_remote(&err, "com.example.Unheard", "why");
    assert_int_equal(err.code, ERR_REMOTE);
    assert_string_equal(err_java_class(&err), "com.example.Unheard");
    err_set(&err, ERR_IO, "next");
    assert_string_equal(err_java_class(&err), "java.io.IOException");
}

static void what_only_posix_knows_travels_by_name(void **state)
{
    static const int known[] = {EPERM, EBUSY, EXDEV, EMLINK, ESTALE, EDEADLK, ENOLCK, ENOTDIR, EINVAL, EFBIG};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        struct err sent, received;
        int code = err_posix(&sent, known[i], "inode %d", 7);
        assert_int_equal(err_to_errno(code), known[i]);
        assert_string_equal(err_java_class(&sent), "org.cairn.PosixException");
        assert_int_equal(err_remote(&received, err_java_class(&sent), sent.text), code);
        assert_non_null(strstr(received.text, ": inode 7"));
    }
    assert_int_equal(err_remote(NULL, "org.cairn.PosixException", "ENOIDEA: x"), ERR_IO);
    assert_int_equal(err_remote(NULL, "org.cairn.PosixException", NULL), ERR_IO);
}

static void prefix_goes_in_front_and_long_text_is_cut(void **state)
{
    struct err err;
    err_errno(&err, ENOENT, "open '%s'", "f");
    assert_int_equal(err_prefix(&err, err.code, "config"), ERR_NOT_FOUND);
    assert_string_equal(err.text, "config: open 'f': No such file or directory");
    char long_text[3 * ERR_TEXT_MAX];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    err_set(&err, ERR_IO, "%s", long_text);
    err_prefix(&err, ERR_IO, "%s", long_text);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_returned_and_text_kept),
        cmocka_unit_test(every_class_maps_back_to_its_first_row),
        cmocka_unit_test(remote_class_is_kept_for_the_way_back),
        cmocka_unit_test(what_only_posix_knows_travels_by_name),
        cmocka_unit_test(prefix_goes_in_front_and_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
