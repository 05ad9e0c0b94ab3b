"""What notebooks make of honest, odd and hostile files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.filters.ansi import ansi2html
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tensorgrade.errors import GraderError, NotebookError, UsageError
from tensorgrade.notebooks import (
    CodeCell,
    GradeCell,
    cells_to_run,
    grade_cells,
    grade_id_of,
    read_edits,
    read_notebook,
    restore,
    sanitise_outputs,
    student_version,
    with_edits,
    with_outputs,
)
from tensorgrade.notebooks.steps import DEFAULT_STEPS

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


def nbgrader(name: str, **values: Any) -> dict[str, Any]:
    metadata = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**metadata, "grade_id": name, **values}}


@pytest.fixture(scope="module")
def source() -> NotebookNode:
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            new_markdown_cell("# Doubling", metadata={}),
            new_code_cell("import math", metadata=nbgrader("imports", locked=True)),
            new_code_cell(
                "### BEGIN SOLUTION\ndef double(x):\n    return 2 * x\n### END SOLUTION",
                metadata=nbgrader("double-solution", solution=True),
            ),
            new_code_cell(
                'check("double")\n### BEGIN HIDDEN TESTS\nassert 0\n### END HIDDEN TESTS',
                metadata=nbgrader("double", grade=True, locked=True, points=4),
            ),
            new_markdown_cell("Because.", metadata=nbgrader("why", grade=True, solution=True, points=2)),
            new_markdown_cell(
                "Draw.\n### BEGIN MARK SCHEME\nA line.\n### END MARK SCHEME",
                metadata=nbgrader("draw", task=True, locked=True, points=3),
            ),
        ],
    )


@pytest.fixture
def submitted(source: NotebookNode) -> NotebookNode:
    notebook = student_version(source)
    notebook.cells[2].source = "def double(x):\n    return x + x"
    return notebook


def names(notebook: NotebookNode) -> list[str | None]:
    return [grade_id_of(cell) for cell in notebook.cells]


def write(folder: Path, content: object) -> Path:
    path = folder / "tiny.ipynb"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def v4(*cells: object, **more: object) -> dict[str, object]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more}


# Reading


def test_read_notebook_keeps_a_good_notebook(tmp_path: Path, submitted: NotebookNode) -> None:
    """A well-formed notebook is read as it is."""
    assert read_notebook(write(tmp_path, nbformat.writes(submitted))) == submitted


def test_read_notebook_refuses_a_large_file(tmp_path: Path) -> None:
    """A file of 80 MB is refused before it is parsed."""
    path = tmp_path / "tiny.ipynb"
    with path.open("wb") as file:
        file.truncate(80_000_000)
    with pytest.raises(NotebookError, match=r"tiny\.ipynb: larger than 20 MiB"):
        read_notebook(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("", "not JSON", id="empty"),
        pytest.param("# python", "not JSON", id="text"),
        pytest.param('{"nbformat": ' + "1" * 5000 + "}", "not JSON", id="huge number"),
        pytest.param("[]", "no nbformat", id="list"),
        pytest.param({"nbformat": "4", "cells": []}, "no nbformat", id="version as text"),
        pytest.param({"nbformat": 5, "cells": []}, "no nbformat", id="unknown version"),
        pytest.param({"nbformat": 4, "cells": {}}, "no list of cells", id="cells as dict"),
        pytest.param({"nbformat": 3, "worksheets": [1]}, "not a notebook of version 3", id="odd version 3"),
        pytest.param("[" * 100_000, "nested", id="nested too deeply for Python"),
        pytest.param(v4(metadata=json.loads("[" * 90 + "]" * 90)), "nested", id="nested deeply"),
        pytest.param(v4(*[0] * 2001), "at most 2,000 cells, got 2,001", id="many cells"),
    ],
)
def test_read_notebook_refuses(tmp_path: Path, content: object, reason: str) -> None:
    """What is not a notebook is refused in one sentence that names the file."""
    with pytest.raises(NotebookError, match=reason) as caught:
        read_notebook(write(tmp_path, content))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("tiny.ipynb: ")


def test_read_notebook_refuses_broken_utf8(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused."""
    path = tmp_path / "tiny.ipynb"
    path.write_bytes(json.dumps(v4(), ensure_ascii=False).encode() + b"\xff")
    with pytest.raises(NotebookError, match="not UTF-8"):
        read_notebook(path)


def test_read_notebook_refuses_a_link_a_folder_a_missing_file(tmp_path: Path) -> None:
    """A link is not followed, because it could lead to another student's file."""
    link, folder = tmp_path / "link.ipynb", tmp_path / "folder.ipynb"
    link.symlink_to(write(tmp_path, v4()))
    folder.mkdir()
    for path in (link, folder, tmp_path / "none.ipynb"):
        with pytest.raises(NotebookError, match=path.name):
            read_notebook(path)


def test_read_notebook_repairs(tmp_path: Path) -> None:
    """Odd cells, ids, texts and metadata are repaired, the same way each time."""
    cells: list[object] = [
        {"cell_type": "code", "id": "a", "source": ["x = 1\n", "y = 2"], "metadata": [], "outputs": {}},
        {"cell_type": "code", "id": "a", "source": 5, "metadata": {"nbgrader": []}},
        {"cell_type": "sql", "source": "\ud800", "id": 7},
        "no cell",
    ]
    path = write(tmp_path, v4(*cells, metadata=[]))
    notebook = read_notebook(path)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == ["x = 1\ny = 2", "", "?"]
    assert [cell.cell_type for cell in notebook.cells] == ["code", "code", "raw"]
    assert [cell.id for cell in notebook.cells] == ["a", "cell-1", "cell-2"]
    assert read_notebook(path) == notebook


def test_read_notebook_leaves_outputs_out(tmp_path: Path) -> None:
    """What a file claims to have printed is not read."""
    forged = {"output_type": "stream", "name": "stdout", "text": "10 of 10 points"}
    cell = {"cell_type": "code", "source": "x", "metadata": {}, "outputs": [forged], "execution_count": 3}
    (clean,) = read_notebook(write(tmp_path, v4(cell))).cells
    assert (clean.outputs, clean.execution_count) == ([], None)


def test_read_notebook_upgrades_version_3(tmp_path: Path) -> None:
    """A notebook of version 3 is read as version 4."""
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell(input="x = 1")])]
    )
    notebook = read_notebook(write(tmp_path, old))
    assert (notebook.nbformat, [cell.source for cell in notebook.cells]) == (4, ["x = 1"])


# The student version


def test_student_version_holds_no_answer(source: NotebookNode) -> None:
    """Solutions, hidden tests and marking schemes are gone, checksums are there."""
    text = nbformat.writes(student_version(source))
    for secret in ("2 * x", "assert 0", "Because.", "A line."):
        assert secret not in text
    assert text.count('"checksum"') == 5


def test_student_version_refuses_an_open_solution(source: NotebookNode) -> None:
    """A solution region without an end is the author's mistake."""
    broken = new_notebook(cells=[new_code_cell("### BEGIN SOLUTION", metadata=nbgrader("a", solution=True))])
    with pytest.raises(GraderError, match="no end solution statement"):
        student_version(broken)


# Restoring


def test_restore_keeps_the_answer(submitted: NotebookNode, source: NotebookNode) -> None:
    """The student's text stays in solution cells."""
    restored = restore(submitted, source)
    assert restored.cells[2].source == "def double(x):\n    return x + x"
    assert names(restored) == names(source)


def test_restore_brings_back_edited_locked_cells(submitted: NotebookNode, source: NotebookNode) -> None:
    """An edited locked cell, and an edited grade cell, are the instructor's again."""
    submitted.cells[1].source = "math = None"
    submitted.cells[3].source = "pass"
    restored = restore(submitted, source)
    assert restored.cells[1].source == "import math"
    assert restored.cells[3].source == 'check("double")'


def test_restore_brings_back_deleted_cells(submitted: NotebookNode, source: NotebookNode) -> None:
    """Deleted cells are back after their predecessors, even if all are gone."""
    del submitted.cells[3], submitted.cells[1]
    assert names(restore(submitted, source)) == [*names(source)[1:2], None, *names(source)[2:]]
    assert names(restore(new_notebook(), source)) == names(source)[1:]


def test_restore_believes_no_metadata(submitted: NotebookNode, source: NotebookNode) -> None:
    """Tags, points and notebook metadata of the file have no effect."""
    expected = restore(submitted, source)
    for cell in submitted.cells:
        cell.metadata["tags"] = ["skip-execution"]
        cell.metadata.get("nbgrader", {}).update(points=100, grade=True, solution=True, locked=False)
    submitted.metadata["kernelspec"] = {"name": "evil"}
    assert restore(submitted, source) == expected


def test_restore_keeps_the_last_duplicate(submitted: NotebookNode, source: NotebookNode) -> None:
    """Of two cells with one grade_id the last counts, as in nbgrader, and the other is a plain cell."""
    copy = new_code_cell("def double(x): ...", metadata=submitted.cells[2].metadata)
    submitted.cells.insert(0, copy)
    restored = restore(submitted, source)
    assert restored.cells[0].source == "def double(x): ..."
    assert restored.cells[0].metadata == {}
    assert names(restored)[1:] == names(source)


def test_restore_takes_unknown_grade_ids_away(submitted: NotebookNode, source: NotebookNode) -> None:
    """A cell with an invented grade_id is a plain cell."""
    submitted.cells.append(new_code_cell("", metadata=nbgrader("extra", grade=True, points=50)))
    assert restore(submitted, source).cells[-1].metadata == {}


@pytest.mark.parametrize("metadata", [[], [1], "text", 7, None, {"nbgrader": []}, {"nbgrader": {"grade_id": []}}])
def test_restore_survives_odd_metadata(submitted: NotebookNode, source: NotebookNode, metadata: object) -> None:
    """Metadata of any type does no harm."""
    submitted.cells.append({**new_code_cell("x = 1"), "metadata": metadata})
    submitted["cells"] = [NotebookNode(cell) for cell in submitted.cells]
    assert restore(submitted, source).cells[-1].metadata == {}


def test_restore_keeps_pasted_images_of_an_answer(submitted: NotebookNode, source: NotebookNode) -> None:
    """An image in a written answer stays; any other attachment goes."""
    submitted.cells[4].attachments = {"a.png": {"image/png": PNG, "text/html": "<script>"}, "b": []}
    assert restore(submitted, source).cells[4].attachments == {"a.png": {"image/png": PNG}}


def test_restore_twice_changes_nothing(submitted: NotebookNode, source: NotebookNode) -> None:
    """Restoring is idempotent, and its result is a valid notebook."""
    del submitted.cells[1]
    submitted.cells.insert(0, {**new_code_cell("x"), "cell_type": "sql", "id": source.cells[3].id})
    submitted.cells[1].outputs = [{"output_type": "stream", "name": "stdout", "text": "forged"}]
    once = restore(submitted, source)
    nbformat.validate(once)
    assert restore(once, source) == once
    assert "forged" not in nbformat.writes(once)


# Cells


def test_grade_cells_know_who_grades(source: NotebookNode) -> None:
    """An answer that is itself graded, and a task cell, are graded by hand."""
    assert grade_cells(source, "tiny") == (
        GradeCell("double", "tiny", 4.0, manual=False),
        GradeCell("why", "tiny", 2.0, manual=True),
        GradeCell("draw", "tiny", 3.0, manual=True),
    )


@pytest.mark.parametrize("points", [None, "4", -1, True, float("nan")])
def test_grade_cells_refuse_odd_points(points: object) -> None:
    """A grade cell without a number of points is the author's mistake."""
    cell = new_code_cell("", metadata=nbgrader("double", grade=True, points=points))
    with pytest.raises(GraderError, match=r"tiny\.ipynb: grade cell 'double'"):
        grade_cells(new_notebook(cells=[cell]), "tiny")


def test_cells_to_run_leave_grade_cells_out(submitted: NotebookNode, source: NotebookNode) -> None:
    """Grade cells are not run."""
    expected = (CodeCell(1, "import math"), CodeCell(2, "def double(x):\n    return x + x"))
    assert cells_to_run(restore(submitted, source)) == expected


# Outputs


def test_with_outputs_limits_the_whole_notebook(source: NotebookNode) -> None:
    """A notebook that prints in every cell keeps 8 MiB of it, and says what it left out."""
    cells = [new_code_cell("print('a' * 262144)") for _ in range(40)]
    printed = [{"output_type": "stream", "name": "stdout", "text": "a" * 262_144}]
    result = with_outputs(new_notebook(cells=cells), dict.fromkeys(range(40), printed))
    assert len(nbformat.writes(result)) < 8.1 * 1024 * 1024
    assert result.cells[-1].outputs[0].text == "… 1 outputs left out …\n"


def test_with_outputs_shows_what_was_printed(submitted: NotebookNode, source: NotebookNode) -> None:
    """Outputs go to the cells that they belong to, and to no others."""
    printed = [{"output_type": "stream", "name": "stdout", "text": "hello"}]
    result = with_outputs(restore(submitted, source), {1: printed})
    nbformat.validate(result)
    assert result.cells[1].outputs == printed
    assert (result.cells[1].execution_count, result.cells[3].outputs) == (1, [])


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        pytest.param("a<script>alert(1)</script>b", "ab", id="script"),
        pytest.param("<b onclick='x()'>a</b>", "<b>a</b>", id="event"),
        pytest.param("<img src='https://example.org/a.png'>a", "<img>a", id="remote image"),
        pytest.param("<img src='data:image/svg+xml;base64,AAAA'>a", "<img>a", id="svg image"),
        pytest.param(f"<img src='data:image/png;base64,{PNG}'>", f'<img src="data:image/png;base64,{PNG}">', id="png"),
        pytest.param("<a href='javascript:x()'>a</a>", "a", id="link"),
        pytest.param("<form action='/x'><input name='y'>a</form>", "a", id="form"),
        pytest.param("<p style='position:fixed;color:red'>a</p>", '<p style="color:red">a</p>', id="overlay"),
        pytest.param("<p style='background-color:url(//x)'>a</p>", "<p>a</p>", id="address in a style"),
        pytest.param("<div class='modal'>a</div>", "<div>a</div>", id="class of the page"),
        pytest.param("<style>*{display:none}</style>a", "a", id="style sheet"),
        pytest.param(r"$\href{javascript:x()}{a}$", r"$\mathrm{javascript:x()}{a}$", id="MathJax link"),
        pytest.param(r"$\hr<!-- -->ef{javascript:x()}{a}$", r"$\mathrm{javascript:x()}{a}$", id="split MathJax link"),
    ],
)
def test_sanitise_outputs_cleans_html(html: str, clean: str) -> None:
    """HTML of a student cannot run, load, link, or cover anything."""
    (output,) = sanitise_outputs([{"output_type": "display_data", "data": {"text/html": html}}])
    assert output.data == {"text/html": clean}


def test_sanitise_outputs_keeps_a_table() -> None:
    """A table as pandas writes it stays a table."""
    html = '<table border="1" class="dataframe"><tbody><tr><th>0</th><td>1.5</td></tr></tbody></table>'
    (output,) = sanitise_outputs([{"output_type": "display_data", "data": {"text/html": html}}])
    assert output.data["text/html"] == html


@pytest.mark.parametrize(
    "output",
    [
        pytest.param(7, id="number"),
        pytest.param({"output_type": "display_data", "data": {"image/svg+xml": "<svg/>"}}, id="svg"),
        pytest.param({"output_type": "display_data", "data": {"application/javascript": "x"}}, id="javascript"),
        pytest.param({"output_type": "display_data", "data": {"image/png": "PHN2Zz4="}}, id="false png"),
        pytest.param({"output_type": "display_data", "data": {"image/png": "?"}}, id="not base64"),
        pytest.param({"output_type": "display_data", "data": []}, id="list as data"),
        pytest.param({"output_type": "display_data", "data": {"text/html": "<div>" * 100 + "a"}}, id="deep html"),
        pytest.param({"output_type": "display_data", "data": {"text/html": "<b>a</b>" * 5000}}, id="many tags"),
        pytest.param({"output_type": ["stream"], "text": "a"}, id="odd type"),
        pytest.param({"output_type": "stream", "text": {"a": 1}}, id="odd text"),
        pytest.param({"output_type": "error", "traceback": 1}, id="empty error"),
    ],
)
def test_sanitise_outputs_drops(output: object) -> None:
    """What is not on the list, or not well formed, is dropped."""
    assert sanitise_outputs([output]) == []


def test_sanitise_outputs_needs_a_list() -> None:
    """Anything but a list is no outputs."""
    assert sanitise_outputs({"a": 1}) == []


def test_sanitise_outputs_keeps_only_colours() -> None:
    """Colours stay, every other control sequence goes, a progress bar leaves its last state."""
    text = "\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\x00 10%\r20%\nend\x08\r\n"
    (output,) = sanitise_outputs([{"output_type": "stream", "name": "stderr", "text": text}])
    assert (output.name, output.text) == ("stderr", "20%\nend\n")
    (output,) = sanitise_outputs([{"output_type": "error", "ename": "E", "evalue": "v", "traceback": [text, 1]}])
    assert output.traceback == ["20%", "end", ""]
    (output,) = sanitise_outputs([{"output_type": "stream", "text": "\x1b[1;31mred\x1b[0m\x1b[2J"}])
    assert output.text == "\x1b[1;31mred\x1b[0m"


@pytest.mark.parametrize("codes", ["38", "48;5", "1;38", "38;2;1;2", "38;5;999", "038", "999;1;;2", "38;7"])
def test_sanitise_outputs_drops_broken_colours(codes: str) -> None:
    """A colour that is cut short does not reach nbconvert, which would fail to make a page of it."""
    (output,) = sanitise_outputs([{"output_type": "stream", "text": f"\x1b[{codes}mred"}])
    assert "red" in ansi2html(output.text)
    (whole,) = sanitise_outputs([{"output_type": "stream", "text": "\x1b[1;38;5;28;48;2;1;2;255mgreen"}])
    assert whole.text == "\x1b[1;38;5;28;48;2;1;2;255mgreen"


def test_sanitise_outputs_shows_markdown_as_text() -> None:
    """Markdown could hold any HTML, so its text is shown."""
    data = {"text/markdown": "**a** <script>", "text/plain": "<Markdown object>"}
    (output,) = sanitise_outputs([{"output_type": "display_data", "data": data}])
    assert output.data == {"text/plain": "**a** <script>"}


def test_sanitise_outputs_truncates_loudly() -> None:
    """What is too long is cut, and the output says how much."""
    long = {"output_type": "stream", "name": "stdout", "text": "a" * 1204}
    html = {"output_type": "display_data", "data": {"text/html": "b" * 1204}}
    cut, rest = sanitise_outputs([long, html], 400)
    assert "… 804 bytes left out …" in cut.text
    assert rest.text == "… 1 outputs left out …\n"
    (cut,) = sanitise_outputs([html], 400)
    assert cut.data == {"text/plain": "… 1,204 bytes of text/html left out …"}


def test_sanitise_outputs_counts_outputs() -> None:
    """A loop that displays ten thousand objects leaves 500, and a note."""
    outputs = sanitise_outputs([{"output_type": "display_data", "data": {"text/plain": "a"}}] * 10_000)
    assert (len(outputs), outputs[-1].text) == (501, "… 9,500 outputs left out …\n")


def test_sanitise_outputs_joins_streams() -> None:
    """Pieces of one stream become one output."""
    pieces = [{"output_type": "stream", "name": "stdout", "text": text} for text in "abc"]
    assert [output.text for output in sanitise_outputs(pieces)] == ["abc"]


def test_sanitise_outputs_repairs_the_count() -> None:
    """An execution count is a small number or nothing."""
    for count, expected in ((3, 3), ("3", None), (True, None), (-1, None), (10**30, None)):
        output = {"output_type": "execute_result", "data": {"text/plain": "a"}, "execution_count": count}
        assert sanitise_outputs([output])[0].execution_count == expected


# Edits


def test_edits_change_cells(tmp_path: Path, source: NotebookNode) -> None:
    """A file of edits changes the cells that it names, whatever it writes there."""
    path = tmp_path / "mutant.py"
    path.write_text(
        '"""It adds\none."""\n# loses: double\n# killed by: test_a, test_b\n\n'
        "# %% double-solution\n\ndef double(x:\n    return x + 1\n\n# %% why\nNo.\n"
    )
    edits = read_edits(path)
    edited = with_edits(source, edits)
    assert edits.summary == "It adds one."
    assert edits.headers == {"loses": "double", "killed by": "test_a, test_b"}
    assert (edited.cells[2].source, edited.cells[4].source) == ("def double(x:\n    return x + 1", "No.")
    assert source.cells[4].source == "Because."


def test_edits_of_an_unknown_cell(tmp_path: Path, source: NotebookNode) -> None:
    """An unknown grade_id is an error that names the file and the id."""
    path = tmp_path / "mutant.py"
    path.write_text('"""Wrong."""\n# %% tripple\n')
    with pytest.raises(UsageError, match=r"mutant\.py: no cell has the grade_id 'tripple'"):
        with_edits(source, read_edits(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"# %% a\n", "expected a first line"),
        (b'"""Twice."""\n# %% a\n# %% a\n', "given twice"),
        (b"\xff", "cannot be read"),
    ],
)
def test_read_edits_refuses(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that is not an edit is refused with its name."""
    path = tmp_path / "mutant.py"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_edits(path)


# Starters

STARTER = "### BEGIN STARTER\n{}\n### END STARTER"


def released(*lines: str, **marks: Any) -> str:
    """What students get of a cell with these lines."""
    cell = new_code_cell("\n".join(lines), metadata=nbgrader("work", **{"solution": True, **marks}))
    text: str = student_version(new_notebook(cells=[cell])).cells[0].source
    return text


def test_starter_takes_the_place_of_the_solution() -> None:
    """Students get the lines of a starter without their comment signs, at their depth, and no stub."""
    source = (
        *("def halve(x):", "    if x > 0:"),
        *("        ### BEGIN SOLUTION", "        return x / 2", "        ### END SOLUTION"),
        *("        ### BEGIN STARTER", "        # for _ in range(2):", "        #     x = x / 2  # twice"),
        *("        #", "        # return x", "        ### END STARTER"),
        "    return 0",
    )
    expected = (
        "def halve(x):\n    if x > 0:\n        for _ in range(2):\n            x = x / 2  # twice\n\n        return x"
    )
    assert released(*source) == f"{expected}\n    return 0"


def test_starter_without_lines_takes_the_stub_away() -> None:
    """Where students have to find out that something is missing, nothing says so."""
    source = (
        "f = 1",
        "### BEGIN SOLUTION",
        "f = 2",
        "### END SOLUTION",
        "### BEGIN STARTER",
        "### END STARTER",
        "g = f",
    )
    assert released(*source) == "f = 1\ng = f"


def test_solution_without_starter_beside_one_with() -> None:
    """A cell may have both: the stub stands where no starter is given."""
    source = "### BEGIN SOLUTION\nf = 2\n### END SOLUTION\n{}### BEGIN SOLUTION\ng = 2\n### END SOLUTION"
    assert released(source.format(STARTER.format("# f = 1") + "\n")) == (
        "f = 1\n# YOUR CODE HERE\nraise NotImplementedError()"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("x = 1\n" + STARTER.format("# x = 2"), "has to follow", id="no solution before it"),
        pytest.param(STARTER.format("x = 2"), "expected a comment, got 'x = 2'", id="no comment"),
        pytest.param("### BEGIN STARTER\n# x = 2", "END STARTER is missing", id="no end"),
    ],
)
def test_starter_that_cannot_be_given(source: str, reason: str) -> None:
    """A starter that would be released in another way than its author meant stops the release."""
    solution = "### BEGIN SOLUTION\nx = 3\n### END SOLUTION\n"
    with pytest.raises(GraderError, match=reason):
        released(solution + source)


def test_lines_that_students_write() -> None:
    """Where a starter is given all lines may be changed, and only the solution is kept from students."""
    source = "a = 0\n### BEGIN SOLUTION\nf = 2\n### END SOLUTION\n### BEGIN STARTER\n# f = 1\n### END STARTER\ng = f"
    assert DEFAULT_STEPS.solution_lines(source) == {2, 3, 4}
    assert DEFAULT_STEPS.written_lines(source) == {1, 2, 3, 4, 8}
    plain = source.replace("STARTER", "NOTE")
    assert DEFAULT_STEPS.written_lines(plain) == {2, 3, 4}
