/* noise BYTES — writes so many bytes to standard output as quickly as it can: numbered lines of 100 bytes, 40 of them at
 * a time, which is about what stdio writes to a pipe at once. Says when it has begun and when it is done. */
#include <stdlib.h>
#include <string.h>

#include "stamp.h"

enum { LINE = 100, LINES = 40, DIGITS = 12 };

int main(int count, char **arguments) {
    static char block[LINE * LINES], digits[DIGITS];
    if (count != 2)
        return 100;
    long long lines = atoll(arguments[1]) / LINE, line = 0;
    int events = open_events();
    memset(block, 'x', sizeof block);
    memset(digits, '0', sizeof digits);
    stamp(events, "noise", "begin", 0, now());
    while (line < lines) {
        long some = 0;
        for (; some < LINES && line < lines; some++, line++) {
            char *at = block + some * LINE;
            memcpy(at, digits, DIGITS);
            at[DIGITS] = ' ';
            at[LINE - 1] = '\n';
            int digit = DIGITS - 1;
            for (; digit > 0 && digits[digit] == '9'; digit--)
                digits[digit] = '0';
            digits[digit]++;
        }
        for (long written = 0; written < some * LINE;) {
            ssize_t part = write(1, block + written, some * LINE - written);
            if (part <= 0)
                _exit(111);
            written += part;
        }
    }
    stamp(events, "noise", "done", getpid(), now());
    for (;;)
        pause();
}
