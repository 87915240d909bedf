/* Command lines, ids, partitions, reporter: lines, gzip. */
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "scheduler/engine/command_line.h"
#include "scheduler/engine/decompress.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/key_order.h"
#include "scheduler/engine/partition.h"
#include "scheduler/engine/program.h"
#include "scheduler/engine/stream_child.h"
#include "scheduler/ids.h"

static void commands_are_split_at_blanks_outside_quotes(void **state)
{
    static const struct {
        const char *text, *words[6];
    } cases[] = {
        {"cat", {"cat"}},
        {"  python3   m.py  1 2 ", {"python3", "m.py", "1", "2"}},
        {"sh -c 'echo \"a b\" | wc'", {"sh", "-c", "echo \"a b\" | wc"}},
        {"awk -F\"\t\" '{print $1}'", {"awk", "-F\t", "{print $1}"}},
        {"x '' \"\" y", {"x", "", "", "y"}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct arena a;
        char **words;
        arena_init(&a, 1 << 16);
        assert_int_equal(command_split(cases[i].text, &a, &words, NULL), 0);
        size_t n = 0;
        for (; cases[i].words[n]; n++)
            assert_string_equal(words[n], cases[i].words[n]);
        assert_null(words[n]);
        arena_free(&a);
    }
    struct arena a;
    char **words;
    arena_init(&a, 1 << 16);
    assert_int_equal(command_split("  ", &a, &words, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(command_split("sh -c 'open", &a, &words, NULL), ERR_ILLEGAL_ARGUMENT);
    arena_free(&a);
}

static void attempt_ids_survive_and_bad_ones_do_not(void **state)
{
    struct attempt_id id = {.job = "job_1795251022102_0001", .map = true, .partition = 12, .attempt = 3}, back;
    char text[ATTEMPT_ID_MAX];
    attempt_id_format(&id, text);
    assert_string_equal(text, "attempt_1795251022102_0001_m_000012_3");
    assert_true(attempt_id_parse(text, &back));
    assert_string_equal(back.job, id.job);
    assert_true(back.map && back.partition == 12 && back.attempt == 3);
    task_id_format(&id, text);
    assert_string_equal(text, "task_1795251022102_0001_m_000012");
    static const char *const bad[] = {"",
                                      "attempt_",
                                      "attempt_1_1_x_0_0",
                                      "attempt_1_1_m_0_0/../x",
                                      "attempt_1_1_m_0",
                                      "task_1_1_m_0_0",
                                      "attempt_../../1_m_0_0",
                                      "attempt_1_1_m_99999999999_0",
                                      "attempt_1_1_m_-1_0"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_false(attempt_id_parse(bad[i], &back));
    assert_true(job_id_is_valid("job_1_0001"));
    assert_false(job_id_is_valid("job_1_0001/.."));
    assert_false(job_id_is_valid("job_1"));
}

static struct partitioner open_partitioner(uint32_t reduces, const char *name, const char *value)
{
    Cairn__JobSpecProto job = CAIRN__JOB_SPEC_PROTO__INIT;
    Cairn__PropertyProto property = CAIRN__PROPERTY_PROTO__INIT, *list[] = {&property};
    property.name = (char *)name;
    property.value = (char *)value;
    job.reduces = reduces;
    if (name) {
        job.fieldpartitioner = true;
        job.properties = list;
        job.n_properties = 1;
    }
    struct partitioner p;
    assert_int_equal(partitioner_open(&job, &p, NULL), 0);
    return p;
}

static uint32_t part(const struct partitioner *p, const char *key)
{
    return partition_of(p, (const uint8_t *)key, (uint32_t)strlen(key));
}

static void keys_are_spread_and_fields_decide_when_asked(void **state)
{
    struct partitioner p = open_partitioner(7, NULL, NULL);
    unsigned seen[7] = {0};
    char key[32];
    for (int i = 0; i < 7000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        uint32_t at = part(&p, key);
        assert_true(at < 7);
        seen[at]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
    p = open_partitioner(16, "num.key.fields.for.partition", "1");
    for (int i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "user\t%d", i);
        assert_int_equal(part(&p, key), part(&p, "user\tx"));
    }
    p = open_partitioner(16, "mapreduce.partition.keypartitioner.options", "-k2,2");
    assert_int_equal(part(&p, "a\tsame\tx"), part(&p, "bb\tsame\ty"));
    p = open_partitioner(16, "mapreduce.partition.keypartitioner.options", "-k1.2,1.3n");
    assert_int_equal(part(&p, "xabyyy"), part(&p, "zabqqq"));
    assert_true(part(&p, "") < 16);
}

static void records_of_lines(void **state)
{
    struct record r = record_of_line((struct slice){(const uint8_t *)"k\tv\tw", 5}, separator_of(NULL), 1);
    assert_int_equal(r.key_len, 1);
    assert_memory_equal(r.value, "v\tw", r.value_len);
    r = record_of_line((struct slice){(const uint8_t *)"k\tv\tw", 5}, separator_of(NULL), 2);
    assert_int_equal(r.key_len, 3);
    r = record_of_line((struct slice){(const uint8_t *)"whole", 5}, separator_of(NULL), 1);
    assert_int_equal(r.key_len, 5);
    assert_int_equal(r.value_len, 0);
    r = record_of_line((struct slice){(const uint8_t *)"", 0}, separator_of(NULL), 1);
    assert_int_equal(r.key_len, 0);
    r = record_of_line((struct slice){(const uint8_t *)"k::v:w", 6}, separator_of("::"), 1);
    assert_int_equal(r.key_len, 1);
    assert_int_equal(r.value_len, 3);
    assert_memory_equal(r.value, "v:w", 3);
    r = record_of_line((struct slice){(const uint8_t *)"k::", 3}, separator_of("::"), 2);
    assert_int_equal(r.key_len, 3);
}

static int64_t counter_named(struct counters *c, const char *name)
{
    struct arena a;
    Cairn__CounterProto **list;
    size_t count;
    int64_t value = -1;
    arena_init(&a, 1 << 20);
    counters_export(c, &a, &list, &count);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i]->name, name))
            value = list[i]->value;
    arena_free(&a);
    return value;
}

static void reporter_lines_count(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct counters *c = counters_new();
    struct task_report *r = NULL;
    assert_int_equal(task_report_start(fds[1], c, &r, NULL), 0);
    assert_true(reporter_line(r, c, "reporter:counter:g,n,5"));
    assert_true(reporter_line(r, c, "reporter:counter:g,n,-2 "));
    assert_true(reporter_line(r, c, "reporter:status:half way"));
    assert_false(reporter_line(r, c, "reporter:counter:g,n"));
    assert_false(reporter_line(r, c, "reporter:counter:g,n,five"));
    assert_false(reporter_line(r, c, "reporter:counter:g,a,b,5"));
    assert_false(reporter_line(r, c, "something else"));
    assert_int_equal(counter_named(c, "n"), 3);
    for (int i = 0; i < 3 * COUNTERS_USER_MAX; i++) { /* more names than allowed: refused, not stored */
        char line[64];
        snprintf(line, sizeof line, "reporter:counter:many,%d,1", i);
        (void)reporter_line(r, c, line);
    }
    assert_int_equal(counter_named(c, "200"), -1);
    task_report_end(r, NULL, false);
    counters_free(c);
    close(fds[0]);
    close(fds[1]);
}

struct bytes {
    const uint8_t *at;
    size_t left, at_once;
};

static int bytes_read(void *context, void *to, size_t len, size_t *ret_read, struct err *reterr)
{
    struct bytes *b = context;
    size_t n = b->left < len ? b->left : len;
    n = n < b->at_once ? n : b->at_once;
    memcpy(to, b->at, n);
    b->at += n;
    b->left -= n;
    *ret_read = n;
    return 0;
}

static size_t gzip(const char *text, uint8_t *out, size_t room)
{
    z_stream z = {0};
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (uint8_t *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static int gunzip_all(struct slice in, size_t at_once, char *out, size_t room)
{
    struct bytes b = {in.base, in.len, at_once};
    struct decompressor *d = NULL;
    assert_int_equal(decompressor_new((struct byte_source){bytes_read, &b}, "x.gz", &d, NULL), 0);
    struct byte_source s = decompressor_source(d);
    size_t used = 0, got = 1;
    int rc = 0;
    while (rc == 0 && got && (rc = s.read(s.context, out + used, room - used < 5 ? room - used : 5, &got, NULL)) == 0)
        used += got;
    out[used] = 0;
    decompressor_free(d);
    return rc;
}

static void gzip_members_follow_each_other_and_damage_is_noticed(void **state)
{
    uint8_t bytes[1024];
    char text[1024];
    size_t n = gzip("first\n", bytes, sizeof bytes);
    n += gzip("second\n", bytes + n, sizeof bytes - n);
    for (size_t at_once = 1; at_once < 40; at_once += 3) {
        assert_int_equal(gunzip_all((struct slice){bytes, n}, at_once, text, sizeof text - 1), 0);
        assert_string_equal(text, "first\nsecond\n");
    }
    assert_true(gunzip_all((struct slice){bytes, n - 1}, 64, text, sizeof text - 1) < 0);
    assert_true(gunzip_all((struct slice){(const uint8_t *)"no gzip at all", 14}, 64, text, sizeof text - 1) < 0);
    bytes[12] ^= 0xff;
    assert_true(gunzip_all((struct slice){bytes, n}, 64, text, sizeof text - 1) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_split_at_blanks_outside_quotes),
        cmocka_unit_test(attempt_ids_survive_and_bad_ones_do_not),
        cmocka_unit_test(keys_are_spread_and_fields_decide_when_asked),
        cmocka_unit_test(records_of_lines),
        cmocka_unit_test(reporter_lines_count),
        cmocka_unit_test(gzip_members_follow_each_other_and_damage_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
