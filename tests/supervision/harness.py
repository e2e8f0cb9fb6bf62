"""A world for each measurement: a supervisor as the first process of its own namespaces, and what is said in there.

Everything is at /mnt, a tmpfs of the mount namespace that the whole benchmark runs in: the programs, the FIFO that
services and worlds report to, the folder that a peer's files are written to.
"""

import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, NamedTuple

HOME = Path("/mnt")
EVENTS = HOME / "events"
OUTPUT = HOME / "output"
FOLDER = HOME / "peer"
LOGS = HOME / "log"
SERVICE = HOME / "service"
LIMIT = 30.0  # seconds that anything may take, unless it says otherwise

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8"}


class Failed(Exception):
    """A measurement did not come about."""


class Event(NamedTuple):
    name: str
    what: str
    number: int
    time: int  # nanoseconds of CLOCK_MONOTONIC


class World:
    """A command as the first process of a world of its own. Leaving the context ends the world."""

    def __init__(self, command: list[str], output: int | None = None) -> None:
        EVENTS.unlink(missing_ok=True)
        os.mkfifo(EVENTS)
        # Open for both, so that there is no end of file while nobody writes.
        self._fifo = os.open(EVENTS, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""
        self._first: int | None = None
        self.events: list[Event] = []
        with OUTPUT.open("wb") as log:
            self._process = subprocess.Popen(
                [HOME / "world", "world", *command],
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log,
                env=ENVIRONMENT,
                cwd="/",
            )

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # All others go with the first process, and `world` after them: then nobody writes to the peer's files any more.
            if self._process.poll() is None:
                self._signal(signal.SIGKILL)
            self._process.wait(LIMIT)
        except (Failed, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(LIMIT)
        os.close(self._fifo)
        if self._first is not None:
            os.close(self._first)

    def _signal(self, number: int) -> None:
        """Sends a signal to the first process, and never to one that got its id after it."""
        try:
            if self._first is None:
                self._first = os.pidfd_open(self.init())
            signal.pidfd_send_signal(self._first, number)
        except ProcessLookupError:
            pass

    def wait(self, enough: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
        """Reads events until there are enough."""
        deadline = time.monotonic() + limit
        while not enough():
            self._read(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline and not enough():
                raise Failed(f"{what}: not within {limit:g} s{self.output()}")
            if self._process.poll() is not None:
                self._read(0.0)
                if not enough():
                    raise Failed(f"{what}: the first process has ended{self.output()}")

    def _read(self, seconds: float) -> None:
        if not select.select([self._fifo], [], [], min(seconds, 0.5))[0]:
            return
        *lines, self._rest = (self._rest + os.read(self._fifo, 65536)).split(b"\n")
        for line in lines:
            try:
                name, what, number, nanoseconds = line.decode().split(" ")
                self.events.append(Event(name, what, int(number), int(nanoseconds)))
            except ValueError as error:
                raise Failed(f"something else wrote to {EVENTS}: {line!r}") from error

    def output(self) -> str:
        """What the supervisor said last, for a message."""
        lines = OUTPUT.read_text(errors="replace").splitlines()[-5:]
        return "".join(f"\n    {line}" for line in lines)

    def all(self, what: str) -> list[Event]:
        return [event for event in self.events if event.what == what]

    def first(self, what: str, limit: float = LIMIT) -> Event:
        self.wait(lambda: bool(self.all(what)), what, limit)
        return self.all(what)[0]

    def up(self, count: int, limit: float = LIMIT) -> list[Event]:
        """Waits until so many services run, and returns what each said, in order."""
        self.wait(lambda: len(self.all("up")) >= count, f"start of {count} services", limit)
        return sorted(self.all("up"), key=lambda event: event.time)

    def started(self) -> int:
        """When the first process was executed."""
        return self.first("exec").time

    def init(self) -> int:
        """The first process's id out here."""
        return self.first("init").number

    def terminate(self, number: int, limit: float = LIMIT) -> float:
        """Sends a signal to the first process; seconds until it and its world are gone."""
        self.init()
        begin = time.monotonic_ns()
        self._signal(number)
        return (self.first("exit", limit).time - begin) / 1e9

    def processes(self) -> list[int]:
        """All processes in there, by their ids out here."""
        space = os.readlink(f"/proc/{self.init()}/ns/pid")
        found = []
        for entry in os.scandir("/proc"):
            try:
                if entry.name.isdigit() and os.readlink(f"/proc/{entry.name}/ns/pid") == space:
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def supervision(self) -> list[int]:
        """All processes in there but those that are supervised."""
        return [process for process in self.processes() if not supervised(program(process))]

    def outside(self, number: int) -> int:
        """The id out here of the process that has this id in there."""
        for process in self.processes():
            for line in read(f"/proc/{process}/status").splitlines():
                if line.startswith("NSpid:") and line.split()[-1] == str(number):
                    return process
        raise Failed(f"process {number} is not there{self.output()}")


def supervised(path: Path) -> bool:
    # s6-rc runs copies by the name of `run`.
    return path.name == "run" or path.parent == HOME and path.name not in ("devinit", "tini", "dumb-init")


def program(process: int) -> Path:
    try:
        return Path(os.readlink(f"/proc/{process}/exe"))
    except OSError:
        return Path("/")


def read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def new_folder() -> Path:
    """The folder that a peer's files are written to, and those of logs, empty."""
    for folder in (FOLDER, LOGS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    return FOLDER


def switches(processes: list[int]) -> int:
    """How often these processes were given a processor."""
    return sum(
        int(line.split()[1])
        for process in processes
        for thread in os.listdir(f"/proc/{process}/task")
        for line in read(f"/proc/{process}/task/{thread}/status").splitlines()
        if "ctxt_switches" in line
    )


def memory(processes: list[int]) -> int:
    """The proportional set size of these processes, in KiB."""
    return sum(
        int(line.split()[1])
        for process in processes
        for line in read(f"/proc/{process}/smaps_rollup").splitlines()
        if line.startswith("Pss:")
    )


def cpu(processes: list[int]) -> float:
    """The CPU time that these processes have used, in seconds, without that of children that are gone."""
    # sched(7): the first field of schedstat is nanoseconds on a processor.
    return sum(
        int(read(f"/proc/{process}/task/{thread}/schedstat").split()[0])
        for process in processes
        for thread in os.listdir(f"/proc/{process}/task")
    ) / 1e9
