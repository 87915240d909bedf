/* A keeper starts the next process when one dies, also when the kernel does not let all of its threads go. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "fuse/keeper.h"
#include "tests/unit/check.h"

struct shared { /* by the processes */
    int started;
    pid_t stuck;
    _Atomic bool hands_over;
    int by_file;
};

static void *stay(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static int serve_killed(void *arg)
{
    struct shared *s = arg;
    if (s->started++ < 2)
        raise(SIGKILL);
    return 7;
}

/* The first thread is gone, another one stays: what a killed process looks like while it waits in the kernel. */
static int serve_stuck(void *arg)
{
    struct shared *s = arg;
    pthread_t thread;
    if (s->started++ == 0 && pthread_create(&thread, NULL, stay, NULL) == 0) {
        s->stuck = getpid();
        syscall(SYS_exit, 0);
    }
    return 7;
}

static struct shared *shared_new(void)
{
    void *s = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    return s;
}

static unsigned begun(void *arg)
{
    return (unsigned)((struct shared *)arg)->started;
}

static int keep(struct shared *s, int (*serve)(void *arg))
{
    struct keeper k = {.serve = serve, .begun = begun, .hands_over = &s->hands_over, .arg = s};
    return keeper_run(&k);
}

static void test_the_next_one_goes_on(void **state)
{
    struct shared *s = shared_new();
    assert_int_equal(keep(s, serve_killed), 7);
    assert_int_equal(s->started, 3);
    munmap(s, sizeof *s);
}

static void test_the_next_one_does_not_wait_for_a_thread_that_cannot_end(void **state)
{
    struct shared *s = shared_new();
    int64_t since_ms = clock_mono_ms();
    assert_int_equal(keep(s, serve_stuck), 7);
    assert_int_equal(s->started, 2);
    assert_true(clock_mono_ms() - since_ms < 2000);
    kill(s->stuck, SIGKILL);
    munmap(s, sizeof *s);
}

/* Each asks for a reload, and ends when it is told to. */
static int serve_until_reload(void *arg)
{
    struct shared *s = arg;
    if (s->started++ == 3)
        return 7;
    kill(getppid(), KEEPER_RELOAD_SIGNAL);
    pause(); /* the signal that ends it may come before: then it is gone already */
    return 9;
}

static void serve_by_file(void *arg)
{
    struct shared *s = arg;
    if (++s->by_file < 3)
        _exit(serve_until_reload(arg));
}

static void test_a_reload_starts_what_is_in_the_file_or_else_what_there_was(void **state)
{
    struct shared *s = shared_new();
    struct keeper k = {.serve = serve_until_reload,
                       .serve_by_file = serve_by_file,
                       .begun = begun,
                       .hands_over = &s->hands_over,
                       .arg = s};
    assert_int_equal(keeper_run(&k), 7);
    assert_int_equal(s->by_file, 3); /* the third could not be executed */
    assert_int_equal(s->started, 4);
    assert_false(s->hands_over);
    munmap(s, sizeof *s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_one_goes_on),
        cmocka_unit_test(test_the_next_one_does_not_wait_for_a_thread_that_cannot_end),
        cmocka_unit_test(test_a_reload_starts_what_is_in_the_file_or_else_what_there_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
