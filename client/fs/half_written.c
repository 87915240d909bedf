#include "client/fs/half_written.h"

#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "common/compiler.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct half_written *all; /* under lock */
static struct shell *shell;      /* under lock */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
static sem_t came;
static volatile sig_atomic_t number;

static void on_signal(int which)
{
    number = which;
    sem_post(&came);
}

/* A handler may not talk to a namenode: a thread waits to do it. Neither lock is given back: no file is begun any more,
 * and nobody complains that his is gone. */
static void *wait_for_signal(void *arg)
{
    while (sem_wait(&came) < 0)
        ;
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        signal(signals[i], SIG_DFL);
    pthread_mutex_lock(&lock);
    if (all)
        pthread_mutex_lock(&shell->lock);
    for (struct half_written *h = all; h; h = h->next) {
        bool done;
        struct err ignored; /* there is nobody left to tell */
        (void)h->fs->ops->remove(h->fs, h->path, false, &done, &ignored);
    }
    raise(number);
    _exit(128 + number);
}

static void watch(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    pthread_t thread;
    sigemptyset(&action.sa_mask);
    sem_init(&came, 0, 0);
    if (pthread_create(&thread, NULL, wait_for_signal, NULL) != 0)
        return; /* then a signal ends the command as it is */
    pthread_detach(thread);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) /* nohup stays nohup */
            sigaction(signals[i], &action, NULL);
}

void half_written_begin(struct shell *sh, struct half_written *h)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
    pthread_mutex_lock(&lock);
    shell = sh;
    h->next = all;
    all = h;
    pthread_mutex_unlock(&lock);
}

void half_written_end(struct half_written *h)
{
    pthread_mutex_lock(&lock);
    struct half_written **at = &all;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    pthread_mutex_unlock(&lock);
}
