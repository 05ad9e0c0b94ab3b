"""The bytes that may cross the wall, encoded and decoded.

A message is an 8-byte little-endian length, then one value in msgpack. Only leaves use msgpack's
own types (nil, bool, int, float, str, bin) or one of the extension types below; a container is an
array whose first element says which one it is, so that the reader builds it step by step under its
own limits and never trusts an announced length.

======  ==================  =========================================================
code    leaf                payload
======  ==================  =========================================================
1       torch.Tensor        dtype code (u8), ndim (u8), ndim sizes (u64), raw values
2       numpy.ndarray       the same
3       Handle              its number (u64)
4       int beyond 64 bits  little-endian two's complement
5       complex             two float64
6       Callback            its number (u64)
7       torch.dtype         dtype code (u8)
8       torch.device        its name, ASCII, such as ``cuda:0``
======  ==================  =========================================================

All numbers are little-endian. Nothing here can run code of the other side.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import math
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import torch

from tensorgrade.errors import WireError

MAX_DEPTH = 64
MAX_ELEMENTS = 1_000_000
MAX_NDIM = 16
MAX_INT_BYTES = 1024
MAX_SAME_HASH = 1000  # keys of a dict; it takes time with their square
SECONDS_BETWEEN_LOOKS = 0.05

TENSOR, ARRAY, HANDLE, BIG_INT, COMPLEX, CALLBACK, DTYPE, DEVICE = range(1, 9)
LIST, TUPLE, DICT = 0, 1, 2

# The position in this table is the dtype's code: append only.
DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16",
    "float32", "float64", "complex64", "complex128", "uint16", "uint32", "uint64",
    "float8_e4m3fn", "float8_e5m2",
)  # fmt: skip
_DEVICE = re.compile(rb"(cpu|cuda|mps|xpu|meta)(:[0-9]{1,3})?")
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Handle:
    """An object that stays on the student's side.

    Attributes:
        number: the student's side knows the object by it; nothing else about it crosses.
    """

    number: int


@dataclass(frozen=True)
class Callback:
    """A function that stays on the grader's side, for the student's code to call.

    Attributes:
        number: the grader's side knows the function by it.
    """

    number: int


PLAIN = (type(None), bool, int, float, complex, str, bytes)
AsReference = Callable[[Any], Handle | Callback]
LEAVES = (*PLAIN, torch.Tensor, np.ndarray, torch.dtype, torch.device, Handle, Callback)


def encode(value: Any, as_reference: AsReference | None = None) -> bytes:
    """Encode a value for the other side.

    Args:
        value: None, bool, int, float, complex, str, bytes, `Handle`, a tensor or array of any
            shape, a dtype, a device, or lists, tuples and dicts of those; subclasses are sent as
            their base class.
        as_reference: turns any other object into a `Handle` or a `Callback`; without it such an
            object is refused.

    Raises:
        WireError: an object cannot be sent, or is nested too deeply.
    """
    # Half an emoji (a lone surrogate) has no UTF-8 and becomes a question mark.
    packer = msgpack.Packer(autoreset=False, use_bin_type=True, unicode_errors="replace")
    _pack(packer, value, as_reference, MAX_DEPTH)
    packed: bytes = packer.bytes()
    return packed


def decode(data: bytes) -> Any:
    """Decode one value; the result holds plain types and the leaves of the table above.

    Raises:
        WireError: the bytes are not exactly one value, or exceed a limit.
    """
    reader = msgpack.Unpacker(
        None, raw=False, max_buffer_size=max(len(data), 1), ext_hook=_read_leaf, unicode_errors="strict"
    )
    reader.feed(data)
    try:
        value = _Reader(data, reader).value(MAX_DEPTH)
    except WireError:
        raise
    except Exception as error:  # whatever hostile bytes make msgpack, NumPy or torch raise
        raise WireError(f"wire: not a message: {type(error).__name__}") from error
    if reader.tell() != len(data):
        raise WireError(f"wire: {len(data) - reader.tell()} bytes after the value")
    return value


class Channel:
    """Messages over a stream socket.

    Args:
        connection: one end of a socket pair.
        message_bytes: the largest message that is accepted, in bytes.
        watch: called about every 50 ms while something is waited for or comes; ends the wait by raising.
    """

    def __init__(self, connection: socket.socket, message_bytes: int, watch: Callable[[], None] | None = None) -> None:
        self.connection = connection
        self.message_bytes = message_bytes
        self.watch = watch
        self._next_look = 0.0
        connection.settimeout(SECONDS_BETWEEN_LOOKS if watch else None)

    def send(self, data: bytes) -> None:
        """Send one encoded value.

        Raises:
            WireError: it is larger than a message may be.
            OSError: the other side is gone.
        """
        if len(data) > self.message_bytes:
            raise WireError(f"wire: expected at most {self.message_bytes} bytes, got {len(data)}")
        self._send_all(_LENGTH.pack(len(data)))
        self._send_all(data)

    def receive(self) -> bytes:
        """Receive one encoded value.

        Raises:
            WireError: the announced length is above the limit.
            EOFError: the other side is gone.
            OSError: the connection broke.
        """
        (length,) = _LENGTH.unpack(self._receive_exactly(_LENGTH.size))
        if length > self.message_bytes:
            raise WireError(f"wire: expected at most {self.message_bytes} bytes, got {length} announced")
        return self._receive_exactly(length)

    def _send_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self.connection.send(view) :]
            except TimeoutError:
                self._look()

    def _receive_exactly(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            try:
                chunk = self.connection.recv(min(length - len(received), 1 << 20))
            except TimeoutError:
                self._look()
                continue
            if not chunk:
                raise EOFError
            received += chunk
            self._look()  # a peer that drips bytes must not escape its limits
        return bytes(received)

    def _look(self) -> None:
        """Watch, if the last time is long enough ago: to look at processes costs more than a short answer."""
        if self.watch is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
            self.watch()


def _pack(packer: Any, value: Any, as_reference: AsReference | None, depth: int) -> None:
    if depth == 0:
        raise WireError(f"wire: nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        packer.pack_array_header(1 + 2 * len(value))
        packer.pack(DICT)
        for key, item in value.items():
            _pack(packer, key, as_reference, depth - 1)
            _pack(packer, item, as_reference, depth - 1)
    elif isinstance(value, list | tuple):
        packer.pack_array_header(1 + len(value))
        packer.pack(LIST if isinstance(value, list) else TUPLE)
        for item in value:
            _pack(packer, item, as_reference, depth - 1)
    else:
        _pack_leaf(packer, value, as_reference)


def _pack_leaf(packer: Any, value: Any, as_reference: AsReference | None) -> None:
    value = _plain(value)
    if value is None or isinstance(value, bool | float | str | bytes):
        packer.pack(value)
    elif isinstance(value, int):
        _pack_int(packer, value)
    elif isinstance(value, complex):
        packer.pack_ext_type(COMPLEX, struct.pack("<dd", value.real, value.imag))
    elif isinstance(value, torch.Tensor):
        packer.pack_ext_type(TENSOR, _tensor_bytes(value))
    elif isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
        packer.pack_ext_type(ARRAY, _header(value.dtype.name, value.shape) + value.tobytes())
    elif isinstance(value, Handle | Callback):
        packer.pack_ext_type(HANDLE if isinstance(value, Handle) else CALLBACK, struct.pack("<Q", value.number))
    elif isinstance(value, torch.dtype):
        packer.pack_ext_type(DTYPE, bytes([_dtype_code(value)]))
    elif isinstance(value, torch.device):
        packer.pack_ext_type(DEVICE, str(value).encode())
    elif as_reference is not None:
        _pack_leaf(packer, as_reference(value), None)
    else:
        raise WireError(f"wire: cannot send an object of type {type(value).__name__}")


def _plain(value: Any) -> Any:
    """A NumPy scalar or a subclass of a plain type, as the plain type."""
    if isinstance(value, np.generic):
        value = value.item()
    plain: type[Any]
    for plain in PLAIN[1:]:
        if isinstance(value, plain):
            return plain(value)
    return value


def _pack_int(packer: Any, value: int) -> None:
    if -(2**63) <= value < 2**64:
        packer.pack(value)
        return
    length = value.bit_length() // 8 + 1
    if length > MAX_INT_BYTES:
        raise WireError(f"wire: expected an int of at most {MAX_INT_BYTES} bytes, got {length}")
    packer.pack_ext_type(BIG_INT, value.to_bytes(length, "little", signed=True))


def _header(dtype: str, shape: tuple[int, ...]) -> bytes:
    if len(shape) > MAX_NDIM:
        raise WireError(f"wire: expected at most {MAX_NDIM} axes, got {len(shape)}")
    return struct.pack(f"<BB{len(shape)}Q", DTYPES.index(dtype), len(shape), *shape)


def _tensor_bytes(tensor: torch.Tensor) -> bytes:
    with torch._C.DisableTorchFunctionSubclass():  # a subclass is read as the tensor that it holds
        plain = tensor.detach().resolve_conj().resolve_neg()
        if plain.layout is not torch.strided:
            plain = plain.to_dense()
        name = DTYPES[_dtype_code(plain.dtype)]
        flat = plain.cpu().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        return _header(name, tuple(plain.shape)) + raw


def _dtype_code(dtype: torch.dtype) -> int:
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise WireError(f"wire: cannot send dtype {name}")
    return DTYPES.index(name)


class _Reader:
    """Builds one value from msgpack's tokens under our own limits."""

    def __init__(self, data: bytes, reader: Any) -> None:
        self.data = data
        self.reader = reader
        self.elements_left = MAX_ELEMENTS

    def value(self, depth: int) -> Any:
        position = self.reader.tell()
        if position >= len(self.data):
            raise WireError("wire: the message ends early")
        first = self.data[position]
        if 0x90 <= first <= 0x9F or first in (0xDC, 0xDD):
            return self._container(depth)
        if 0x80 <= first <= 0x8F or first in (0xDE, 0xDF):
            raise WireError("wire: a msgpack map is not part of the format")
        leaf = self.reader.unpack()
        if type(leaf) not in LEAVES:  # msgpack has a timestamp type that asks nobody
            raise WireError(f"wire: a {type(leaf).__name__} is not part of the format")
        return leaf

    def _container(self, depth: int) -> Any:
        length = self.reader.read_array_header()
        self.elements_left -= length
        if depth == 0 or self.elements_left < 0 or length == 0:
            raise WireError(f"wire: more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        kind = self.value(0)
        items = [self.value(depth - 1) for _ in range(length - 1)]
        if kind == LIST and type(kind) is int:
            return items
        if kind == TUPLE and type(kind) is int:
            return tuple(items)
        if kind == DICT and type(kind) is int and len(items) % 2 == 0:
            return _as_dict(items[::2], items[1::2])
        raise WireError("wire: a container of an unknown kind")


def _as_dict(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    """The dict, unless its keys were made to collide: Python hashes all numbers modulo a prime."""
    if len(keys) > MAX_SAME_HASH and max(Counter(map(hash, keys)).values()) > MAX_SAME_HASH:
        raise WireError(f"wire: a dict with more than {MAX_SAME_HASH} keys of one hash")
    return dict(zip(keys, values, strict=True))


def _read_leaf(code: int, payload: bytes) -> Any:
    if code in (TENSOR, ARRAY):
        return _read_tensor(bytes(payload), as_array=code == ARRAY)
    if code in (HANDLE, CALLBACK):
        return (Handle if code == HANDLE else Callback)(*struct.unpack("<Q", payload))
    if code == DTYPE and len(payload) == 1 and payload[0] < len(DTYPES):
        return getattr(torch, DTYPES[payload[0]])
    if code == DEVICE and _DEVICE.fullmatch(payload):
        return torch.device(payload.decode())
    if code == BIG_INT and len(payload) <= MAX_INT_BYTES:
        return int.from_bytes(payload, "little", signed=True)
    if code == COMPLEX:
        return complex(*struct.unpack("<dd", payload))
    raise WireError(f"wire: unknown extension type {code}")


def _read_tensor(payload: bytes, *, as_array: bool) -> torch.Tensor | np.ndarray[Any, Any]:
    code, ndim = struct.unpack_from("<BB", payload)
    if code >= len(DTYPES) or ndim > MAX_NDIM:
        raise WireError(f"wire: unknown dtype code {code} or {ndim} axes")
    shape = struct.unpack_from(f"<{ndim}Q", payload, 2)
    raw = bytearray(payload[2 + 8 * ndim :])
    name = DTYPES[code]
    dtype: torch.dtype = getattr(torch, name)
    # Python's integers do not overflow, so a forged shape cannot wrap around to a small size.
    if math.prod(shape) * dtype.itemsize != len(raw) or any(size >= 2**48 for size in shape):
        raise WireError(f"wire: shape {shape} of {name} does not fit {len(raw)} bytes")
    if as_array:
        array = np.frombuffer(raw, dtype=np.uint8 if name == "bool" else np.dtype(name))
        return (array != 0 if name == "bool" else array).reshape(shape)
    if not raw:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(raw, dtype=torch.uint8)
    # A bool whose byte is neither 0 nor 1 is undefined behaviour in torch.
    return (flat.ne(0) if dtype is torch.bool else flat.view(dtype)).reshape(shape)
