"""The room `sandbox`: what a worker cannot reach, use up or outlive."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tensorgrade.errors import SandboxError, WorkerLost
from tensorgrade.limits import Limits
from tensorgrade.sandbox import files, groups, namespaces, process
from tensorgrade.sandbox.levels import STRICT, Layer, Level
from tensorgrade.sandbox.probe import BOUNDARIES, try_boundaries
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.template import SANDBOX_UID, Template
from tests.conftest import QUICK

STUBBORN = """
while True:
    try:
        while True: pass
    except BaseException: pass
"""
DEAF = """
import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
"""
MUTE = """
import os, time
os.closerange(3, 100)
time.sleep(60)
"""
FORK_BOMB = """
import os, time
started = 0
try:
    while started < 200:
        if os.fork() == 0:
            os.setsid(); time.sleep(600); os._exit(0)
        started += 1
except BlockingIOError: pass
"""


def run(worker: Worker, source: str) -> list[dict[str, str]]:
    """Run a cell in a worker; it must end without an error."""
    word, succeeded, outputs = worker.request(("run", 1, source))
    assert (word, succeeded) == ("ran", True), outputs
    return list(outputs)


def value(worker: Worker, expression: str) -> object:
    """The value of an expression in a worker."""
    run(worker, f"value = {expression}")
    return worker.request(("get", "value"))[1]


def is_running(process_id: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true within five seconds."""
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_every_boundary_holds() -> None:
    """Each attempt of `tensorgrade doctor` to cross a boundary is refused on this machine."""
    findings = try_boundaries()
    assert len(findings) == len(BOUNDARIES) + 1
    assert [finding for finding in findings if not finding.holds] == []


def test_a_probe_sees_an_open_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder in the sandbox that should not be there, and no second layer that hides it, the probe says so."""
    closed = files.bwrap_arguments

    def with_home(binds: tuple[files.Bind, ...], command: list[str]) -> list[str]:
        arguments = closed(binds, command)
        place = arguments.index("--remount-ro")
        return [*arguments[:place], "--dir", "/home", *arguments[place:]]

    monkeypatch.setattr("tensorgrade.sandbox.template.bwrap_arguments", with_home)
    alone = replace(STRICT, layers=STRICT.layers - {Layer.LANDLOCK})
    found = {finding.boundary: finding for finding in try_boundaries(alone)}
    assert found["files of this machine cannot be read"].seen.strip() == "/home"
    assert not found["files of this machine cannot be read"].holds


def test_worker_is_never_the_real_root(worker: Worker) -> None:
    """Seen from outside, a worker belongs to an unprivileged user and has no capability."""
    status = Path(f"/proc/{worker.process_id}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    expected = SANDBOX_UID if os.getuid() == 0 else os.getuid()
    assert fields["Uid"].split() == [str(expected)] * 4
    assert [int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapBnd")] == [0] * 4
    assert fields["NoNewPrivs"] == "1"


def test_worker_has_namespaces_of_its_own(template: Template) -> None:
    """Two workers share no user, pid, net, mount, ipc or host-name namespace with anybody."""
    workers = [template.fork(QUICK), template.fork(QUICK)]
    processes = [os.getpid(), *(worker.process_id for worker in workers)]
    for kind in ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup"):
        assert len({Path(f"/proc/{process}/ns/{kind}").readlink() for process in processes}) == 3, kind
    for worker in workers:
        worker.close()


def test_course_and_checkout_are_not_there(worker: Worker) -> None:
    """Neither the path nor the content of the checkout or of a course is in the sandbox."""
    checkout = Path(__file__).parents[1]
    assert value(worker, f"__import__('os').path.exists({str(checkout)!r})") is False
    everything = "sorted(__import__('os').listdir('/opt/tensorgrade/tensorgrade'))"
    inner = {name.partition("/")[0] for name in files.INNER_MODULES}
    assert value(worker, everything) == sorted(inner)
    assert value(worker, "__import__('os').path.exists('/opt/packages/0/tensorgrade')") is False


def test_environment_is_built_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the grader's environment is in no environment of the sandbox."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "planted-token")
    with Template() as fresh:
        started = fresh.fork(QUICK)
        started.request(("begin",))
        seen = value(started, "str(dict(__import__('os').environ)) + open('/proc/1/environ').read()")
        started.close()
    assert "HOME" in str(seen)
    assert "planted-token" not in str(seen)


def test_files_beside_are_read_only_and_last_on_the_import_path(worker: Worker) -> None:
    """Files handed in can be read and imported, cannot be changed, and cannot replace torch."""
    assert value(worker, "open('data.csv').read()") == "1,2\n"
    assert value(worker, "__import__('helper').ANSWER") == 42
    assert value(worker, "__import__('torch').ones(2).sum().item()") == 2.0
    assert value(worker, "__import__('sys').path[-2:]") == ["/submission", "/tmp/work"]
    assert worker.request(("run", 1, "open('/submission/data.csv', 'a')"))[1] is False
    assert worker.request(("run", 1, "import os; os.chmod('/submission/data.csv', 0o666)"))[1] is False
    run(worker, "open('mine.txt', 'w').write('a student may write files of their own')")
    run(worker, "open('data.csv', 'w').write('and change the copy in the working directory')")


def test_nothing_is_left_for_the_next_submission(template: Template) -> None:
    """Files in /tmp, /dev/shm and the working directory end with their worker."""
    leave = "for f in ('/tmp/left', '/dev/shm/left', 'left'): open(f, 'w').write('x')"
    found = "[__import__('os').listdir(f) for f in ('/tmp', '/dev/shm', '.', '/submission')]"
    seen = []
    for source in (leave, "pass"):
        started = template.fork(QUICK)
        started.request(("begin",))
        seen.append(value(started, found))
        run(started, source)
        started.close()
    assert seen[0] == seen[1] == [["work"], [], [], []]


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        pytest.param("while True: pass", "TIMED_OUT", id="endless-loop"),
        pytest.param("import time; time.sleep(60)", "TIMED_OUT", id="sleep"),
        pytest.param(STUBBORN, "TIMED_OUT", id="stubborn"),
        pytest.param(DEAF, "TIMED_OUT", id="ignores-signals"),
        pytest.param("import os; os._exit(0)", "EXITED", id="exit"),
        pytest.param(MUTE, "BAD_REPLY", id="closes-its-channel-and-stays"),
        pytest.param("import ctypes; ctypes.string_at(1)", "KILLED", id="segfault"),
        pytest.param("import os; os.abort()", "KILLED", id="abort"),
        pytest.param("import os; os.closerange(3, 100)", "EXITED", id="closes-its-channel"),
    ],
)
def test_lost_workers_tell_how_they_ended(worker: Worker, source: str, outcome: str) -> None:
    """However a worker is lost, the request ends with its outcome and the process is gone."""
    worker.allow(0.5)
    with pytest.raises(WorkerLost) as caught:
        worker.request(("run", 1, source))
    assert caught.value.outcome == outcome
    assert wait_until(lambda: not is_running(worker.process_id))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("(2**50).to_bytes(8, 'little')", id="announces-a-petabyte"),
        pytest.param("(4).to_bytes(8, 'little') + b'\\xdd\\xff\\xff\\xff'", id="no-message"),
        pytest.param("(1).to_bytes(8, 'little') + b'\\xc0'", id="not-a-reply"),
        pytest.param("(3).to_bytes(8, 'little') + b'\\x92\\x01\\xc0'", id="reply-without-a-word"),
    ],
)
def test_forged_replies_are_bad_replies(worker: Worker, reply: str) -> None:
    """Bytes that student code writes to the channel itself lose the worker, nothing more."""
    forge = f"import os\nfor n in range(3, 20):\n    try: os.write(n, {reply})\n    except OSError: pass"
    with pytest.raises(WorkerLost) as caught:
        worker.request(("run", 1, forge))
    assert caught.value.outcome == "BAD_REPLY"


def test_memory_of_a_worker_is_bounded(worker: Worker) -> None:
    """A cell that takes more memory than allowed gets a MemoryError and the worker goes on."""
    _, succeeded, outputs = worker.request(("run", 1, "block = bytearray(1 << 30)"))
    assert not succeeded
    assert outputs[0]["ename"] == "MemoryError"
    assert value(worker, "1 + 1") == 2


def test_memory_of_all_processes_together_is_bounded(worker: Worker) -> None:
    """Children that each stay below the limit are stopped when they pass it together."""
    source = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        block = bytearray(os.urandom(1 << 20)) * 200
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
    worker.allow(10)
    with pytest.raises(WorkerLost, match="took more than 512 MiB together"):
        worker.request(("run", 1, source))


def test_cpu_time_of_children_counts(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in children that nobody waits for is on the same budget."""
    monkeypatch.setattr(process, "WALL_FACTOR", 60)  # a busy machine must not end the wait by the clock
    worker.allow(0.5)
    with pytest.raises(WorkerLost, match="of CPU time"):
        worker.request(("run", 1, "import os, time\nif os.fork() == 0:\n    while True: pass\ntime.sleep(60)"))


def test_kernel_keyring_carries_nothing_over() -> None:
    """Also without the filter, what one worker stores in its session keyring the next one does not find."""
    if platform.machine() != "x86_64":
        pytest.skip("the system call numbers of this test are those of x86-64")
    head = "import ctypes\nlibc = ctypes.CDLL(None)\n"
    store = head + "value = libc.syscall(248, b'user', b'left', b'x', 1, -3)\n"  # add_key
    find = head + "value = libc.syscall(250, 10, -3, b'user', b'left', 0)\n"  # keyctl(KEYCTL_SEARCH)
    namespaces.join_new_keyring()  # as a login session has one
    found = []
    with Template(Level("without system calls", STRICT.layers - {Layer.SYSTEM_CALLS})) as fresh:
        for source in (store, find, store + find):
            started = fresh.fork(QUICK)
            started.request(("begin",))
            run(started, source)
            found.append(int(str(started.request(("get", "value"))[1])))
            started.close()
    stored, found_by_next, found_by_itself = found
    assert stored > 0
    assert found_by_next == -1
    assert found_by_itself > 0, "the search works"


def test_processes_of_a_worker_are_bounded_and_end_with_it(worker: Worker) -> None:
    """A fork bomb stops at the limit, and its children die with the worker."""
    run(worker, FORK_BOMB)
    assert 0 < int(str(worker.request(("get", "started"))[1])) < QUICK.processes
    children = Path(f"/proc/{worker.process_id}/task/{worker.process_id}/children").read_text().split()
    assert children
    worker.close()
    assert wait_until(lambda: not any(is_running(int(child)) for child in children))


def test_workers_die_with_the_template() -> None:
    """Closing a template leaves no process behind, even of a worker that nobody closed."""
    fresh = Template()
    started = fresh.fork(QUICK)
    fresh.close()
    with started.channel.connection:
        assert wait_until(lambda: not is_running(started.process_id))


def test_template_dies_with_the_grader() -> None:
    """A grader that is killed leaves no process behind."""
    read, write = os.pipe()
    grader = os.fork()
    if grader == 0:
        try:
            template = Template()  # named, or it would be collected
            os.write(write, str(template.fork(QUICK).process_id).encode())
            signal.pause()
        finally:
            os._exit(1)  # else it would go on as a second run of the tests
    os.close(write)
    started = int(os.read(read, 100))
    os.close(read)
    assert is_running(started)
    os.kill(grader, signal.SIGKILL)
    os.waitpid(grader, 0)
    assert wait_until(lambda: not is_running(started))


def test_a_grader_whose_files_are_its_own_starts_the_sandbox() -> None:
    """The umask of whoever grades closes no folder on the worker's way to Python."""
    before = os.umask(0o077)
    try:
        with Template() as fresh:
            fresh.fork(QUICK).close()
    finally:
        os.umask(before)


def test_two_templates_of_a_grader_do_not_meet(template: Template) -> None:
    """Workers of two templates have control groups of different names."""
    one = template.fork(QUICK)
    with Template() as fresh:
        other = fresh.fork(QUICK)
        assert is_running(one.process_id)
        other.close()
    one.close()


def test_missing_bubblewrap_refuses_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bubblewrap no student code runs, and the error says what to install."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(SandboxError, match=r"Refusing to run student code\..*apt-get install bubblewrap"):
        Template()


def test_failing_sandbox_refuses_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that cannot be set up is a `SandboxError` with bubblewrap's own reason."""
    refused = ["/usr/bin/bwrap", "--ro-bind", "/no/such/folder", "/x", "true"]
    monkeypatch.setattr("tensorgrade.sandbox.template.bwrap_arguments", lambda *_: refused)
    with Template() as broken, pytest.raises(SandboxError, match="no/such/folder"):
        broken.fork(Limits())


def test_refused_confinement_says_which_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine refuses a step of a worker's confinement, the error names it and no code runs."""
    whole = files.bwrap_arguments

    def without_submission(binds: tuple[files.Bind, ...], command: list[str]) -> list[str]:
        arguments = whole(binds, command)
        place = arguments.index("/submission")
        return [*arguments[: place - 1], *arguments[place + 1 :]]

    monkeypatch.setattr("tensorgrade.sandbox.template.bwrap_arguments", without_submission)
    with Template() as broken, pytest.raises(SandboxError, match=r"mount /submission: No such file.*Refusing"):
        broken.fork(QUICK)


def test_refused_namespaces_are_said_and_the_template_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel makes no worker at all, each try says so; the template is there for the next one."""
    whole = files.bwrap_arguments

    def without_more(binds: tuple[files.Bind, ...], command: list[str]) -> list[str]:
        arguments = whole(binds, command)
        place = arguments.index("--unshare-all") + 1
        return [*arguments[:place], "--unshare-user", "--disable-userns", *arguments[place:]]

    monkeypatch.setattr("tensorgrade.sandbox.template.bwrap_arguments", without_more)
    said = r"a worker did not start: .*clone3: no more namespaces are allowed.*Refusing to run student code"
    with Template() as broken:
        for _ in range(2):
            with pytest.raises(SandboxError, match=said):
                broken.fork(QUICK)


@pytest.mark.parametrize("moment", ["pidfd_open", "_usage"])
def test_a_worker_killed_before_it_is_confined_is_lost(
    template: Template, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """What kills it between its start and its control group costs nobody points, and does not end the run."""
    real = getattr(os, moment, None) or getattr(process, moment)

    def kill_first(process_id: int) -> object:
        monkeypatch.undo()
        os.kill(process_id, signal.SIGKILL)
        assert wait_until(lambda: ") Z " in Path(f"/proc/{process_id}/stat").read_text())  # its template reaps it later
        return real(process_id)

    monkeypatch.setattr(os if hasattr(os, moment) else process, moment, kill_first)
    before = template.disturbances
    with pytest.raises(WorkerLost, match="was killed"):
        template.fork(QUICK).request(("begin",))
    assert template.disturbances == before + 1


@pytest.mark.proof
def test_the_kernel_holds_a_worker_to_its_group() -> None:
    """On a real kernel with version 2 of the groups: memory, processes and cores, in a group that was handed over."""
    kernel = shutil.which("linux.uml")
    if kernel is None:
        pytest.skip("no user-mode Linux here. On Debian: apt-get install user-mode-linux")
    probe = Path(__file__).with_name("limits_probe.py")
    options = ["mem=1500M", "rootfstype=hostfs", "root=/dev/root", "rootflags=/", "ro", "con=null", "con0=fd:0,fd:1"]
    command = [kernel, *options, f"init={sys.executable}", "quiet", "--", "-B", str(probe), "worker"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    said = next((line for line in done.stdout.splitlines() if line.startswith("PROBE ")), None)
    assert said is not None, done.stdout
    found = json.loads(said.removeprefix("PROBE "))
    assert found["refused"].endswith("was not handed over (systemd: Delegate=yes)")
    assert found["grader"] == "0::/unit/tensorgrade-grader"
    code, group, first, *_, killed = found["greedy"]
    assert (code, first, killed) == (-9, "60 MiB", True)
    assert group.startswith("0::/unit/tensorgrade-1-")
    assert found["forking"][1] == "29"
    assert found["cores"] == "100000 100000"
    assert (found["greedy left"], found["forking left"]) == (False, False)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may write the groups of this machine")
def test_a_group_ends_with_its_worker(template: Template) -> None:
    """A worker is in a group of its own while it runs; nothing of it stays on the machine."""
    lent = groups.find()
    if not lent.folders:
        pytest.skip(f"no control group here: {lent.reason}")
    started = template.fork(QUICK)
    here = [path for folder in lent.folders for path in folder.glob(f"tensorgrade-{os.getpid()}-*")]
    assert any(str(started.process_id) in (path / "cgroup.procs").read_text().split() for path in here)
    started.close()
    assert not any(str(started.process_id) in path.read_text() for one in here for path in one.glob("cgroup.procs"))
