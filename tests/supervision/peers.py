"""How each peer is told to run services: in the leanest way that it has, with no shell between it and a service."""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from harness import FOLDER, HOME, LOGS, SERVICE, Failed, new_folder

LOG_SIZE = 10 << 20  # bytes at which a log file is rotated
LOG_KEEP = 5  # rotated log files that are kept


class Program(NamedTuple):
    """A service."""

    name: str
    command: list[str] | None = None  # None: the service that says when it runs
    after: str | None = None  # what has to be ready first
    log: str = "inherit"  # or file, prefix


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def script(path: Path, command: list[str]) -> None:
    write(path, "#!/bin/sh\nexec " + " ".join(command) + "\n", 0o755)


class Peer:
    """A supervisor."""

    name = ""
    variant = ""  # what is special about it, in words
    stops_with = 15  # the signal that asks it to stop its services

    def setup(self, programs: list[Program]) -> list[str]:
        """Writes its files and returns the command that it is started by."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{self.name} ({self.variant})" if self.variant else self.name


class Devinit(Peer):
    name = "devinit"

    def __init__(self, variant: str = "", ready: str = "fd", **settings: object) -> None:
        self.variant = variant
        self.ready = ready
        self.settings = settings

    def setup(self, programs: list[Program]) -> list[str]:
        config = new_folder() / "config.yaml"
        services = {program.name: self.service(program) for program in programs}
        # JSON is YAML.
        config.write_text(json.dumps({**without_the_rest(), "services": services}))
        return [str(HOME / "devinit"), "boot", "--config", str(config)]

    def service(self, program: Program) -> dict:
        service: dict = {"command": program.command or [str(SERVICE), program.name], "restart": "always", **self.settings}
        if program.command is None and self.ready == "fd":
            service["command"].append("3")
            service["ready"] = {"fd": 3}
        elif program.command is None and self.ready == "notify":
            service["ready"] = {"notify": True}
        if program.after:
            service["after"] = [program.after]
        if program.log == "file":
            service["log"] = {"to": "file", "path": f"{LOGS}/{program.name}/current", "size": f"{LOG_SIZE >> 20}MiB", "keep": LOG_KEEP}
        elif program.log != "inherit":
            service["log"] = program.log
        return service


def without_the_rest() -> dict:
    """What devinit does for dev containers and its peers do not."""
    return {"ssh": {"enabled": False}, "greeting": {"enabled": False}, "users": {}}


class S6(Peer):
    name = "s6"

    def setup(self, programs: list[Program]) -> list[str]:
        folder = new_folder()
        for program in programs:
            service_folder(folder / program.name, program)
            if program.after:
                # Without s6-rc: s6's own way to wait for readiness.
                (folder / program.name / "run").unlink()
                write(
                    folder / program.name / "run",
                    f"#!/bin/execlineb -P\nif {{ s6-svwait -U ../{program.after} }}\n{SERVICE}\n",
                    0o755,
                )
            if program.log == "file":
                logger = ["s6-log", "-d3", f"n{LOG_KEEP}", f"s{LOG_SIZE}", "T", f"{LOGS}/{program.name}"]
                script(folder / program.name / "log/run", logger)
                write(folder / program.name / "log/notification-fd", "3\n")
        return ["s6-svscan", str(folder)]


def service_folder(folder: Path, program: Program, ready: bool = True) -> None:
    """A folder as s6 and runit have it; runit knows of no readiness."""
    folder.mkdir(parents=True)
    if program.command is None:
        (folder / "run").symlink_to(SERVICE)
        if ready:
            write(folder / "notification-fd", "3\n")
    else:
        script(folder / "run", program.command)


class S6Rc(Peer):
    name = "s6-rc"

    def setup(self, programs: list[Program]) -> list[str]:
        folder = new_folder()
        for program in programs:
            source = folder / "source" / program.name
            service_folder(source, program)
            if program.command is None:
                # Its folder is copied when the services are compiled, and a link is not.
                (source / "run").unlink()
                shutil.copy(SERVICE, source / "run")
            write(source / "type", "longrun\n")
            if program.after:
                write(source / "dependencies", program.after + "\n")
        write(folder / "source/all/type", "bundle\n")
        write(folder / "source/all/contents", "".join(program.name + "\n" for program in programs))
        if os.spawnlp(os.P_WAIT, "s6-rc-compile", "s6-rc-compile", str(folder / "compiled"), str(folder / "source")) != 0:
            raise Failed("s6-rc-compile failed")
        (folder / "scan").mkdir()
        # s6-svscan says that it is ready, and the services are brought up.
        write(
            folder / "start",
            "#!/bin/execlineb -P\n"
            f"piperw 3 4\n"
            f"background {{ fdclose 4 if {{ redirfd -r 0 /proc/self/fd/3 head -n 1 }} fdclose 3\n"
            f"  if {{ s6-rc-init -c {folder}/compiled -l /run/s6-rc {folder}/scan }} s6-rc -l /run/s6-rc change all }}\n"
            f"fdclose 3 s6-svscan -d 4 {folder}/scan\n",
            0o755,
        )
        return [str(folder / "start")]


class Runit(Peer):
    name = "runit"
    stops_with = 1  # at TERM runsvdir just ends

    def setup(self, programs: list[Program]) -> list[str]:
        folder = new_folder()
        for program in programs:
            service_folder(folder / program.name, program, ready=False)
            if program.log == "file":
                write(LOGS / program.name / "config", f"s{LOG_SIZE}\nn{LOG_KEEP}\n")
                script(folder / program.name / "log/run", ["svlogd", "-ttt", str(LOGS / program.name)])
        return ["runsvdir", str(folder)]


class Supervisord(Peer):
    name = "supervisord"

    def setup(self, programs: list[Program]) -> list[str]:
        folder = new_folder()
        lines = ["[supervisord]", "nodaemon=true", "user=root", "logfile=/dev/null", "logfile_maxbytes=0", "pidfile=/run/supervisord.pid"]
        for program in programs:
            command = program.command or [str(SERVICE), program.name]
            lines += [
                f"[program:{program.name}]",
                "command=" + " ".join(command),
                "autorestart=true",
                "redirect_stderr=true",
            ]
            if program.log == "file":
                lines += [
                    f"stdout_logfile={LOGS}/{program.name}/current",
                    f"stdout_logfile_maxbytes={LOG_SIZE}",
                    f"stdout_logfile_backups={LOG_KEEP}",
                ]
                (LOGS / program.name).mkdir()
            elif program.command:
                lines += ["stdout_logfile=/dev/fd/1", "stdout_logfile_maxbytes=0"]
            else:
                lines += ["stdout_logfile=NONE"]
        config = folder / "supervisord.conf"
        config.write_text("\n".join(lines) + "\n")
        return ["supervisord", "-n", "-c", str(config)]


class Init(Peer):
    """An init that runs one command."""

    def __init__(self, name: str, *command: str, variant: str = "", column: str = "") -> None:
        self.name = column or name
        self.variant = variant
        self.command = command

    def setup(self, programs: list[Program]) -> list[str]:
        (program,) = programs
        return [*self.command, *(program.command or [str(SERVICE), program.name])]


class Bare(Peer):
    """No init at all."""

    name = "bare"

    def setup(self, programs: list[Program]) -> list[str]:
        new_folder()
        return programs[0].command or [str(SERVICE), programs[0].name]


def devinit_as_init() -> Init:
    config = FOLDER.parent / "init.yaml"
    config.write_text(json.dumps(without_the_rest()))
    return Init("devinit", str(HOME / "devinit"), "boot", "--config", str(config), "--")
