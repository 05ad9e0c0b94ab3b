"""Serves one submission: takes its files, gives up all power, then runs cells and answers calls.

==========================================  ======================================
request                                     reply
==========================================  ======================================
``("file", name, bytes)``                   ``("value", None)``
``("begin",)``                              ``("value", None)``, or ``("refused", why)``
``("run", number, source)``                 ``("ran", succeeded, outputs)``
any other, see `tensorgrade.replies`        ``("value", value)`` or an error, after any
                                            number of ``("callback", number, args, kwargs)``
``("returned", value)``, ``("raised",)``    the answer to a callback, so no request
==========================================  ======================================

An error is ``("error", type name, message, ((cell, line), ...))``. This process becomes the
student's own when the first cell runs: nothing it says from then on is believed but as a value.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

import tensorgrade
from tensorgrade.limits import Limits
from tensorgrade.replies import Responder
from tensorgrade.sandbox.confine import Confinement
from tensorgrade.sandbox.places import Places
from tensorgrade.wire import Channel, decode, encode
from tensorgrade.worker.shell import CELL_NAME, Shell

MAX_FRAMES, MAX_MESSAGE = 20, 2000


def serve(shell: Shell, confinement: Confinement, places: Places, limits: Limits, connection: socket.socket) -> None:
    """Serve one submission until the other side closes the connection."""
    connection.sendall(b"hello")  # the kernel adds who we are
    channel = Channel(connection, limits.message_bytes)
    while _take(places, decode(channel.receive())):
        channel.send(encode(("value", None)))
    try:
        confinement.settle(places, limits)
    except (OSError, ValueError) as error:  # no code of a student's has run, and none will
        channel.send(encode(("refused", str(error))))
        raise
    _come_to_rest(places)
    channel.send(encode(("value", None)))
    session = _Session(shell, limits, channel)
    while True:
        try:
            request = decode(channel.receive())
        except EOFError:
            return
        channel.send(session.reply(request))


@contextmanager
def saying_why(connection: socket.socket) -> Iterator[None]:
    """Tell the grader which step of the confinement this machine refused; nothing of a student has run yet."""
    try:
        yield
    except OSError as error:
        connection.sendall(str(error).encode())
        raise


def _take(places: Places, request: Any) -> bool:
    """Put a file in place; returns whether more may come.

    Imports find the file that is sealed; the copy in the working directory is the student's to change.
    """
    match request:
        case ("file", str(name), bytes(content)):
            for folder in (places.submission, places.work):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return True
        case ("begin",):
            return False
    raise ValueError("expected a file, or 'begin'")


def _come_to_rest(places: Places) -> None:
    """Leave nothing of the template's way of working to the student's code."""
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    os.chdir(places.work)
    os.environ.update(HOME=str(places.scratch), TMPDIR=str(places.scratch))
    tempfile.tempdir = None  # it may have been asked for while the template started
    sys.path += [str(places.submission), str(places.work)]  # last: a student's torch.py must not replace torch
    torch.set_num_interop_threads = _do_nothing  # it may be called once only, and was
    torch.compile = _leave_as_it_is  # compiling takes longer than a check may
    tensorgrade.check = _do_nothing  # grade cells are not run here


def _do_nothing(*_: object, **__: object) -> None:
    """The stand-in for `tensorgrade.check` while a submission is graded."""


def _leave_as_it_is(model: Any = None, **_: object) -> Any:
    """The stand-in for `torch.compile`, as a function and as a decorator with options."""
    return _leave_as_it_is if model is None else model


class _Session:
    """The student's namespace and the replies from it."""

    def __init__(self, shell: Shell, limits: Limits, channel: Channel) -> None:
        self.shell = shell
        self.limits = limits
        self.channel = channel
        self.responder = Responder(shell.user_ns, self._call_back)

    def reply(self, request: Any) -> bytes:
        """Reply to one request; whatever the student's code raises becomes an error."""
        try:
            match request:
                case ("run", int(number), str(source)):
                    return encode(("ran", *self._run(number, source)))
            reply = encode(("value", self.responder.answer(request)))
            if len(reply) > self.limits.message_bytes:
                raise ValueError(f"the result is larger than {self.limits.message_mib} MiB")
            return reply
        except BaseException as error:
            return encode(_describe(error))

    def _run(self, number: int, source: str) -> tuple[bool, list[dict[str, Any]]]:
        return self.shell.run_notebook_cell(number, source, self.limits.output_kib * 1024)

    def _call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Ask the grader, which waits for our reply, to call one of its functions meanwhile."""
        self.channel.send(encode(("callback", number, args, kwargs)))
        match decode(self.channel.receive()):
            case ("returned", value):
                return value
        raise RuntimeError("the function that the check passed in raised an exception")


def _describe(error: BaseException) -> tuple[str, str, str, tuple[tuple[int, int], ...]]:
    try:
        message = str(error)[:MAX_MESSAGE]
    except BaseException:
        message = ""
    return ("error", str(type(error).__name__)[:100], message, _frames(error.__traceback__))


def _frames(trace: types.TracebackType | None) -> tuple[tuple[int, int], ...]:
    """The student's own lines, outermost first."""
    frames: list[tuple[int, int]] = []
    while trace is not None:
        match = CELL_NAME.fullmatch(trace.tb_frame.f_code.co_filename)
        if match:
            frames.append((int(match[1]), trace.tb_lineno))
        trace = trace.tb_next
    return tuple(frames[-MAX_FRAMES:])
