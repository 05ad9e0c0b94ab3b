"""What bubblewrap lets the template see: a read-only system, Python, and nothing of the course."""

from __future__ import annotations

import shutil
import site
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import tensorgrade
from tensorgrade.errors import SandboxError
from tensorgrade.sandbox.places import SYSTEM

INSIDE_PYTHON = "/opt/python"
INSIDE_PACKAGES = "/opt/packages"
INSIDE_TENSORGRADE = "/opt/tensorgrade"
INSIDE_UID = 1000

# The folder that holds this package comes last: no `torch.py` beside it is taken for torch.
BOOT = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('tensorgrade.worker.template', run_name='__main__', alter_sys=True)"
)

# The part of this package that runs inside; graders, gradebook and reports stay outside.
INNER_MODULES = (
    "__init__.py",
    "errors.py",
    "limits.py",
    "wire.py",
    "checks/__init__.py",  # a student may call them; they hold nothing secret
    "checks/calls.py",
    "checks/closeness.py",
    "checks/diagnosis/__init__.py",
    "checks/diagnosis/arguments.py",
    "checks/diagnosis/axes.py",
    "checks/diagnosis/calls.py",
    "checks/diagnosis/case.py",
    "checks/diagnosis/epsilons.py",
    "checks/diagnosis/logs.py",
    "checks/diagnosis/masked_inputs.py",
    "checks/diagnosis/masks.py",
    "checks/diagnosis/norms.py",
    "checks/diagnosis/rows.py",
    "checks/diagnosis/scales.py",
    "checks/diagnosis/search.py",
    "checks/diagnosis/shapes.py",
    "checks/diagnosis/tensors.py",
    "checks/diagnosis/unstable.py",
    "checks/gradients.py",
    "checks/independence.py",
    "checks/learning.py",
    "checks/metrics.py",
    "checks/normalisation.py",
    "checks/purity.py",
    "checks/results.py",
    "checks/sides.py",
    "checks/sizes.py",
    "checks/symmetries.py",
    "checks/values.py",
    "data/__init__.py",  # generators, whose labels are public: a check renames and splits by its secret
    "data/digits.py",
    "data/negation.py",
    "data/photos.py",
    "replies/__init__.py",
    "replies/objects.py",
    "replies/operations.py",
    "replies/outline.py",
    "sandbox/__init__.py",
    "sandbox/confine.py",
    "sandbox/held_folders.py",
    "sandbox/landlock.py",
    "sandbox/levels.py",
    "sandbox/namespaces.py",
    "sandbox/places.py",
    "sandbox/rlimits.py",
    "sandbox/system_calls.py",
    "worker/__init__.py",
    "worker/session.py",
    "worker/shell.py",
    "worker/template.py",
)


@dataclass(frozen=True)
class Bind:
    """One read-only folder or file of the sandbox.

    Attributes:
        outside: where it lies on this machine.
        inside: the neutral path that student code sees.
    """

    outside: Path
    inside: str


def interpreter_binds() -> tuple[Bind, ...]:
    """Python, its packages and our inner modules, at paths that tell nothing about this machine."""
    package = Path(tensorgrade.__file__).parent
    inner = tuple(Bind(package / name, f"{INSIDE_TENSORGRADE}/tensorgrade/{name}") for name in INNER_MODULES)
    packages = tuple(Bind(folder, f"{INSIDE_PACKAGES}/{number}") for number, folder in enumerate(_package_folders()))
    return (Bind(Path(sys.base_prefix), INSIDE_PYTHON), *packages, *inner)


def require_hidden(course: Path) -> None:
    """Refuse a course that lies where student code may read.

    Raises:
        SandboxError: it lies in a folder of the system or of Python, which every level shows.
    """
    place = course.resolve()
    shown = [*map(Path, SYSTEM), *(bind.outside for bind in interpreter_binds() if bind.outside.is_dir())]
    for folder in shown:
        if place.is_relative_to(folder.resolve()):
            raise SandboxError(
                f"sandbox: {course} lies in {folder}, which student code can read. "
                "Refusing to run student code; move the course, for example to /srv."
            )


def command_outside(arguments: list[str]) -> list[str]:
    """Runs the template without bubblewrap: this package comes last, for other modules lie beside it.

    `-s` and `-S` keep the account's own packages out, which the environment does not name.
    """
    package_folder = str(Path(tensorgrade.__file__).parents[1])
    return [
        str(Path(sys.base_prefix, "bin", Path(inside_python()).name)),
        "-sS",
        "-c",
        BOOT,
        package_folder,
        *arguments,
    ]


def environment_outside() -> dict[str, str]:
    """The whole environment of a template without bubblewrap; nothing is inherited either."""
    return {
        **environment(),
        "HOME": "/nonexistent",
        "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib",
        "PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin",
        "PYTHONPATH": ":".join(map(str, _package_folders())),
    }


def bwrap_arguments(binds: tuple[Bind, ...], command: list[str]) -> list[str]:
    """The bubblewrap call that runs a command in the sandbox.

    Raises:
        SandboxError: bubblewrap is not installed.

    Source: bwrap(1).
    """
    return [
        find_bwrap(),
        "--unshare-all",  # no network, no process, no shared memory of others (ref: namespaces(7); test: network)
        "--die-with-parent",  # a killed grader leaves no process behind (ref: PR_SET_PDEATHSIG, prctl(2))
        "--new-session",  # no typing into the TA's terminal (ref: TIOCSTI, CVE-2017-5226)
        "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID),
        "--hostname", "worker",
        "--cap-drop", "ALL",  # the template needs no power over its namespaces (ref: capabilities(7))
        *_system_arguments(),  # and nothing else of this machine (ref: bwrap(1); test: course, write)
        *(word for bind in binds for word in ("--ro-bind", str(bind.outside), bind.inside)),
        "--proc", "/proc",
        "--dev", "/dev",
        "--tmpfs", "/tmp",  # noqa: S108 - the sandbox's own, empty
        "--dir", "/submission",
        "--remount-ro", "/", "--remount-ro", "/dev",  # nothing is left behind for the next submission
        "--chdir", "/tmp",  # noqa: S108
        *command,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """The whole environment of the template; nothing is inherited (a hub token, a database URL)."""
    numbers = range(len(_package_folders()))
    packages = ":".join(f"{INSIDE_PACKAGES}/{number}" for number in numbers)
    return {
        "HOME": "/tmp",  # noqa: S108 - inside the sandbox
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": f"{INSIDE_PYTHON}/lib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108 - inside the sandbox
        "OMP_NUM_THREADS": "1",  # budgets are CPU seconds of one compute thread
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": f"{INSIDE_PYTHON}/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",  # equal grades on every run
        "PYTHONPATH": f"{INSIDE_TENSORGRADE}:{packages}",
        "PYTHONSAFEPATH": "1",  # the working directory is the student's (ref: python -P)
        "TZ": "UTC",
    }


def inside_python() -> str:
    """The interpreter as the sandbox sees it."""
    return f"{INSIDE_PYTHON}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def find_bwrap() -> str:
    """The path of bubblewrap.

    Raises:
        SandboxError: it is not installed.
    """
    path = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if path is None:
        raise SandboxError(
            "sandbox: bubblewrap is not installed. Refusing to run student code. "
            "On Debian and Ubuntu: apt-get install bubblewrap"
        )
    return path


def _system_arguments() -> list[str]:
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            arguments += ["--symlink", f"usr/{name}", str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in ("/etc/ld.so.cache", "/etc/fonts", "/etc/mime.types"):
        arguments += ["--ro-bind-try", name, name]
    return arguments


def _package_folders() -> tuple[Path, ...]:
    """The folders of installed packages, in import order, without repeats."""
    named = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    existing = [Path(folder).resolve() for folder in named if Path(folder).is_dir()]
    return tuple(dict.fromkeys(existing))
