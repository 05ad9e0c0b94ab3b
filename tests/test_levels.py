"""The levels of the sandbox: what each needs, what it says of itself, and where it is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from tensorgrade.course import Course
from tensorgrade.errors import SandboxError
from tensorgrade.grading.grader import Grader
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.sandbox import landlock
from tensorgrade.sandbox.levels import NONE, POD, STRICT, Layer
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.template import SANDBOX_UID, Template
from tests.commands import run
from tests.conftest import QUICK

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "courses" / "tiny"
ELSEWHERE = ROOT / "tests" / "elsewhere.py"
RIGHT = "def double(x):\n    return x + x"
SOMEBODY = 12345
AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The tiny course with one right submission and one that looks for the checks."""
    root = tmp_path / "course"
    shutil.copytree(TINY, root)
    submit(root, "ann", RIGHT)
    checks = root / "graders" / "tiny" / "test_hidden.py"
    submit(root, "eve", f"{RIGHT}\nprint(open({str(checks)!r}).read())")
    return root


def submit(course: Path, student: str, solution: str) -> None:
    """Hand in the release with the solution cell filled in."""
    notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
    notebook.cells[2].source = solution
    folder = course / "submitted" / student / "tiny"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "tiny.ipynb")


def elsewhere(course: Path, *options: str, user: int, command: str = "grade tiny") -> subprocess.CompletedProcess[str]:
    """Run a command as somebody else, to whom the course belongs."""
    shutil.chown(course, user)
    for path in course.rglob("*"):
        shutil.chown(path, user)
    arguments = [str(Path(sys.executable).with_name("tensorgrade")), *command.split()]
    other = [sys.executable, str(ELSEWHERE), "--user", str(user), "--show", str(course), *options]
    return subprocess.run(
        ["unshare", "--mount", *other, "--", *arguments],
        cwd=course,
        env={"HOME": str(course), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )


def results(course: Path) -> dict[str, dict[str, object]]:
    """The staff reports, by student."""
    found = course.glob("autograded/*/tiny/staff-report.json")
    return {path.parts[-3]: json.loads(path.read_text()) for path in found}


def outputs(course: Path, student: str) -> str:
    """What the cells of a submission showed."""
    return (course / "autograded" / student / "tiny" / "tiny.ipynb").read_text()


def test_none_warns_marks_each_report_and_is_not_taken_for_strict(course: Path) -> None:
    """Without a sandbox the run warns and the reports say so; a run with one grades everything again."""
    done = run(course, "tensorgrade", "grade", "tiny", "--sandbox", "none")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: --sandbox none: student code runs without a wall") == 1
    assert {one["sandbox"] for one in results(course).values()} == {"none"}
    assert "test_doubles_any_tensor" in outputs(course, "eve"), "there is no wall"
    page = (course / "autograded" / "ann" / "tiny" / "staff-report.html").read_text()
    assert "Graded without a sandbox." in page
    again = run(course, "tensorgrade", "grade", "tiny", "--json", "-")
    assert "warning" not in again.stderr
    assert [one["cached"] for one in json.loads(again.stdout)["submissions"]] == [False, False]
    assert {str(one["sandbox"]).split(",")[0] for one in results(course).values()} == {"strict"}
    assert "test_doubles_any_tensor" not in outputs(course, "eve")
    assert "Graded without a sandbox." not in (course / "autograded/ann/tiny/staff-report.html").read_text()


def test_an_unknown_level_is_refused(course: Path) -> None:
    """A level that does not exist is wrong usage; nothing is graded in its place."""
    done = run(course, "tensorgrade", "grade", "tiny", "--sandbox", "weak")
    assert done.returncode == 2
    assert results(course) == {}


@AS_ROOT
def test_a_container_without_namespaces_grades_with_pod(course: Path) -> None:
    """Where namespaces are forbidden, strict is refused with one sentence, and pod grades as an ordinary user."""
    refused = elsewhere(course, "--no-namespaces", user=SOMEBODY)
    assert refused.returncode == 1
    (said,) = (line for line in refused.stderr.splitlines() if line.startswith("tensorgrade:"))
    assert "No permissions to create" in said
    assert "Refusing to run student code" in said
    assert "--sandbox pod" in said
    assert results(course) == {}
    asked = elsewhere(course, "--no-namespaces", user=SOMEBODY, command="doctor --sandbox pod")
    assert asked.returncode == 0, asked.stdout
    assert re.search(r"│ bubblewrap,[^│]*│ no ", asked.stdout)
    assert "NO" not in asked.stdout
    done = elsewhere(course, "--no-namespaces", user=SOMEBODY, command="grade tiny --sandbox pod")
    assert done.returncode == 0, done.stderr
    found = results(course)
    assert {name: (one["sandbox"], one["points"]) for name, one in found.items()} == {
        "ann": ("pod", 4.0),
        "eve": ("pod", 4.0),
    }
    assert "Permission denied" in outputs(course, "eve")
    assert "test_doubles_any_tensor" not in outputs(course, "eve")


@pytest.mark.proof
@AS_ROOT
def test_strict_needs_no_root(course: Path) -> None:
    """An ordinary user, who may make user namespaces, grades in the whole sandbox."""
    done = elsewhere(course, user=SOMEBODY)
    assert done.returncode == 0, done.stderr
    assert {one["points"] for one in results(course).values()} == {4.0}
    assert {str(one["sandbox"]).split(",")[0] for one in results(course).values()} == {"strict"}
    assert "test_doubles_any_tensor" not in outputs(course, "eve")


@AS_ROOT
def test_root_lends_a_worker_nothing(worker: Worker, tmp_path: Path) -> None:
    """When root grades, a worker belongs to nobody's account, has no capability, and its processes are limited."""
    fields = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{worker.process_id}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert fields["Uid"].split() == [str(SANDBOX_UID)] * 4
    assert fields["Groups"].strip() == ""
    assert [int(fields[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [0] * 5
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    limits = Path(f"/proc/{worker.process_id}/limits").read_text()
    assert f"Max processes             {QUICK.processes}" in limits
    (tmp_path / "secret").write_text("for root only")
    (tmp_path / "secret").chmod(0o600)
    # Through /proc of this process a root that is only renamed would reach every file of the machine.
    for path in (tmp_path / "secret", Path("/etc/shadow"), Path(f"/proc/{os.getpid()}/root/etc/shadow")):
        _, succeeded, shown = worker.request(("run", 1, f"open({str(path)!r}).read()"))
        assert not succeeded
        assert shown[0]["ename"] in ("FileNotFoundError", "PermissionError")


def test_levels_are_what_they_say() -> None:
    """Strict has every layer, pod all that need no namespace, none only limits."""
    assert Layer.ONE_PROCESS not in STRICT.layers, "its namespaces end what a submission starts"
    assert STRICT.layers | {Layer.ONE_PROCESS} == frozenset(Layer)
    assert POD.layers == frozenset(Layer) - {Layer.FILES, Layer.NAMESPACES}
    assert NONE.layers == {Layer.LIMITS}


def test_pod_is_refused_on_a_kernel_that_cannot_hide_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no Landlock, or one that lets files be cut short, pod is one sentence; nothing runs."""
    for known, has in ((0, "none"), (2, "version 2")):
        monkeypatch.setattr(landlock, "version", lambda known=known: known)
        with pytest.raises(SandboxError, match=rf"pod: expected Landlock version 3 .* has {has}\. Refusing"):
            Template(POD)


def test_a_layer_that_is_refused_stops_the_run(template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel refuses a worker's last layers, it is the machine's failure and not the student's."""
    monkeypatch.setattr(template, "level", POD)  # inside bubblewrap, whose user is not alone there
    pod = template.fork(QUICK)
    pod.request(("begin",))
    pod.close()
    limits = type(QUICK)(**{**vars(QUICK), "open_files": 999_999})
    refused = template.fork(limits)
    with pytest.raises(SandboxError, match=r"sandbox: .*limit.*Refusing to run student code"):
        refused.request(("begin",))


@AS_ROOT
def test_a_course_among_the_systems_files_is_refused(template: Template) -> None:
    """A course in a folder that the sandbox shows would show its checks."""
    with tempfile.TemporaryDirectory(dir="/usr/local") as folder:
        shutil.copytree(TINY, Path(folder, "course"))
        tiny = Course.at(Path(folder, "course")).assignment("tiny")
        with pytest.raises(SandboxError, match=r"course lies in /usr, which student code can read\. Refusing"):
            Grader(tiny, template)
