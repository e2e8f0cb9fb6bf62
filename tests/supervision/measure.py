"""The measurements."""

import os
import shutil
import subprocess
import time

from harness import HOME, SERVICE, Failed, LOGS, World, cpu, memory, switches
from peers import Bare, Devinit, Init, Peer, Program, Runit, S6, S6Rc, Supervisord, devinit_as_init
from table import Row, Table, count, kib, microseconds, milliseconds, million_lines, seconds

SERVICES = 10
ORPHANS = {"stream": 20_000, "heap": 10_000}  # at once fewer: all of them take up ids of the whole machine


def supervisors() -> list[Peer]:
    return [S6(), *s6_rc(), Runit(), Supervisord()]


def devinits() -> list[Peer]:
    return [Devinit(), Devinit("told by sd_notify", ready="notify")]


def s6_rc() -> list[Peer]:
    return [S6Rc()] if shutil.which("s6-rc") else []


def inits() -> list[Peer]:
    return [
        devinit_as_init(),
        *posing(),
        Init("tini", "tini", "--"),
        Init("dumb-init", "dumb-init", "--"),
        Init("catatonit", "catatonit", "--"),
    ]


def posing() -> list[Peer]:
    """devinit under other inits' names, if it knows them."""
    found = []
    for name in ("tini", "dumb-init"):
        answer = subprocess.run([HOME / name, "--version"], capture_output=True, text=True, timeout=10)
        if answer.returncode == 0 and name in (answer.stdout + answer.stderr).split("\n")[0]:
            found.append(Init(name, str(HOME / name), "--", variant=f"as {name}", column="devinit"))
    return found


def some(number: int, chained: bool = False) -> list[Program]:
    names = [f"s{index:03}" for index in range(number)]
    return [Program(name, after=names[index - 1] if chained and index else None) for index, name in enumerate(names)]


class Rows:
    """The row of a measurement, and further ones for devinit's variants."""

    def __init__(self, table: Table, title: str, show, more_is_better: bool = False) -> None:
        self.table, self.title, self.show, self.more = table, title, show, more_is_better
        self.main = table.add(Row(title, show, more_is_better))
        self.variants: dict[str, Row] = {}

    def note(self, peer: Peer, value: float) -> None:
        self.of(peer).note(peer.name, value)

    def of(self, peer: Peer) -> Row:
        if not peer.variant:
            return self.main
        if peer.variant not in self.variants:
            row = Row(f"… devinit {peer.variant}", self.show, self.more)
            self.variants[peer.variant] = self.table.add(row, self.main)
        return self.variants[peer.variant]


# --- services


def start(table: Table, rounds) -> None:
    peers = [*devinits(), *supervisors()]
    for number, turns in ((1, 15), (10, 15), (100, 9)):
        rows = Rows(table, f"start of {number} service{'s' if number > 1 else ''}", milliseconds)

        def one(peer: Peer, counts: bool) -> None:
            with World(peer.setup(some(number))) as world:
                last = world.up(number)[-1].time
                if counts:
                    rows.note(peer, (last - world.started()) / 1e9)

        rounds.run(turns, peers, rows.title, one)


def chain(table: Table, rounds) -> None:
    rows = Rows(table, f"start of {SERVICES} services, each after the one before is ready", milliseconds)

    def one(peer: Peer, counts: bool) -> None:
        with World(peer.setup(some(SERVICES, chained=True))) as world:
            events = world.up(SERVICES)
            if [event.name for event in events] != sorted(event.name for event in events):
                raise Failed("started in another order than that of the dependencies")
            if counts:
                rows.note(peer, (events[-1].time - world.started()) / 1e9)

    rounds.run(15, [*devinits(), S6(), *s6_rc()], rows.title, one)


def restart(table: Table, rounds) -> None:
    rows = Rows(table, "kill -9 of a service to its restart", milliseconds)

    def one(peer: Peer, counts: bool) -> None:
        with World(peer.setup(some(SERVICES))) as world:
            services = world.up(SERVICES)
            victims = [world.outside(service.number) for service in services]
            # s6 and runit start nothing twice within a second, and supervisord takes it for a failure to start.
            time.sleep(1.5)
            for index, victim in enumerate(victims):
                begin = time.monotonic_ns()
                os.kill(victim, 9)
                again = world.up(SERVICES + index + 1)[-1]
                if again.name != services[index].name:
                    raise Failed(f"{again.name} started instead of {services[index].name}")
                if counts:
                    rows.note(peer, (again.time - begin) / 1e9)

    peers = [Devinit(), Devinit("with `backoff: {first: 1ms}`", backoff={"first": "1ms"}), *supervisors()]
    rounds.run(3, peers, rows.title, one)


def stop(table: Table, rounds) -> None:
    rows = Rows(table, f"TERM to exit with {SERVICES} services", milliseconds)

    def one(peer: Peer, counts: bool) -> None:
        with World(peer.setup(some(SERVICES))) as world:
            world.up(SERVICES)
            time.sleep(0.2)
            taken = world.terminate(peer.stops_with)
            ended = len(world.all("term"))
            if counts:
                rows.note(peer, taken)
            if ended < SERVICES:
                if not isinstance(peer, Runit):
                    raise Failed(f"only {ended} of {SERVICES} services were asked to end")
                note = "runsvdir does not wait for its services: as the first process it takes them with it by SIGKILL."
                table.remark(rows.main, peer.name, "†", note)

    rounds.run(9, [Devinit(), *supervisors()], rows.title, one)


def idle(table: Table, rounds) -> None:
    woken = table.add(Row(f"wake-ups in 10 s, idle, with {SERVICES} services", count))
    weight = table.add(Row(f"PSS of the supervision tree with {SERVICES} services", kib))

    def one(peer: Peer, counts: bool) -> None:
        if not counts:
            return
        with World(peer.setup(some(SERVICES))) as world:
            world.up(SERVICES)
            time.sleep(3)
            processes = world.supervision()
            before = switches(processes)
            time.sleep(10)
            woken.note(peer.name, switches(processes) - before)
            weight.note(peer.name, memory(processes))

    rounds.run(1, [Devinit(), *supervisors()], woken.title, one)


# --- orphans


def orphans(table: Table, rounds) -> None:
    peers = [Devinit(), *inits(), S6(), Runit(), Supervisord()]
    peers = [peer for peer in peers if str(peer) != "devinit" or isinstance(peer, Devinit)]
    for kind, how in (("stream", "made one by one"), ("heap", "inherited at once")):
        number = ORPHANS[kind] // (5 if rounds.quick else 1)
        title = f"{count(number)} orphans {how}"
        rate = Rows(table, f"{title}: reaped per second", count, more_is_better=True)
        load = Rows(table, "… CPU time of the first process for each", microseconds)

        def one(peer: Peer, counts: bool) -> None:
            command = [str(HOME / "orphans"), kind, str(number)]
            with World(peer.setup([Program("orphans", command)])) as world:
                world.first("up")
                time.sleep(0.2)
                before = cpu([world.init()])
                begin = world.first("begin", 180).time
                try:
                    end = world.first("reaped", 10)
                except Failed:
                    # Too slow to be waited for: as far as it came.
                    end = world.all("gone")[-1] if world.all("gone") else None
                    if end is None or end.number == 0:
                        raise
                used = cpu([world.init()]) - before
                if counts:
                    rate.note(peer, end.number / ((end.time - begin) / 1e9))
                    load.note(peer, used / end.number)

        rounds.run(3, peers, title, one)
        for row in (rate.main, load.main):
            if "runit" in row.samples:
                table.remark(row, "runit", "¶", "runsvdir looks for orphans only every few seconds, and zombies stay until then.")


# --- one command


def one_command(table: Table, rounds) -> None:
    start_up = Rows(table, "start and end of `true` over bare `true`", milliseconds)
    term = Rows(table, "TERM to exit with one command", milliseconds)
    bare: list[float] = []
    true = Program("true", [str(HOME / "true")])

    def run_true(peer: Peer, counts: bool) -> None:
        with World(peer.setup([true])) as world:
            end = world.first("exit")
            if end.number != 0:
                raise Failed(f"exit code {end.number}{world.output()}")
            if counts:
                taken = (end.time - world.started()) / 1e9
                bare.append(taken) if isinstance(peer, Bare) else start_up.note(peer, taken)

    def end_service(peer: Peer, counts: bool) -> None:
        with World(peer.setup([Program("one")])) as world:
            world.up(1)
            time.sleep(0.05)
            taken = world.terminate(15)
            if not world.all("term"):
                raise Failed("the command was not asked to end")
            if counts:
                term.note(peer, taken)

    rounds.run(60, [Bare(), *inits()], start_up.title, run_true)
    rounds.run(30, inits(), term.title, end_service)
    middle = sorted(bare)[len(bare) // 2]
    for row in (start_up.main, *start_up.variants.values()):
        row.samples = {name: [value - middle for value in values] for name, values in row.samples.items()}


# --- logs


def log_file(table: Table, rounds) -> None:
    title = "log to a rotated file with timestamps"
    for row in log(table, rounds, title, [Devinit(), S6(), Runit(), Supervisord()], "file"):
        table.remark(row, "supervisord", "‡", "supervisord writes no timestamps.")


def log_output(table: Table, rounds) -> None:
    title = "log to the container's output"
    for row in log(table, rounds, title, [Devinit(), S6(), Runit(), Supervisord()], "inherit"):
        for peer in ("s6", "runit"):
            table.remark(row, peer, "§", "nobody in between: the service itself writes there, and who reads slowly stops it.")
    log(table, rounds, "… with the service's name in front", [Devinit()], "prefix")


def log(table: Table, rounds, title: str, peers: list[Peer], kind: str) -> tuple[Row, Row]:
    size = (128 if rounds.quick else 1024) << 20
    rate = table.add(Row(f"{title}: lines of 100 bytes", million_lines, more_is_better=True))
    load = table.add(Row("… CPU time per GB", seconds))

    def one(peer: Peer, counts: bool) -> None:
        amount = size if counts else 16 << 20
        command = peer.setup([Program("noise", [str(HOME / "noise"), str(amount)], log=kind)])
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
            with World(command, output=reader.stdin.fileno()) as world:
                begin = world.first("begin").time
                end = world.first("done", 180).time
                used = settled(world)
                if kind == "file":
                    complete(amount // 100)
            reader.stdin.close()
        if counts:
            rate.note(peer.name, amount / 100 / ((end - begin) / 1e9))
            load.note(peer.name, used / (amount / 1e9))

    rounds.run(3, peers, title, one)
    return rate, load


def settled(world: World) -> float:
    """The CPU time of the supervision, once it has no more to do."""
    used = -1.0
    for _ in range(100):
        time.sleep(0.3)
        before, used = used, cpu(world.supervision())
        if used == before:
            return used
    raise Failed("the log is still being written")


def complete(lines: int) -> None:
    """The last line is there, in whichever file."""
    last = f"{lines - 1:012} "
    for folder, _, files in os.walk(LOGS):
        for file in files:
            with open(os.path.join(folder, file), "rb") as log_:
                log_.seek(max(0, os.path.getsize(log_.name) - 4096))
                if last.encode() in log_.read():
                    return
    raise Failed(f"the last line is not in {LOGS}")


ALL = {
    "start": start,
    "chain": chain,
    "restart": restart,
    "stop": stop,
    "idle": idle,
    "orphans": orphans,
    "one-command": one_command,
    "log-file": log_file,
    "log-output": log_output,
}
