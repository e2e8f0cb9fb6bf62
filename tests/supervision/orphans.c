/* orphans stream|heap NUMBER — makes so many orphans, which end at once, and says when the last one has been reaped.
 *
 * stream: each by a double fork, one after the other as quickly as can be, while the first process reaps.
 * heap: as zombies of one child, whose end hands all of them over to the first process. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "stamp.h"

/* vfork: nothing is copied, and the maker keeps no more of the processors from the first process than it has to. */
static void stream(volatile pid_t *orphans, long number) {
    for (volatile long i = 0; i < number; i++) {
        pid_t child = vfork();
        if (child == 0) {
            pid_t orphan = vfork();
            if (orphan != 0)
                orphans[i] = orphan;
            _exit(0);
        }
        waitpid(child, NULL, 0);
        if (child < 0 || orphans[i] < 0) { /* as many processes as there may be: until some are reaped */
            i--;
            usleep(10000);
        }
    }
}

static long long heap(volatile pid_t *orphans, long number) {
    volatile long long *begin = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        for (volatile long i = 0; i < number; i++) {
            pid_t orphan = vfork();
            if (orphan == 0)
                _exit(0);
            if (orphan < 0)
                _exit(111);
            orphans[i] = orphan;
        }
        usleep(100000); /* the last one needs a moment to be a zombie */
        *begin = now();
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return *begin;
}

int main(int count, char **arguments) {
    if (count != 3)
        return 100;
    long number = atol(arguments[2]);
    volatile pid_t *orphans = mmap(NULL, number * sizeof *orphans, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int events = open_events();
    stamp(events, "orphans", "up", getpid(), now());
    usleep(300000); /* whatever the first process has to do at its start is done */
    long long begin = now();
    if (strcmp(arguments[1], "heap") == 0)
        begin = heap(orphans, number);
    else
        stream(orphans, number);
    stamp(events, "orphans", "begin", number, begin);
    stamp(events, "orphans", "made", number, now());
    for (long i = 0, looks = 0; i < number; i++)
        for (; kill(orphans[i], 0) == 0 || errno == EPERM; usleep(200))
            if (++looks % 1000 == 0) /* how far it is, for a measurement that is given up */
                stamp(events, "orphans", "gone", i, now());
    stamp(events, "orphans", "reaped", number, now());
    for (;;)
        pause();
}
