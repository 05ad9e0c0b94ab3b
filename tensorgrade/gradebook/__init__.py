"""Hands points and outputs to nbgrader: its settings, its converters, its database."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SAWarning

from tensorgrade.gradebook.recorder import Recorder, generate_feedback, generate_release
from tensorgrade.gradebook.register import register_assignment

__all__ = [
    "PAGE_FILTERS",
    "Recorder",
    "configure",
    "generate_feedback",
    "generate_release",
    "register_assignment",
]

_NBGRADER = "nbgrader.preprocessors."
_OURS = "tensorgrade.gradebook.preprocessors."
PAGE_FILTERS = {
    "markdown2html": "tensorgrade.gradebook.filters.markdown_to_html",
    "highlight_code": "tensorgrade.gradebook.filters.highlight_code",
}


def configure(config: Any) -> None:
    """Set up nbgrader for a course whose checks are graded by tensorgrade.

    Args:
        config: what ``get_config()`` returns in ``nbgrader_config.py``.
    """
    config.GenerateAssignment.preprocessors = [
        *(_NBGRADER + name for name in ("IncludeHeaderFooter", "LockCells")),
        "tensorgrade.notebooks.starters.ClearSolutions",
        _NBGRADER + "ClearOutput",
        # Before SaveCells, unlike nbgrader: what the gradebook does not hold, no feedback page can show.
        *(_NBGRADER + name for name in ("CheckCellMetadata", "ClearHiddenTests", "ComputeChecksums", "SaveCells")),
        *(_NBGRADER + name for name in ("ClearMarkScheme", "ComputeChecksums", "CheckCellMetadata")),
        _OURS + "AddPublicChecks",
    ]
    config.Autograde.exporter_class = _OURS + "SubmissionExporter"
    config.Autograde.sanitize_preprocessors = [
        _OURS + "RestoreCells",  # first: the others crash on odd metadata
        # No CheckCellMetadata here or below: all metadata is now the instructor's, checked when it was registered.
        *(_NBGRADER + name for name in ("ClearOutput", "DeduplicateIds", "OverwriteKernelspec", "OverwriteCells")),
    ]
    config.Autograde.autograde_preprocessors = [
        _OURS + "WriteReport",
        _OURS + "SavePoints",
        _NBGRADER + "AssignLatePenalties",
    ]
    # nbgrader copies every file beside an autograded notebook to the student's feedback.
    config.CourseDirectory.ignore.extend(["staff-report.*"])
    # Text and code are written by students, and formgrader shows them to whoever grades.
    config.HTMLExporter.filters = dict(PAGE_FILTERS)
    _put_interpreter_on_path()
    # nbgrader 0.9.6 makes SQLAlchemy warn several times per submission; none of it concerns a course.
    warnings.filterwarnings("ignore", category=SAWarning, module=r"nbgrader\.")


def _put_interpreter_on_path() -> None:
    """Let nbgrader find ``alembic``, which it starts by name to make a new database."""
    if shutil.which("alembic") is None:
        folders = [os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
        os.environ["PATH"] = os.pathsep.join(filter(None, folders))
