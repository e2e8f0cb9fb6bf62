// lines MEGABYTES          prints so many MB in lines of 100 bytes, as fast as they are taken
// lines latency ROUNDS DIR prints a line at a time and waits until the newest file in DIR has grown; tells the median, and
//                          the 99th of a hundred, in microseconds on descriptor 3
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The log is the one file whose name does not end with .status and does not begin with a dot.
static int find(const char *folder, char *path, size_t room) {
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int found = 0;
    while (dir && !found && (entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');
        if (entry->d_name[0] == '.' || (dot && (!strcmp(dot, ".status") || !strcmp(dot, ".tmp"))) || !strcmp(entry->d_name, "lock")
            || !strcmp(entry->d_name, "state"))
            continue;
        snprintf(path, room, "%s/%s", folder, entry->d_name);
        found = 1;
    }
    if (dir)
        closedir(dir);
    return found;
}

static int latency(int rounds, const char *folder) {
    char path[4096], line[101];
    struct stat stat_now;
    double *times = calloc(rounds, sizeof *times);
    memset(line, 'x', 99);
    line[99] = '\n';
    for (int tries = 0; !find(folder, path, sizeof path) && tries < 5000; tries++)
        usleep(1000);
    usleep(300000);
    for (int round = 0; round < rounds; round++) {
        usleep(1000);
        off_t before = stat(path, &stat_now) ? 0 : stat_now.st_size;
        double start = now();
        if (write(1, line, 100) != 100)
            return 1;
        while ((stat(path, &stat_now) || stat_now.st_size == before) && now() - start < 1e6)
            ;
        times[round] = now() - start;
    }
    qsort(times, rounds, sizeof *times, by_size);
    dprintf(3, "%.1f %.1f\n", times[rounds / 2], times[rounds * 99 / 100]);
    return 0;
}

int main(int argc, char **argv) {
    static char block[65500];
    if (argc == 4 && !strcmp(argv[1], "latency"))
        return latency(atoi(argv[2]), argv[3]);
    for (size_t at = 0; at < sizeof block; at += 100) {
        memset(block + at, 'a' + at / 100 % 26, 99);
        block[at + 99] = '\n';
    }
    for (long left = atol(argv[1]) * 1000000; left > 0; left -= sizeof block) {
        size_t length = left < (long)sizeof block ? (size_t)left : sizeof block;
        for (size_t at = 0; at < length;) {
            ssize_t written = write(1, block + at, length - at);
            if (written < 0)
                return 1;
            at += written;
        }
    }
    return 0;
}
