"""What a worker may use: time, memory, processes, disk, output."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tensorgrade.errors import UsageError

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The limits of one worker. Every one is enforced, or the run stops with `SandboxError`.

    Attributes:
        check_cpu_seconds: CPU time of one check; wall clock may be three times as long.
        cell_cpu_seconds: CPU time of one notebook cell; wall clock may be three times as long.
        notebook_seconds: wall time of all cells of a notebook together, runs after a loss included.
        memory_mib: memory of all processes of the worker together, beyond the template's, in MiB; also the
            address space that one process may add.
        disk_mib: size of the worker's own tmpfs, in MiB.
        processes: processes and threads at one time.
        open_files: open file descriptors of one process.
        message_mib: largest message over the wire, in MiB.
        output_kib: outputs kept of one cell, in KiB.
    """

    check_cpu_seconds: float = 10.0
    cell_cpu_seconds: float = 30.0
    notebook_seconds: float = 300.0
    memory_mib: int = 2048
    disk_mib: int = 256
    processes: int = 64
    open_files: int = 256
    message_mib: int = 64
    output_kib: int = 256

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
                raise UsageError(f"limits.{field.name}: expected a number above 0, got {value!r}")

    @property
    def message_bytes(self) -> int:
        """The largest message in bytes."""
        return self.message_mib * MIB
