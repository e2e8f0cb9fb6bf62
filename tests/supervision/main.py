"""tests/bench-supervision, once everything is in place: measures, and prints the table."""

import argparse
import os
import platform
import sys
import time
from typing import Callable, Iterable

import measure
from harness import Failed
from table import Table


class Rounds:
    """Runs a measurement for all peers in turns, round by round, and remembers who failed."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.failures: list[str] = []

    def run(self, number: int, peers: Iterable, what: str, one: Callable) -> None:
        """Calls `one(peer, counts)` for each peer in each round; the first round warms the caches and does not count."""
        failed = set()
        for turn in range((min(number, max(2, number // 3)) if self.quick else number) + 1):
            for peer in peers:
                if peer in failed:
                    continue
                try:
                    one(peer, turn > 0)
                except Failed as failure:
                    failed.add(peer)
                    self.failures.append(f"{peer}: {what}: {failure}")
                    print(f"bench-supervision: {self.failures[-1]}", file=sys.stderr)


def facts() -> str:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores ({model}), Linux {platform.release()}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--versions", default="")
    arguments = parser.parse_args()
    table, rounds = Table(), Rounds(arguments.quick)
    for name, measurement in measure.ALL.items():
        if name.startswith(arguments.only):
            begin = time.monotonic()
            measurement(table, rounds)
            print(f"{time.monotonic() - begin:5.0f} s  {name}", file=sys.stderr)
    print(f"Medians, each beside its ratio to the best peer's; {facts()}. {arguments.versions}\n")
    table.print()
    for failure in rounds.failures:
        print(f"bench-supervision: failed: {failure}", file=sys.stderr)
    return 1 if rounds.failures else 0


if __name__ == "__main__":
    sys.exit(main())
