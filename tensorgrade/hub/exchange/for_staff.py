"""nbgrader's exchange classes of staff: release an assignment, collect, release feedback, through the hub's service."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange import abc
from nbgrader.utils import parse_utc

from tensorgrade.errors import ExchangeError
from tensorgrade.hub.exchange.archive import RESERVED, BadArchive
from tensorgrade.hub.exchange.client import ExchangeClient
from tensorgrade.hub.exchange.files import files_of, packed, share, unpacked
from tensorgrade.hub.exchange.for_students import ServiceExchange
from tensorgrade.lms.people import USER

TIMESTAMP, _, RECEIPT = RESERVED


class ForStaff(ServiceExchange):
    """What all of them share."""

    def due_date(self) -> datetime | None:
        """When the gradebook says that the assignment is due, in UTC."""
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                due: datetime | None = gradebook.find_assignment(self.coursedir.assignment_id).duedate
            except MissingEntry:
                return None
        return due


class ReleaseAssignment(ForStaff, abc.ExchangeReleaseAssignment):  # type: ignore[misc]
    """``nbgrader release_assignment``."""

    def copy_files(self) -> None:
        """Send the student version, and when it is due. nbgrader calls this."""
        course, assignment = self.course, self.coursedir.assignment_id
        source = Path(self.coursedir.format_path(self.coursedir.release_directory, ".", assignment))
        if not source.is_dir():
            self.fail(f"Assignment not found at: {source}. Run `nbgrader generate_assignment` first")
        with self.client() as client, packed(files_of(source, self.coursedir, self.log)) as archive:
            client.release(course, assignment, archive, as_text(self.due_date()), force=self.force)
        self.log.info("Released as: %s %s", course, assignment)


class Collect(ForStaff, abc.ExchangeCollect):  # type: ignore[misc]
    """``nbgrader collect``."""

    def copy_files(self) -> None:
        """Get everybody's last submission, or the last one that was in time. nbgrader calls this."""
        course, assignment, due = self.course, self.coursedir.assignment_id, self.due_date()
        student = "" if self.coursedir.student_id in ("", "*") else self.coursedir.student_id
        with self.client() as client:
            by_student: dict[str, list[dict[str, Any]]] = {}
            for one in client.submissions(course, assignment, student):
                by_student.setdefault(str(one["student"]), []).append(one)
            if not by_student:
                self.log.warning("No submissions of '%s' for course '%s' to collect", assignment, course)
            chosen = {name: self._chosen(found, due) for name, found in by_student.items()}
            failed = [name for name, one in chosen.items() if not self._try(client, name, one)]
        if failed:
            self.fail(f"Not collected: {', '.join(failed)}. The reasons are above; all others are collected")

    def _try(self, client: ExchangeClient, student: str, one: dict[str, Any]) -> bool:
        """Collect from one student, whose odd files are in nobody else's way.

        Raises:
            ExchangeError: the exchange does not answer; it would not for the others.
        """
        try:
            self._collect(client, student, one)
        except (BadArchive, OSError, ExchangeError) as error:
            if isinstance(error, ExchangeError) and not error.status:
                raise
            self.log.error("Submission of %s cannot be collected: %s", student, error)
            return False
        return True

    def _chosen(self, submissions: list[dict[str, Any]], due: datetime | None) -> dict[str, Any]:
        """The last one; with --before-duedate the last one in time, if there is one. The order is the exchange's."""
        in_time = [one for one in submissions if due is None or parse_utc(one["received"]) <= due]
        return (in_time or submissions)[-1] if self.before_duedate else submissions[-1]

    def _collect(self, client: ExchangeClient, student: str, one: dict[str, Any]) -> None:
        """Put a submission into the course directory; nothing that a student chose is part of its path."""
        if not USER.fullmatch(student):
            self.fail(f"user {student!r}: expected small letters, digits and _ . @ + -")
        assignment, receipt = self.coursedir.assignment_id, str(one["receipt"])
        target = Path(self.coursedir.format_path(self.coursedir.submitted_directory, student, assignment))
        if target.is_dir() and not self._is_wanted(target, one):
            return
        if one["retired"]:
            self.log.warning("Not there any more since %s: %s %s", one["retired"], student, assignment)
            return
        self.log.info("Collecting submission: %s %s", student, assignment)
        with unpacked(lambda file: client.fetch_submission(receipt, file), target) as new:
            (new / TIMESTAMP).write_text(str(one["received"]), encoding="utf-8")
            (new / RECEIPT).write_text(receipt, encoding="utf-8")
            if self.coursedir.groupshared:
                share(new)
            if target.exists():
                shutil.rmtree(target)
            new.rename(target)

    def _is_wanted(self, target: Path, one: dict[str, Any]) -> bool:
        """Whether this one belongs in the place of what was collected before."""
        has, student = receipt_in(target), one["student"]
        if has == one["receipt"]:
            self.log.info("No newer submission to collect: %s", student)
            return False
        if not self.update and not self.before_duedate:
            self.log.info("Submission already exists, use --update to update: %s", student)
            return False
        before = self.coursedir.get_existing_timestamp(str(target))
        # Collected by hand, or from nbgrader's folders: only their time tells.
        return bool(has) or before is None or parse_utc(one["received"]) > before


class ReleaseFeedback(ForStaff, abc.ExchangeReleaseFeedback):  # type: ignore[misc]
    """``nbgrader release_feedback``."""

    def copy_files(self) -> None:
        """Send the pages of each submission. nbgrader calls this."""
        assignment, student = self.coursedir.assignment_id, self.coursedir.student_id or "*"
        left_out = set(filter(None, self.coursedir.student_id_exclude.split(",")))
        pattern = self.coursedir.format_path(self.coursedir.feedback_directory, student, assignment)
        root = Path(self.coursedir.root)
        with self.client() as client:
            owners = {one["receipt"]: one["student"] for one in client.submissions(self.course, assignment)}
            for folder in sorted(root.glob(str(Path(pattern).relative_to(root)))):
                name, receipt = folder.parent.name, receipt_in(folder)
                pages = [(page.name, page) for page in folder.glob("*.html")]
                if name in left_out or not pages:
                    continue
                if owners.get(receipt) != name:  # a student's code may have written into the file
                    self.log.warning("%s has not come through the exchange: no feedback goes there", folder)
                    continue
                with packed(pages) as archive:
                    client.give_feedback(receipt, archive)
                self.log.info("Feedback released: %s %s", name, assignment)


def receipt_in(folder: Path) -> str:
    """Which submission lies in a folder; empty: none of the exchange's."""
    file = folder / RECEIPT
    return file.read_text(encoding="utf-8").strip() if file.is_file() and not file.is_symlink() else ""


def as_text(due: datetime | None) -> str:
    """A time of nbgrader's, as the exchange reads it."""
    return f"{due.isoformat()}Z" if due else ""


def push_due_date(course: str, assignment: str, due: datetime | None) -> None:
    """Tell the exchange that staff have changed a due date; an assignment that is not out is no matter.

    Raises:
        ExchangeError: the exchange refuses, or stays away.
    """
    client = ExchangeClient.from_environment(patience_seconds=10.0)
    if any(one["assignment"] == assignment for one in client.assignments(course)):
        client.set_due(course, assignment, as_text(due))
