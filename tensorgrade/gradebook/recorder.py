"""Runs nbgrader's converters for one course."""

from __future__ import annotations

import glob
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader import api as nbgrader_api
from nbgrader import utils as nbgrader_utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.auth import Authenticator
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.exchange import ExchangeFactory
from traitlets.config import Config

from tensorgrade.course import Course, Submission
from tensorgrade.errors import GradebookError, TensorgradeError, UsageError
from tensorgrade.gradebook.explain import explained, storage_error
from tensorgrade.gradebook.preprocessors import SECONDS_LATE
from tensorgrade.gradebook.register import register_assignment
from tensorgrade.grading.records import Report
from tensorgrade.notebooks import Steps


class _AutogradeWithReport(Autograde):  # type: ignore[misc]
    """nbgrader's autograde for one submission that has been graded already."""

    report: Report | None = None
    is_registered = True  # by the Recorder, once for all submissions


class _FirstReason(logging.Handler):
    """Remembers the first error: what nbgrader raises in the end only says to read its log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.reason = ""
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]  # nbgrader logs tracebacks as text, while it handles the error
        text = str(error) if isinstance(error, TensorgradeError) else repr(error) if error else record.getMessage()
        self.reason = self.reason or text.strip()
        self.error = self.error or error


class Recorder:
    """A course's nbgrader, with its settings read once."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._registered: set[str] = set()
        self._log = logging.getLogger(f"{__name__}.{id(self)}")
        self._log.propagate = False
        self._log.addHandler(logging.NullHandler())
        self._app = course.start_nbgrader(self._log)
        _require_configured(self._app.config)
        self._steps = Steps(self._app.config, course.root)
        self._coursedir = self._app.coursedir
        self._engine = nbgrader_api.create_engine(self._coursedir.db_url)

    def write_report(self, report: Report) -> None:
        """Write one submission's outputs and points, by nbgrader's own autograde.

        A result that was there before stays if this fails.

        Raises:
            GradebookError: nbgrader's reason.
            StorageError: the disk or the database cannot be written.
        """
        _require_plain_name(report.student)
        submission = Submission(self.course.assignment(report.assignment), report.student)
        self.prepare(report.assignment)
        with (
            explained(self._coursedir.db_url),
            self._selected(report.assignment, report.student),
            _kept_on_failure(submission.autograded),
            self._one_transaction(),  # committed before the old result is thrown away
        ):
            converter = _AutogradeWithReport(coursedir=self._coursedir, parent=self._app)
            converter.report = report
            self._run(converter, f"submission {report.student}/{report.assignment}")

    def holds(self, report: Report) -> bool:
        """Whether the gradebook has exactly the points of this report, for a submission just as late.

        A result that was left half written does not count.

        Raises:
            StorageError: the database cannot be read.
        """
        folder = Submission(self.course.assignment(report.assignment), report.student).autograded
        if _unfinished(folder).exists():
            return False
        with explained(self._coursedir.db_url):
            return self._has_points(report)

    def _has_points(self, report: Report) -> bool:
        wanted = {(task.notebook, task.grade_id): task.points for task in report.tasks if not task.manual}
        with Gradebook(self._coursedir.db_url, self._coursedir.course_id) as gradebook:
            try:
                submission = gradebook.find_submission(report.assignment, report.student)
            except MissingEntry:
                return False
            if submission.total_seconds_late != self._seconds_late(report):
                return False  # a new due date or an extension: the penalty is computed again
            found = {
                (book.name, grade.name): grade.auto_score for book in submission.notebooks for grade in book.grades
            }
        return all(place in found and found[place] == points for place, points in wanted.items())

    def _seconds_late(self, report: Report) -> float | None:
        """How late the submission was when its report was written."""
        folder = Submission(self.course.assignment(report.assignment), report.student).autograded
        try:
            values = json.loads((folder / "staff-report.json").read_text(encoding="utf-8"))
            return float(values.get(SECONDS_LATE, 0.0))
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def generate_release(self, assignment: str) -> None:
        """Make the student version, and put it into the exchange if one is configured.

        Raises:
            GradebookError: nbgrader's reason; the release that was there stays.
        """
        found = self.course.assignment(assignment)
        register_assignment(self._coursedir, assignment, self._steps)
        with self._selected(assignment), _kept_on_failure(found.release):
            self._run(GenerateAssignment(coursedir=self._coursedir, parent=self._app), f"release {assignment}")
            configured = "root" in self._app.config.Exchange or "release_assignment" in self._app.config.ExchangeFactory
            if configured and self._coursedir.course_id:
                exchange = ExchangeFactory(parent=self._app)
                users = Authenticator(parent=self._app)
                step = exchange.ReleaseAssignment(coursedir=self._coursedir, authenticator=users, parent=self._app)
                step.force = True
                self._run(step, f"release {assignment}")

    def generate_feedback(self, assignment: str, students: Iterable[str] | None = None) -> None:
        """Make the feedback pages of all autograded submissions, or of some students'.

        Raises:
            GradebookError: nbgrader's reason.
        """
        for student in ["*"] if students is None else map(_require_plain_name, students):
            with self._selected(assignment, student):
                converter = GenerateFeedback(coursedir=self._coursedir, parent=self._app)
                converter.update_config(Config(HTMLExporter={"template_name": "feedback"}))
                converter.force = True
                self._run(converter, f"feedback {assignment}")

    def prepare(self, assignment: str) -> None:
        """Make the gradebook know the assignment, once, and find out what could not be written.

        Raises:
            GradebookError: cells were added or removed after submissions were graded.
            StorageError: the folder of the results or the database cannot be written.
        """
        if assignment in self._registered:
            return
        with explained(self._coursedir.db_url):
            folder = self.course.root / "autograded"
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):  # fails before the work is done, not after it
                register_assignment(self._coursedir, assignment, self._steps)
        self._registered.add(assignment)

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        """Let nbgrader, which opens the gradebook nine times for a submission, write it in one transaction.

        The gradebook holds all points of a submission or none of them. And it is less work: for each
        time it is opened, nbgrader compiles its SQL again, looks whether all tables and the course
        are there, and waits for the disk.
        """
        gradebook, metadata = nbgrader_api.Gradebook, nbgrader_api.Base.metadata
        original = nbgrader_api.create_engine
        with self._engine.begin() as connection:
            # A session on a connection that is within a transaction commits nothing of its own
            # (ref: Session.join_transaction_mode, SQLAlchemy 2).
            connection.dispose = lambda: None  # what nbgrader calls on an engine
            nbgrader_api.create_engine = lambda *_, **__: connection
            metadata.create_all = lambda **_: None  # `prepare` has seen to the tables,
            check_course, gradebook.check_course = gradebook.check_course, lambda *_, **__: None  # and the course
            try:
                yield
            finally:
                gradebook.check_course = check_course
                del metadata.create_all
                nbgrader_api.create_engine = original

    @contextmanager
    def _selected(self, assignment: str, student: str = "*") -> Iterator[None]:
        with nbgrader_utils.temp_attrs(self._coursedir, assignment_id=assignment, student_id=student):
            yield

    def _run(self, step: Any, what: str) -> None:
        reasons = _FirstReason()
        self._log.addHandler(reasons)
        try:
            step.start()
        except TensorgradeError:
            raise
        except Exception as error:
            if (found := storage_error(reasons.error, self._coursedir.db_url)) is not None:
                raise found from error
            raise GradebookError(reasons.reason or f"{what}: {error}") from error
        finally:
            self._log.removeHandler(reasons)


def _require_configured(config: Any) -> None:
    """Refuse a course in which nbgrader would run students' code itself, outside the sandbox."""
    lists = ("sanitize_preprocessors", "autograde_preprocessors")
    steps = {str(step).rpartition(".")[2] for name in lists for step in config.Autograde.get(name, [])}
    if not {"RestoreCells", "WriteReport", "SavePoints"} <= steps or any("Execute" in step for step in steps):
        raise UsageError(
            "nbgrader_config.py: nbgrader is not set up for the sandbox. Add these lines at its end: "
            "`from tensorgrade.gradebook import configure` and `configure(c)`."
        )


def _require_plain_name(student: str) -> str:
    """Refuse a name that nbgrader, which looks for folders with globs, would take for other students' too."""
    if glob.escape(student) != student or student != student.strip():
        raise GradebookError(f"student {student!r}: nbgrader needs names without *, ?, [ and outer spaces")
    return student


@contextmanager
def _kept_on_failure(folder: Path) -> Iterator[None]:
    """Put a folder back if what should replace it fails, or was killed the last time."""
    backup = folder.with_name(f".{folder.name}.before")
    unfinished = _unfinished(folder)
    if backup.exists():
        shutil.rmtree(folder, ignore_errors=True)
        backup.rename(folder)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    if folder.exists():
        folder.rename(backup)
    try:
        yield
    except BaseException:
        if backup.exists():
            shutil.rmtree(folder, ignore_errors=True)
            backup.rename(folder)
        unfinished.unlink(missing_ok=True)
        raise
    shutil.rmtree(backup, ignore_errors=True)
    unfinished.unlink(missing_ok=True)


def _unfinished(folder: Path) -> Path:
    """What lies beside a folder while it is being written, and stays there if the writer is killed."""
    return folder.with_name(f".{folder.name}.unfinished")


def generate_release(course: Course, assignment: str) -> None:
    """Make the student version of an assignment."""
    Recorder(course).generate_release(assignment)


def generate_feedback(course: Course, assignment: str, students: Iterable[str] | None = None) -> None:
    """Make the feedback pages of an assignment."""
    Recorder(course).generate_feedback(assignment, students)
