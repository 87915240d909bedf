#include "tests/unit/check.h"

#include "common/md5.h"

static void expect(const char *text, const char *hex)
{
    uint8_t out[MD5_BYTES];
    char got[33];
    md5_of(text, strlen(text), out);
    for (int i = 0; i < MD5_BYTES; i++)
        snprintf(got + 2 * i, 3, "%02x", out[i]);
    assert_string_equal(got, hex);
}

static void the_rfc_s_examples(void **state)
{
    expect("", "d41d8cd98f00b204e9800998ecf8427e");
    expect("a", "0cc175b9c0f1b6a831c399e269772661");
    expect("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
    expect("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
           "57edf4a22be3c955ac49da2e2107b67a");
}

static void pieces_give_the_same_as_the_whole(void **state)
{
    uint8_t bytes[300], whole[MD5_BYTES], parts[MD5_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    for (size_t len = 0; len <= sizeof bytes; len++)
        for (size_t cut = 0; cut <= len; cut += 7) {
            struct md5 m;
            md5_of(bytes, len, whole);
            md5_init(&m);
            md5_update(&m, bytes, cut);
            md5_update(&m, bytes + cut, len - cut);
            md5_final(&m, parts);
            assert_memory_equal(whole, parts, MD5_BYTES);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_rfc_s_examples),
                                       cmocka_unit_test(pieces_give_the_same_as_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
