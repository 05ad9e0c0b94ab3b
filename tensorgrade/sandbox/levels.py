"""The levels of confinement, and the layers that each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Layer(Enum):
    """One boundary; each has a file of its own in this room."""

    FILES = "files"  # bubblewrap's view of the machine: `files`
    NAMESPACES = "namespaces"  # own users, processes, network, mounts, shared memory: `namespaces`
    POWERS = "powers"  # no capability, no set-uid: `namespaces.drop_powers`
    LANDLOCK = "landlock"  # which files may be opened, once more: `landlock`
    SYSTEM_CALLS = "system calls"  # which doors of the kernel are open: `system_calls`
    ONE_PROCESS = "one process"  # where no namespace ends what a submission starts: `system_calls`
    LIMITS = "limits"  # memory, processes, descriptors, file size: `rlimits`
    GROUP = "group"  # the same for all processes together, where the machine lends a control group: `groups`


@dataclass(frozen=True)
class Level:
    """How student code is confined.

    Attributes:
        name: what `--sandbox` takes and reports say.
        layers: what is applied to each worker; one that the machine refuses stops the run, but for two:
            a `GROUP` is used where there is one, and under `strict` so is `LANDLOCK`.
    """

    name: str
    layers: frozenset[Layer]


STRICT = Level("strict", frozenset(Layer) - {Layer.ONE_PROCESS})
POD = Level("pod", frozenset(Layer) - {Layer.FILES, Layer.NAMESPACES})
NONE = Level("none", frozenset({Layer.LIMITS}))
LEVELS = {level.name: level for level in (STRICT, POD, NONE)}
UNCONFINED = (
    "--sandbox none: student code runs without a wall, with all rights of this account. It can read the hidden "
    "checks, change grades and reach the network. Every report of this run says so."
)
