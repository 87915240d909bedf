/* What the shell prints and reads: numbers, modes, options, relative names. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/fs/chmod_parse.h"
#include "client/fs/human.h"
#include "client/fs/item.h"
#include "client/fs/options.h"

static void fixed_point_rounds_the_shortest_decimal_half_up(void **state)
{
    char out[HUMAN_MAX];
    assert_string_equal(human_fixed(1.25, 1, out), "1.3"); /* C prints 1.2 */
    assert_string_equal(human_fixed(0.15, 1, out), "0.2"); /* the binary number is a little less */
    assert_string_equal(human_fixed(9.96, 1, out), "10.0");
    assert_string_equal(human_fixed(999.95, 1, out), "1000.0");
    assert_string_equal(human_fixed(0.5, 0, out), "1");
    assert_string_equal(human_fixed(0.04, 0, out), "0");
    assert_string_equal(human_fixed(-1.25, 1, out), "-1.3");
    assert_string_equal(human_fixed(3, 2, out), "3.00");
    assert_string_equal(human_percent(NAN, 0, out), "NaN%");
}

static void sizes_have_binary_prefixes(void **state)
{
    char out[HUMAN_MAX];
    assert_string_equal(human_size(1023, true, out), "1023");
    assert_string_equal(human_size(1024, true, out), "1 K");
    assert_string_equal(human_size(1536, true, out), "1.5 K");
    assert_string_equal(human_size(1048575, true, out), "1.0 M"); /* not 1024.0 K */
    assert_string_equal(human_bytes(1, out), "1 B");
    assert_string_equal(human_bytes(1536, out), "1.50 KB");
    assert_string_equal(human_bytes(-2048, out), "-2 KB");
    assert_string_equal(human_bytes(INT64_MAX, out), "8.00 EB");
    assert_string_equal(human_prefixed(INT64_MIN, "", 1, out), "-8 E");
}

static void numbers_with_prefix_are_read_within_bounds(void **state)
{
    int64_t n;
    assert_int_equal(human_parse_prefixed("5m", &n, NULL), 0);
    assert_int_equal(n, 5 << 20);
    assert_int_equal(human_parse_prefixed(" 12", &n, NULL), 0);
    assert_int_equal(n, 12);
    assert_int_equal(human_parse_prefixed("8e", &n, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(human_parse_prefixed("5x", &n, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(human_parse_prefixed("", &n, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(human_parse_prefixed("5mm", &n, NULL), ERR_ILLEGAL_ARGUMENT);
}

static uint16_t changed(const char *text, uint16_t mode, bool is_dir)
{
    struct chmod_change c;
    assert_true(chmod_parse(text, &c));
    return chmod_apply(&c, mode, is_dir);
}

static void modes_change_as_hadoop_changes_them(void **state)
{
    assert_int_equal(changed("755", 0644, false), 0755);
    assert_int_equal(changed("1777", 0644, true), 01777);
    assert_int_equal(changed("777", 01777, true), 0777); /* three digits take the sticky bit away */
    assert_int_equal(changed("u+x,go-r", 0644, false), 0700);
    assert_int_equal(changed("+X", 0644, false), 0644);
    assert_int_equal(changed("+X", 0644, true), 0755);
    assert_int_equal(changed("+X", 0744, false), 0755);
    assert_int_equal(changed("a=r", 0777, false), 0444);
    assert_int_equal(changed("o+t", 0755, true), 01755);
    assert_int_equal(changed("+t", 0755, true), 01755);
    assert_int_equal(changed("-w", 0666, false), 0444);
    struct chmod_change c;
    static const char *const wrong[] = {"", "8", "7777", "01777", "u", "u+", "u+z", "u+r g+w", "+rwx;", "77"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_false(chmod_parse(wrong[i], &c));
    char symbols[10];
    assert_string_equal(mode_symbols(01755, symbols), "rwxr-xr-t");
    assert_string_equal(mode_symbols(01754, symbols), "rwxr-xr-T");
}

static void options_stand_before_operands(void **state)
{
    char *v[] = {"-f", "-t", "3", "a", "-f", "b"};
    struct args a = {v, 6};
    struct option_flag f[] = {{"f"}, {"t", true}, {"q", true}, {0}};
    assert_int_equal(options_parse(&a, 1, ARGS_ANY, f, false, NULL), 0);
    assert_true(f[0].on);
    assert_string_equal(f[1].value, "3");
    assert_null(f[2].value);
    assert_int_equal(a.count, 3);
    assert_string_equal(a.v[1], "-f");
}

static void misuse_of_options_is_told(void **state)
{
    struct err e;
    char *unknown[] = {"-z", "a"}, *few[] = {"-"}, *ended[] = {"--", "-z"};
    assert_int_equal(options_parse(&(struct args){unknown, 2}, 1, 9, NULL, false, &e), ERR_ILLEGAL_ARGUMENT);
    assert_string_equal(e.text, "Illegal option -z");
    assert_int_equal(options_parse(&(struct args){few, 1}, 2, 9, NULL, false, &e), ERR_ILLEGAL_ARGUMENT);
    assert_string_equal(e.text, "Not enough arguments: expected 2 but got 1");
    struct args rest = {ended, 2};
    assert_int_equal(options_parse(&rest, 1, 1, NULL, false, &e), 0);
    assert_string_equal(rest.v[0], "-z");
}

static void names_are_relative_to_the_home_directory(void **state)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_string_equal(path_relative("/user/u", "/user/u", true, &a), ".");
    assert_string_equal(path_relative("/user/u", "/user/u/a/b", false, &a), "a/b");
    assert_string_equal(path_relative("/user/u", "/user/v", false, &a), "../v");
    assert_string_equal(path_relative("/user/u", "/x", false, &a), "../../x");
    assert_string_equal(path_relative("/user/u", "/user", true, &a), "..");
    arena_free(&a);
}

static void blanks_sort_as_in_a_uri(void **state)
{
    struct item blank = {.path = "/a b"}, bang = {.path = "/a!"}, plain = {.path = "/a"};
    assert_true(item_compare(&blank, &bang) > 0); /* %20 after ! */
    assert_true(item_compare(&plain, &bang) < 0);
    assert_int_equal(item_compare(&blank, &blank), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_point_rounds_the_shortest_decimal_half_up),
        cmocka_unit_test(sizes_have_binary_prefixes),
        cmocka_unit_test(numbers_with_prefix_are_read_within_bounds),
        cmocka_unit_test(modes_change_as_hadoop_changes_them),
        cmocka_unit_test(options_stand_before_operands),
        cmocka_unit_test(misuse_of_options_is_told),
        cmocka_unit_test(names_are_relative_to_the_home_directory),
        cmocka_unit_test(blanks_sort_as_in_a_uri),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
