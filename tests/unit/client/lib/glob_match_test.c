#include "tests/unit/check.h"

#include "client/lib/dfs_path.h"
#include "client/lib/glob_match.h"

static void yes(const char *pattern, const char *name)
{
    assert_int_equal(glob_check(pattern, NULL), 0);
    if (!glob_match(pattern, name))
        fail_msg("%s should match %s", pattern, name);
}

static void no(const char *pattern, const char *name)
{
    assert_int_equal(glob_check(pattern, NULL), 0);
    if (glob_match(pattern, name))
        fail_msg("%s should not match %s", pattern, name);
}

static void stars_and_question_marks(void **state)
{
    yes("*", ""), yes("*", "abc"), yes("*", ".hidden"), yes("a*c", "ac"), yes("a*c", "abbc"), no("a*c", "ab");
    yes("*a*b*", "xxaxxbxx"), no("*a*b*", "ba"), yes("a?c", "abc"), no("a?c", "ac"), no("?", ""), yes("?", "ü");
    yes("part-*", "part-00000"), no("part-*", "_SUCCESS");
}

static void classes(void **state)
{
    yes("[abc]", "b"), no("[abc]", "d"), yes("[a-c]x", "bx"), no("[^a-c]", "b"), yes("[^a-c]", "d"),
        yes("[a\\-c]", "-");
    no("[a\\-c]", "b"), yes("[ä-ü]", "ö"), yes("[]]", "]");
    no("[!a-c]x", "bx"), yes("[!a-c]x", "dx"), yes("[a!]", "!"), yes("[a!]", "a"), yes("[\\!a]", "!"), no("[!]]", "]");
}

static void alternatives(void **state)
{
    yes("{a,b}", "a"), yes("{a,b}", "b"), no("{a,b}", "c"), yes("x{a,bc}y", "xbcy"), no("x{a,bc}y", "xby"),
        yes("{a,}b", "b");
    yes("{a*,b?}c", "axxc"), yes("{a,{b,c}d}e", "cde"), no("{a,{b,c}d}e", "ce"), yes("2014-0{8,9}*", "2014-09-30");
    yes("{[a,b],x}", ","), yes("a}", "a}"), yes("a,b", "a,b");
}

static void escapes(void **state)
{
    yes("\\[z\\]", "[z]"), yes("\\*", "*"), no("\\*", "a"), yes("a\\?b", "a?b"), yes("\\{a\\,b\\}", "{a,b}"),
        yes("{a\\,b,c}", "a,b"), yes("\\\\", "\\");
}

static void broken_patterns_are_named(void **state)
{
    const char *broken[] = {"[", "[a", "{", "{a", "a{b,c", "{a,{b}", "a\\", "[^", "[!", "\\\\["};
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        struct err e;
        assert_int_equal(glob_check(broken[i], &e), ERR_ILLEGAL_ARGUMENT);
        assert_non_null(strstr(e.text, broken[i]));
    }
}

static void a_pattern_that_explodes_ends(void **state)
{
    no("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void wildcards_are_seen(void **state)
{
    assert_true(dfs_glob_has_wildcard("/a/*"));
    assert_true(dfs_glob_has_wildcard("/{a,b}"));
    assert_false(dfs_glob_has_wildcard("/a\\*"));
    assert_false(dfs_glob_has_wildcard("/a]b}"));
}

static void braces_with_slashes_become_patterns(void **state)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    const char **out;
    size_t n;
    assert_int_equal(glob_expand("/a{/b,c}/d", &a, &out, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_string_equal(out[0], "/a/b/d");
    assert_string_equal(out[1], "/ac/d");
    assert_int_equal(glob_expand("/{a,b}/{c/d,e}", &a, &out, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_string_equal(out[0], "/{a,b}/c/d");
    assert_string_equal(out[1], "/{a,b}/e");
    assert_int_equal(glob_expand("/{a/{b,c/d},e}", &a, &out, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(out[0], "/a/b");
    assert_string_equal(out[2], "/e");
    char many[300] = "";
    for (int i = 0; i < 20; i++)
        strcat(many, "{/a,/b}");
    assert_int_equal(glob_expand(many, &a, &out, &n, NULL), ERR_ILLEGAL_ARGUMENT);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_and_question_marks),
        cmocka_unit_test(classes),
        cmocka_unit_test(alternatives),
        cmocka_unit_test(escapes),
        cmocka_unit_test(broken_patterns_are_named),
        cmocka_unit_test(a_pattern_that_explodes_ends),
        cmocka_unit_test(wildcards_are_seen),
        cmocka_unit_test(braces_with_slashes_become_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
