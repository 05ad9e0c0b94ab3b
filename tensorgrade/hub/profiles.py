"""What a server may use: stated once, rendered for every spawner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.errors import UsageError
from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.tables import read_tables


@dataclass(frozen=True)
class Profile:
    """One choice of the spawn page.

    Attributes:
        name: in the form and in the API.
        title: what people read.
        text: one sentence on when to take it.
        cores: at most so many CPU cores.
        memory_gib: at most so much memory.
        image: the container image, without its registry.
        gpus: so many GPUs, or slices of one; such a profile is for members of courses with ``gpus``.
        gpu_resource: what Kubernetes calls the device: a whole one, or a slice such as nvidia.com/mig-1g.10gb.
        shared_memory_gib: size of /dev/shm, over which torch's data loaders hand batches.
        idle_minutes: a server that nobody uses for so long is stopped.
        longest_hours: a server is stopped after so long in any case.
        partition: where Slurm runs it.
        reservation: what Slurm keeps free for it, in the week of a deadline, say.
    """

    name: str
    title: str
    text: str
    cores: int
    memory_gib: float
    image: str
    gpus: int = 0
    gpu_resource: str = "nvidia.com/gpu"
    shared_memory_gib: float = 1.0
    idle_minutes: int = 60
    longest_hours: int = 12
    partition: str = ""
    reservation: str = ""

    def __post_init__(self) -> None:
        """Refuse limits that are none.

        Raises:
            ValueError: with one sentence on it.
        """
        limits = ("cores", "memory_gib", "shared_memory_gib", "idle_minutes", "longest_hours")
        for name in limits:
            if not 0 < getattr(self, name) < 10_000:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        if self.gpus < 0:
            raise ValueError(f"gpus: expected 0 or more, got {self.gpus}")
        if self.shared_memory_gib > self.memory_gib:
            raise ValueError("shared_memory_gib: it counts as memory, so it cannot be more than memory_gib")


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """Read ``profiles.toml``; the first profile is the default.

    Raises:
        UsageError: with the file, the profile and the key that is wrong.
    """
    profiles = read_tables(path, Profile)
    if not profiles or profiles[0].gpus:
        raise UsageError(f"{path}: the first profile is everyone's default: expected one without a GPU")
    return profiles


def allowed_profiles(
    profiles: Iterable[Profile], courses: Iterable[HubCourse], groups: Iterable[str]
) -> tuple[Profile, ...]:
    """Those that a user may ask for: with a GPU only as a member of a course that has some.

    Args:
        profiles: all of the hub.
        courses: all of the hub.
        groups: the user's groups in the hub.
    """
    mine = set(groups)
    has_gpu = any(mine & {course.staff_group, course.student_group} for course in courses if course.gpus)
    return tuple(profile for profile in profiles if has_gpu or not profile.gpus)
