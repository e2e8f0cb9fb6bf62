/* world NAME COMMAND… — runs the command as the first process of a world of its own: process ids, mounts, /run, /tmp,
 * /var/log, /var/lib and an /etc whose changes are thrown away. Says when the command is executed and when it has ended;
 * everything in the world ends with this program, however that ends. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stamp.h"

#define COPIES "/mnt/copies"

static void check(int result, const char *what) {
    if (result >= 0)
        return;
    fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
    exit(111);
}

static void separate(void) {
    static const char *const empty[] = {"/run", "/tmp", "/var/log", "/var/lib"};
    check(unshare(CLONE_NEWNS | CLONE_NEWPID), "no namespaces of its own");
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mounts are not private");
    for (unsigned i = 0; i < sizeof empty / sizeof *empty; i++)
        check(mount("tmpfs", empty[i], "tmpfs", 0, "mode=0755"), empty[i]);
    check(chmod("/tmp", 01777), "/tmp");
    check(mkdir("/var/lib/.etc", 0755), "/var/lib/.etc");
    check(mkdir("/var/lib/.work", 0755), "/var/lib/.work");
    check(mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/var/lib/.etc,workdir=/var/lib/.work"), "overlay on /etc");
}

/* What the peers execute and map are copies that nothing else on this machine maps, as in a container of their own. */
static void own_copies(void) {
    char path[256], copy[300];
    FILE *list = fopen(COPIES "/list", "r");
    check(list ? 0 : -1, COPIES "/list");
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        snprintf(copy, sizeof copy, COPIES "%s", path);
        check(mount(copy, path, NULL, MS_BIND, NULL), path);
    }
    fclose(list);
}

int main(int count, char **arguments) {
    if (count < 3)
        return 100;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int events = open_events();
    check(events, EVENTS);
    separate();
    own_copies();
    /* The mounts are held here, too, so that taking them down is not counted as the command's. */
    pid_t first = fork();
    check(first, "fork");
    if (first == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid();
        check(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "/proc");
        stamp(events, arguments[1], "exec", 0, now());
        execvp(arguments[2], arguments + 2);
        check(-1, arguments[2]);
    }
    stamp(events, arguments[1], "init", first, now());
    int status = 0;
    while (waitpid(first, &status, 0) < 0 && errno == EINTR) {
    }
    stamp(events, arguments[1], "exit", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), now());
    return 0;
}
