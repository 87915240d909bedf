/* WebHDFS's addresses and parameters: what is taken apart how, and what is said about wrong values. */
#include "tests/unit/check.h"
#include "webhdfs/params.h"
#include "webhdfs/token_text.h"

static struct arena a;
static struct err err;

static const struct webhdfs_url *parsed(const char *uri)
{
    static struct webhdfs_url u;
    assert_int_equal(webhdfs_url_parse(uri, &a, &u, &err), 0);
    return &u;
}

static void url_is_taken_apart(void **state)
{
    const struct webhdfs_url *u = parsed("/webhdfs/v1/a%20b+c/%C3%BC?OP=Open&user.name=x+y%2B&flag&user.name=z");
    assert_string_equal(u->path, "/a b+c/ü");
    assert_string_equal(webhdfs_url_get(u, "op"), "Open");
    assert_string_equal(webhdfs_url_get(u, "user.name"), "x y+");
    assert_string_equal(webhdfs_url_get(u, "flag"), "");
    assert_null(webhdfs_url_get(u, "none"));
    assert_int_equal(u->parameter_count, 4);
    assert_string_equal(parsed("/webhdfs/v1")->path, "/");
    assert_string_equal(parsed("/webhdfs/v1?op=x")->path, "/");
}

static void broken_addresses_are_refused(void **state)
{
    static const char *const wrong[] = {"/webhdfs/v1/%",      "/webhdfs/v1/%4", "/webhdfs/v1/%zz", "/webhdfs/v1/a%00b",
                                        "/webhdfs/v1/a?x=%0", "/webhdfs/v12/a", "/webhdfs/v",      "/"};
    struct webhdfs_url u;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_int_equal(webhdfs_url_parse(wrong[i], &a, &u, &err), ERR_ILLEGAL_ARGUMENT);
}

static void what_is_encoded_comes_back(void **state)
{
    const char *odd = "/a b/%/+?&=#ü'\"";
    assert_string_equal(url_encode_path("/a b?", &a), "/a%20b%3F");
    assert_string_equal(url_encode_value("a b&/", &a), "a+b%26%2F");
    const struct webhdfs_url *u =
        parsed(arena_printf(&a, "/webhdfs/v1%s?v=%s", url_encode_path(odd, &a), url_encode_value(odd, &a)));
    assert_string_equal(u->path, odd);
    assert_string_equal(webhdfs_url_get(u, "v"), odd);
}

static const struct webhdfs_patterns defaults;

static void wrong(enum webhdfs_verb verb, const char *query, const char *text)
{
    struct webhdfs_params p;
    const struct webhdfs_url *u = parsed(arena_printf(&a, "/webhdfs/v1/f?%s", query));
    assert_int_equal(webhdfs_params_parse(u, verb, &defaults, &p, &err), ERR_ILLEGAL_ARGUMENT);
    assert_string_equal(err.text, arena_printf(&a, "Invalid value for webhdfs parameter %s", text));
}

static void wrong_values_are_named_in_hadoops_words(void **state)
{
    wrong(VERB_GET, "offset=x", "\"offset\": Failed to parse \"x\" as a radix-10 long integer.");
    wrong(VERB_GET, "offset=-1", "\"offset\": Invalid parameter range: offset = -1 < 0");
    wrong(VERB_GET, "length=9223372036854775808",
          "\"length\": Failed to parse \"9223372036854775808\" as a radix-10 long integer.");
    wrong(VERB_PUT, "permission=2000", "\"permission\": Invalid parameter range: permission = 2000 > 1777");
    wrong(VERB_PUT, "replication=70000", "\"replication\": Failed to parse \"70000\" as a radix-10 short integer.");
    wrong(VERB_PUT, "overwrite=1", "\"overwrite\": Failed to parse \"1\" to Boolean.");
    wrong(VERB_PUT, "renameoptions=none,x",
          "\"renameoptions\": No enum constant org.apache.hadoop.fs.Options.Rename.X");
    wrong(VERB_GET, "user.name=1a",
          "\"user.name\": Invalid value: \"1a\" does not belong to the domain ^[A-Za-z_][A-Za-z0-9._-]*[$]?$");
    wrong(VERB_PUT, "destination=a",
          "\"destination\": Invalid parameter value: destination = \"a\" is not an absolute path.");
}

static void values_and_defaults(void **state)
{
    struct webhdfs_params p;
    const struct webhdfs_url *u =
        parsed("/webhdfs/v1/f?permission=1755&createflag=Create,overwrite&overwrite=TRUE&offset=&owner=");
    assert_int_equal(webhdfs_params_parse(u, VERB_PUT, &defaults, &p, &err), 0);
    assert_int_equal(p.of[PARAM_PERMISSION].number, 01755);
    assert_int_equal(p.of[PARAM_CREATEFLAG].number, 3);
    assert_int_equal(p.of[PARAM_OVERWRITE].number, 1);
    assert_int_equal(p.of[PARAM_CREATEPARENT].number, 1);
    assert_false(p.of[PARAM_BLOCKSIZE].is_set);
    assert_false(p.of[PARAM_OWNER].is_set);
    assert_false(p.of[PARAM_OFFSET].is_set); /* not of this verb */
    assert_int_equal(webhdfs_params_parse(u, VERB_GET, &defaults, &p, &err), 0);
    assert_true(p.of[PARAM_OFFSET].is_set && p.of[PARAM_OFFSET].number == 0);
}

static void tokens_travel_in_addresses(void **state)
{
    Hdfs__TokenProto token, back;
    uint8_t identifier[300];
    AUTO(buf_free) struct buf text = {0};
    hdfs__token_proto__init(&token);
    memset(identifier, 0xfb, sizeof identifier);
    token.identifier = (ProtobufCBinaryData){sizeof identifier, identifier};
    token.kind = (char *)"HDFS_DELEGATION_TOKEN";
    token.service = (char *)"127.0.0.1:8020";
    token_to_url_text(&token, &text);
    assert_null(strpbrk(buf_cstr(&text), "+/="));
    assert_int_equal(token_from_url_text(buf_cstr(&text), &a, &back, &err), 0);
    assert_int_equal(back.identifier.len, sizeof identifier);
    assert_memory_equal(back.identifier.data, identifier, sizeof identifier);
    assert_string_equal(back.kind, token.kind);
    assert_string_equal(back.service, token.service);
    buf_cstr(&text)[40] = 0;
    assert_true(token_from_url_text((const char *)text.base, &a, &back, &err) < 0);
    /* What Hadoop makes of a token without content. */
    Hdfs__TokenProto empty;
    AUTO(buf_free) struct buf nothing = {0};
    hdfs__token_proto__init(&empty);
    empty.kind = empty.service = (char *)"";
    token_to_url_text(&empty, &nothing);
    assert_string_equal(buf_cstr(&nothing), "AAAAAA");
}

static bool fits(const char *java, const char *text)
{
    struct pattern *p = NULL;
    assert_int_equal(pattern_new(java, &p, &err), 0);
    assert_string_equal(pattern_text(p), java);
    bool matches = pattern_matches(p, text);
    pattern_free(p);
    return matches;
}

static void java_patterns_are_understood(void **state)
{
    const char *users = "^[A-Za-z0-9_][A-Za-z0-9._-]*[$]?$";
    assert_true(fits(users, "123") && fits(users, "a.b-c_d$") && fits(users, "_"));
    assert_false(fits(users, "-a") || fits(users, "a b") || fits(users, "") || fits(users, "a$$"));
    const char *acl = "^(default:)?(user|group|mask|other):[[0-9A-Za-z_][@A-Za-z0-9._-]]*:([rwx-]{3})?"
                      "(,(default:)?(user|group|mask|other):[[0-9A-Za-z_][@A-Za-z0-9._-]]*:([rwx-]{3})?)*$";
    assert_true(fits(acl, "default:user:11010:r--,group:foo@bar:rw-") && fits(acl, "user::"));
    assert_false(fits(acl, "group:foo!bar:rw-") || fits(acl, "user:a:rwz") || fits(acl, "user:a:rwx,"));
    assert_true(fits("[A-Z\\-a-c]+", "Q-b") && fits("(?:\\d|x)\\w*", "7_a") && fits("a\\.b", "a.b"));
    assert_false(fits("[A-Z\\-a-c]+", "d") || fits("a\\.b", "axb") || fits("ab", "abc") || fits("[\\w-]+", "a.b"));
    assert_true(fits("[]a-]*", "a]-") && fits("[^a\\]]", "-") && fits("[\\w-]+", "a-b") && fits("[a^]", "^"));
    assert_false(fits("[^a\\]]", "]"));
    static const char *const refused[] = {"[a", "(a", "[a&&b]", "(?i)a", "\\p{Alpha}", "(a)\\1", "[a[^b]]", "a\\"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        struct pattern *p = NULL;
        assert_int_equal(pattern_new(refused[i], &p, &err), ERR_CONFIG);
        assert_null(p);
    }
}

static void patterns_of_settings_decide(void **state)
{
    struct webhdfs_patterns given = {0};
    struct webhdfs_params p;
    assert_int_equal(pattern_new("[0-9]+", &given.user, &err), 0);
    assert_int_equal(webhdfs_params_parse(parsed("/webhdfs/v1/f?user.name=12"), VERB_GET, &given, &p, &err), 0);
    assert_int_equal(webhdfs_params_parse(parsed("/webhdfs/v1/f?user.name=a"), VERB_GET, &given, &p, &err),
                     ERR_ILLEGAL_ARGUMENT);
    assert_string_equal(err.text, "Invalid value for webhdfs parameter \"user.name\": Invalid value: \"a\" does not "
                                  "belong to the domain [0-9]+");
    pattern_free(given.user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_is_taken_apart),           cmocka_unit_test(broken_addresses_are_refused),
        cmocka_unit_test(what_is_encoded_comes_back),   cmocka_unit_test(wrong_values_are_named_in_hadoops_words),
        cmocka_unit_test(values_and_defaults),          cmocka_unit_test(tokens_travel_in_addresses),
        cmocka_unit_test(java_patterns_are_understood), cmocka_unit_test(patterns_of_settings_decide),
    };
    arena_init(&a, 64 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&a);
    return failed;
}
