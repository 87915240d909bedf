/* Ctrl-C while a job is followed: the job runs on its own, so a person is asked what is meant. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/cli/job_client.h"

static char watched[128];
static char left_text[512];
static volatile sig_atomic_t interrupted;
static int wakes[2]; /* a byte for each time: whichever thread had it, and just before we wait, it ends the wait */

static void on_interrupt(int number)
{
    (void)number;
    if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
        int before = errno;
        ssize_t full = write(wakes[1], "", 1);
        (void)full;
        interrupted++;
        errno = before;
        return;
    }
    ssize_t ignored = write(STDERR_FILENO, left_text, strlen(left_text)); /* nobody to ask */
    (void)ignored;
    _exit(130);
}

void job_interrupt_watch(const char *job_id)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: it shall end waits for the job */
    if (pipe2(wakes, O_NONBLOCK | O_CLOEXEC) < 0)
        return; /* then Ctrl-C ends this, as it does every program */
    snprintf(watched, sizeof watched, "%s", job_id);
    snprintf(left_text, sizeof left_text,
             "\n%s goes on running. Follow it with `cairn job -wait %s`, stop it with `cairn job -kill %s`.\n", job_id,
             job_id, job_id);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

/* 'k' (or 'y', as in yes), 'l' or 'c'; a second Ctrl-C means to kill. */
static char ask(void)
{
    char answer[16];
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = wakes[0], .events = POLLIN}};
    while (read(wakes[0], answer, sizeof answer) > 0) /* what we were asked for by */
        ;
    fprintf(stderr, "\n%s: [k]ill it, [l]eave it running, [c]ontinue to watch? ", watched);
    while (poll(waits, 2, -1) < 0 && errno == EINTR)
        ;
    if (waits[1].revents)
        return 'k';
    ssize_t n = read(STDIN_FILENO, answer, sizeof answer);
    return n > 0 ? answer[0] : 'l';
}

int job_interrupt_check(struct job_client *c, struct err *reterr)
{
    if (!interrupted)
        return 0;
    interrupted = 0;
    char answer = ask();
    interrupted = 0;
    if (answer == 'l' || answer == 'L') {
        fputs(left_text, stderr);
        return err_set(reterr, ERR_CANCELLED, "%s goes on running", watched);
    }
    bool killed = false;
    if (answer && strchr("kKyY", answer))
        return job_client_kill(c, watched, &killed, reterr);
    return 0;
}
