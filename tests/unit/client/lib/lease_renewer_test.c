/* Leases are renewed and idle writers' connections kept, whichever of the two takes long. */
#include "client/lib/lease_renewer.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "tests/unit/check.h"

#define DEADLINE_S 20

static struct {
    sem_t renewing, release, beat;
} seen;

static void await(sem_t *what)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    int rc;
    while ((rc = sem_timedwait(what, &until)) < 0 && errno == EINTR)
        ;
    assert_int_equal(rc, 0);
}

static int renew_when_it_may(void *context)
{
    sem_post(&seen.renewing);
    sem_wait(&seen.release);
    return *(int *)context;
}

static void beat(struct file_writer *w)
{
    sem_post(&seen.beat);
}

static struct lease_renewer *renewer(int *result)
{
    sem_init(&seen.renewing, 0, 0);
    sem_init(&seen.release, 0, 0);
    sem_init(&seen.beat, 0, 0);
    return lease_renewer_new(&(struct lease_renewer_options){.renew = renew_when_it_may,
                                                             .context = result,
                                                             .heartbeat = beat,
                                                             .renew_every_ms = 5,
                                                             .heartbeat_every_ms = 5});
}

static void a_namenode_that_hangs_costs_no_writer_its_connection(void **state)
{
    int result = 0;
    struct lease_renewer *l = renewer(&result);
    struct file_writer *writer = (void *)&result;
    lease_renewer_add(l, writer);
    await(&seen.renewing);
    for (int i = 0; i < 3; i++) {
        while (sem_trywait(&seen.beat) == 0)
            ;
        await(&seen.beat);
    }
    sem_post(&seen.release);
    await(&seen.renewing); /* and once more when it is there again */
    sem_post(&seen.release);
    lease_renewer_remove(l, writer);
    while (sem_trywait(&seen.beat) == 0)
        ;
    for (int i = 0; i < 100; i++)
        sem_post(&seen.release);
    lease_renewer_free(l);
    assert_int_equal(sem_trywait(&seen.beat), -1); /* nothing is done for one that is closed */
}

static void writers_come_and_go(void **state)
{
    int result = 0;
    struct lease_renewer *l = renewer(&result);
    struct file_writer *writers[] = {(void *)&result, (void *)&seen};
    for (int i = 0; i < 1000; i++)
        sem_post(&seen.release);
    for (int i = 0; i < 20; i++) {
        lease_renewer_add(l, writers[0]);
        lease_renewer_add(l, writers[1]);
        await(&seen.renewing);
        await(&seen.beat);
        lease_renewer_remove(l, writers[0]);
        await(&seen.beat);
        lease_renewer_remove(l, writers[1]);
    }
    lease_renewer_free(l);
    lease_renewer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_namenode_that_hangs_costs_no_writer_its_connection),
                                       cmocka_unit_test(writers_come_and_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
