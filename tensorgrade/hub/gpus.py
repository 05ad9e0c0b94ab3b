"""Finds the GPUs of a machine, and which device nodes each of them needs."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")  # the driver's own; no GPU by themselves
MINORS = Path("/proc/driver/nvidia-caps/mig-minors")
SECONDS = 30  # nvidia-smi wakes up every GPU, one after the other

GPU_LINE = re.compile(r"GPU \d+: (?P<title>.+) \(UUID: (?P<uuid>GPU-[0-9a-f-]+)\)")
SLICE_LINE = re.compile(r"\s+MIG (?P<title>\S+)\s+Device\s+(?P<index>\d+): \(UUID: (?P<uuid>MIG-[^)\s]+)\)")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a slice of one (MIG), that a server can have to itself.

    Attributes:
        uuid: what CUDA_VISIBLE_DEVICES calls it; the same after a restart, unlike its number.
        title: the model, or the slice's size.
        nodes: the device nodes in /dev of this one alone; none if they could not be told.
    """

    uuid: str
    title: str
    nodes: tuple[str, ...]


@cache
def find_gpus() -> tuple[Gpu, ...]:
    """The GPUs of this machine, none if it has no NVIDIA driver; a GPU in slices is left out for its slices."""
    try:
        table, details = (_said_by("nvidia-smi", *options) for options in (("-L",), ("-q", "-x")))
    except (OSError, subprocess.SubprocessError):
        return ()
    minors = MINORS.read_text() if MINORS.exists() else ""
    return parse_gpus(table, details, minors)


def parse_gpus(table: str, details: str, minors: str) -> tuple[Gpu, ...]:
    """Read what NVIDIA's driver says of its GPUs.

    Args:
        table: the output of ``nvidia-smi -L``.
        details: the output of ``nvidia-smi -q -x``.
        minors: /proc/driver/nvidia-caps/mig-minors, empty without MIG.

    Source: NVIDIA, *Multi-Instance GPU User Guide*, "Device Nodes and Capabilities"; nvidia-smi(1).
    """
    nodes = _nodes_by_gpu(details, _capabilities(minors))
    gpus: list[Gpu] = []
    whole = ""
    for line in table.splitlines():
        if found := GPU_LINE.match(line):
            whole = found["uuid"]
            gpus.append(Gpu(whole, found["title"], nodes.get((whole, None), ())))
        elif found := SLICE_LINE.match(line):
            gpus = [gpu for gpu in gpus if gpu.uuid != whole]
            gpus.append(Gpu(found["uuid"], found["title"], nodes.get((whole, found["index"]), ())))
    return tuple(gpus)


def device_paths(gpus: tuple[Gpu, ...], folder: Path = Path("/dev")) -> tuple[Path, ...]:
    """The nodes that a room with these GPUs gets: theirs and the driver's own; nothing without a GPU.

    A GPU whose nodes could not be told brings all of the machine's.
    """
    if not gpus:
        return ()
    if not all(gpu.nodes for gpu in gpus):
        return tuple(sorted(folder.glob("nvidia*")))
    wanted = [*SHARED, *dict.fromkeys(node for gpu in gpus for node in gpu.nodes)]
    return tuple(folder / node for node in wanted if (folder / node).exists())


def _said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout  # noqa: S603


def _capabilities(minors: str) -> dict[str, str]:
    """By what is allowed, such as gpu0/gi1/access, the number of its node in /dev/nvidia-caps."""
    return dict(line.split() for line in minors.splitlines() if len(line.split()) == 2)


def _nodes_by_gpu(details: str, capabilities: dict[str, str]) -> dict[tuple[str, str | None], tuple[str, ...]]:
    """By GPU, and by the number of the slice on it, the nodes; nothing for one that lacks some."""
    nodes: dict[tuple[str, str | None], tuple[str, ...]] = {}
    for gpu in ElementTree.fromstring(details).iter("gpu"):  # noqa: S314 - nvidia-smi's, not a stranger's
        uuid, minor = gpu.findtext("uuid", ""), gpu.findtext("minor_number", "")
        if not minor.isdigit():
            continue
        nodes[uuid, None] = (f"nvidia{minor}",)
        for one in gpu.iterfind("mig_devices/mig_device"):
            instance = f"gpu{minor}/gi{one.findtext('gpu_instance_id')}"
            needed = (f"{instance}/access", f"{instance}/ci{one.findtext('compute_instance_id')}/access")
            if all(name in capabilities for name in needed):
                caps = (f"nvidia-caps/nvidia-cap{capabilities[name]}" for name in needed)
                nodes[uuid, one.findtext("index", "")] = (f"nvidia{minor}", *caps)
    return nodes
