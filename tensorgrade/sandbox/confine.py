"""Puts the layers on a worker, in the order that each needs. Runs inside the sandbox."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tensorgrade.limits import Limits
from tensorgrade.sandbox import landlock, namespaces, rlimits
from tensorgrade.sandbox.landlock import Allowed
from tensorgrade.sandbox.levels import Layer
from tensorgrade.sandbox.places import PRIVATE, Places, SharedPlaces


@dataclass(frozen=True)
class Confinement:
    """What is done to each worker.

    Attributes:
        layers: those of the level.
        readable: Python, its packages and our inner modules, where a worker without mounts of its own sees them.
        user: the numbers of the user and the group that fork the worker.
    """

    layers: frozenset[Layer]
    readable: tuple[str, ...]
    user: tuple[int, int] = field(default_factory=lambda: (os.getuid(), os.getgid()))

    @property
    def is_private(self) -> bool:
        """Whether each worker has namespaces of its own."""
        return Layer.NAMESPACES in self.layers

    def make_folders(self) -> SharedPlaces | None:
        """Folders for a worker that is about to be forked, to be removed after it; None if it mounts its own."""
        return None if self.is_private else SharedPlaces.make()

    def fork(self) -> int:
        """Fork a worker, as `os.fork` does."""
        return namespaces.fork_into_namespaces() if self.is_private else os.fork()

    def furnish(self, shared: SharedPlaces | None, limits: Limits) -> Places:
        """Take the worker out of what others share, and give it its empty folders."""
        if self.is_private:
            namespaces.settle_in(*self.user)
        namespaces.join_new_keyring()
        if shared is None:
            namespaces.mount_own_folders(limits)
        places = PRIVATE if shared is None else shared.places
        places.work.mkdir()
        return places

    def settle(self, places: Places, limits: Limits) -> None:
        """Give up the power to change what was handed in, and every other one. The system calls come last.

        Raises:
            OSError: the kernel refused a layer; no code of a student's may run.
        """
        if self.is_private:
            namespaces.seal(str(places.submission))
        if Layer.LIMITS in self.layers:
            rlimits.apply_rlimits(limits, alone=self.is_private)
        if Layer.POWERS in self.layers:
            namespaces.drop_powers(in_own_namespace=self.is_private)
        if Layer.LANDLOCK in self.layers and (landlock.version() or not self.is_private):
            landlock.restrict(places.allowed(self._python()))
        if Layer.SYSTEM_CALLS in self.layers:
            _close_doors(one_process=Layer.ONE_PROCESS in self.layers)

    def _python(self) -> tuple[Allowed, ...]:
        package = Allowed(str(Path(landlock.__file__).parents[1]), landlock.READ_DIR)  # an import looks for names
        return (package, *(Allowed(name, landlock.RUN) for name in self.readable))


def _close_doors(*, one_process: bool) -> None:
    try:
        from tensorgrade.sandbox.system_calls import SystemCalls  # without the layer libseccomp need not be there
    except RuntimeError as error:
        raise OSError("libseccomp is not installed. On Debian and Ubuntu: apt-get install libseccomp2") from error
    SystemCalls(one_process=one_process).apply(os.getpid())
