#include "tests/unit/check.h"

#include "common/compiler.h"
#include "common/digest.h"

static void known_values(void **state)
{
    assert_int_equal(checksum_of(CHECKSUM_CRC32C, "123456789", 9), 0xE3069283);
    assert_int_equal(checksum_of(CHECKSUM_CRC32, "123456789", 9), 0xCBF43926);
    assert_int_equal(checksum_of(CHECKSUM_CRC32C, "", 0), 0);
    assert_true(xxh3_of("", 0) == 0x2D06800538D394C2ull);
}

static void parts_extend_and_combine_to_the_whole(void **state)
{
    uint8_t bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 7);
    const enum checksum_type types[] = {CHECKSUM_CRC32, CHECKSUM_CRC32C};
    for (size_t t = 0; t < ARRAY_COUNT(types); t++) {
        uint32_t whole = checksum_of(types[t], bytes, sizeof bytes);
        for (size_t cut = 0; cut <= sizeof bytes; cut += 617) {
            uint32_t a = checksum_of(types[t], bytes, cut);
            uint32_t b = checksum_of(types[t], bytes + cut, sizeof bytes - cut);
            assert_int_equal(checksum_extend(types[t], a, bytes + cut, sizeof bytes - cut), whole);
            assert_int_equal(checksum_combine(types[t], a, b, sizeof bytes - cut), whole);
        }
    }
}

static void the_chunk_that_differs_is_named(void **state)
{
    uint8_t bytes[1300] = {0}, sums[12];
    checksum_chunks(CHECKSUM_CRC32C, bytes, sizeof bytes, 512, sums);
    assert_int_equal(checksum_chunk_count(sizeof bytes, 512), 3);
    assert_int_equal(checksum_verify_chunks(CHECKSUM_CRC32C, bytes, sizeof bytes, 512, sums), -1);
    bytes[1299] ^= 1;
    assert_int_equal(checksum_verify_chunks(CHECKSUM_CRC32C, bytes, sizeof bytes, 512, sums), 2);
    assert_int_equal(checksum_verify_chunks(CHECKSUM_NULL, bytes, sizeof bytes, 512, sums), -1);
}

static void streamed_xxh3_equals_the_whole(void **state)
{
    uint8_t bytes[10000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 131);
    struct xxh3 *x = xxh3_new();
    for (size_t at = 0; at < sizeof bytes; at += 1000)
        xxh3_update(x, bytes + at, 1000);
    assert_true(xxh3_value(x) == xxh3_of(bytes, sizeof bytes));
    xxh3_free(x);
}

/* Whatever instructions are behind it: pieces of every size, from every offset within a register. */
static void streamed_xxh3_does_not_depend_on_the_pieces(void **state)
{
    static uint8_t bytes[300000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t first = 1; first < 2000; first += 37) {
        struct xxh3 *x = xxh3_new();
        size_t at = 0;
        for (size_t piece = first; at < sizeof bytes; piece = piece * 3 % 4099 + 1) {
            size_t len = piece < sizeof bytes - at ? piece : sizeof bytes - at;
            xxh3_update(x, bytes + at, len);
            at += len;
            if (at < 3000)
                assert_true(xxh3_value(x) == xxh3_of(bytes, at));
        }
        assert_true(xxh3_value(x) == xxh3_of(bytes, sizeof bytes));
        xxh3_free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(parts_extend_and_combine_to_the_whole),
        cmocka_unit_test(the_chunk_that_differs_is_named),
        cmocka_unit_test(streamed_xxh3_equals_the_whole),
        cmocka_unit_test(streamed_xxh3_does_not_depend_on_the_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
