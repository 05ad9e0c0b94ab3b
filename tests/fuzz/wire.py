"""Feeds the decoder of the wire bytes that reach ever more of its branches: python -m tests.fuzz.wire RUNS.

Ends with 1 at the first input that raises anything but `WireError`, that needs more memory than messages may, that
does not end, or whose value does not come back the same when it is sent on.

Source: https://llvm.org/docs/LibFuzzer.html, for its options; atheris hands coverage of Python code to it.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tensorgrade"]):
    from tensorgrade import wire
    from tensorgrade.errors import WireError

import numpy as np
import torch

LONGEST = 8192  # bytes of an input
SPARE_BYTES = 192 * 1024 * 1024  # of address space: more than a few small tensors, less than any announced one
HIDDEN = (MemoryError, RecursionError, SystemError)  # turned into a WireError they would still be a weakness


def try_bytes(data: bytes) -> None:
    """Decode one input; what comes through is made of known types, and is no larger than what came in."""
    try:
        value = wire.decode(data)
    except WireError as error:
        if isinstance(error.__cause__, HIDDEN):
            raise AssertionError(f"hidden in a WireError: {error.__cause__!r}") from error
        return
    sent = wire.encode(value)
    if len(sent) > 16 * len(data) + 64 or wire.encode(wire.decode(sent)) != sent:
        raise AssertionError(f"{len(data)} bytes became a value of {len(sent)}")


def seeds(folder: Path) -> None:
    """Some honest messages to begin with: one of each kind of leaf, and one with all of them."""
    leaves = [None, True, -1, 2**63, 2**90, 1.5, 1j, "ä", b"\0", wire.Handle(1), wire.Callback(2), torch.float32]
    leaves += [torch.device("cuda:0"), np.arange(3), np.zeros((0, 2), dtype=bool)]
    leaves += [torch.ones(2, 1).to(getattr(torch, name)) for name in wire.DTYPES]
    nested = {"a": [(1, [2.0, ()]), {}], 5: {None: ("value", torch.ones(2))}}
    for number, value in enumerate([*leaves, leaves, nested, ("error", "ValueError", "x", ((1, 2),))]):
        (folder / f"{number:03}").write_bytes(wire.encode(value))


def main(runs: int) -> None:
    """Run libFuzzer, which ends this process."""
    with tempfile.TemporaryDirectory() as corpus:
        seeds(Path(corpus))
        options = [f"-runs={runs}", f"-max_len={LONGEST}", "-seed=1", "-timeout=10"]
        options += ["-rss_limit_mb=0", "-print_final_stats=1", f"-artifact_prefix={corpus}/"]
        atheris.Setup([sys.argv[0], *options, corpus], try_bytes)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + SPARE_BYTES, resource.RLIM_INFINITY))
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]))
