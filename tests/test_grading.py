"""The room `grading`: one record for each planned check, points, and clear errors about graders."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup

from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.fleet import grade_submissions
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import CheckRecord, Report, Status
from tensorgrade.grading.store import read_kept, write_kept
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.reports import staff_report
from tensorgrade.sandbox.template import Template

TINY = Path(__file__).parent / "courses" / "tiny"
HEAD = "import pytest, torch\nfrom tensorgrade.checks import assert_close\n"
RIGHT = "def double(x):\n    return x + x"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A copy of the tiny course."""
    shutil.copytree(TINY, tmp_path / "course")
    return Course.at(tmp_path / "course")


@pytest.fixture
def tiny(course: Course) -> Assignment:
    """Its one assignment, with small limits."""
    assignment = course.assignment("tiny")
    with assignment.settings_file.open("a") as file:
        file.write("[limits]\ncheck_cpu_seconds = 0.5\ncell_cpu_seconds = 1\n")
    return assignment


def hide(assignment: Assignment, checks: str) -> None:
    """Replace the hidden checks."""
    (assignment.graders / "test_hidden.py").write_text(HEAD + textwrap.dedent(checks))


def submit(assignment: Assignment, solution: str, student: str = "ada") -> Submission:
    """Hand in the release with the solution cell filled in."""
    notebook = student_version(read_notebook(assignment.source / "tiny.ipynb"))
    notebook.cells[2].source = solution
    submission = Submission(assignment, student)
    submission.folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submission.folder / "tiny.ipynb")
    return submission


def by_name(report: Report) -> dict[str, CheckRecord]:
    """The records of a report by the check's name."""
    return {check.name: check for check in report.checks}


def double_points(report: Report) -> float | None:
    """The points of the task `double`, of 4."""
    return next(task.points for task in report.tasks if task.name == "double")


def test_points_are_the_share_of_passed_weight(tiny: Assignment, template: Template) -> None:
    """A submission that passes the public check (weight 1 of 4) earns a quarter of the points."""
    grader = Grader(tiny, template)
    only_small = "def double(x):\n    return x + x if x.ndim == 1 else x"
    assert double_points(grader.grade(submit(tiny, RIGHT))) == 4.0
    assert double_points(grader.grade(submit(tiny, only_small))) == 1.0
    assert double_points(grader.grade(submit(tiny, "pass"))) == 0.0


def test_manual_task_is_in_the_report_and_not_in_the_sums(tiny: Assignment, template: Template) -> None:
    """A task graded by hand has no points yet and is marked as manual in the JSON."""
    report = Grader(tiny, template).grade(submit(tiny, RIGHT)).as_json()
    assert report["tasks"] == {
        "double": {"points": 4.0, "max_points": 4.0},
        "why": {"points": None, "max_points": 2.0, "manual": True},
    }
    assert (report["points"], report["max_points"]) == (4.0, 4.0)
    first = report["checks"][0]
    assert sorted(first) == ["hint", "metrics", "name", "seconds", "status", "task", "weight"]
    json.dumps(report, allow_nan=False)


def test_grades_are_the_same_on_every_run(tiny: Assignment, template: Template) -> None:
    """The seed of a check depends on the course secret and the check alone."""
    submission = submit(tiny, RIGHT)
    seeds = [[c.seed for c in Grader(tiny, template).grade(submission).checks] for _ in range(2)]
    (tiny.course.root / ".tensorgrade" / "secret").unlink()
    other = [c.seed for c in Grader(tiny, template).grade(submission).checks]
    assert seeds[0] == seeds[1] != other
    assert len(set(seeds[0])) == len(seeds[0])


def test_checks_compute_on_one_thread(tiny: Assignment, template: Template) -> None:
    """A grade costs as much beside others as alone; the process that grades has its threads back afterwards."""
    hide(
        tiny,
        """
        @pytest.mark.task("double")
        def test_threads(student, metrics):
            \"\"\"It counts threads.\"\"\"
            metrics["threads"] = torch.get_num_threads()
        """,
    )
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        report = Grader(tiny, template).grade(submit(tiny, RIGHT))
        assert (by_name(report)["test_threads"].metrics, torch.get_num_threads()) == ({"threads": 1.0}, 3)
    finally:
        torch.set_num_threads(before)


def test_secret_is_for_its_owner_only(course: Course) -> None:
    """The course secret is made once with mode 0600, and an unreadable one is a clear error."""
    assert course.secret() == course.secret()
    path = course.root / ".tensorgrade" / "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("not hexadecimal")
    with pytest.raises(UsageError, match="cannot be read as a course secret"):
        course.secret()


def test_every_check_gets_one_record_whatever_the_worker_does(tiny: Assignment, template: Template) -> None:
    """A worker that dies in each check costs those checks; two deaths leave the rest untried."""
    hide(tiny, '''
        @pytest.mark.task("double")
        @pytest.mark.parametrize("n", [1, 2, 3])
        def test_many(student, n):
            """Several sizes work."""
            assert_close(student.double(torch.ones(n)), torch.full((n,), 2.0))
    ''')  # fmt: skip
    report = Grader(tiny, template).grade(submit(tiny, "import os\ndef double(x):\n    os._exit(0)"))
    assert [check.status for check in report.checks] == [Status.FAILED] * 4
    assert [check.name for check in report.checks][1:] == ["test_many[1]", "test_many[2]", "test_many[3]"]
    assert ["ended its own process" in str(check.hint) for check in report.checks] == [
        True,
        True,
        False,
        False,
    ]
    assert str(report.checks[3].hint).startswith("Not tried")


def test_endless_loop_costs_its_check_only(tiny: Assignment, template: Template) -> None:
    """A check that hangs is stopped; the one after it runs in a fresh worker."""
    source = "def double(x):\n    while x.ndim == 2:\n        pass\n    return x + x"
    records = by_name(Grader(tiny, template).grade(submit(tiny, source)))
    assert records["test_doubles_three_numbers"].status is Status.PASSED
    assert records["test_doubles_any_tensor"].status is Status.FAILED
    assert "took too long" in str(records["test_doubles_any_tensor"].hint)


def test_needed_task_that_failed_skips_the_check(course: Course, template: Template) -> None:
    """A check that needs a failed task is skipped, loses its weight and says what to mend first."""
    source = course.root / "source" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(source, as_version=4)
    second = json.loads(json.dumps(notebook.cells[3]))
    second["metadata"]["nbgrader"].update(grade_id="again", points=2)
    second["id"] = "again"
    notebook.cells.insert(4, nbformat.from_dict(second))
    nbformat.write(notebook, source)
    tiny = course.assignment("tiny")
    hide(tiny, '''
        @pytest.mark.task("again")
        @pytest.mark.needs("double")
        def test_again(student):
            """It doubles twice."""
            assert_close(student.double(student.double(torch.ones(2))), torch.full((2,), 4.0))
    ''')  # fmt: skip
    grader = Grader(tiny, template)
    record = by_name(grader.grade(submit(tiny, "def double(x):\n    return x")))["test_again"]
    assert record.status is Status.SKIPPED
    assert record.hint == "Mend the task double first: this check builds on it."
    assert by_name(grader.grade(submit(tiny, RIGHT)))["test_again"].status is Status.PASSED


BROKEN_CHECK = '''
    @pytest.mark.task("double")
    def test_wrong_expectation(student):
        """Something that not even the solution does."""
        assert_close(student.double(torch.ones(2)), torch.full((2,), 3.0))
'''


def test_check_that_the_reference_fails_is_broken(tiny: Assignment, template: Template) -> None:
    """A broken check is for staff: the task has no points for anybody and counts in no sum."""
    hide(tiny, BROKEN_CHECK)
    grader = Grader(tiny, template)
    assert [check.name for check in grader.broken] == ["test_wrong_expectation"]
    report = grader.grade(submit(tiny, RIGHT))
    assert by_name(report)["test_wrong_expectation"].status is Status.BROKEN
    assert by_name(report)["test_wrong_expectation"].hint is None
    assert double_points(report) is None
    assert report.max_points == 0


def test_odd_value_fails_the_check_and_not_the_run(tiny: Assignment, template: Template) -> None:
    """A check that trips over a student's odd value is failed, because the reference passes it."""
    hide(tiny, '''
        @pytest.mark.task("double")
        def test_unguarded(student):
            """The result has a sum."""
            assert student.double(torch.ones(2)).sum().item() == 4.0
    ''')  # fmt: skip
    report = Grader(tiny, template).grade(submit(tiny, "def double(x):\n    return None"))
    record = by_name(report)["test_unguarded"]
    assert record.status is Status.FAILED
    assert "of a form that this check could not use" in str(record.hint)
    assert "'NoneType' object has no attribute 'sum'" in str(record.rationale)


def test_exception_of_the_student_shows_type_and_line_only(tiny: Assignment, template: Template) -> None:
    """The hint names the exception and the student's line; the message, which echoes the input, is for staff."""
    report = Grader(tiny, template).grade(submit(tiny, "def double(x):\n    raise ValueError(str(x.tolist()))"))
    record = by_name(report)["test_doubles_any_tensor"]
    assert record.hint == "Your code raised ValueError in cell In [2], line 2: raise ValueError(str(x.tolist()))"
    assert "ValueError: [[" in str(record.rationale)


def test_exception_class_cannot_carry_a_hidden_input(tiny: Assignment, template: Template) -> None:
    """A class named after the input is called an exception of the student's own."""
    smuggle = "def double(x):\n    raise type('X' + str(x.flatten()[0].item()), (Exception,), {})()"
    report = Grader(tiny, template).grade(submit(tiny, smuggle))
    hint = str(by_name(report)["test_doubles_any_tensor"].hint)
    assert hint.startswith("Your code raised an exception of its own in cell In [2], line 2")


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        pytest.param("def broken(:", "test_hidden.py: cannot be loaded: .*SyntaxError", id="syntax-error"),
        pytest.param("import no_such_module", "cannot be loaded: .*No module named", id="import-error"),
        pytest.param('def test_x(student):\n    """S."""', "expected @pytest.mark.task", id="no-task"),
        pytest.param(
            '@pytest.mark.task("triple")\ndef test_x(student):\n    """S."""',
            'no grade cell is called "triple". Grade cells: double',
            id="check-without-grade-cell",
        ),
        pytest.param(
            '@pytest.mark.task("double")\ndef test_x(student): pass',
            "expected a docstring",
            id="no-docstring",
        ),
        pytest.param(
            '@pytest.mark.task("double", weight=0)\ndef test_x(student):\n    """S."""',
            "weight above 0",
            id="weight-0",
        ),
        pytest.param(
            '@pytest.mark.task("double")\ndef test_doubles_three_numbers(student):\n    """S."""',
            "another check has this name",
            id="same-name",
        ),
        pytest.param(
            '@pytest.mark.task("double")\n@pytest.mark.needs("double")\ndef test_x(student):\n    """S."""',
            "only a task, or a check, further up",
            id="needs-itself",
        ),
        pytest.param(
            '@pytest.mark.taks("double")\ndef test_x(student):\n    """S."""',
            "cannot be loaded: .*taks",
            id="misspelt",
        ),
    ],
)
def test_wrong_grader_is_one_clear_error(tiny: Assignment, template: Template, checks: str, message: str) -> None:
    """A grader that cannot be run as written stops before any student, and says which check and why."""
    (tiny.graders / "test_hidden.py").write_text(HEAD + checks)
    with pytest.raises(GraderError, match=message) as caught:
        Grader(tiny, template)
    assert str(caught.value).startswith("graders/tiny/test_hidden.py")
    assert "\n" not in str(caught.value)


def test_grade_cell_without_checks_is_one_clear_error(tiny: Assignment, template: Template) -> None:
    """A grade cell that no check belongs to stops the run."""
    for name in ("test_public.py", "test_hidden.py"):
        (tiny.graders / name).write_text("")
    with pytest.raises(
        GraderError,
        match=r'^graders/tiny/test_hidden.py: no check belongs to grade cell "double"\. Add one or remove the cell',
    ):
        Grader(tiny, template)


def test_broken_submissions_do_not_stop_the_others(tiny: Assignment, template: Template) -> None:
    """Unreadable, missing and renamed notebooks each get one sentence; the others are graded."""
    submissions = [submit(tiny, RIGHT, name) for name in ("ann", "bob", "cat", "dan", "eve", "fay")]
    notebooks = {one.student: one.folder / "tiny.ipynb" for one in submissions}
    notebooks["bob"].write_bytes(b"\xff\xfe not a notebook")
    notebooks["cat"].unlink()
    notebooks["dan"].rename(notebooks["dan"].with_name("tiny (1).ipynb"))
    notebooks["eve"].unlink()
    os.mkfifo(notebooks["eve"])
    reports = {
        report.student: report for report in grade_submissions(Grader(tiny, template), submissions, lambda _: None)
    }
    assert {name: report.status for name, report in reports.items()} == {
        "ann": "graded", "bob": "unreadable", "cat": "missing", "dan": "missing", "eve": "unreadable", "fay": "graded",
    }  # fmt: skip
    assert reports["bob"].error == "submission bob/tiny: tiny.ipynb: not UTF-8 (byte 0)"
    assert "expected tiny.ipynb, found tiny (1).ipynb. Rename" in str(reports["dan"].error)
    assert double_points(reports["fay"]) == 4.0


def test_edited_locked_cells_and_metadata_are_the_instructors(tiny: Assignment, template: Template) -> None:
    """Deleting or rewriting a locked cell, its points or its tags changes nothing."""
    submission = submit(tiny, RIGHT)
    path = submission.folder / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = "raise SystemExit"
    notebook.cells[2].metadata["tags"] = ["skip-execution"]
    notebook.cells[3].metadata["nbgrader"]["points"] = 1000
    del notebook.cells[4]
    nbformat.write(notebook, path)
    report = Grader(tiny, template).grade(submission)
    assert double_points(report) == 4.0
    assert report.max_points == 4.0
    assert [cell["source"] for cell in report.notebooks["tiny"]["cells"]][1].startswith("import torch")


def test_files_beside_the_notebook_are_usable_but_do_not_replace_torch(tiny: Assignment, template: Template) -> None:
    """A helper module handed in can be imported; a torch.py does not replace torch."""
    submission = submit(tiny, "import helper\ndouble = helper.double\nopen('notes.txt', 'a').write('more')")
    (submission.folder / "helper.py").write_text("import torch\ndef double(x):\n    return torch.add(x, x)")
    (submission.folder / "torch.py").write_text("def add(a, b): raise SystemExit")
    (submission.folder / "notes.txt").write_text("some")
    report = Grader(tiny, template).grade(submission)
    assert double_points(report) == 4.0
    assert "Traceback" not in json.dumps(report.notebooks), "a student may go on writing in a file of their own"
    assert (submission.folder / "notes.txt").read_text() == "some"


def odd(name: bytes) -> Callable[[Path], object]:
    """Puts a file of that name into a folder."""
    return lambda folder: (folder / os.fsdecode(name)).write_text("x")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda folder: (folder / "a").symlink_to("/etc/passwd"), "'a' is a symbolic link", id="link"),
        pytest.param(lambda folder: (folder / "a").symlink_to("gone"), "'a' is a symbolic link", id="dangling-link"),
        pytest.param(lambda folder: (folder / "a").symlink_to(".."), "'a' is a symbolic link", id="link-to-folder"),
        pytest.param(lambda folder: os.mkfifo(folder / "a"), "'a' is no regular file", id="pipe"),
        pytest.param(odd(b"b\xff.txt"), "expected a file name in UTF-8", id="name-not-utf8"),
        pytest.param(lambda folder: [(folder / f"{n}").mkdir() for n in range(1001)], "at most 1000", id="folders"),
    ],
)
def test_odd_files_make_one_submission_unreadable(
    tiny: Assignment, template: Template, spoil: Callable[[Path], object], message: str
) -> None:
    """Links, pipes, odd names and deep folders are one sentence about one submission."""
    submission = submit(tiny, RIGHT)
    spoil(submission.folder)
    report = Grader(tiny, template).grade(submission)
    assert report.status == "unreadable"
    assert message in str(report.error)


def test_seed_of_a_check_is_not_on_the_students_side(tiny: Assignment, template: Template) -> None:
    """The random numbers that a check draws cannot be drawn by the student's code."""
    source = (
        "def double(x):\n    g = torch.Generator().manual_seed(torch.initial_seed())\n"
        "    return 2 * torch.randn(5, 7, generator=g)"
    )
    records = by_name(Grader(tiny, template).grade(submit(tiny, source)))
    assert records["test_doubles_any_tensor"].status is Status.FAILED


def test_objects_do_not_count_as_true(tiny: Assignment, template: Template) -> None:
    """A check that asks whether a result is true is not fooled by an object."""
    hide(tiny, '''
        @pytest.mark.task("double")
        def test_truth(student):
            """It is more than nothing."""
            assert student.double(torch.tensor(2.0))
    ''')  # fmt: skip
    report = Grader(tiny, template).grade(submit(tiny, "def double(x):\n    return object()"))
    assert by_name(report)["test_truth"].status is Status.FAILED


@pytest.mark.parametrize("value", ["'abc'", "10 ** 400", "None", "float('nan')"])
def test_odd_metrics_do_not_stop_the_run(tiny: Assignment, template: Template, value: str) -> None:
    """A metric that is no number is none in the JSON."""
    hide(tiny, '''
        @pytest.mark.task("double")
        def test_metric(student, metrics):
            """It has a loss."""
            metrics["loss"] = student.double(torch.ones(1))
    ''')  # fmt: skip
    report = Grader(tiny, template).grade(submit(tiny, f"def double(x):\n    return {value}"))
    assert report.as_json()["checks"][1]["metrics"] == {"loss": None}


@pytest.mark.parametrize("code", [1, 128, 137, 139, 200, 255])
def test_any_exit_status_costs_one_check(tiny: Assignment, template: Template, code: int) -> None:
    """However a worker exits, the check after it meets a fresh one."""
    source = f"import os\ndef double(x):\n    if x.ndim == 1:\n        os._exit({code})\n    return x + x"
    assert double_points(Grader(tiny, template).grade(submit(tiny, source))) == 3.0


FORGERIES = [
    pytest.param("('ran', True, [{'output_type': np.arange(2)}])", id="array-as-output-type"),
    pytest.param("('ran', True, [torch.zeros(2)])", id="tensor-as-output"),
    pytest.param("('error', 'E', 'x' * 30_000_000, ())", id="long-message"),
    pytest.param("('error', 'E', 'x', tuple((2, 1) for _ in range(100_000)))", id="many-frames"),
    pytest.param("('error', 'E', 'x', ((True, True),))", id="bool-frames"),
]


@pytest.mark.parametrize("reply", FORGERIES)
def test_forged_replies_stay_small(tiny: Assignment, template: Template, reply: str) -> None:
    """Replies that student code writes to the channel itself cost its own checks and little else."""
    source = f"""
import os, struct, numpy as np
from tensorgrade.wire import encode
message = encode({reply})
def forge():
    for number in range(3, 30):
        try:
            data = struct.pack('<Q', len(message)) + message
            while data:
                data = data[os.write(number, data):]
        except OSError:
            continue
def double(x):
    forge()
"""
    for text in (source, source + "forge()\n"):
        report = Grader(tiny, template).grade(submit(tiny, text))
        assert report.status == "graded"
        assert double_points(report) == 0.0
        assert len(json.dumps(report.as_json())) < 20_000
        assert all(len(check.rationale or "") < 10_000 for check in report.checks)


def test_a_notebook_of_sleeping_cells_is_given_up(tiny: Assignment, template: Template) -> None:
    """All cells together have a limit: what comes after it is not run."""
    with tiny.settings_file.open("a") as file:
        file.write("notebook_seconds = 1\n")
    fresh = Course.at(tiny.course.root).assignment("tiny")
    submission = submit(fresh, RIGHT)
    notebook = nbformat.read(submission.folder / "tiny.ipynb", as_version=4)
    notebook.cells[1:1] = [nbformat.v4.new_code_cell("import time; time.sleep(0.6)") for _ in range(20)]
    nbformat.write(notebook, submission.folder / "tiny.ipynb")
    report = Grader(fresh, template).grade(submission)
    assert double_points(report) == 0.0
    assert "the cells before it took all the time there is" in json.dumps(report.notebooks)


def test_too_many_files_are_refused(tiny: Assignment, template: Template) -> None:
    """A file that is too large makes the submission unreadable, and the sentence says how large it may be."""
    submission = submit(tiny, RIGHT)
    with (submission.folder / "model.bin").open("wb") as file:
        file.truncate(200 << 20)
    report = Grader(tiny, template).grade(submission)
    assert report.status == "unreadable"
    assert "'model.bin': larger than the 64 MiB that are left" in str(report.error)


def test_graders_prints_and_modules_leave_no_trace(
    tiny: Assignment, template: Template, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a check prints stays out of the command's output, and an edited check is read afresh."""
    check = '@pytest.mark.task("double")\ndef test_x(student):\n    """S."""\n    print("noise")\n    assert {}'
    submission = submit(tiny, RIGHT)
    for condition, status in (("True", Status.PASSED), ("student.double(1) == 2", Status.PASSED)):
        (tiny.graders / "test_hidden.py").write_text(HEAD + check.format(condition))
        assert by_name(Grader(tiny, template).grade(submission))["test_x"].status is status
    (tiny.graders / "test_hidden.py").write_text(HEAD + check.format("False"))
    assert by_name(Grader(tiny, template).grade(submission))["test_x"].status is Status.BROKEN
    assert "noise" not in "".join(capfd.readouterr())


def test_metrics_reach_the_record(tiny: Assignment, template: Template) -> None:
    """Numbers that a check keeps are in its record and in the JSON."""
    hide(tiny, '''
        @pytest.mark.task("double")
        def test_accuracy(student, metrics):
            """It is accurate."""
            metrics["accuracy"] = float(student.double(0.25))
    ''')  # fmt: skip
    report = Grader(tiny, template).grade(submit(tiny, RIGHT))
    assert report.as_json()["checks"][1]["metrics"] == {"accuracy": 0.5}


def test_advice_reaches_staff_and_costs_nothing(tiny: Assignment, template: Template) -> None:
    """What a check cannot decide is in the record and in the staff report; students do not read it."""
    hide(tiny, '''
        from tensorgrade.checks import assert_not_called
        @pytest.mark.task("double")
        def test_own_work(student):
            """The doubling is your own work."""
            assert_not_called(student, "double", ["torch.add"])
    ''')  # fmt: skip
    report = Grader(tiny, template).grade(submit(tiny, "def double(x):\n    return getattr(torch, 'add')(x, x)"))
    check = by_name(report)["test_own_work"]
    assert check.status is Status.PASSED
    [advice] = check.advice
    assert advice in BeautifulSoup(staff_report(report), "html.parser").text
    assert advice not in json.dumps(report.as_json())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param("title = ", "cannot be read", id="no-toml"),
        pytest.param("tilte = 'x'", "unknown key 'tilte'", id="unknown-key"),
        pytest.param("[limits]\nmemory = 3", "expected only", id="unknown-limit"),
        pytest.param(
            "[limits]\nmemory_mib = -1", "limits.memory_mib: expected a number above 0, got -1", id="negative"
        ),
        pytest.param("[limits]\nprocesses = true", "expected a number above 0, got True", id="bool"),
    ],
)
def test_wrong_settings_name_file_and_key(tiny: Assignment, settings: str, message: str) -> None:
    """A wrong `assignment.toml` is a usage error with its path and key."""
    tiny.settings_file.write_text(settings)
    with pytest.raises(UsageError, match=message) as caught:
        _ = tiny.course.assignment("tiny").limits
    assert str(tiny.settings_file) in str(caught.value)


def test_key_follows_what_decides_and_nothing_else(tiny: Assignment, template: Template) -> None:
    """The key of a report changes with the submission, the grader and the secret, not with compiled files."""
    submission = submit(tiny, RIGHT)
    keys = [Grader(tiny, template).key(submission)]
    (tiny.source / "__pycache__").mkdir()
    (tiny.source / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert Grader(tiny, template).key(submission) == keys[0]
    (submission.folder / "data.csv").write_text("1")
    keys.append(Grader(tiny, template).key(submission))
    hide(tiny, BROKEN_CHECK)
    keys.append(Grader(tiny, template).key(submission))
    (tiny.course.root / ".tensorgrade" / "secret").unlink()
    keys.append(Grader(tiny, template).key(submission))
    assert len(set(keys)) == 4


def train_with(assignment: Assignment, threshold: float) -> None:
    """A check that keeps what a slow function returns, here the time at which it ran."""
    (assignment.graders / "worker").mkdir(exist_ok=True)
    (assignment.graders / "worker" / "slow.py").write_text(
        "import time, torch\ndef train(double, x):\n    return double(x), float(time.time_ns())\n"
    )
    hide(
        assignment,
        f"""
        @pytest.mark.task("double")
        @pytest.mark.budget(cpu_seconds=20)
        def test_trained(student, metrics):
            \"\"\"It learns.\"\"\"
            value, metrics["ran at"] = student.kept(student.load("slow").train, student.double, torch.ones(2))
            assert value.sum() > {threshold}
        """,
    )


def test_regrade_scores_kept_results(tiny: Assignment, template: Template) -> None:
    """With another threshold in the check, the training of reference and submission is not repeated."""
    train_with(tiny, 3.0)
    submission = submit(tiny, RIGHT)

    def regrade() -> CheckRecord:
        (report,) = grade_submissions(Grader(tiny, template), [submission], lambda _: None)
        return by_name(report)["test_trained"]

    first = regrade()
    train_with(tiny, 3.5)
    second = regrade()
    train_with(tiny, 4.5)
    (report,) = grade_submissions(Grader(tiny, template), [submission], lambda _: None)
    assert (first.status, second.status) == (Status.PASSED, Status.PASSED)
    assert by_name(report)["test_trained"].status is Status.BROKEN
    assert first.metrics == second.metrics == by_name(report)["test_trained"].metrics
    (submission.folder / "tiny.ipynb").unlink()
    submit(tiny, RIGHT + "\n# other")
    assert regrade().metrics != first.metrics


def test_damaged_kept_results_are_computed_again(tiny: Assignment, template: Template) -> None:
    """A file that cannot be read is as good as none."""
    train_with(tiny, 3.0)
    submission = submit(tiny, RIGHT)
    for _ in range(2):
        (report,) = grade_submissions(Grader(tiny, template), [submission], lambda _: None)
        assert by_name(report)["test_trained"].status is Status.PASSED
        (kept,) = (tiny.course.root / ".tensorgrade" / "kept" / "tiny" / "submissions").iterdir()
        kept.write_bytes(b"\xc1")


def test_budget_that_makes_no_sense_is_a_problem_of_the_grader(tiny: Assignment, template: Template) -> None:
    """A budget is a number of CPU seconds up to an hour."""
    hide(
        tiny,
        """
        @pytest.mark.task("double")
        @pytest.mark.budget("long")
        def test_trained(student):
            \"\"\"It learns.\"\"\"
        """,
    )
    with pytest.raises(GraderError, match="expected a budget of at most 3600 CPU seconds, got 'long'"):
        Grader(tiny, template)


@pytest.mark.parametrize(
    "check", ["assert False, found * found", "{1: 2}[found * found]", "raise CheckFailure(found**2)"]
)
def test_exceptions_whose_text_cannot_be_had(tiny: Assignment, template: Template, check: str) -> None:
    """A number too long to be written, in an exception of the check's, fails that check and nothing else."""
    hide(
        tiny,
        f"""
        from tensorgrade.errors import CheckFailure

        @pytest.mark.task("double")
        def test_of_a_number(student):
            \"\"\"Two becomes four.\"\"\"
            found = student.double(2)
            if found != 4:
                {check}
        """,
    )
    report = Grader(tiny, template).grade(
        submit(tiny, "def double(x):\n    return 2 ** 8100 if isinstance(x, int) else x + x")
    )
    assert double_points(report) == 2.0
    assert "ValueError" in str(by_name(report)["test_of_a_number"].rationale) or "str() failed" in str(
        by_name(report)["test_of_a_number"].rationale
    )


def test_reports_stay_small(tiny: Assignment, template: Template) -> None:
    """A value that a check puts into its rationale and its hint is cut there."""
    hide(
        tiny,
        """
        from tensorgrade.errors import CheckFailure

        @pytest.mark.task("double")
        def test_of_a_number(student):
            \"\"\"Two becomes four.\"\"\"
            found = student.double(2)
            if found != 4:
                raise CheckFailure(f"expected 4, got {found}", f"{found} is wrong.")
        """,
    )
    check = by_name(Grader(tiny, template).grade(submit(tiny, "def double(x):\n    return 'y' * 1_000_000")))[
        "test_of_a_number"
    ]
    assert len(str(check.rationale)) < 21_000
    assert len(str(check.hint)) < 2100
    assert str(check.hint).endswith("characters left out …")


def test_a_failure_that_the_reference_does_not_have_is_one_submissions(tiny: Assignment, template: Template) -> None:
    """Whatever ends the checks on one submission is said of that submission; the others are graded."""
    hide(
        tiny,
        """
        @pytest.mark.task("double")
        def test_of_a_number(student):
            \"\"\"Two becomes four.\"\"\"
            if student.double(2) != 4:
                student.load("nothing")
        """,
    )
    grader = Grader(tiny, template)
    submissions = [submit(tiny, "def double(x):\n    return x", "bad"), submit(tiny, RIGHT, "good")]
    bad, good = grade_submissions(grader, submissions, lambda submission: None)
    assert (bad.status, good.status) == ("unreadable", "graded")
    assert "could not be graded: GraderError" in str(bad.error)


@pytest.mark.parametrize("student", ["王" * 80, "a" * 250])
def test_long_names_of_students(tiny: Assignment, template: Template, student: str) -> None:
    """A student whose name is as long as a file name may be is graded, and has kept results."""
    submission = Submission(tiny, student)
    write_kept(submission, {})
    write_kept(submission, {"a": b"1"})
    assert read_kept(submission) == {"a": b"1"}
    assert read_kept(Submission(tiny, student[:-1])) == {}
