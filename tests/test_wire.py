"""The room `wire`: what crosses the wall comes back the same, and nothing else comes through."""

from __future__ import annotations

import math
import random
import socket
import struct
import sys
import threading
import time
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterable
from typing import Any

import msgpack
import numpy as np
import pytest
import torch

from tensorgrade.errors import WireError
from tensorgrade.wire import DTYPES, MAX_DEPTH, TENSOR, Channel, Handle, decode, encode

Pair = namedtuple("Pair", "left right")
PLAIN = [None, True, False, 0, -1, 2**63, 2**64 - 1, -(2**63), 2**200, -(2**200), 1.5, 1j, "ä", b"\x00"]


def same(one: Any, other: Any) -> bool:
    """Whether two values have the same types, shapes and contents."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_survive(value: object) -> None:
    """A plain value comes back with its type."""
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 5, 7)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_survive(dtype: str, shape: tuple[int, ...]) -> None:
    """A tensor of any dtype and shape comes back bit for bit."""
    tensor = torch.rand(shape).mul(3).to(getattr(torch, dtype))
    back = decode(encode(tensor))
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(back.to(torch.complex128), tensor.to(torch.complex128))


def test_strided_and_differentiable_tensors_lose_only_their_history() -> None:
    """Transposed, sliced, conjugated and parameter tensors arrive as plain contiguous ones."""
    base = torch.arange(12.0).reshape(3, 4)
    for tensor in (base.T, base[:, ::2], base.expand(2, 3, 4), torch.nn.Parameter(base), base.mul(1j).conj()):
        back = decode(encode(tensor))
        assert type(back) is torch.Tensor
        assert torch.equal(back, tensor.detach())
        assert not back.requires_grad


def test_nested_containers_survive() -> None:
    """Lists, tuples and dicts keep their kind at every level."""
    value = {"a": [1, (2, [3.0])], 5: (torch.ones(2), None), None: {"b": np.arange(3)}}
    assert same(decode(encode(value)), value)


def test_subclasses_arrive_as_their_base() -> None:
    """Subclasses that could answer for themselves arrive as plain types."""

    class Sly(float):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    values = decode(encode([Sly(1.0), OrderedDict(a=1), Pair(1, 2), np.float64(2.5), np.int64(3), np.bool_(True)]))
    assert [type(value) for value in values] == [float, dict, tuple, float, int, bool]


def test_nan_and_infinity_survive() -> None:
    """Values that are not finite are not mended on the way."""
    back = decode(encode([math.nan, math.inf, torch.tensor([math.nan, -math.inf])]))
    assert math.isnan(back[0])
    assert back[1] == math.inf
    assert torch.isnan(back[2][0])


def test_unknown_objects_need_a_handle() -> None:
    """An object is refused unless the caller turns it into a handle."""
    with pytest.raises(WireError, match="cannot send an object of type object"):
        encode(object())
    assert decode(encode([object()], lambda _: Handle(7))) == [Handle(7)]


def test_bools_are_made_proper() -> None:
    """A bool tensor whose bytes are neither 0 nor 1 cannot enter."""
    forged = encode(torch.tensor([True, True])).replace(b"\x01\x01", b"\x02\xff")
    assert decode(forged).view(torch.uint8).tolist() == [1, 1]


def tensor_message(dtype: int, shape: tuple[int, ...], raw: bytes) -> bytes:
    """A tensor message with whatever header one likes."""
    payload = struct.pack(f"<BB{len(shape)}Q", dtype, len(shape), *shape) + raw
    packed: bytes = msgpack.packb(msgpack.ExtType(TENSOR, payload))
    return packed


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xc1", id="never-used-byte"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="array-of-4-billion"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="map-of-4-billion"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="bin-of-4-billion"),
        pytest.param(b"\x92\x00" * 5000 + b"\xc0", id="deep"),
        pytest.param(b"\x90", id="container-without-kind"),
        pytest.param(b"\x92\x09\xc0", id="container-of-unknown-kind"),
        pytest.param(b"\x92\xc3\xc0", id="kind-is-a-bool"),
        pytest.param(b"\x92\x02\xc0", id="dict-with-half-a-pair"),
        pytest.param(b"\x93\x02\x91\x00\xc0", id="unhashable-key"),
        pytest.param(b"\x81\xc0\xc0", id="msgpack-map"),
        pytest.param(encode(1) + b"\x00", id="bytes-after"),
        pytest.param(b"\xa2\xff\xfe", id="broken-utf8"),
        pytest.param(tensor_message(200, (1,), b"0000"), id="unknown-dtype"),
        pytest.param(tensor_message(8, (2,), b"0000"), id="too-few-values"),
        pytest.param(tensor_message(8, (1,), b"00000"), id="too-many-values"),
        pytest.param(tensor_message(8, (2**32, 2**32), b""), id="shape-product-overflows-to-0"),
        pytest.param(tensor_message(8, (2**63, 2), b""), id="negative-as-signed"),
        pytest.param(tensor_message(8, (2**63, 0), b""), id="huge-with-zero"),
        pytest.param(tensor_message(8, (1,) * 17, b"0000"), id="17-axes"),
        pytest.param(msgpack.packb(msgpack.ExtType(9, b"")), id="unknown-extension"),
        pytest.param(msgpack.packb(msgpack.ExtType(3, b"\x92\xc0\xc0")), id="handle-of-none"),
        pytest.param(msgpack.packb(msgpack.ExtType(4, bytes(2000))), id="int-of-2000-bytes"),
        pytest.param(msgpack.packb(msgpack.Timestamp(1)), id="timestamp"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Bytes that are not exactly one value raise `WireError` and nothing else."""
    with pytest.raises(WireError):
        decode(data)


def test_damaged_messages_raise_nothing_but_wire_errors() -> None:
    """However a message is damaged, the decoder answers with a value or with `WireError`."""
    message = encode({"a": [torch.rand(3, 4), (1, "x", Handle(1))], "b": np.arange(5), "c": 2**90})
    source = random.Random(0)
    for _ in range(20_000):
        damaged = bytearray(message)
        for _ in range(source.randint(1, 4)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        try:
            value = decode(bytes(damaged[: source.randint(1, len(damaged))]))
        except WireError:
            continue
        encode(value)  # what came through is made of known types only


def test_nesting_beyond_the_limit_is_refused_on_both_sides() -> None:
    """Depth is limited when encoding as when decoding."""
    value: Any = None
    for _ in range(MAX_DEPTH):
        value = [value]
    with pytest.raises(WireError, match="levels deep"):
        encode(value)


def test_channel_refuses_an_announced_length_above_its_limit() -> None:
    """A length is checked before a byte of the message is read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack("<Q", 2**40))
        with pytest.raises(WireError, match="1099511627776 announced"):
            Channel(ours, 1000).receive()
        with pytest.raises(WireError, match="at most 1000 bytes"):
            Channel(ours, 1000).send(bytes(1001))


@pytest.mark.parametrize("drips", [0, 500], ids=["silent", "dripping"])
def test_channel_ends_a_wait_when_the_watch_raises(drips: int) -> None:
    """A peer that sends nothing, or a byte long before each look is due, is ended by the watch."""
    ours, theirs = socket.socketpair()
    looks, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal looks
        looks += 1
        if looks > 3:
            raise TimeoutError("enough")

    def drip() -> None:
        for _ in range(drips):
            theirs.sendall(b"\x01")
            if ended.wait(0.01):
                return
        if drips:
            theirs.shutdown(socket.SHUT_WR)  # nobody has looked: the test ends, and fails

    with ours, theirs:
        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises(TimeoutError, match="enough"):
            Channel(ours, 2**62, watch).receive()
        ended.set()
        dripping.join()


def test_channel_tells_when_the_other_side_is_gone() -> None:
    """A closed connection is the end of the file, not an empty message."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(EOFError):
        Channel(ours, 1000).receive()


@pytest.mark.parametrize("key", [int, lambda number: (number, 0)], ids=["numbers", "tuples"])
def test_keys_that_collide_are_refused(key: Callable[[int], object]) -> None:
    """A dict of keys with one hash, which would take hours to build, is no message; a large honest one is."""
    prime = sys.hash_info.modulus
    started = time.monotonic()
    with pytest.raises(WireError, match="keys of one hash"):
        decode(encode(_Pairs((key(number * prime), None) for number in range(1, 50_001))))
    honest = {key(number): number for number in range(100_000)}
    assert decode(encode(honest)) == honest
    assert time.monotonic() - started < 10


class _Pairs(dict[object, object]):
    """Says that it is a dict, without ever building one."""

    def __init__(self, pairs: Iterable[tuple[object, object]]) -> None:
        self.pairs = list(pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def items(self) -> Any:
        return self.pairs
