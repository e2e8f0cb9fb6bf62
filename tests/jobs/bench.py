"""What a job costs over `COMMAND > FILE`, against what else writes a command's output down. Prints a Markdown table."""

import os
import shutil
import statistics
import subprocess
import sys
import time

HOME, DEVINIT, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
MEGABYTES = int(os.environ.get("MEGABYTES", "1000"))
LINES = f"{HOME}/lines"
LOGS = f"{HOME}/logs"

JOB = [DEVINIT, "job", "run", "x", "--directory", LOGS, "--quiet", "--"]
PEERS = {
    "`COMMAND > FILE`": lambda command: ["sh", "-c", f'exec "$@" > {LOGS}/log', "sh", *command],
    "devinit job run --quiet": lambda command: [*JOB, *command],
    "`\\| tee FILE > /dev/null`": lambda command: ["sh", "-c", f'"$@" | tee {LOGS}/log > /dev/null', "sh", *command],
    "script -q -f -c": lambda command: ["script", "-q", "-e", "-f", "-c", " ".join(command), f"{LOGS}/log"],
    "`\\| s6-log t`": lambda command: ["sh", "-c", f'"$@" | s6-log t n1 s268435455 {LOGS}', "sh", *command],
    "`\\| svlogd -tt`": lambda command: ["sh", "-c", f'"$@" | svlogd -tt {LOGS}', "sh", *command],
    "`\\| ts`": lambda command: ["sh", "-c", f'"$@" | ts %.s > {LOGS}/log', "sh", *command],
}
# Those that are so slow that a tenth has to do.
SLOW = {"`\\| ts`", "`\\| svlogd -tt`", "script -q -f -c"}


def fresh():
    shutil.rmtree(LOGS, ignore_errors=True)
    os.mkdir(LOGS)


def run(command, **more):
    """Seconds of wall time, and of CPU time of all that it ran."""
    fresh()
    before, started = os.times(), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **more)
    took, after = time.monotonic() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return took, cpu


def throughput(peer):
    amount = MEGABYTES // 10 if peer in SLOW else MEGABYTES
    took, cpu = run(PEERS[peer]([LINES, str(amount)]))
    return amount / took, cpu / amount * 1000


def latency(peer):
    """Microseconds until a line is in the file: the median of 500, and the 99th of a hundred."""
    fresh()
    # By a FIFO, for devinit passes on no descriptor.
    fifo = f"{HOME}/answer"
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
    inner = f"exec {LINES} latency 500 {LOGS} 3<>{fifo}"
    command = PEERS[peer](["sh", "-c", f"'{inner}'"] if peer.startswith("script") else ["sh", "-c", inner])
    answer = os.open(fifo, os.O_RDWR)
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return [float(word) for word in os.read(answer, 100).split()]
    finally:
        os.close(answer)


def start(peer):
    return run(PEERS[peer](["true"]))[0] * 1000


def list_of(count):
    fresh()
    subprocess.run([*JOB, "true"], check=True)
    status = open(f"{LOGS}/x.status").read()
    for number in range(count):
        with open(f"{LOGS}/job-{number}.status", "w") as file:
            file.write(status.replace('"job":"x"', f'"job":"job-{number}"'))
    took = []
    for _ in range(20):
        started = time.monotonic()
        subprocess.run([DEVINIT, "job", "list", "--directory", LOGS], check=True, stdout=subprocess.DEVNULL)
        took.append((time.monotonic() - started) * 1000)
    return statistics.median(took)


def main():
    figures = {peer: {"rate": [], "cpu": [], "start": [], "median": [], "last": []} for peer in PEERS}
    for number in range(ROUNDS + 1):  # the first one warms up and does not count
        for peer, found in figures.items():
            if os.environ.get("VERBOSE"):
                print(number, peer, file=sys.stderr)
            rate, cpu = throughput(peer)
            starts = statistics.median(start(peer) for _ in range(10))
            # s6-log and svlogd write to a file that is there before anything is printed, as all others do.
            median, last = latency(peer)
            if number > 0:
                for key, value in [("rate", rate), ("cpu", cpu), ("start", starts), ("median", median), ("last", last)]:
                    found[key].append(value)
    bare = figures["`COMMAND > FILE`"]
    value = lambda found, key: statistics.median(found[key])
    print("| | MB/s of 100-byte lines | CPU s per GB | `true`, ms | a line in the file after, µs (99 of 100) |")
    print("| --- | --- | --- | --- | --- |")
    for peer, found in figures.items():
        ratio = value(found, "rate") / value(bare, "rate")
        print(
            f"| {peer} | {value(found, 'rate'):,.0f} (×{ratio:.2f}) | {value(found, 'cpu'):.2f} "
            f"| {value(found, 'start'):.2f} | {value(found, 'median'):.0f} ({value(found, 'last'):.0f}) |"
        )
    print(f"\n1,000 jobs listed in {list_of(1000):.1f} ms.")


main()
