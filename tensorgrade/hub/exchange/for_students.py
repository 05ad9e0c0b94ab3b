"""nbgrader's exchange classes of students: list, fetch, submit, fetch feedback, through the hub's service."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc
from nbgrader.utils import find_all_notebooks
from traitlets import Bool

from tensorgrade.errors import ExchangeError
from tensorgrade.hub.exchange.archive import BadArchive
from tensorgrade.hub.exchange.client import ExchangeClient
from tensorgrade.hub.exchange.files import files_of, packed, unpacked

PATIENCE_SECONDS = 60.0
PATIENCE_OF_LISTS = 20.0
# The grading page shows nobody anything while it waits; without an answer it would show nothing as released.
PATIENCE_OF_PAGES = 15.0


class ServiceExchange(abc.Exchange):  # type: ignore[misc]  # nbgrader has no types
    """What all of them share; the settings are those of nbgrader's own."""

    path_includes_course = Bool(False, help="Whether assignments lie below the course's name.").tag(config=True)
    patience = PATIENCE_SECONDS

    def init_src(self) -> None:
        """Nothing to do; nbgrader calls this."""

    def init_dest(self) -> None:
        """Nothing to do; nbgrader calls this."""

    def copy_files(self) -> None:
        """Nothing to do; nbgrader calls this."""

    @contextmanager
    def client(self) -> Iterator[ExchangeClient]:
        """The exchange; what it refuses is one sentence in nbgrader's own kind of error."""
        try:
            yield ExchangeClient.from_environment(patience_seconds=self.patience)
        except (ExchangeError, BadArchive) as error:
            self.fail(str(error))

    @property
    def course(self) -> str:
        """The course, which has to be named."""
        if not self.coursedir.course_id:
            self.fail("No course id specified. Re-run with --course flag.")
        return str(self.coursedir.course_id)

    def folder_of(self, course: str, assignment: str) -> Path:
        """Where a student has an assignment."""
        below = Path(course, assignment) if self.path_includes_course else Path(assignment)
        root: str = self.assignment_dir
        return Path(root).absolute() / below


class FetchAssignment(ServiceExchange, abc.ExchangeFetchAssignment):  # type: ignore[misc]
    """``nbgrader fetch_assignment``."""

    def copy_files(self) -> None:
        """Get the files; with --replace only those that are missing. nbgrader calls this."""
        course, assignment = self.course, self.coursedir.assignment_id
        target = self.folder_of(course, assignment)
        if target.exists() and not self.replace_missing_files:
            self.fail(f"You already have a copy of the assignment in this directory: {target}")
        with (
            self.client() as client,
            unpacked(lambda file: client.fetch_assignment(course, assignment, file), target) as new,
        ):
            if target.exists():
                self._replace_missing(new, target)
            else:
                new.rename(target)
        self.log.info("Fetched as: %s %s", course, assignment)

    def _replace_missing(self, new: Path, target: Path) -> None:
        for path in sorted(new.rglob("*")):
            place = target / path.relative_to(new)
            if path.is_dir():
                place.mkdir(exist_ok=True)
            elif not place.exists():
                self.log.warning("Replacing missing file '%s'", place)
                path.rename(place)


class Submit(ServiceExchange, abc.ExchangeSubmit):  # type: ignore[misc]
    """``nbgrader submit``."""

    def copy_files(self) -> None:
        """Hand in, and write the receipt down. nbgrader calls this."""
        course = self.course
        source = self.folder_of(course, self.coursedir.assignment_id)
        assignment = self.coursedir.assignment_id = source.name
        if not source.is_dir():
            self.fail(f"Assignment not found at: {source}")
        with self.client() as client:
            self._compare(source, client.assignments(course))
            with packed(files_of(source, self.coursedir, self.log)) as archive:
                receipt = client.submit(course, assignment, archive)
        self.log.info("Submitted as: %s %s %s", course, assignment, receipt["received"])
        self.log.info("Receipt %s, kept in %s", receipt["receipt"], self._write_down(receipt))

    def _compare(self, source: Path, released: list[dict[str, Any]]) -> None:
        """Warn about notebooks that are missing or new; nbgrader's ``strict`` makes it an error."""
        expected = {
            f"{name}.ipynb" for one in released if one["assignment"] == source.name for name in one["notebooks"]
        }
        found = set(find_all_notebooks(str(source)))
        for sentence, names in (("missing", expected - found), ("new", found - expected)):
            if names:
                self.log.warning("Notebooks that are %s in this submission: %s", sentence, ", ".join(sorted(names)))
        if self.strict and expected - found:
            self.fail(f"Assignment {source.name} not submitted. There are missing notebooks for the submission.")

    def _write_down(self, receipt: dict[str, Any]) -> Path:
        folder = Path(self.assignment_dir).absolute() / "receipts" / str(receipt["course"])
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{receipt['assignment']}-{receipt['number']}.json"
        file.write_text(json.dumps(receipt, indent=1) + "\n", encoding="utf-8")
        return file


class FetchFeedback(ServiceExchange, abc.ExchangeFetchFeedback):  # type: ignore[misc]
    """``nbgrader fetch_feedback``."""

    def copy_files(self) -> None:
        """Get the feedback on all of one's submissions. nbgrader calls this."""
        course, assignment = self.course, self.coursedir.assignment_id
        with self.client() as client:
            for one in client.submissions(course, "" if assignment == "*" else assignment):
                if one["feedback"] is None:
                    self.log.warning("No feedback yet on %s, received %s", one["assignment"], one["received"])
                    continue
                target = feedback_folder(self.folder_of(course, one["assignment"]), one)
                receipt = one["receipt"]
                with unpacked(lambda file, receipt=receipt: client.fetch_feedback(receipt, file), target) as new:  # type: ignore[misc]
                    target.mkdir(exist_ok=True)
                    for page in new.iterdir():
                        page.replace(target / page.name)
                self.log.info("Fetched feedback: %s", target)


def feedback_folder(assignment: Path, submission: dict[str, Any]) -> Path:
    """Where a student has the feedback on a submission; nbgrader's own place."""
    return assignment / "feedback" / str(submission["received"])


class List(ServiceExchange, abc.ExchangeList):  # type: ignore[misc]
    """``nbgrader list``, and what JupyterLab and the grading page show."""

    patience = PATIENCE_OF_PAGES if "JUPYTERHUB_SERVICE_NAME" in os.environ else PATIENCE_OF_LISTS

    def list_files(self) -> list[dict[str, Any]]:
        """What is out, or what was handed in; nbgrader calls this."""
        found = self._handed_in() if self.inbound or self.cached else self._released()
        self.log.info("Submitted assignments:" if self.inbound or self.cached else "Released assignments:")
        for one in found:
            for line in one.get("submissions", [one]):
                self.log.info(_line(line))
        return found

    def remove_files(self) -> list[dict[str, Any]]:
        """Take an assignment out of sight; nbgrader calls this."""
        if self.inbound or self.cached:
            self.fail("What was handed in stays: the exchange keeps every submission")
        found = self._released()
        with self.client() as client:
            for one in found:
                client.withdraw(one["course_id"], one["assignment_id"])
        return [{**one, "status": "removed"} for one in found]

    def _released(self) -> list[dict[str, Any]]:
        wanted = self.coursedir.assignment_id
        with self.client() as client:
            found = client.assignments(self.coursedir.course_id)
        return [self._released_one(one) for one in found if wanted in ("", "*", one["assignment"])]

    def _released_one(self, one: dict[str, Any]) -> dict[str, Any]:
        folder = self.folder_of(one["course"], one["assignment"])
        have = folder.exists()
        notebooks = sorted(path.stem for path in folder.glob("*.ipynb")) if have else one["notebooks"]
        return {
            "course_id": one["course"],
            "assignment_id": one["assignment"],
            "status": "fetched" if have else "released",
            "path": str(folder),
            "notebooks": [{"notebook_id": name, "path": str(folder / f"{name}.ipynb")} for name in notebooks],
        }

    def _handed_in(self) -> list[dict[str, Any]]:
        wanted, student = self.coursedir.assignment_id, self.coursedir.student_id
        own = self.cached or student == "*"
        with self.client() as client:
            found = client.submissions(
                self.coursedir.course_id, "" if wanted == "*" else wanted, "" if own else student
            )
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for one in found:
            groups.setdefault((one["course"], one["student"], one["assignment"]), []).append(self._submitted(one))
        return [
            {"course_id": course, "student_id": who, "assignment_id": name, "status": "submitted", "submissions": group}
            for (course, who, name), group in groups.items()
        ]

    def _submitted(self, one: dict[str, Any]) -> dict[str, Any]:
        """One submission, as JupyterLab's list wants it."""
        place = self.folder_of(one["course"], one["assignment"])
        folder, pages = feedback_folder(place, one), one["feedback"] or {}
        notebooks = []
        for name in one["notebooks"]:
            page = folder / f"{name}.html"
            have = page.is_file()
            newer = have and name in pages and hashlib.sha256(page.read_bytes()).hexdigest() != pages[name]
            notebooks.append({"notebook_id": name, "path": str(place / f"{name}.ipynb"), "has_local_feedback": have,
                              "has_exchange_feedback": name in pages, "feedback_updated": newer,
                              "local_feedback_path": str(page) if have else None})  # fmt: skip
        fetched = bool(notebooks) and all(one["has_local_feedback"] for one in notebooks)
        return {"course_id": one["course"], "student_id": one["student"], "assignment_id": one["assignment"],
                "timestamp": one["received"], "status": "submitted", "path": str(place), "notebooks": notebooks,
                "receipt": one["receipt"], "has_local_feedback": fetched,
                "has_exchange_feedback": bool(notebooks) and all(one["has_exchange_feedback"] for one in notebooks),
                "feedback_updated": any(one["feedback_updated"] for one in notebooks),
                "local_feedback_path": str(folder) if fetched else None}  # fmt: skip


def _line(one: dict[str, Any]) -> str:
    """As nbgrader writes it in a terminal."""
    if one["status"] != "submitted":
        have = " (already downloaded)" if one["status"] == "fetched" else ""
        return f"{one['course_id']} {one['assignment_id']}{have}"
    ready = "feedback ready to be fetched" if one["has_exchange_feedback"] else "no feedback available"
    if one["has_local_feedback"] and not one["feedback_updated"]:
        ready = "feedback already fetched"
    return f"{one['course_id']} {one['student_id']} {one['assignment_id']} {one['timestamp']} ({ready})"
