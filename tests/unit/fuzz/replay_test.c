/* Every fuzz target of the wire, for a moment and without a fuzzer: the seeds, each cut at every length, and
 * with bytes changed. The generator's seed is fixed, so a failure repeats. */
#include "tests/unit/check.h"

#define FUZZ_REPLAY
#include "tests/fuzz/block_list_fuzz.c"
#include "tests/fuzz/glob_fuzz.c"
#include "tests/fuzz/job_formats_fuzz.c"
#include "tests/fuzz/line_input_fuzz.c"
#include "tests/fuzz/op_header_fuzz.c"
#include "tests/fuzz/packet_fuzz.c"
#include "tests/fuzz/rpc_server_fuzz.c"
#include "tests/fuzz/rpc_wire_fuzz.c"
#include "tests/fuzz/run_file_fuzz.c"
#include "tests/fuzz/sasl_login_fuzz.c"
#include "tests/fuzz/small_log_fuzz.c"
#include "tests/fuzz/version_fuzz.c"
#include "tests/fuzz/webhdfs_url_fuzz.c"

#define MUTATIONS 300

static uint64_t random_next(uint64_t *r) /* xorshift */
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r;
}

static void replay(void (*make)(struct fuzz_seeds *), void (*run)(struct slice))
{
    struct fuzz_seeds *seeds = mem_new(struct fuzz_seeds);
    uint64_t r = UINT64_C(88172645463325252);
    make(seeds);
    assert_true(seeds->count > 0);
    for (size_t i = 0; i < seeds->count; i++) {
        struct buf *seed = &seeds->list[i];
        for (size_t len = 0; len <= seed->len; len++) {
            uint8_t *exact = mem_alloc(len); /* its own allocation, so that a sanitizer sees the first byte too many */
            memcpy(exact, seed->base, len);
            run((struct slice){exact, len});
            free(exact);
        }
        for (int m = 0; m < MUTATIONS; m++) {
            uint8_t *changed = mem_alloc(seed->len);
            memcpy(changed, seed->base, seed->len);
            for (uint64_t changes = 1 + random_next(&r) % 4; changes; changes--)
                changed[random_next(&r) % seed->len] = (uint8_t)random_next(&r);
            run((struct slice){changed, seed->len});
            free(changed);
        }
        buf_free(seed);
    }
    free(seeds);
}

#define REPLAY(name)                                                                                                   \
    static void name##_survives_mutations(void **state)                                                                \
    {                                                                                                                  \
        replay(name##_seeds, name##_run);                                                                              \
    }
REPLAY(block_list)
REPLAY(glob)
REPLAY(webhdfs_url)
REPLAY(job_formats)
REPLAY(line_input)
REPLAY(op_header)
REPLAY(packet)
REPLAY(rpc_server)
REPLAY(rpc_wire)
REPLAY(run_file)
REPLAY(sasl_login)
REPLAY(small_log)
REPLAY(version)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_list_survives_mutations),  cmocka_unit_test(glob_survives_mutations),
        cmocka_unit_test(webhdfs_url_survives_mutations), cmocka_unit_test(line_input_survives_mutations),
        cmocka_unit_test(op_header_survives_mutations),   cmocka_unit_test(packet_survives_mutations),
        cmocka_unit_test(rpc_server_survives_mutations),  cmocka_unit_test(rpc_wire_survives_mutations),
        cmocka_unit_test(run_file_survives_mutations),    cmocka_unit_test(sasl_login_survives_mutations),
        cmocka_unit_test(small_log_survives_mutations),   cmocka_unit_test(version_survives_mutations),
        cmocka_unit_test(job_formats_survives_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
