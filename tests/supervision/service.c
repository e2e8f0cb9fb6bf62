/* service [NAME [DESCRIPTOR]] — says that it runs, says that it is ready in the way that it is asked to, and waits for
 * SIGTERM. Without a name it has that of its folder, and a file notification-fd in there asks for a newline to descriptor
 * 3: so s6 and runit can execute it as `run` with no shell in between. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "stamp.h"

static void notify(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (path[0] == '@') { /* an abstract name: no NUL at its end */
        address.sun_path[0] = 0;
        length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
    }
    if (sendto(socket_, "READY=1", 7, 0, (struct sockaddr *)&address, length) != 7)
        _exit(111);
    close(socket_);
}

int main(int count, char **arguments) {
    char folder[256] = "?";
    const char *name = folder, *address = getenv("NOTIFY_SOCKET");
    long long started = now();
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    int events = open_events();
    if (count > 1)
        name = arguments[1];
    else if (getcwd(folder, sizeof folder))
        name = strrchr(folder, '/') + 1;
    stamp(events, name, "up", getpid(), started);
    int descriptor = count > 2 ? atoi(arguments[2]) : access("notification-fd", F_OK) == 0 ? 3 : -1;
    if (address)
        notify(address);
    else if (descriptor >= 0) {
        if (write(descriptor, "\n", 1) != 1)
            _exit(111);
        close(descriptor);
    }
    int number;
    sigwait(&term, &number);
    stamp(events, name, "term", getpid(), now());
    return 0;
}
