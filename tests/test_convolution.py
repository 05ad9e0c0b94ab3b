"""The assignment `convolution`: its grader is graded, its release is fresh and gives nothing away."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tensorgrade.authoring import prove_assignment
from tensorgrade.course import Course, Submission
from tensorgrade.fleet import LocalProcesses
from tensorgrade.gradebook import generate_release
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report, Status
from tensorgrade.notebooks import CellEdits, read_edits, read_notebook, with_edits
from tensorgrade.sandbox.template import Template

ROOT = Path(__file__).parents[1]
GRADERS = ROOT / "graders" / "convolution"
POINTS = {"frame": 12.0, "patches": 18.0, "Conv": 28.0, "pool_max": 14.0, "edge_bank": 9.0, "receptive_field": 9.0}
# One for each hidden check; the proof tries them all.
MUTANTS = (
    *("frame_above_and_left_only", "frame_value_ignored", "frame_same_tensor_without_pad", "frame_detached"),
    *("frame_ready_made", "patches_strides_exchanged", "patches_channels_last", "patches_squeezed"),
    *("patches_by_strides_of_a_contiguous_picture", "patches_detached", "patches_ready_made"),
    *("conv_pad_short_on_the_right", "conv_turned", "conv_groups_share_kernels", "conv_groups_unchecked"),
    *("conv_position_added", "conv_relu_inside", "conv_bias_in_the_sum", "conv_result_by_data", "conv_plain_tensors"),
    *("conv_starts_too_large", "conv_changes_its_weights", "conv_batch_of_one_squeezed", "conv_pairs_only"),
    *("conv_ready_made", "pool_tiles_only", "pool_pads_with_zeros", "pool_stride_one_by_default", "pool_squeezed"),
    *("pool_detached", "pool_clips_its_input", "pool_ready_made", "edges_turned", "edges_names_exchanged"),
    *("edges_ready_made", "field_without_jump", "field_starts_at_zero"),
)


@dataclass(frozen=True)
class Classroom:
    """The grader of the assignment and a place to hand notebooks in."""

    course: Course
    grader: Grader

    def grade(self, edits: CellEdits, folder: str = "source") -> Report:
        """Grade the source or the release with some cells replaced."""
        notebook = read_notebook(self.course.root / folder / "convolution" / "convolution.ipynb")
        submission = Submission(self.course.assignment("convolution"), "ada")
        submission.folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(with_edits(notebook, edits), submission.folder / "convolution.ipynb")
        return self.grader.grade(submission)


@pytest.fixture(scope="module")
def classroom(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """A copy of the course, so that nothing is written into the checkout."""
    root = tmp_path_factory.mktemp("course")
    for name in ("source", "release", "graders"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    course = Course.at(root)
    return Classroom(course, Grader(course.assignment("convolution"), template))


def points(report: Report) -> dict[str, float | None]:
    """Points by autograded task."""
    return {task.name: task.points for task in report.tasks if not task.manual}


def failed(report: Report) -> set[str]:
    """The names of the checks that did not pass."""
    return {check.name for check in report.checks if check.status is not Status.PASSED}


def listed(text: str) -> set[str]:
    """The names in a header such as ``killed by: a, b``."""
    return {name.strip() for name in text.split(",") if name.strip()}


def test_reference_earns_all_points(classroom: Classroom) -> None:
    """The solution passes every check, none is broken, and all checks together take a few seconds."""
    report = classroom.grade(CellEdits("", {}, {}))
    assert classroom.grader.broken == ()
    assert failed(report) == set()
    assert points(report) == POINTS
    assert sum(check.seconds for check in report.checks) < 10  # 0.8 on a quiet core


def test_untouched_release_earns_nothing(classroom: Classroom) -> None:
    """A student who hands in the release as it is gets no point, and a hint for each check."""
    report = classroom.grade(CellEdits("", {}, {}), "release")
    assert points(report) == dict.fromkeys(POINTS, 0.0)
    assert all(check.hint for check in report.checks)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_rejected(classroom: Classroom, name: str) -> None:
    """A mutant fails the checks that claim it and loses points in its task."""
    edits = read_edits(GRADERS / "mutants" / f"{name}.py")
    report = classroom.grade(edits)
    assert listed(edits.headers["killed by"]) <= failed(report)
    assert all((points(report)[task] or 0) < POINTS[task] for task in listed(edits.headers["loses"]))


def test_every_hidden_check_is_claimed(classroom: Classroom) -> None:
    """Each hidden check, whatever its variants, has a mutant here that it claims."""
    headers = [read_edits(GRADERS / "mutants" / f"{name}.py").headers for name in MUTANTS]
    claimed = {name.partition("[")[0] for header in headers for name in listed(header["killed by"])}
    hidden = "".join(path.read_text() for path in GRADERS.glob("test_hidden*.py"))
    assert claimed >= set(re.findall(r"def (test_\w+)", hidden))


@pytest.mark.parametrize("path", sorted((GRADERS / "variants").glob("*.py")), ids=lambda path: path.stem)
def test_honest_styles_earn_all_points(classroom: Classroom, path: Path) -> None:
    """A correct solution in another style loses nothing."""
    report = classroom.grade(read_edits(path))
    assert {check.name: check.rationale for check in report.checks if check.name in failed(report)} == {}
    assert points(report) == POINTS


@pytest.mark.proof
def test_grader_is_proven(classroom: Classroom) -> None:
    """With twenty secrets every correct solution passes; every mutant, and 95 of 100 generated ones, are found."""
    with LocalProcesses(2) as executor:
        proof = prove_assignment(classroom.course.assignment("convolution"), executor, seeds=20)
    assert list(proof.problems()) == []


def test_release_is_fresh(classroom: Classroom) -> None:
    """The committed release is what `tensorgrade release convolution` makes today."""
    generate_release(classroom.course, "convolution")
    made, committed = (root / "release" / "convolution" for root in (classroom.course.root, ROOT))
    names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    assert names == ["convolution.ipynb", "test_public.py", "worker/probes.py", "worker/training.py"]
    for name in names:
        assert (made / name).read_text() == (committed / name).read_text(), f"make release, {name}"


def test_release_gives_nothing_away() -> None:
    """No solution line, hidden check or output is in the release, and no output in the source."""
    released = read_notebook(ROOT / "release" / "convolution" / "convolution.ipynb")
    source = read_notebook(ROOT / "source" / "convolution" / "convolution.ipynb")
    text = "\n".join(cell.source for cell in released.cells)
    answers = "\n".join(cell.source for cell in source.cells)
    solutions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", answers, re.S)
    lines = {line.strip() for solution in solutions for line in solution.splitlines() if len(line.strip()) > 12}
    assert len(lines) > 10
    assert {line for line in lines if line in text} == set()
    hidden = "".join(path.read_text() for path in GRADERS.glob("test_hidden*.py"))
    assert not any(name in text for name in re.findall(r"def (test_\w+)", hidden))
    assert not any(cell.get("outputs") for notebook in (released, source) for cell in notebook.cells)
