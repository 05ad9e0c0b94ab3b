"""Where a worker finds what was handed in, and where it may write. Runs inside the sandbox."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.sandbox import held_folders, landlock
from tensorgrade.sandbox.landlock import Allowed

PREFIX = "tensorgrade-worker-"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/mime.types")
HARMLESS_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Places:
    """The folders of one worker.

    Attributes:
        submission: what was handed in; read-only once a cell runs.
        work: the working directory, the student's own.
        scratch: above `work`; all of it may be written.
        private: whether nobody else sees these folders, nor this process anybody's.
    """

    submission: Path
    work: Path
    scratch: Path
    private: bool

    def allowed(self, python: tuple[Allowed, ...]) -> tuple[Allowed, ...]:
        """What the worker may open, for `landlock`.

        Args:
            python: the interpreter and its packages, where they do not lie below /opt.
        """
        own = (Allowed(str(self.submission), landlock.READ), Allowed(str(self.scratch), landlock.CHANGE))
        if not self.private:
            devices = tuple(Allowed(name, landlock.USE) for name in HARMLESS_DEVICES)
            return (*(Allowed(name, landlock.RUN) for name in SYSTEM), *devices, *python, *own)
        # In a mount namespace these hold what bubblewrap put there, and nothing of the machine's.
        system = (*(Allowed(name, landlock.RUN) for name in (*SYSTEM, "/opt")), Allowed("/proc", landlock.READ))
        return (*system, Allowed("/dev", landlock.USE), Allowed("/dev/shm", landlock.CHANGE), *own)  # noqa: S108


PRIVATE = Places(Path("/submission"), Path("/tmp/work"), Path("/tmp"), private=True)  # noqa: S108 - tmpfs of its own


@dataclass(frozen=True)
class SharedPlaces:
    """Folders on the machine's disk, for a worker without mounts of its own; removed when it has ended.

    Attributes:
        folder: only this user may enter it.
        lock: held while the worker runs, see `held_folders`.
    """

    folder: Path
    lock: int

    @classmethod
    def make(cls) -> SharedPlaces:
        """Make them, in the system's folder for temporary files."""
        folder, lock = held_folders.make(PREFIX)
        for name in ("submission", "scratch"):
            (folder / name).mkdir()
        return cls(folder, lock)

    @property
    def places(self) -> Places:
        """The places in the folder."""
        scratch = self.folder / "scratch"
        return Places(self.folder / "submission", scratch / "work", scratch, private=False)

    def remove(self) -> None:
        """Remove all that the worker left."""
        held_folders.remove(self.folder)
        os.close(self.lock)
