"""What an install brings: the light one of students, and a notebook where there is none yet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tensorgrade.course import Course, Submission
from tensorgrade.gradebook import generate_release
from tensorgrade.grading.grader import Grader
from tensorgrade.notebooks import read_notebook
from tensorgrade.sandbox.template import Template

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "courses" / "tiny"
RIGHT = "def double(x):\n    return x + x"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: setuptools leaves files behind."""
    folder = tmp_path_factory.mktemp("build")
    for name in ("pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "tensorgrade", folder / "tensorgrade", ignore=shutil.ignore_patterns("__pycache__"))
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist", folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def pip(python: str | Path, *arguments: str | Path) -> str:
    """Run pip for an environment, without an index."""
    index = [] if arguments[0] == "list" else ["--no-index"]
    command = [sys.executable, "-m", "pip", "--python", python, *arguments, *index]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wanted_by(wheel: Path) -> list[Requirement]:
    """What the wheel asks for, without an extra."""
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().split("\n\n")[0].splitlines()
    return [Requirement(line.removeprefix("Requires-Dist: ")) for line in lines if line.startswith("Requires-Dist: ")]


def closure(requirements: list[Requirement]) -> dict[str, Distribution]:
    """By name, the installed packages that these need, and what those need."""
    found: dict[str, Distribution] = {}
    waiting = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found and not requirement.extras:
            continue
        found[name] = distribution(name)
        extras = {"", *requirement.extras}
        for wanted in map(Requirement, found[name].requires or ()):
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(wanted)
    return found


def environment(folder: Path, packages: dict[str, Distribution]) -> Path:
    """A virtual environment that holds these packages, as links, and nothing else; returns its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for package in packages.values():
        for top in {file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment after `pip install tensorgrade`."""
    python = environment(tmp_path_factory.mktemp("light"), closure(wanted_by(wheel)))
    pip(python, "install", wheel)  # without an index: fails if anything is missing
    return python


def test_wheel_holds_the_package_and_nothing_of_a_course(wheel: Path) -> None:
    """No grader, no notebook, no test and no secret is in the wheel; all modules and templates are."""
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    present = [
        path for path in (ROOT / "tensorgrade").rglob("*") if path.is_file() and path.parent.name != "__pycache__"
    ]
    assert names == {str(path.relative_to(ROOT)) for path in present}
    assert {Path(name).suffix for name in names} == {".py", ".j2", ".js", ".typed"}
    assert not any(Path(name).name.startswith("test_") for name in names)


def test_light_install_is_light(wheel: Path, light: Path) -> None:
    """A student's install has pytest and torch, but nothing of Jupyter, nbgrader, a hub or a cluster."""
    installed = {line.split()[0].lower() for line in pip(light, "list").splitlines()[2:]}
    assert {"tensorgrade", "torch", "pytest"} <= installed
    grading = closure([Requirement(text) for text in distribution("nbgrader").requires or ()])
    heavy = {"nbgrader", "ipython", "click", "rich", "distributed", "dask", "jupyterhub"}
    assert not installed & (heavy | (set(grading) - set(closure(wanted_by(wheel)))))


def test_checks_run_without_jupyter(light: Path, tmp_path: Path) -> None:
    """With the light install a script runs the public checks."""
    shutil.copy(TINY / "graders" / "tiny" / "test_public.py", tmp_path)
    source = f"from tensorgrade import check\n{RIGHT}\ncheck('double')\nimport sys; assert 'IPython' not in sys.modules"
    done = subprocess.run([light, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("double: 1 of 1 public checks pass\n"), done.stderr


def test_command_says_what_to_install(light: Path) -> None:
    """On a student's machine the command line ends with one sentence."""
    done = subprocess.run([light, "-m", "tensorgrade", "grade", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ("tensorgrade: the command needs the package click: pip install 'tensorgrade[grade]'\n")


@pytest.fixture
def course(wheel: Path, tmp_path: Path) -> Course:
    """The tiny course, whose notebooks may be opened anywhere."""
    shutil.copytree(TINY, tmp_path / "course")
    config = tmp_path / "course" / "nbgrader_config.py"
    config.write_text(f"{config.read_text()}\nc.AddPublicChecks.install = '--no-index {wheel}'\n")
    generate_release(Course.at(tmp_path / "course"), "tiny")
    return Course.at(tmp_path / "course")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel with Jupyter and torch, but without tensorgrade: such as Colab's."""
    names = ("ipykernel", "torch", "torchmetrics", "numpy", "pytest", "msgpack", "jinja2", "pip")
    python = environment(tmp_path / "elsewhere", closure([Requirement(name) for name in names]))
    folder = tmp_path / "jupyter" / "kernels" / "elsewhere"
    folder.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "elsewhere", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return "elsewhere"


def test_notebook_alone_runs_elsewhere(course: Course, elsewhere: str, tmp_path: Path) -> None:
    """Where neither tensorgrade nor a file of the course is, the notebook brings both, and its checks run."""
    notebook = nbformat.read(course.assignment("tiny").release / "tiny.ipynb", as_version=4)
    next(cell for cell in notebook.cells if "NotImplementedError" in cell.source).source = RIGHT
    notebook.cells.append(nbformat.v4.new_code_cell("'set_up' in globals()"))
    folder = tmp_path / "content"
    folder.mkdir()
    client = NotebookClient(notebook, kernel_name=elsewhere, resources={"metadata": {"path": str(folder)}})
    client.execute()
    shown = [
        str(output.get("data", {}).get("text/plain")) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert any(text.startswith("double: 1 of 1 public checks pass") for text in shown)
    assert shown[-1] == "False", "the cell leaves no name behind"
    released = course.assignment("tiny").release / "test_public.py"
    assert (folder / "test_public.py").read_bytes() == released.read_bytes()


def test_set_up_cell_does_nothing_in_grading(course: Course, template: Template) -> None:
    """A submission that still has the cell is graded as one without."""
    submission = Submission(course.assignment("tiny"), "ada")
    submission.folder.mkdir(parents=True)
    notebook = read_notebook(submission.assignment.release / "tiny.ipynb")
    assert notebook.cells[1].source.startswith("# @title Set-up")
    next(cell for cell in notebook.cells if "NotImplementedError" in cell.source).source = RIGHT
    nbformat.write(notebook, submission.folder / "tiny.ipynb")
    report = Grader(submission.assignment, template).grade(submission)
    assert (report.status, report.points) == ("graded", report.max_points)
    outputs = [cell.get("outputs") for cell in report.notebooks["tiny"]["cells"]]
    assert outputs[1] == []


def test_release_without_a_source_has_no_such_cell(tmp_path: Path) -> None:
    """A course that names nothing to install releases its notebooks as they are."""
    shutil.copytree(TINY, tmp_path / "course")
    generate_release(Course.at(tmp_path / "course"), "tiny")
    text = (tmp_path / "course" / "release" / "tiny" / "tiny.ipynb").read_text()
    assert "pip" not in text


def test_dependencies_fit_colab() -> None:
    """Nothing that an install asks for replaces what an environment such as Colab's (end of 2025) runs on."""
    colab = {"numpy": "2.0.2", "pytest": "8.4.2", "torch": "2.9.0", "jinja2": "3.1.6", "msgpack": "1.1.2"}
    colab["torchmetrics"] = "1.9.0"  # not in Colab: pip brings it, and what it needs of torch and NumPy is there
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    light = {found.name: found for found in map(Requirement, project["dependencies"])}
    assert set(light) == set(colab)
    assert all(light[name].specifier.contains(version) for name, version in colab.items())
