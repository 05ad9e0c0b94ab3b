"""The command line on a real course: what it prints, writes and exits with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from tensorgrade.notebooks import read_notebook, student_version
from tests.commands import run

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "courses" / "tiny"
SOLUTIONS = {
    "ann": "def double(x):\n    return x + x",
    "bob": "def double(x):\n    return x + x if x.ndim == 1 else x",
    "cat": "def double(x):\n    raise ValueError(x)",
    "dan é": "def double(x):\n    return torch.cat([x, x])",
}
POINTS = {"ann": 4.0, "bob": 1.0, "cat": 0.0, "dan é": 0.0}


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The tiny course with four submissions and no gradebook.db, as after a fresh clone."""
    root = tmp_path / "course"
    shutil.copytree(TINY, root)
    for student, solution in SOLUTIONS.items():
        notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
        notebook.cells[2].source = solution
        folder = root / "submitted" / student / "tiny"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "tiny.ipynb")
    return root


def grade(course: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Grade the tiny course, on one process: it takes longer to start a second one than to grade."""
    return run(course, "tensorgrade", "grade", "tiny", "--workers", "1", *options)


def saved_points(course: Path) -> dict[str, float]:
    """The automatic points in nbgrader's gradebook, by student."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny-course") as gradebook:
        found = gradebook.assignment_submissions("tiny")
        return {one.student.id: sum(grade.auto_score or 0.0 for grade in one.notebooks[0].grades) for one in found}


def autograded(course: Path) -> dict[str, object]:
    """The autograded notebooks, by student, without the ids that nbformat draws for added cells."""
    notebooks = {}
    for path in sorted(course.glob("autograded/*/tiny/tiny.ipynb")):
        content = json.loads(path.read_text())
        for cell in content["cells"]:
            cell.pop("id", None)
        notebooks[path.parts[-3]] = content
    return notebooks


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["default", "2"])
def test_grade_writes_points_notebooks_and_json(course: Path, workers: list[str]) -> None:
    """One command grades every submission on a fresh clone and exits with 0 whatever the grades are."""
    done = run(course, "tensorgrade", "grade", "tiny", "--json", "grades.json", *workers)
    assert done.returncode == 0, done.stderr
    document = json.loads((course / "grades.json").read_text())
    assert document["assignment"] == "tiny"
    assert {one["student"]: one["points"] for one in document["submissions"]} == POINTS == saved_points(course)
    first = document["submissions"][0]
    assert sorted(first) == [
        "cached", "checks", "max_points", "points", "sandbox", "seconds", "status", "student", "tasks"
    ]  # fmt: skip
    assert [check["status"] for check in first["checks"]] == ["PASSED", "PASSED"]
    assert "dan é" in done.stdout
    assert sorted(path.name for path in (course / "autograded" / "ann" / "tiny").iterdir()) == [
        "staff-report.html",
        "staff-report.json",
        "tiny.ipynb",
    ]


def test_json_on_standard_output_stands_alone(course: Path) -> None:
    """With `--json -` standard output is one JSON document and nothing else."""
    done = grade(course, "--json", "-", "--student", "ann")
    assert [one["student"] for one in json.loads(done.stdout)["submissions"]] == ["ann"]


def test_only_what_changed_is_graded_again(course: Path) -> None:
    """A second run keeps every report; a changed notebook, a lost gradebook and --force grade again."""

    def regrade(*options: str) -> dict[str, bool]:
        done = grade(course, "--json", "grades.json", *options)
        assert done.returncode == 0, done.stderr
        submissions = json.loads((course / "grades.json").read_text())["submissions"]
        assert {one["student"]: one["points"] for one in submissions} == saved_points(course)
        return {one["student"]: one["cached"] for one in submissions}

    everybody = dict.fromkeys(SOLUTIONS, True)
    assert regrade() == dict.fromkeys(SOLUTIONS, False)
    before = json.loads((course / "grades.json").read_text())
    assert regrade() == everybody
    after = json.loads((course / "grades.json").read_text())
    assert [one["checks"] for one in after["submissions"]] == [one["checks"] for one in before["submissions"]]
    path = course / "submitted" / "bob" / "tiny" / "tiny.ipynb"
    path.write_text(path.read_text().replace("x + x if x.ndim == 1 else x", "x + x"))
    assert regrade() == {**everybody, "bob": False}
    assert saved_points(course)["bob"] == 4.0
    (course / "autograded" / "cat" / "tiny" / "staff-report.json").unlink()
    assert regrade() == {**everybody, "cat": False}
    assert regrade("--force") == dict.fromkeys(SOLUTIONS, False)
    (course / "gradebook.db").unlink()
    assert regrade() == dict.fromkeys(SOLUTIONS, False)


def test_nbgrader_autograde_gives_the_same(course: Path) -> None:
    """`nbgrader autograde` on a fresh clone gives the points and notebooks of `tensorgrade grade`."""
    assert grade(course).returncode == 0
    ours = saved_points(course), autograded(course)
    shutil.rmtree(course / "autograded")
    (course / "gradebook.db").unlink()
    done = run(course, "nbgrader", "autograde", "tiny")
    assert done.returncode == 0, done.stderr
    assert (saved_points(course), autograded(course)) == ours
    assert saved_points(course) == POINTS


def test_formgraders_button_gives_the_same(course: Path) -> None:
    """The call behind formgrader's button, `NbGraderAPI.autograde`, grades behind the wall too."""
    source = (
        "from nbgrader.apps import NbGraderAPI; from traitlets.config import Config\n"
        "from nbgrader.apps.baseapp import NbGrader\n"
        "app = NbGrader(); app.initialize([])\n"
        "print(NbGraderAPI(config=app.config).autograde('tiny', 'bob')['success'])"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=course, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr
    assert saved_points(course) == {"bob": 1.0}


def test_nbgrader_goes_on_from_there(course: Path) -> None:
    """generate_assignment, generate_feedback and export of stock nbgrader work on the results."""
    assert run(course, "nbgrader", "generate_assignment", "tiny").returncode == 0
    assert grade(course).returncode == 0
    assert run(course, "nbgrader", "generate_feedback", "tiny").returncode == 0
    page = (course / "feedback" / "bob" / "tiny" / "tiny.html").read_text()
    assert "Every element of the result is twice the element of the input." in page
    assert run(course, "nbgrader", "export").returncode == 0
    grades = (course / "grades.csv").read_text()
    assert next(line for line in grades.splitlines() if ",bob," in line).count("1.0") >= 1


def test_release_and_feedback_say_where(course: Path) -> None:
    """`release` and `feedback` name what they wrote."""
    done = run(course, "tensorgrade", "release", "tiny")
    assert done.stdout.strip() == f"{course}/release/tiny: test_public.py, tiny.ipynb"
    grade(course)
    done = run(course, "tensorgrade", "feedback", "tiny", "--student", "cat")
    assert done.stdout.strip() == f"{course}/feedback/cat/tiny/tiny.html"
    assert not (course / "feedback" / "ann").exists()


PLANTED = '''
import pytest, torch
from tensorgrade.checks import assert_close
from tensorgrade.errors import CheckFailure
SECRET = 31337.25

@pytest.mark.task("double")
def test_planted_close(student):
    """It doubles."""
    assert_close(student.double(torch.full((3,), SECRET / 2)), torch.full((3,), SECRET))

@pytest.mark.task("double")
def test_planted_assert(student):
    """It doubles again."""
    value = student.double(torch.tensor(SECRET / 2))
    assert value == torch.tensor(SECRET), f"expected {SECRET}, got {value}"

@pytest.mark.task("double")
def test_planted_error(student):
    """It returns something with a size."""
    {}[SECRET, student.double(torch.ones(2)).shape != (2,)] if student.double(torch.ones(2)) is None else None

@pytest.mark.task("double")
def test_planted_failure(student):
    """It is not like this."""
    if not torch.equal(student.double(torch.tensor(SECRET / 2)), torch.tensor(SECRET)):
        raise CheckFailure(f"expected {SECRET}", "Look again.")
'''


def test_secrets_of_the_grader_are_in_no_feedback(course: Path) -> None:
    """No expected value, hidden input, check name, source, path or seed reaches a student's feedback."""
    hidden = course / "graders" / "tiny" / "test_hidden.py"
    hidden.write_text(PLANTED)
    echo = "import sys\nkept = []\ndef double(x):\n    kept.append(x.tolist())\n    print(kept, file=sys.stderr)\n"
    wrong = {
        "ann": "def double(x):\n    return x * 3",
        "bob": echo + "    raise RuntimeError(str(kept))",
        "cat": "def double(x):\n    return None",
        "dan é": echo + "    raise type('E' + str(kept).translate({91: 95, 93: 95, 46: 95}), (Exception,), {})",
    }
    for student, solution in wrong.items():
        path = course / "submitted" / student / "tiny" / "tiny.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[2].source = solution
        nbformat.write(notebook, path)
    assert grade(course, "--json", "grades.json").returncode == 0
    assert run(course, "tensorgrade", "feedback", "tiny").returncode == 0
    assert sorted(path.name for path in course.glob("feedback/*/*/*")) == ["tiny.html"] * 4
    secrets = ["31337", "15668", "test_planted", "CheckFailure", "test_hidden", str(course), str(ROOT)]
    seeds = [str(check["seed"]) for check in _staff_checks(course)]
    assert len(seeds) == 20
    for path in [*course.glob("feedback/*/*/*"), *course.glob("autograded/*/tiny/tiny.ipynb")]:
        text = path.read_text()
        assert "It doubles again." in text
        assert [secret for secret in (*secrets, *seeds) if secret in text] == [], path
    assert "31337" in (course / "autograded" / "ann" / "tiny" / "staff-report.html").read_text()
    assert "31337" not in (course / "grades.json").read_text()


def _staff_checks(course: Path) -> list[dict[str, object]]:
    reports = [json.loads(path.read_text()) for path in course.glob("autograded/*/tiny/staff-report.json")]
    return [check for report in reports for check in report["checks"]]


def test_ungradable_submissions_are_one_line_each(course: Path) -> None:
    """An unreadable and a missing notebook exit with 1 and one sentence each; the others are graded and kept."""
    assert grade(course).returncode == 0
    (course / "submitted" / "ann" / "tiny" / "tiny.ipynb").write_text("{")
    (course / "submitted" / "bob" / "tiny" / "tiny.ipynb").unlink()
    done = grade(course, "--json", "grades.json")
    assert done.returncode == 1
    complaints = [line for line in done.stderr.splitlines() if line.startswith("tensorgrade:")]
    assert complaints == [
        "tensorgrade: submission ann/tiny: tiny.ipynb: not a notebook: it is not JSON "
        "(Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        "tensorgrade: submission bob/tiny: expected tiny.ipynb, found no notebook. "
        "Rename the student's file, or ask for it.",
    ]
    document = json.loads((course / "grades.json").read_text())
    assert [one["status"] for one in document["submissions"]] == ["unreadable", "missing", "graded", "graded"]
    assert saved_points(course) == POINTS, "what was graded before is kept"


def test_names_that_nbgrader_cannot_store_do_not_stop_the_others(course: Path) -> None:
    """A folder called like a glob or like markup is one sentence; it is shown as it is."""
    (course / "submitted" / "bob").rename(course / "submitted" / "b[red]ob")
    done = grade(course)
    assert done.returncode == 1
    assert "tensorgrade: student 'b[red]ob': nbgrader needs names without" in done.stderr
    assert "b[red]ob" in done.stdout
    assert sorted(saved_points(course)) == ["ann", "cat", "dan é"]


INTERRUPTED = "tensorgrade: interrupted. What was recorded before stays; run the command again to go on."


def test_interrupting_keeps_what_was_graded(course: Path) -> None:
    """Ctrl-C while a submission runs ends with one sentence; the submissions before it are in the gradebook."""
    notebook = nbformat.read(course / "submitted" / "ann" / "tiny" / "tiny.ipynb", as_version=4)
    notebook.cells[2].source = "import time; time.sleep(60)"
    (course / "submitted" / "zed" / "tiny").mkdir(parents=True)
    nbformat.write(notebook, course / "submitted" / "zed" / "tiny" / "tiny.ipynb")
    command = [str(Path(sys.executable).with_name("tensorgrade")), "grade", "tiny"]
    grading = subprocess.Popen(command, cwd=course, stderr=subprocess.PIPE, text=True, start_new_session=True)
    last = course / "autograded" / "dan é" / "tiny" / "staff-report.json"
    deadline = time.monotonic() + 60
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    os.killpg(grading.pid, signal.SIGINT)  # as a terminal does
    complaints = grading.communicate(timeout=180)[1]
    assert grading.returncode == 1
    assert complaints.splitlines()[-1] == INTERRUPTED
    assert "Traceback" not in complaints
    assert saved_points(course) == POINTS


def test_links_lead_nowhere(course: Path) -> None:
    """A link beside a notebook gives its student nothing, by our command or by nbgrader's."""
    assert grade(course, "--student", "bob").returncode == 0
    folder = course / "submitted" / "ann" / "tiny"
    (folder / "notes.txt").symlink_to("../../../.tensorgrade/secret")
    for command in (["tensorgrade", "grade", "tiny"], ["nbgrader", "autograde", "tiny", "--force"]):
        done = run(course, *command)
        assert done.returncode == 1
        assert "submission ann/tiny: 'notes.txt' is a symbolic link" in done.stderr
        assert run(course, "tensorgrade", "feedback", "tiny").returncode == 0
        assert {path.name for path in course.glob("feedback/*/*/*")} == {"tiny.html"}
        assert not list(course.glob("autograded/ann/tiny/notes.txt"))
        assert saved_points(course)["bob"] == 1.0


def test_odd_names_and_images_stop_nobody(course: Path) -> None:
    """A notebook name that is not UTF-8, and a text with an image that is gone, cost no other student anything."""
    folder = course / "submitted" / "ann" / "tiny"
    (folder / "tiny.ipynb").rename(folder / os.fsdecode(b"bad\xff.ipynb"))
    path = course / "submitted" / "bob" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("![plot](attachment:gone.png)"))
    nbformat.write(notebook, path)
    done = grade(course, "--json", "grades.json")
    assert done.returncode == 1
    assert "found bad\\udcff.ipynb" in done.stderr
    assert json.loads((course / "grades.json").read_text())["submissions"][0]["status"] == "missing"
    assert run(course, "tensorgrade", "feedback", "tiny").returncode == 0
    assert "attachment:gone.png" in (course / "feedback" / "bob" / "tiny" / "tiny.html").read_text()


def test_broken_grader_exits_with_1_and_keeps_everything(course: Path) -> None:
    """A grader that cannot be loaded is one sentence; results that were there stay as they are."""
    assert grade(course).returncode == 0
    before = autograded(course)
    (course / "graders" / "tiny" / "test_hidden.py").write_text("import nonsense_module")
    done = grade(course)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("tensorgrade: graders/tiny/test_hidden.py: cannot be loaded")
    assert (saved_points(course), autograded(course)) == (POINTS, before)


def test_broken_check_exits_with_1_and_leaves_the_task_to_staff(course: Path) -> None:
    """A check that the reference fails costs nobody points, is named, and waits for a person."""
    hidden = course / "graders" / "tiny" / "test_hidden.py"
    hidden.write_text(hidden.read_text().replace("x + x)", "x + x + 1)"))
    for cached in (False, True):  # what is kept says it again
        done = grade(course, "--json", "grades.json")
        assert done.returncode == 1
        assert done.stderr.count("test_doubles_any_tensor is broken: the reference solution fails it") == 1
        submissions = json.loads((course / "grades.json").read_text())["submissions"]
        assert {one["cached"] for one in submissions} == {cached}
    document = json.loads((course / "grades.json").read_text())
    assert document["submissions"][0]["tasks"]["double"]["points"] is None
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny-course") as gradebook:
        assert all(one.needs_manual_grade for one in gradebook.assignment_submissions("tiny"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["grade", "nothing"], "no folder source/nothing. Assignments here: tiny.", id="unknown"),
        pytest.param(["grade", "../tiny"], "no folder", id="path-as-name"),
        pytest.param(["grade"], "Missing argument 'ASSIGNMENT'", id="no-name"),
        pytest.param(["grade", "tiny", "--course", ".."], "no nbgrader_config.py here", id="no-course"),
        pytest.param(["grade", "tiny", "--course", "/no"], "does not exist", id="no-folder"),
        pytest.param(["grade", "tiny", "--json", "/no/such/file"], "cannot be written", id="no-json"),
        pytest.param(["grade", "tiny", "--student", "../ann"], "expected the name of a folder", id="path-as-student"),
        pytest.param(["grade", "tiny", "--workers", "0"], "0 is not in the range", id="no-workers"),
        pytest.param(["nonsense"], "No such command", id="no-command"),
    ],
)
def test_wrong_usage_exits_with_2(course: Path, arguments: list[str], message: str) -> None:
    """A wrong call exits with 2 and one sentence, without a traceback."""
    done = run(course, "tensorgrade", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_no_submission_exits_with_2(course: Path) -> None:
    """With nothing collected there is nothing to grade, and the sentence says where it looked."""
    shutil.rmtree(course / "submitted")
    done = grade(course)
    assert done.returncode == 2
    assert "submitted/*/tiny. Collect them first." in done.stderr


def test_doctor_tries_each_boundary(course: Path) -> None:
    """`tensorgrade doctor` prints a row for each boundary and exits with 0 where all hold."""
    done = run(course, "tensorgrade", "doctor")
    assert done.returncode == 0, done.stdout
    assert "the network is cut off" in " ".join(done.stdout.split())
    assert " NO " not in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "",
        "doctor",
        "lint",
        "preview",
        "prove",
        "calibrate",
        "release",
        "grade",
        "feedback",
        "award",
        "passback",
        "submit",
        "export",
    ],
)
def test_help_has_examples(course: Path, command: str) -> None:
    """Every command explains itself."""
    done = run(course, "tensorgrade", *command.split(), "--help")
    assert done.returncode == 0
    assert "Usage: tensorgrade" in done.stdout
    if command not in ("", "doctor"):
        assert f"tensorgrade {command} attention" in done.stdout


def test_grading_needs_no_root(course: Path) -> None:
    """As an ordinary user everything works the same, in the same sandbox."""
    done = run_as_user(course) if os.getuid() == 0 else run(course, "tensorgrade", *GRADE)
    assert done.returncode == 0, done.stderr
    document = json.loads((course / "grades.json").read_text())
    assert {one["student"]: one["points"] for one in document["submissions"]} == POINTS
    assert (course / "gradebook.db").stat().st_uid == (os.getuid() or USER)


GRADE = ("grade", "tiny", "--json", "grades.json")
USER = 1234


def run_as_user(course: Path) -> subprocess.CompletedProcess[str]:
    """Grade as a user without any right, in a private view where Python can be reached even below /root."""
    python, home = Path(sys.base_prefix).resolve(), Path("/root")
    view = (
        f"mkdir -p /mnt/python && mount --bind {python} /mnt/python\n"
        f"mount -t tmpfs -o mode=755 none {home} && mkdir -p {python} && mount --bind /mnt/python {python}\n"
        if home in python.parents
        else ""
    )
    for path in [course.parent, course, *course.rglob("*")]:
        shutil.chown(path, USER)
    for folder in course.parents[:-1]:
        folder.chmod(folder.stat().st_mode | 0o055)
    program = Path(sys.executable).with_name("tensorgrade")
    script = (
        f"set -e\n{view}cd {course}\nexec setpriv --reuid {USER} --regid {USER} --clear-groups "
        f"env -i HOME={course} PATH=/usr/bin:/bin {program} {' '.join(GRADE)}"
    )
    return subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)
