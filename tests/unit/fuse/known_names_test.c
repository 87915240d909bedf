/* Names that were fetched ahead: what is known of them, until something is said to have changed. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fuse/posix/known_names.h"
#include "tests/unit/check.h"

#define ROOM       (4u << 20)
#define BELIEVE_MS 30000
#define DIR        100

static struct posix_attr attr_of(uint64_t id)
{
    return (struct posix_attr){.id = id, .mode = 0100644, .nlink = 1, .owner = "o", .group = "g", .size = id};
}

static struct known_names *fresh(void)
{
    return known_names_new(ROOM, BELIEVE_MS);
}

/* '?': not known, '_': absent, else the last digit of its inode. */
static char look(struct known_names *k, const char *name)
{
    const struct posix_attr *attr = NULL;
    int64_t left_ms;
    known_names_hold(k);
    enum known_name known = known_names_find(k, DIR, name, &attr, &left_ms);
    char is = known == NAME_NOT_KNOWN ? '?' : known == NAME_ABSENT ? '_' : (char)('0' + attr->id % 10);
    if (known != NAME_NOT_KNOWN)
        assert_true(left_ms > 0 && left_ms <= BELIEVE_MS);
    known_names_let_go(k);
    return is;
}

static void assert_known(struct known_names *k, const char *names, const char *as)
{
    char seen[64] = "";
    for (size_t i = 0; names[i]; i++)
        seen[i] = look(k, (char[]){names[i], 0});
    assert_string_equal(seen, as);
}

/* Letters from `first` on: "b", then those behind it; the inode of each is its place in the alphabet. */
static void page_since(struct known_names *k, struct known_since since, char from, bool from_is_there, const char *next,
                       bool more)
{
    struct posix_entry entries[26];
    char names[26][2];
    struct posix_attr first = from_is_there ? attr_of((uint64_t)(from - 'a' + 1)) : (struct posix_attr){0};
    size_t count = strlen(next);
    for (size_t i = 0; i < count; i++) {
        names[i][0] = next[i];
        names[i][1] = 0;
        entries[i] = (struct posix_entry){names[i], attr_of((uint64_t)(next[i] - 'a' + 1))};
    }
    known_names_page(k, since,
                     &(struct known_page){.dir = DIR,
                                          .from = from ? (char[]){from, 0} : "",
                                          .first = from ? &first : NULL,
                                          .next = entries,
                                          .count = count,
                                          .more = more});
}

static void page(struct known_names *k, char from, bool from_is_there, const char *next, bool more)
{
    page_since(k, known_names_now(k), from, from_is_there, next, more);
}

static void did(struct known_names *k, struct known_since since, const char *name, uint64_t id)
{
    struct posix_attr attr = attr_of(id);
    known_names_did(k, since, &(struct known_change){DIR, name, id ? &attr : NULL}, 1);
}

static void test_a_page_knows_what_is_between(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    assert_known(k, "abc", "???");
    page(k, 'b', true, "dg", true);
    assert_known(k, "abcdefgh", "?2_4__7?");
    page(k, 'h', false, "j", false);
    assert_known(k, "abcdefghijkz", "?2_4__7__0__");
    known_names_free(k);
}

static void test_pages_join(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    page(k, 'f', true, "h", true);
    page(k, 'b', false, "df", true); /* ends where the other begins */
    assert_known(k, "abcdefghi", "?__4_6_8?");
    page(k, 'c', false, "dfhij", true); /* over both */
    assert_known(k, "abcdefghijk", "?__4_6_890?");
    page(k, 0, false, "a", true); /* from the beginning */
    assert_known(k, "ab", "1_");
    known_names_free(k);
}

static void test_pages_of_a_listing_follow_each_other(void **state)
{
    struct known_names *k = fresh();
    struct known_since since = known_names_now(k);
    struct posix_entry c = {"c", attr_of(3)};
    (void)state;
    page(k, 0, false, "ab", true);
    known_names_page(k, since, &(struct known_page){.dir = DIR, .from = "b", .next = &c, .count = 1});
    assert_known(k, "abcd", "123_");
    known_names_changed(k, DIR, "b");
    known_names_page(k, since, &(struct known_page){.dir = DIR, .from = "b", .next = &c, .count = 1, .more = true});
    assert_known(k, "abcd", "1?3_"); /* what was not asked again is not known again */
    known_names_page(k, known_names_now(k), &(struct known_page){.dir = DIR, .from = ""}); /* it is empty */
    assert_known(k, "abcd", "____");
    known_names_free(k);
}

static void test_what_others_change_is_forgotten(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    page(k, 0, false, "bdf", false);
    assert_known(k, "abcdefg", "_2_4_6_");
    known_names_changed(k, DIR, "d");
    assert_known(k, "abcdefg", "_2???6_");
    known_names_changed(k, DIR, "g");
    assert_known(k, "abcdefg", "_2???6?");
    known_names_changed(k, DIR, "a");
    assert_known(k, "abcdefg", "?2???6?");
    known_names_changed(k, DIR + 1, "b"); /* another folder */
    known_names_inode_changed(k, 2);
    assert_known(k, "abcdefg", "?????6?");
    known_names_all_changed(k);
    assert_known(k, "abcdefg", "???????");
    known_names_free(k);
}

static void test_a_folder_that_others_change_is_asked(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    page(k, 0, false, "bdf", false);
    known_names_told(k, DIR + 1, "x"); /* another folder */
    known_names_told(k, 9, NULL);
    assert_known(k, "abcd", "_2_4");
    known_names_told(k, 4, NULL); /* a file that is known to be in it */
    assert_known(k, "abcd", "????");
    known_names_all_changed(k);
    assert_int_equal(known_names_ahead(k, DIR), 0);
    assert_int_equal(known_names_ahead(k, DIR), 0);
    known_names_free(k);
    k = fresh();
    known_names_told(k, DIR, "x"); /* before anything is known of it */
    page(k, 0, false, "bdf", false);
    assert_known(k, "abcd", "????");
    known_names_free(k);
}

static void test_an_inode_has_several_names(void **state)
{
    struct known_names *k = fresh();
    struct posix_entry both[] = {{"a", attr_of(5)}, {"b", attr_of(5)}, {"c", attr_of(6)}};
    (void)state;
    known_names_page(k, known_names_now(k),
                     &(struct known_page){.dir = DIR, .from = "", .next = both, .count = ARRAY_COUNT(both)});
    assert_known(k, "abcd", "556_");
    known_names_inode_changed(k, 5);
    assert_known(k, "abcd", "??6_"); /* the names are there all the same, and nothing is between them */
    known_names_free(k);
}

static void test_a_folder_changes_with_its_entries(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    page(k, 0, false, "ab", false);
    known_names_changed(k, 2, "x"); /* within b */
    assert_known(k, "abc", "1?_");
    did(k, known_names_now(k), "c", 3);
    known_names_did(k, known_names_now(k), &(struct known_change){1, "x", NULL}, 1);
    assert_known(k, "abc", "??3");
    known_names_free(k);
}

static void test_an_answer_from_before_a_change_is_not_believed(void **state)
{
    struct known_names *k = fresh();
    struct known_since before = known_names_now(k);
    (void)state;
    known_names_changed(k, DIR, "d"); /* word of it comes while the answer is under way */
    known_names_inode_changed(k, 6);
    page_since(k, before, 'a', true, "bdf", false);
    assert_known(k, "abcdefg", "12????_");
    before = known_names_now(k);
    did(k, known_names_now(k), "b", 0);
    page_since(k, before, 'a', true, "bdf", false);
    assert_known(k, "abcdefg", "1??4_6_");
    before = known_names_now(k);
    known_names_all_changed(k);
    page_since(k, before, 'a', true, "bdf", false);
    assert_known(k, "abcdefg", "???????");
    before = known_names_now(k);
    for (int i = 0; i < 2000; i++) /* more than are remembered */
        known_names_inode_changed(k, 1000);
    page_since(k, before, 'a', true, "bdf", false);
    assert_known(k, "abcdefg", "???????");
    page(k, 'a', true, "bdf", false);
    assert_known(k, "abcdefg", "12_4_6_");
    known_names_free(k);
}

static void test_own_changes_are_known(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    did(k, known_names_now(k), "a", 1); /* nothing is known of the folder: nor is it worth while */
    assert_known(k, "ab", "??");
    page(k, 'b', true, "df", false);
    did(k, known_names_now(k), "c", 3);
    did(k, known_names_now(k), "d", 0);
    did(k, known_names_now(k), "f", 9); /* replaced */
    did(k, known_names_now(k), "z", 0);
    did(k, known_names_now(k), "a", 1);
    assert_known(k, "abcdefgz", "?23__9__");
    struct posix_attr moved = attr_of(9), other = attr_of(3);
    const struct known_change rename[] = {{DIR, "f", NULL}, {DIR, "x", &moved}};
    known_names_did(k, known_names_now(k), rename, 2);
    assert_known(k, "bcdefgxz", "23____9_");
    const struct known_change exchange[] = {{DIR, "c", &moved}, {DIR, "x", &other}};
    known_names_did(k, known_names_now(k), exchange, 2);
    assert_known(k, "bcdefgxz", "29____3_");
    known_names_free(k);
}

static void test_an_own_change_beside_another_is_not_known(void **state)
{
    struct known_names *k = fresh();
    struct known_since before;
    (void)state;
    page(k, 0, false, "bd", false);
    before = known_names_now(k);
    known_names_changed(k, DIR, "c");
    did(k, before, "c", 3); /* who was first? */
    assert_known(k, "abcd", "_2?4");
    before = known_names_now(k);
    known_names_inode_changed(k, 5);
    did(k, before, "e", 5);
    assert_known(k, "abcdef", "_2?4??");
    before = known_names_now(k);
    known_names_changed(k, 6, "within");
    did(k, before, "f", 6); /* its times may be older than that */
    assert_known(k, "abcdef", "_2?4??");
    known_names_free(k);
}

static void test_many_are_made_in_a_folder_that_was_empty(void **state)
{
    struct known_names *k = fresh();
    char name[32];
    (void)state;
    known_names_page(k, known_names_now(k), &(struct known_page){.dir = DIR, .from = ""});
    for (uint64_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "d%" PRIu64, i);
        assert_int_equal(look(k, name), '_');
        struct known_since since = known_names_now(k);
        did(k, since, name, 1000 + i);
        known_names_page(k, since, &(struct known_page){.dir = 1000 + i, .from = ""});
    }
    assert_int_equal(look(k, "d2999"), '9');
    assert_int_equal(look(k, "e"), '_');
    known_names_free(k);
}

static void test_who_writes_as_hdfs_does_is_asked(void **state)
{
    struct known_names *k = fresh();
    struct posix_entry e = {"a", attr_of(1)};
    (void)state;
    e.attr.is_being_written = true;
    known_names_page(k, known_names_now(k), &(struct known_page){.dir = DIR, .from = "", .next = &e, .count = 1});
    assert_known(k, "ab", "?_");
    known_names_free(k);
}

static void test_links_keep_their_targets(void **state)
{
    struct known_names *k = fresh();
    struct posix_attr link = attr_of(7);
    const struct posix_attr *seen;
    char target[] = "somewhere";
    int64_t left_ms;
    (void)state;
    link.target = target;
    known_names_page(k, known_names_now(k), &(struct known_page){.dir = DIR, .from = ""});
    known_names_did(k, known_names_now(k), &(struct known_change){DIR, "l", &link}, 1);
    memset(target, 'x', 3);
    known_names_hold(k);
    assert_int_equal(known_names_find(k, DIR, "l", &seen, &left_ms), NAME_KNOWN);
    assert_string_equal(seen->target, "somewhere");
    assert_string_equal(seen->owner, "o");
    known_names_let_go(k);
    known_names_free(k);
}

static void test_nothing_is_believed_for_ever(void **state)
{
    struct known_names *k = known_names_new(ROOM, 1);
    struct known_since then = known_names_now(k);
    (void)state;
    then.at_ms -= 10;
    page_since(k, then, 'a', true, "c", false);
    assert_known(k, "abcd", "????");
    known_names_free(k);
}

/* ---- how many are fetched ---- */

/* A namenode with `names` names of six digits in DIR: what a lookup of one costs. */
static void ask(struct known_names *k, unsigned names, unsigned i, unsigned *calls, unsigned *fetched)
{
    char name[16], texts[AHEAD_MAX][16];
    struct posix_entry next[AHEAD_MAX];
    struct posix_attr first = attr_of(1 + i);
    snprintf(name, sizeof name, "%06u", i);
    if (look(k, name) != '?')
        return;
    struct known_since since = known_names_now(k);
    uint32_t ahead = known_names_ahead(k, DIR);
    size_t count = 0;
    assert_true(ahead <= AHEAD_MAX);
    for (; count < ahead && i + 1 + count < names; count++) {
        snprintf(texts[count], sizeof texts[count], "%06zu", i + 1 + count);
        next[count] = (struct posix_entry){texts[count], attr_of(2 + i + count)};
    }
    known_names_page(
        k, since,
        &(struct known_page){
            .dir = DIR, .from = name, .first = &first, .next = next, .count = count, .more = i + 1 + count < names});
    ++*calls;
    *fetched += (unsigned)count;
}

static void test_one_after_another_is_read_ahead(void **state)
{
    struct known_names *k = fresh();
    unsigned calls = 0, fetched = 0;
    (void)state;
    ask(k, 2000, 0, &calls, &fetched);
    assert_int_equal(fetched, 0); /* one name is no habit */
    for (unsigned i = 0; i < 2000; i++)
        ask(k, 2000, i, &calls, &fetched);
    assert_in_range(calls, 4, 12);
    assert_in_range(fetched, 1900, 2100);
    known_names_free(k);
}

static void test_the_first_look_shows_what_is_usual(void **state)
{
    struct known_names *k = fresh();
    (void)state;
    for (uint64_t dir = 1000; dir < 1010; dir++) {
        known_names_ahead(k, dir);
        known_names_ahead(k, dir); /* a second name is wanted in each */
    }
    assert_int_equal(known_names_ahead(k, 1010), 32);
    for (uint64_t dir = 1011; dir < 1100; dir++) /* in these it is not */
        known_names_ahead(k, dir);
    assert_int_equal(known_names_ahead(k, 1100), 0);
    known_names_free(k);
}

static void test_a_small_folder_is_known_soon_in_any_order(void **state)
{
    struct known_names *k = fresh();
    unsigned calls = 0, fetched = 0;
    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        ask(k, 2000, i * 1237 % 2000, &calls, &fetched);
    assert_in_range(calls, 4, 100);
    known_names_free(k);
}

static void test_a_huge_folder_is_not_read_for_some_names(void **state)
{
    struct known_names *k = fresh();
    unsigned calls = 0, fetched = 0;
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        ask(k, 1000000, i * 123457, &calls, &fetched);
    assert_int_equal(calls, 3);
    assert_in_range(fetched, 0, 64);
    for (unsigned i = 0; i < 5000; i++)
        ask(k, 1000000, (unsigned)(i * 611953ull % 1000000), &calls, &fetched);
    assert_in_range(fetched, 0, 2 * AHEAD_TRUST + AHEAD_TRUST);
    known_names_free(k);
}

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void test_memory_has_a_bound(void **state)
{
    const size_t room = 1 << 20;
    size_t before = heap_bytes(), most = 0;
    struct known_names *k = known_names_new(room, BELIEVE_MS);
    unsigned calls = 0, fetched = 0;
    (void)state;
    for (unsigned i = 0; i < 50000; i++) { /* one folder that does not fit */
        ask(k, 50000, i, &calls, &fetched);
        size_t now = heap_bytes() - before;
        most = now > most ? now : most;
    }
    assert_true(calls < 200);                       /* and is read ahead all the same */
    for (uint64_t dir = 1000; dir < 30000; dir++) { /* and many that are small */
        struct posix_entry e = {"name", attr_of(dir)};
        known_names_page(k, known_names_now(k), &(struct known_page){.dir = dir, .from = "", .next = &e, .count = 1});
        size_t now = heap_bytes() - before;
        most = now > most ? now : most;
    }
    assert_true(most < 2 * room);
    known_names_free(k);
    k = known_names_new(0, BELIEVE_MS); /* nothing at all */
    ask(k, 100, 1, &calls, &fetched);
    assert_int_equal(look(k, "000001"), '?');
    assert_int_equal(known_names_ahead(k, DIR), 0);
    known_names_free(k);
}

static void test_what_was_noted_since_is_said(void **state)
{
    (void)state;
    for (size_t bytes_max = 0; bytes_max <= 1 << 20; bytes_max += 1 << 20) {
        struct known_names *k = known_names_new(bytes_max, BELIEVE_MS);
        struct known_since since = known_names_now(k);
        assert_false(known_names_were_noted(k, since, 7, NULL));
        known_names_told(k, 7, NULL);
        known_names_changed(k, DIR, "name");
        assert_true(known_names_were_noted(k, since, 7, NULL));
        assert_false(known_names_were_noted(k, since, 8, NULL));
        assert_true(known_names_were_noted(k, since, DIR, "name"));
        assert_false(known_names_were_noted(k, since, DIR, "other"));
        assert_true(known_names_were_noted(k, since, DIR, NULL));
        assert_false(known_names_were_noted(k, known_names_now(k), 7, NULL));
        for (uint64_t id = 1000; id < 4000; id++)
            known_names_inode_changed(k, id);
        assert_true(known_names_were_noted(k, since, 8, NULL)); /* too long ago to say no */
        since = known_names_now(k);
        known_names_all_changed(k);
        assert_true(known_names_were_noted(k, since, 8, NULL));
        known_names_free(k);
    }
}

/* What was looked at lately stays. */
static void test_the_folder_that_nobody_asks_goes_first(void **state)
{
    struct known_names *k = known_names_new(1 << 20, BELIEVE_MS);
    (void)state;
    page(k, 0, false, "a", false);
    for (uint64_t dir = 1000; dir < 30000; dir++) {
        struct posix_entry e = {"name", attr_of(dir)};
        known_names_page(k, known_names_now(k), &(struct known_page){.dir = dir, .from = "", .next = &e, .count = 1});
        assert_int_equal(look(k, "a"), '1');
    }
    known_names_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_knows_what_is_between),
        cmocka_unit_test(test_pages_join),
        cmocka_unit_test(test_pages_of_a_listing_follow_each_other),
        cmocka_unit_test(test_what_others_change_is_forgotten),
        cmocka_unit_test(test_a_folder_that_others_change_is_asked),
        cmocka_unit_test(test_an_inode_has_several_names),
        cmocka_unit_test(test_a_folder_changes_with_its_entries),
        cmocka_unit_test(test_an_answer_from_before_a_change_is_not_believed),
        cmocka_unit_test(test_own_changes_are_known),
        cmocka_unit_test(test_an_own_change_beside_another_is_not_known),
        cmocka_unit_test(test_many_are_made_in_a_folder_that_was_empty),
        cmocka_unit_test(test_who_writes_as_hdfs_does_is_asked),
        cmocka_unit_test(test_links_keep_their_targets),
        cmocka_unit_test(test_nothing_is_believed_for_ever),
        cmocka_unit_test(test_one_after_another_is_read_ahead),
        cmocka_unit_test(test_the_first_look_shows_what_is_usual),
        cmocka_unit_test(test_a_small_folder_is_known_soon_in_any_order),
        cmocka_unit_test(test_a_huge_folder_is_not_read_for_some_names),
        cmocka_unit_test(test_memory_has_a_bound),
        cmocka_unit_test(test_what_was_noted_since_is_said),
        cmocka_unit_test(test_the_folder_that_nobody_asks_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
