"""The wire under bytes that nobody has thought of, and the channel under answers that nobody has asked for."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorgrade.errors import StudentError, WireError, WorkerLost
from tensorgrade.student.session import Session
from tensorgrade.wire import DTYPES, MAX_ELEMENTS, Callback, Handle, decode, encode

ROOT = Path(__file__).parents[1]
Open = Callable[..., Session]
quick = settings(
    max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
FORGING = """
import os, stat, struct, threading, time
from tensorgrade.wire import encode

def channel():
    return next(n for n in range(3, 256) if is_socket(n))

def is_socket(number):
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False

def send(value):
    data = encode(value)
    os.write(channel(), struct.pack("<Q", len(data)) + data)

def honest():
    return "honest"
"""


# What survives, and what is refused


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor | np.ndarray[Any, Any]:
    """A tensor or an array of any dtype and a small shape, of any bytes."""
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=5)))
    dtype: torch.dtype = getattr(torch, draw(st.sampled_from(DTYPES)))
    count = int(np.prod(shape, dtype=int)) * dtype.itemsize
    raw = torch.tensor(list(draw(st.binary(min_size=count, max_size=count))), dtype=torch.uint8)
    if not count:
        tensor = torch.empty(shape, dtype=dtype)
    else:
        tensor = (raw.gt(127) if dtype is torch.bool else raw.view(dtype)).reshape(shape)
    is_for_numpy = dtype not in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
    return tensor.numpy() if is_for_numpy and draw(st.booleans()) else tensor


numbers = st.integers(0, 2**64 - 1)
hashable = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**600), 2**600), st.floats(), st.complex_numbers(), st.text(), st.binary()
)
leaves = st.one_of(
    hashable,
    tensors(),
    st.builds(Handle, numbers),
    st.builds(Callback, numbers),
    st.sampled_from([getattr(torch, name) for name in DTYPES]),
    st.sampled_from([torch.device(name) for name in ("cpu", "cuda", "cuda:3", "meta")]),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(hashable, inner, max_size=3),
    ),
    max_leaves=12,
)


def outline(value: Any) -> Any:
    """A value as something that can be compared: types and bytes, so that NaN is like itself."""
    if isinstance(value, torch.Tensor):
        flat = value.contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        return "tensor", str(value.dtype), tuple(value.shape), raw
    if isinstance(value, np.ndarray):
        return "array", value.dtype.name, value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return type(value).__name__, [outline(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(outline(key), outline(item)) for key, item in value.items()]
    return type(value).__name__, repr(value)


@quick
@given(values)
def test_every_value_comes_back_the_same(value: Any) -> None:
    """Any dtype, any shape, any nesting: what is sent arrives with its types and bit for bit."""
    assert outline(decode(encode(value))) == outline(value)


@quick
@given(st.one_of(st.binary(max_size=300), st.tuples(values, st.data()).map(lambda pair: damaged(*pair))))
def test_any_bytes_are_a_value_or_a_wire_error(data: bytes) -> None:
    """Random bytes and damaged messages raise nothing but `WireError`, and hide no want of memory in it."""
    try:
        value, cause = decode(data), None
    except WireError as error:
        value, cause = None, error.__cause__
    assert not isinstance(cause, MemoryError | RecursionError | SystemError)
    assert outline(decode(encode(value))) == outline(value)


def damaged(value: Any, data: st.DataObject) -> bytes:
    """A message with some bytes changed, cut out or doubled."""
    message = bytearray(encode(value))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(message)))
        message[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    return bytes(message)


HUGE = [
    pytest.param(b"\xdd\xff\xff\xff\xff" + b"\xc0" * 1000, id="4 billion elements announced"),
    pytest.param(b"\xdb\xff\xff\xff\xff" + b"x" * 1000, id="text of 4 GiB announced"),
    pytest.param(b"\xc9\xff\xff\xff\xff\x01" + b"x" * 1000, id="tensor of 4 GiB announced"),
    pytest.param(b"\xdd\x00\x0f\x42\x40" * 60, id="a million elements at each of sixty levels"),
    pytest.param(b"\x92\x00" * 500_000, id="half a million levels"),
]


@pytest.mark.parametrize("data", HUGE)
def test_nothing_is_allocated_because_it_is_announced(data: bytes) -> None:
    """A length that a message announces takes no memory before its bytes are there."""
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(data) + 200_000


FAMILIES: dict[str, Callable[[int], bytes]] = {
    "list of nothing": lambda n: b"\xdd" + n.to_bytes(4, "big") + b"\x00" + b"\xc0" * (n - 1),
    "lists in a list": lambda n: encode([[number] for number in range(n)]),
    "dict": lambda n: encode({f"key {number}": number for number in range(n)}),
    "levels": lambda n: b"\x92\x00" * n,
    "small tensors": lambda n: encode([torch.ones(1)] * n),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_work_grows_with_the_length(family: str) -> None:
    """Ten times the message is at most about ten times the calls; there is no time to measure, so calls are counted."""
    small, large = (calls_of(FAMILIES[family](count)) for count in (1000, 10_000))
    assert large <= 11 * small


def calls_of(data: bytes) -> int:
    """How many functions are called while a message is decoded."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        decode(data)
    except WireError:
        pass
    finally:
        sys.setprofile(None)
    return count


def test_elements_of_all_containers_count_together() -> None:
    """A message of small lists may not have more elements than one large one."""
    many = b"\xdd\x00\x0f\x42\x3f\x00" + b"\x91\x00" * (MAX_ELEMENTS - 2)
    with pytest.raises(WireError, match="elements"):
        decode(many)


@pytest.mark.parametrize("runs", [10_000, pytest.param(100_000, marks=pytest.mark.proof)])
def test_the_decoder_under_coverage_guided_fuzzing(runs: int) -> None:
    """Inputs bred for new branches of the decoder find nothing that it cannot refuse; see tests/fuzz/wire.py."""
    command = [sys.executable, "-m", "tests.fuzz.wire", str(runs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"stat::number_of_executed_units: {runs}" in done.stderr


# Answers that nobody has asked for

OUT_OF_TURN = [
    pytest.param("send(('value', 'early'))\n    return 'real'", ["early", "real", "honest"], id="one too many"),
    pytest.param("[send(('value', 'twice')) for _ in range(2)]\n    return 0", ["twice", "twice", 0], id="duplicated"),
    pytest.param("send(('ran', True, []))", ["BAD_REPLY"], id="answer to another question"),
    pytest.param("send(('returned', 1))", ["BAD_REPLY"], id="answer to a question that it may ask"),
    pytest.param("send(('value',))", ["BAD_REPLY"], id="too short"),
    pytest.param("send(('error', 'E', 'm', (), 1))", ["BAD_REPLY"], id="too long"),
    pytest.param("send([])", ["BAD_REPLY"], id="no tuple"),
    pytest.param("time.sleep(60)", ["TIMED_OUT"], id="late"),
    pytest.param("while True: send(('callback', 0, (), {}))", ["TIMED_OUT", "BAD_REPLY"], id="endless questions"),
    pytest.param(
        "os.write(channel(), struct.pack('<Q', 10**6))\n    while True: os.write(channel(), b'x'); time.sleep(0.01)",
        ["TIMED_OUT"],
        id="endless message",
    ),
    pytest.param("os.write(channel(), struct.pack('<Q', 2**40))", ["BAD_REPLY"], id="larger than the limit"),
    pytest.param("os.write(channel(), b'123'); os._exit(0)", ["EXITED"], id="ends within a length"),
]


@pytest.mark.parametrize(("body", "outcomes"), OUT_OF_TURN)
def test_answers_out_of_turn(open_session: Open, body: str, outcomes: list[Any]) -> None:
    """They are values for the questions that wait or the end of their worker; the next check has a worker as before."""
    session = open_session(f"{FORGING}\n\ndef forges():\n    {body}\n")
    session.begin_check(1)
    forges, honest = session.ask(("get", "forges")), session.ask(("get", "honest"))
    assert found(session, forges) in outcomes[:2]
    for expected in outcomes[1:] if outcomes[0] not in LOST else ():
        assert found(session, honest) == expected
    session.close()
    session.begin_check(2)
    assert session.ask(("call", session.ask(("get", "honest")), (), {})) == "honest"


LOST = ("BAD_REPLY", "TIMED_OUT", "EXITED")


def found(session: Session, function: Any) -> Any:
    """What a call returns, or how the worker was lost."""
    try:
        return session.ask(("call", function, (), {}))
    except WorkerLost as loss:
        return loss.outcome
    except StudentError as error:
        return error.type_name


def test_a_message_takes_memory_as_it_arrives(open_session: Open) -> None:
    """A worker that announces a message of 8 MiB and sends one byte of it makes this process no larger."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session = open_session(
        f"{FORGING}\n\ndef forges():\n    os.write(channel(), struct.pack('<Q', 8 * 2**20) + b'x')\n"
    )
    session.begin_check(1)
    assert found(session, session.ask(("get", "forges"))) == "TIMED_OUT"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
