"""Starts the warm template and asks it for workers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from types import TracebackType
from typing import Any

from tensorgrade.errors import SandboxError, WireError
from tensorgrade.limits import Limits
from tensorgrade.sandbox import groups, landlock, launch
from tensorgrade.sandbox.files import (
    Bind,
    bwrap_arguments,
    command_outside,
    environment,
    environment_outside,
    inside_python,
    interpreter_binds,
)
from tensorgrade.sandbox.levels import STRICT, Layer, Level
from tensorgrade.sandbox.process import NO_GROUPS, TRY_DOCTOR, Worker, refusal
from tensorgrade.wire import decode, encode

START_SECONDS = 120.0
FORK_SECONDS = 30.0
CONTROL_BYTES = 4096
# Neither a person's nor a service's: systemd leaves this range unused (systemd.io, UIDS-GIDS).
SANDBOX_UID = 61000


class Template:
    """A warm process in the sandbox that holds Python, torch and no label; workers are forked from it.

    Args:
        level: how it and its workers are confined.

    Attributes:
        level: the same.
        disturbances: how many workers were ended by something else than their code or their limits.

    Raises:
        SandboxError: this machine cannot confine it.
    """

    def __init__(self, level: Level = STRICT) -> None:
        self.level = level
        self.disturbances = 0
        self._lent = groups.find() if Layer.GROUP in level.layers else NO_GROUPS
        self._control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with inner:
                self._process = _start(level, inner.fileno())
        except BaseException:
            self._control.close()
            raise
        self._control.settimeout(START_SECONDS)
        self._ready = False

    def __enter__(self) -> Template:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fork(self, limits: Limits) -> Worker:
        """A fresh worker under these limits.

        Raises:
            SandboxError: it could not be confined, so it was not started.
        """
        self._wait_until_ready()
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            with theirs:
                worker = self._ask(("fork", vars(limits), self._layers()), "forked", [theirs.fileno()])
            lent = self._lent if Layer.GROUP in self.level.layers else NO_GROUPS
            return Worker(ours, limits, lambda: self._reap(worker), lent, self._note_disturbance)
        except BaseException:
            ours.close()
            raise

    def _note_disturbance(self) -> None:
        self.disturbances += 1

    def _layers(self) -> tuple[str, ...]:
        return tuple(sorted(layer.value for layer in self.level.layers))

    def close(self) -> None:
        """End the template and every worker of it."""
        if not self._ready:
            self._process.kill()  # it has no worker, and would finish its imports first
        self._control.close()  # the template ends when its control socket does
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _reap(self, worker: int) -> int:
        return self._ask(("reap", worker), "ended", [])

    def _wait_until_ready(self) -> None:
        if not self._ready:
            self._expect("ready")
            self._control.settimeout(FORK_SECONDS)
            self._ready = True

    def _ask(self, message: tuple[Any, ...], expected: str, descriptors: list[int]) -> int:
        try:
            socket.send_fds(self._control, [encode(message)], descriptors)
        except OSError as error:
            raise self._failed() from error
        return self._expect(expected)

    def _expect(self, word: str) -> int:
        try:
            reply = decode(self._control.recv(CONTROL_BYTES))
        except (OSError, WireError) as error:
            raise self._failed() from error
        match reply:
            case (str(said), int(number)) if said == word:
                return number
            case ("refused", str(reason)):
                raise refusal(reason)
        raise SandboxError(f"sandbox: the template answered {reply!r}, expected {word!r}")

    def _failed(self) -> SandboxError:
        """Why the template is gone, in its own last words."""
        self._process.kill()
        said = self._process.communicate()[1].decode(errors="replace").strip()
        reason = said.splitlines()[-1] if said else "no reason given"
        pod = " Where namespaces are forbidden: --sandbox pod." if "namespace" in reason else ""
        why = f"the template did not start: {reason.rstrip('.')}"
        return SandboxError(f"sandbox: {why}. Refusing to run student code; {TRY_DOCTOR}{pod}")


def describe(level: Level) -> str:
    """What reports say of the sandbox: the level, and what the kernel has not."""
    lacks = Layer.LANDLOCK in level.layers and not landlock.version()
    return f"{level.name}, without Landlock" if lacks else level.name


def _start(level: Level, control: int) -> subprocess.Popen[bytes]:
    _require(level)
    inside = Layer.FILES in level.layers
    return subprocess.Popen(  # noqa: S603 - an argument list, no shell
        _command_inside(control) if inside else _command_outside(level, control),
        # Built from nothing: bubblewrap's own is readable inside as /proc/1/environ.
        env=environment() if inside else environment_outside(),
        pass_fds=[control],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the grader, which then ends the template
    )


def _require(level: Level) -> None:
    """Refuse what can be known before anything is started.

    Raises:
        SandboxError: without namespaces Landlock has to hide the files, and this kernel's cannot.
    """
    known, needed = landlock.version(), landlock.TRUNCATE_VERSION
    if Layer.LANDLOCK in level.layers and Layer.FILES not in level.layers and known < needed:
        has = f"version {known}" if known else "none"
        raise SandboxError(
            f"sandbox: {level.name}: expected Landlock version {needed} or later (Linux 6.2), this kernel has {has}. "
            "Refusing to run student code; use --sandbox strict where user namespaces are allowed."
        )


def _command_inside(control: int) -> list[str]:
    binds = interpreter_binds()
    readable = [bind.inside for bind in binds]
    command = [inside_python(), "-m", "tensorgrade.worker.template", str(control), *readable]
    if os.getuid() != 0:
        return bwrap_arguments(binds, command)
    staged = tuple(Bind(launch.STAGE / bind.inside.lstrip("/"), bind.inside) for bind in binds)
    stage = [f"{bind.outside}={place.outside}" for bind, place in zip(binds, staged, strict=True)]
    return [*_launcher(), *stage, "--", *bwrap_arguments(staged, command)]


def _command_outside(level: Level, control: int) -> list[str]:
    readable = [str(bind.outside) for bind in interpreter_binds()]
    command = command_outside([str(control), *readable])
    return [*_launcher(), "--", *command] if os.getuid() == 0 and Layer.POWERS in level.layers else command


def _launcher() -> list[str]:
    return [sys.executable, "-I", "-m", launch.__name__, str(SANDBOX_UID)]
