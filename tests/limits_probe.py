"""Prints what the kernel does to a server in its control group; run where the groups may be made.

As a user-mode Linux's first program it mounts what it needs, and ends the kernel with itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

GREEDY = """
print(open('/proc/self/cgroup').read().strip())
some = bytearray(60 << 20)
print('60 MiB', flush=True)
more = bytearray(600 << 20)
print('660 MiB')
"""
FORKING = """
import os, time
try:
    for number in range(3000):
        if os.fork() == 0:
            time.sleep(1000)
except OSError as error:
    print(number, flush=True)
    os._exit(0)
"""


def mounted() -> Path:
    """Where version 2 of the control groups is; as the first process of a kernel, mount it."""
    if os.getpid() != 1:
        return Path("/sys/fs/cgroup")
    commands = (["proc", "proc", "/proc"], ["tmpfs", "tmpfs", "/mnt"])
    for kind, what, where in commands:
        subprocess.run(["/usr/bin/mount", "-t", kind, what, where], check=True)
    mount = Path("/mnt/groups")
    mount.mkdir()
    subprocess.run(["/usr/bin/mount", "-t", "cgroup2", "none", str(mount)], check=True)
    return mount


def probe_worker(mount: Path) -> dict[str, object]:
    """What happens to processes in a worker's group, below a group that was handed over."""
    from tensorgrade.limits import Limits
    from tensorgrade.sandbox import groups

    (mount / "cgroup.subtree_control").write_text("+memory +pids +cpu")  # as systemd does for a service
    delegated = mount / "unit"
    delegated.mkdir()
    (delegated / "cgroup.procs").write_text(str(os.getpid()))
    refused = groups.find(mount, Path("/proc/self/cgroup").read_text()).reason
    os.setxattr(delegated, "trusted.delegate", b"1")
    lent = groups.find(mount, Path("/proc/self/cgroup").read_text())
    assert lent.folders, lent.reason
    found: dict[str, object] = {"refused": refused, "grader": Path("/proc/self/cgroup").read_text().strip()}
    for name, code in (("greedy", GREEDY), ("forking", FORKING)):
        with Path("/mnt", name).open("w+") as said:  # the children hold it open
            program = [sys.executable, "-c", f"input()\n{code}"]
            process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=said, text=True)
            group = lent.confine(process.pid, Limits(memory_mib=200, disk_mib=16, processes=30), 0)
            assert group is not None
            process.communicate("go\n")
            folder = group.folders[0]
            found[name] = [process.returncode, *Path("/mnt", name).read_text().split("\n"), group.ran_out_of_memory()]
            found["cores"] = (folder / "cpu.max").read_text().strip()
            group.end()
            found[f"{name} left"] = folder.exists()
    return found


def probe(mount: Path) -> dict[str, object]:
    """What happens in the groups."""
    from tensorgrade.hub import cgroups
    from tensorgrade.hub.profiles import Profile

    (mount / "cgroup.subtree_control").write_text(cgroups.CONTROLLERS)  # as systemd does for a service
    delegated = mount / "unit"
    delegated.mkdir()
    os.setxattr(delegated, "trusted.delegate", b"1")
    (delegated / "cgroup.procs").write_text(str(os.getpid()))
    made = cgroups.prepare_groups(mount, Path("/proc/self/cgroup").read_text())
    hub = Path("/proc/self/cgroup").read_text().strip()
    assert made.folder is not None, made.reason
    group = cgroups.limit_server(made.folder, "ada", Profile("cpu", "", "", 1, 0.25, "", shared_memory_gib=0.1))

    def run(code: str) -> list[str]:
        program = [sys.executable, "-c", code]
        done = subprocess.run(program, preexec_fn=cgroups.entering(group), stdout=subprocess.PIPE, text=True)
        return [str(done.returncode), *done.stdout.split("\n")]

    greedy = run(GREEDY)
    cores = (group / "cpu.max").read_text().split()
    cgroups.PROCESSES = 30
    cgroups.limit_server(made.folder, "ada", Profile("cpu", "", "", 1, 0.25, "", shared_memory_gib=0.1))
    with Path("/mnt/forked").open("w+") as said:  # the children hold it open
        subprocess.run([sys.executable, "-c", FORKING], preexec_fn=cgroups.entering(group), stdout=said)
        forked = int(Path("/mnt/forked").read_text())
    while not cgroups.end_group(made.folder, "ada"):
        os.sched_yield()
    return {"hub": hub, "greedy": greedy, "cores": cores, "forked": forked, "left": group.exists()}


if __name__ == "__main__":
    try:
        sys.stdout.write(f"PROBE {json.dumps((probe_worker if 'worker' in sys.argv else probe)(mounted()))}\n")
        sys.stdout.flush()
    except Exception:
        traceback.print_exc()
    if os.getpid() == 1:  # a kernel whose first program ends would panic
        Path("/proc/sysrq-trigger").write_text("o")
        signal.pause()
