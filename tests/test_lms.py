"""The room `lms`: lists of students, totals, and what Canvas and Moodle read."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shlex
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook
from nbgrader.plugins.export import CsvExportPlugin
from sqlalchemy.exc import SAWarning

from tensorgrade.cli import commands
from tensorgrade.course import Course
from tensorgrade.errors import TensorgradeError, UsageError
from tensorgrade.hub.courses import read_courses
from tensorgrade.lms.canvas import fill_template, read_template
from tensorgrade.lms.enrol import enrol
from tensorgrade.lms.files import Table, canvas_table, csv_table, harmless, moodle_table
from tensorgrade.lms.grades import Grade, State, read_grades
from tensorgrade.lms.keys import public_keys, tool_key
from tensorgrade.lms.launch import Services, write_services
from tensorgrade.lms.listing import read_listing
from tensorgrade.lms.people import Person, checked, read_people, user_of, write_people
from tests.lms_platform import Member, Platform

FORMULA = '=HYPERLINK("http://example.org","x")'
SIGN_IN = """
[lti]
issuer = "{issuer}"
client_id = "tool-client-1"
authorize_url = "{issuer}/authorize"
jwks_url = "{issuer}/keys"
token_url = "{issuer}/token"
"""
COURSES = '[dl101]\ntitle = "T"\nfolder = "."\ninstructors = ["iris"]\nstudents = ["zoe"]\n'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course directory whose gradebook has a student of each kind."""
    root = tmp_path_factory.mktemp("filled")
    config = 'from tensorgrade.gradebook import configure\nc = get_config()\nc.CourseDirectory.course_id = "dl101"\n'
    (root / "nbgrader_config.py").write_text(config + "configure(c)\n")
    (root / "hub_config").mkdir()
    (root / "hub_config" / "courses.toml").write_text(COURSES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        gradebook = Gradebook(f"sqlite:///{root / 'gradebook.db'}", "dl101")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # nbgrader's own
        _fill(gradebook)
    gradebook.close()
    return root


def _fill(gradebook: Gradebook) -> None:
    for name in ("attention", "convolution"):
        gradebook.add_assignment(name)
        gradebook.add_notebook("p", name)
        gradebook.add_grade_cell("auto", "p", name, max_score=6, cell_type="code")
        gradebook.add_grade_cell("byhand", "p", name, max_score=4, cell_type="markdown")
    gradebook.add_student("ada", first_name="Ada", last_name="Lovelace", email="Ada@Example.edu", lms_user_id="sub-ada")
    gradebook.add_student("bob", first_name="Bob", last_name="Ross", email="bob@example.edu", lms_user_id="sub-bob")
    gradebook.add_student("chloe", first_name="Chloé", last_name='O"Neil; Ö', email="chloe@example.edu")
    gradebook.add_student("dan", first_name=FORMULA, last_name="@Dan", email="dan@example.edu", lms_user_id="sub-dan")
    for user, auto, by_hand, late in (("ada", 5.5, 4.0, 1.25), ("bob", 6.0, None, 0.0), ("dan", 1.0, 0.0, 3.0)):
        submission = gradebook.add_submission("attention", user)
        gradebook.find_grade("auto", "p", "attention", user).auto_score = auto
        gradebook.find_grade("auto", "p", "attention", user).needs_manual_grade = False
        hand = gradebook.find_grade("byhand", "p", "attention", user)
        hand.manual_score, hand.needs_manual_grade = by_hand, by_hand is None
        submission.notebooks[0].late_submission_penalty = late
    gradebook.db.commit()


@pytest.fixture
def course(filled: Path, tmp_path: Path) -> Course:
    """A copy that a test may change."""
    shutil.copytree(filled, tmp_path / "course")
    return Course.at(tmp_path / "course")


@dataclass
class Done:
    """What a command ended with."""

    returncode: int
    stdout: str
    stderr: str
    output: str


def run(course: Course, *arguments: str) -> Done:
    """A command in the course directory; in this process, because nbgrader takes two seconds to be imported."""
    with contextlib.chdir(course.root):
        result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    if isinstance(result.exception, TensorgradeError):
        said = str(result.exception)
        code = 2 if isinstance(result.exception, UsageError) else 1
        return Done(code, result.stdout, said, f"{result.output}tensorgrade: {said}\n")
    if result.exception:
        raise result.exception
    return Done(int(result.return_value), result.stdout, result.stderr, result.output)


def read(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """A file as another program reads it."""
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


# Totals


def test_totals_are_those_of_nbgrader(course: Course, tmp_path: Path) -> None:
    """What is graded has the total of nbgrader's own exporter: manual points in, late penalty off, not below 0."""
    exporter = CsvExportPlugin(assignment=["attention"], to=str(tmp_path / "theirs.csv"))
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}", "dl101") as gradebook:
        for student in gradebook.students:
            student.last_name = student.first_name = ""  # nbgrader quotes nothing
        exporter.export(gradebook)
    theirs = {row["student_id"]: float(row["score"]) for row in read((tmp_path / "theirs.csv").read_text())}
    ours = {grade.person.user: grade.points for grade in read_grades(course, ["attention"])}
    assert ours == {"ada": theirs["ada"], "bob": None, "chloe": None, "dan": theirs["dan"]}
    assert (theirs["ada"], theirs["dan"]) == (8.25, 0)


def test_an_assignment_that_is_not_there_is_named(course: Course) -> None:
    """A typing error is answered with the names that there are."""
    with pytest.raises(UsageError, match=r"atention: the gradebook has no such assignment. It has: attention, convolu"):
        read_grades(course, ["atention"])


# Files


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝", "＋", "－", "＠"])
def test_a_formula_becomes_text(start: str) -> None:
    """A cell that a spreadsheet would compute begins with an apostrophe; other cells stay as they are."""
    assert harmless(f"{start}1+1") == f"'{start}1+1"
    assert harmless(f"a{start}1") == f"a{start}1"


def test_csv_can_be_read_back(course: Course) -> None:
    """Each student and assignment has a line; quotes, separators and accents survive; no points where none are."""
    rows = read(csv_table(read_grades(course)).text())
    assert len(rows) == 8
    by_user = {row["student"]: row for row in rows if row["assignment"] == "attention"}
    assert by_user["chloe"]["last_name"] == 'O"Neil; Ö'
    assert by_user["dan"]["first_name"] == f"'{FORMULA}"
    assert [by_user[user]["points"] for user in ("ada", "bob", "chloe", "dan")] == ["8.25", "", "", "0"]
    assert [by_user[user]["state"] for user in ("ada", "bob", "chloe")] == [
        "graded",
        "waits for staff",
        "no submission",
    ]
    assert (by_user["ada"]["late_penalty"], by_user["ada"]["max_points"]) == ("1.25", "10")


def moodle_imports(text: str, known: dict[str, str], *, new_item: bool) -> dict[str, float | None]:
    """What Moodle does with the file, by user: gives up at whom it does not know; `-` is no grade, nothing is 0.

    Source: `prepare_import_grade_data`, `update_grade_item` and `import_new_grade_item` in Moodle's
    `grade/import/csv/classes/load_data.php`, and `normalise_value` of its databases.
    """
    grades: dict[str, float | None] = {}
    for row in csv.reader(io.StringIO(text, newline="")):
        if row[0] in ("Email address", "ID number", "Username"):
            continue
        assert row[0] in known, f"user mapping error, {row[0]}: the whole import is given up"
        value = row[-1].strip()
        grades[known[row[0]]] = None if value == "-" else (0 if new_item else None) if value == "" else float(value)
    return grades


def test_moodle_imports_what_is_graded(course: Course) -> None:
    """Moodle finds everybody in the file, by an e-mail with its capitals; nobody gets a 0 or loses a grade."""
    table = moodle_table(read_grades(course, ["attention"]), "email")
    known = {"Ada@Example.edu": "ada", "bob@example.edu": "bob", "chloe@example.edu": "chloe", "dan@example.edu": "dan"}
    assert table.rows[0] == ("Email address", "First name", "Last name", "attention")
    for new_item in (True, False):
        assert moodle_imports(table.text(), known, new_item=new_item) == {"ada": 8.25, "dan": 0}
    assert table.notes == (
        "attention: waits for staff, so no points: bob",
        "attention: no submission, so no points: chloe",
    )


def test_moodle_gets_no_zero_for_a_second_assignment(course: Course) -> None:
    """Where one of several assignments has no grade, Moodle reads its own word for that."""
    table = moodle_table(read_grades(course), "email")
    known = {"Ada@Example.edu": "ada", "dan@example.edu": "dan"}
    assert moodle_imports(table.text(), known, new_item=True) == {"ada": None, "dan": None}


def grade(user: str, points: float = 3, most: float = 10, **more: str) -> Grade:
    """A grade of somebody."""
    return Grade(Person(user, **more), "attention", State.GRADED, points, 0, most)


def test_moodle_leaves_out_who_cannot_be_found() -> None:
    """Without the key, or with one that is a formula, somebody is named and the others are imported."""
    grades = [grade("ada", id_number="17"), grade("bob"), grade("eve", id_number="=1+1")]
    table = moodle_table(grades, "id_number")
    assert [row[0] for row in table.rows] == ["ID number", "17"]
    assert [note.split(":")[0] for note in table.notes] == ["bob", "eve"]


def test_moodle_refuses_two_with_one_key() -> None:
    """One grade would overwrite the other's."""
    with pytest.raises(UsageError, match=r"ada and bob have the same email address, x@example.edu"):
        moodle_table([grade("ada", email="x@example.edu"), grade("bob", email="x@example.edu")], "email")


def test_moodle_is_told_of_many_points() -> None:
    """Moodle refuses more than 100 points, unless it is set up for that."""
    assert "gives 120 points" in moodle_table([grade("ada", most=120, email="x@example.edu")], "email").notes[0]


def canvas_imports(text: str, people: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    """What Canvas has afterwards, by SIS login ID.

    Args:
        text: the file.
        people: SIS login IDs by Canvas's ID.
        before: grades that Canvas has, by SIS login ID.

    Source: Canvas's `lib/gradebook_importer.rb`: the header, the lines that are not about students, how a
    student is found, and that an empty cell takes away the grade that was there.
    """
    delimiter = ";" if text.splitlines()[0].count(";") > text.splitlines()[0].count(",") else ","
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    assert len(header) > 3
    assert "Student" in header[0]
    assert "ID" in header[1]
    assert (header[2], header[3], header[4]) == ("SIS User ID", "SIS Login ID", "Section")
    after = dict(before)
    for row in rows:
        if "Points Possible" in row[0] or all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell) for cell in row):
            continue
        login = people.get(row[1]) or next((one for one in people.values() if one == row[3]), None)
        assert login, f"{row}: Canvas would ask who that is"
        after[login] = row[5].strip()
    return {login: value for login, value in after.items() if value}


def test_canvas_imports_a_new_column(course: Course) -> None:
    """Without a file of Canvas's, people are found by their login; the points of the column are in the second line."""
    table = canvas_table(read_grades(course, ["attention"]), {"attention": "Attention, week 3"})
    assert table.rows[0][-1] == "Attention, week 3"
    assert table.rows[1] == ("    Points Possible", "", "", "", "", "10")
    people = {"1": "ada", "2": "bob", "3": "chloe", "4": "dan"}
    assert canvas_imports(table.text(), people, {}) == {"ada": "8.25", "dan": "0"}


TEMPLATE = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Attention (77),Convolution (78),Final Score
    Points Possible,,,,,10,10,(read only)
,,,,,Manual Posting,,
"Lovelace, Ada",1,U-1,ADA,DL101,2,9,50
"Ross, Bob",2,U-2,bob@example.edu,DL101,7,,50
"O""Neil, Chloé",3,U-3,chloe,DL101,4,,50
"=cmd, Dan",4,U-4,dan,"DL101, DL102",,,50
"Student, Test",5,,f00,DL101,,,
"""


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_canvas_gets_its_own_file_back(course: Course, tmp_path: Path, delimiter: str) -> None:
    """Our points are filled in, a grade that we do not have stays as Canvas has it, other assignments are left out."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(csv.reader(io.StringIO(TEMPLATE)))
    (tmp_path / "grades.csv").write_text(file.getvalue(), newline="")
    template = read_template(tmp_path / "grades.csv")
    table = fill_template(template, read_grades(course, ["attention"]), {})
    assert table.rows[0] == ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Attention (77)")
    people = {"1": "ada", "2": "bob", "3": "chloe", "4": "dan", "5": "f00"}
    before = {"ada": "2", "bob": "7", "chloe": "4"}
    after = canvas_imports(table.text(delimiter), people, before)
    assert after == {"ada": "8.25", "bob": "7", "chloe": "4", "dan": "0"}
    assert table.rows[6][0] == "'=cmd, Dan"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("Attention (77)", "Attend (77)"), r"expected one column 'attention', found 0 .*--title attention="),
        ((",,,,,10,", ",,,,,100,"), r"Canvas gives 100 points, the gradebook 10"),
        (("Section", "Class"), "expected Canvas's columns"),
        (("dan,", "ada,"), "two lines are about ada"),
    ],
)
def test_a_file_of_canvas_that_does_not_fit(
    course: Course, tmp_path: Path, change: tuple[str, str], reason: str
) -> None:
    """A column that is missing, other points, or another file are refused: a wrong grade is worse than none."""
    (tmp_path / "grades.csv").write_text(TEMPLATE.replace(*change))
    with pytest.raises(UsageError, match=reason):
        fill_template(read_template(tmp_path / "grades.csv"), read_grades(course, ["attention"]), {})


def test_who_is_not_in_canvas_is_named(course: Course, tmp_path: Path) -> None:
    """A grade that finds no line in Canvas's file is told."""
    (tmp_path / "grades.csv").write_text(TEMPLATE.replace('"Lovelace, Ada",1,U-1,ADA,DL101,2,9,50\n', ""))
    table = fill_template(read_template(tmp_path / "grades.csv"), read_grades(course, ["attention"]), {})
    assert "ada: not in grades.csv, so the grade is not in the result" in table.notes


def test_export_writes_files(course: Course) -> None:
    """The command writes what the importers read, and names on standard error who has no grade."""
    (course.root / "canvas.csv").write_text(TEMPLATE)
    done = run(course, "export", "attention", "--to", "canvas", "--template", "canvas.csv", "-o", "import.csv")
    assert (done.returncode, done.stdout) == (0, "")
    assert "attention: waits for staff, so no points: bob" in done.stderr
    assert read((course.root / "import.csv").read_text())[2]["Attention (77)"] == "8.25"
    done = run(course, "export", "attention", "--to", "moodle")
    assert done.stdout.splitlines()[1] == "Ada@Example.edu,Ada,Lovelace,8.25"
    done = run(course, "export", "--to", "moodle", "--key", "idnumber")
    assert done.returncode == 2
    assert "--roster" in done.stderr


# Lists of students

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section
    Points Possible,,,,
"Lovelace, Ada",1,U-1,ADA,DL
"Student, Test",,,,
"""
MOODLE = "First name;Surname;ID number;Email address;Username\nAda;Lovelace;U-1;Ada@Example.edu;ada\n"


@pytest.mark.parametrize(
    ("text", "person"),
    [
        (CANVAS, Person("ada", "", "Ada", "Lovelace", "U-1")),
        (MOODLE, Person("ada", "Ada@Example.edu", "Ada", "Lovelace", "U-1")),
        (
            "\ufeffusername\te-mail\tname\nada\tada@x.edu\tAda King Lovelace\n\n",
            Person("ada", "ada@x.edu", "Ada King", "Lovelace"),
        ),
    ],
    ids=["canvas", "moodle", "tabs"],
)
def test_exports_of_an_lms_can_be_read(tmp_path: Path, text: str, person: Person) -> None:
    """The lists that Canvas and Moodle export, and one from a spreadsheet, are read without being edited."""
    (tmp_path / "list.csv").write_text(text)
    assert read_listing(tmp_path / "list.csv") == (person,)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ["it is empty"]),
        ("username\n", ["nobody is in it"]),
        ("email\nx@x.edu\n", [":1: no column has the user names"]),
        ("username,login\nada,ada\n", [":1: both 'username' and 'login' could be user"]),
        (
            "username,email\nada,ada@x.edu\n,bob@x.edu\n../x,a@x.edu\nada,b@x.edu\neve,eve\n",
            [":3: the user name is missing", ":4: user '../x'", ":5: ada is in line 2 already", ":6: e-mail 'eve'"],
        ),
        ('username\n"ada\n', [": not a line of a CSV file"]),
    ],
)
def test_a_wrong_list_is_told_line_by_line(tmp_path: Path, text: str, reasons: list[str]) -> None:
    """Every wrong line is named at once, and nobody is taken."""
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_listing(tmp_path / "list.csv")
    for reason in reasons:
        assert reason in str(caught.value)


def test_a_list_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """A name would be another one: the sentence says how to save it."""
    (tmp_path / "list.csv").write_bytes("username,surname\nada,Öz\n".encode("latin-1"))
    with pytest.raises(UsageError, match="expected UTF-8"):
        read_listing(tmp_path / "list.csv")


def test_the_list_keeps_what_it_was_given(tmp_path: Path) -> None:
    """What is written is read again, whatever the names are."""
    people = (Person("ada", "Ada@X.edu", 'A, "d', "Ł", "=1", "SUB"), Person("bob"))
    write_people(tmp_path / "roster" / "dl101.csv", reversed(people))
    assert read_people(tmp_path / "roster" / "dl101.csv") == people
    assert (tmp_path / "roster" / "dl101.csv").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("char", ["\n", "\r", "\0", "\u2028", "\x1b"])
def test_names_are_one_line(char: str) -> None:
    """What would break a line or steer a terminal is refused; a joiner or a hard space belongs to a name."""
    with pytest.raises(ValueError, match="without line breaks and control characters"):
        checked(Person("ada", last_name=f"a{char}b"))
    assert checked(Person("ada", last_name="می\u200cخواهم\u00a0X")).user == "ada"


def test_the_name_on_the_hub_is_stable() -> None:
    """The name comes from issuer and subject, tells capitals, and is none that a person could have chosen."""
    names = {user_of("https://a", "x"), user_of("https://a", "X"), user_of("https://b", "x"), user_of("https://ax", "")}
    assert len(names) == 4
    assert all(re.fullmatch("lti-[0-9a-f]{20}", name) for name in names)
    assert user_of("https://lms.example.edu", "7") == "lti-fff19844676b5d4c0d16"  # sha256sum


def test_enrol_keeps_who_is_gone(course: Course) -> None:
    """New people are added, changed ones changed, absent ones keep their grades; what is unknown stays."""
    change = enrol(course, [Person("ada", last_name="King"), Person("zoe", email="zoe@x.edu"), Person("bob")])
    assert (change.added, change.changed, change.absent) == (("zoe",), ("ada",), ("chloe", "dan"))
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}", "dl101") as gradebook:
        ada = gradebook.find_student("ada")
        assert (ada.last_name, ada.first_name, ada.lms_user_id) == ("King", "Ada", "sub-ada")
        assert gradebook.find_submission("attention", "dan").score == 1


def test_an_assignment_without_points_is_not_sent(course: Course) -> None:
    """An LMS takes no column of 0 points: the sentence comes before anything is asked of it."""
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}", "dl101") as gradebook:
        gradebook.add_assignment("survey")
    done = run(course, "passback", "survey")
    assert (done.returncode, done.stderr) == (2, "survey gives no points, so there is nothing to send")


def test_roster_import(course: Course) -> None:
    """The command fills the hub's list and the gradebook; who is gone is named; staff are left out."""
    (course.root / "list.csv").write_text("username,email\nada,ada@x.edu\nnew,new@x.edu\niris,iris@x.edu\n")
    done = run(course, "roster", "import", "list.csv")
    assert done.returncode == 0, done.stderr
    assert "dl101: 2 students: 1 new, 1 changed." in done.stdout
    assert "iris is staff of dl101: left out" in done.stderr
    assert "bob is not in the list. The gradebook keeps the grades" in done.stderr
    [hub_course] = read_courses(course.root / "hub_config" / "courses.toml")
    assert hub_course.students == ("zoe", "ada", "new")
    done = run(course, "roster", "import", "list.csv")
    assert "2 students: 0 new, 0 changed." in done.stdout


def test_a_wrong_list_changes_nothing(course: Course) -> None:
    """One wrong line, or a list of another course, leaves the list and the gradebook as they were."""
    (course.root / "list.csv").write_text("username\nada\nbob\nchloe\n")
    assert run(course, "roster", "import", "list.csv").returncode == 0
    before = (course.root / "gradebook.db").read_bytes()
    for text, reason in (
        ("username\nada\n../x\n", "list.csv:3: user '../x'"),
        ("username\neve\n", "is it the right one?"),
    ):
        (course.root / "list.csv").write_text(text)
        done = run(course, "roster", "import", "list.csv")
        assert done.returncode == 2
        assert reason in done.stderr
        assert [person.user for person in read_people(course.root / "hub_config/roster/dl101.csv")] == [
            "ada",
            "bob",
            "chloe",
        ]
        assert (course.root / "gradebook.db").read_bytes() == before
    assert run(course, "roster", "import", "list.csv", "--force").returncode == 0


def test_tables_are_files_of_rfc_4180() -> None:
    """Lines end with CR LF, and a cell with a separator, a quote or a line end is quoted."""
    assert Table((("a,b", 'c"d'), ("e\nf", "g"))).text() == '"a,b","c""d"\r\n"e\nf",g\r\n'


# The guide

GUIDE = (Path(__file__).parents[1] / "docs" / "lms.md").read_text(encoding="utf-8")
FILES = ("participants.csv", "wrong.csv", "Grades-DL101.csv")


@pytest.fixture
def platform(course: Course, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """An LMS that somebody has come from."""
    with Platform() as served:
        served.redirect_uris = {"http://127.0.0.1/hub/x"}
        served.members = [
            Member("sub-ada", "Learner", "Ada@Example.edu", "Ada", "Lovelace"),
            Member("sub-dan", "Learner", "dan@example.edu", "Dan", "D"),
        ]
        table = SIGN_IN.format(issuer=served.issuer)
        (course.root / "hub_config" / "sign_in.toml").write_text(table)
        state = course.root / "state"
        monkeypatch.setenv("TENSORGRADE_HUB_STATE", str(state))
        served.tool_keys = lambda: public_keys(tool_key(state / "lms-key.pem"))
        write_services(state / "lms" / "dl101.json", Services.of(served.claims(served.members[0], "nonce")))
        yield served


def test_the_guide_is_true(course: Course, platform: Platform, filled: Path) -> None:
    """Each command of docs/lms.md prints what stands there."""
    for name, text in zip(FILES, re.findall(r"^```csv\n(.*?)^```$", GUIDE, re.M | re.S), strict=True):
        (course.root / name).write_text(text)
    for section in re.split(r"^##+ ", GUIDE, flags=re.M):
        wanted = "".join(re.findall(r"^```console\n(.*?)^```$", section, re.M | re.S))
        shutil.copy(filled / "gradebook.db", course.root)
        shutil.rmtree(course.root / "hub_config" / "roster", ignore_errors=True)
        with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
            database.execute("update student set first_name = 'Dan', last_name = 'Brown' where id = 'dan'")
            database.execute("update student set last_name = 'O''Neil' where id = 'chloe'")
        if "roster sync" in wanted:
            (course.root / "gradebook.db").unlink()  # nobody is there yet
        said = ""
        for line in wanted.splitlines():
            if line.startswith("$ tensorgrade "):
                done = run(course, *shlex.split(line.removeprefix("$ tensorgrade ")))
                said += f"{line}\n{done.output}"
        assert said == wanted
