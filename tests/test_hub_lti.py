"""Sign-in from a learning management system: real launches through a hub that runs, against a strict platform."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from nbgrader.api import Gradebook
from oauthenticator.generic import GenericOAuthenticator
from playwright.sync_api import expect, sync_playwright
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from tensorgrade.course import Course
from tensorgrade.errors import UsageError
from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.lti_handlers import LEEWAY
from tensorgrade.hub.ways_in import configure_way_in, read_way_in
from tensorgrade.lms.people import user_of
from tests.lms_platform import CLAIM, Member, Platform
from tests.test_browser import ARGUMENTS
from tests.test_hub_running import SECONDS, free_ports
from tests.test_lms import Done, run

ROOT = Path(__file__).parents[1]
COURSES = """
[dl101]
title = "Deep learning"
folder = "courses/dl101"
instructors = ["iris"]
tas = ["tom", "{appointed}"]
lms_context = "context-42"

[ml1]
title = "Machine learning"
folder = "courses/ml1"
instructors = ["ivo"]
lms_context = "context-7"
"""
SIGN_IN = """
[lti]
issuer = "{issuer}"
client_id = "tool-client-1"
authorize_url = "{outside}/authorize"
jwks_url = "{issuer}/keys"
token_url = "{issuer}/token"
deployments = ["deployment-1"]
"""


@dataclass
class Hub:
    """A hub that runs, and the platform that knows it."""

    platform: Platform
    state: Path
    address: str
    passwords: dict[str, str]

    def groups(self, subject: str) -> set[str]:
        """The groups of somebody who came from the platform, from the hub's database."""
        return self.groups_of_user(user_of(self.platform.issuer, subject))

    def groups_of_user(self, name: str) -> set[str]:
        """A user's groups."""
        query = """select groups.name from groups join user_group_map on groups.id = group_id
            join users on users.id = user_id where users.name = ?"""
        with sqlite3.connect(f"file:{self.state / 'hub.sqlite'}?mode=ro", uri=True) as database:
            return {row[0] for row in database.execute(query, [name])}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """The LMS, with somebody for each role."""
    with Platform() as served:
        served.members = [
            Member("Ada-1", "Learner", "Ada@Example.edu", "Ada", "Lovelace"),
            Member("tom-1", "TeachingAssistant", "tom@example.edu", "Tom", "Kilburn"),
            Member("iris-1", "Instructor", "iris@example.edu", "Iris", "Murdoch"),
            Member("mona-1", "Mentor"),
            Member("flip-1", "Learner"),
            Member("eve-1", "Learner"),
            Member("mo-1", "Learner"),
        ]
        yield served


@contextlib.contextmanager
def running(port: int, files: dict[str, str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """A hub with these files in the place of those in hub_config; gives its folder and the first passwords."""
    folder = Path(tempfile.mkdtemp(prefix="lti-", dir="/tmp"))
    folder.chmod(0o711)
    config, state, said = folder / "config", folder / "state", folder / "said.txt"
    shutil.copytree(ROOT / "hub_config", config)
    for name, text in files.items():
        (config / name).write_text(text)
        (config / name).chmod(0o600)
    state.mkdir(mode=0o711)
    command = [sys.executable, "-m", "tensorgrade", "hub", str(config), "--state", str(state), "--port", str(port)]
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    try:
        while "Ctrl-C" not in said.read_text():
            assert process.poll() is None, said.read_text() + (state / "hub.log").read_text()[-3000:]
            time.sleep(0.2)
        yield folder, dict(line.split() for line in said.read_text().splitlines() if line.startswith("  "))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def hub(platform: Platform) -> Iterator[Hub]:
    """One hub for all tests here."""
    port = free_ports()
    address = f"http://127.0.0.1:{port}"
    platform.redirect_uris = {f"{address}/hub/lti13/oauth_callback"}
    outside = platform.issuer.replace("127.0.0.1", "localhost")
    files = {
        "courses.toml": COURSES.replace("{appointed}", user_of(platform.issuer, "mo-1")),
        "sign_in.toml": SIGN_IN.format(issuer=platform.issuer, outside=outside),
    }
    with running(port, files) as (folder, passwords):
        time.sleep(LEEWAY)  # a launch from before the start is refused
        yield Hub(platform, folder / "state", address, passwords)


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """Keeps cookies, as browsers do."""
    with httpx.Client(timeout=30, headers={"User-Agent": "Mozilla/5.0"}) as client:
        yield client


@pytest.mark.parametrize(
    ("subject", "groups"),
    [
        ("Ada-1", {"nbgrader-dl101"}),
        ("tom-1", {"formgrade-dl101"}),  # Canvas calls a TA an instructor too
        ("iris-1", {"formgrade-dl101", "instructors-dl101"}),
        ("mo-1", {"formgrade-dl101"}),  # a TA by courses.toml; Moodle calls non-editing teachers students
    ],
)
def test_a_launch_signs_in_with_the_groups_of_the_role(
    hub: Hub, browser: httpx.Client, subject: str, groups: set[str]
) -> None:
    """The role in the LMS's course is the role here, and nobody is admin."""
    answer = hub.platform.launch(browser, subject)
    assert answer.status_code == 302, answer.text
    home = browser.get(f"{hub.address}/hub/home", follow_redirects=True)
    assert home.status_code == 200
    assert user_of(hub.platform.issuer, subject) in home.text
    assert hub.groups(subject) == groups
    with sqlite3.connect(hub.state / "hub.sqlite") as database:
        assert database.execute("select count(*) from users where admin").fetchone() == (0,)


def test_a_real_browser_comes_from_another_site(hub: Hub) -> None:
    """Chromium keeps the launch's cookies although the form comes from another site, and shows the spawn page."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here. On Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as driver:
        page = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS)).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{hub.platform.issuer.replace('127.0.0.1', 'localhost')}/link?subject=Ada-1")
        page.get_by_role("button", name="Open the hub").click()
        page.wait_for_url(f"{hub.address}/hub/**")
        expect(page.get_by_text(user_of(hub.platform.issuer, "Ada-1"))).to_be_visible()
        page.goto(f"{hub.address}/hub/spawn")
        expect(page.get_by_label("CPU")).to_be_visible()


def test_promotion_and_demotion_follow_the_launch(hub: Hub) -> None:
    """Whoever becomes a TA has the TA's groups after the next launch, and loses them with the next after that."""
    member = next(one for one in hub.platform.members if one.subject == "flip-1")
    for role, groups in (
        ("Learner", {"nbgrader-dl101"}),
        ("TeachingAssistant", {"formgrade-dl101"}),
        ("Instructor", {"formgrade-dl101", "instructors-dl101"}),
        ("Learner", {"nbgrader-dl101"}),
        ("Mentor", set()),
    ):
        member.role = role
        with httpx.Client(timeout=30) as browser:
            status = hub.platform.launch(browser, "flip-1").status_code
        assert (status, hub.groups("flip-1")) == (403 if role == "Mentor" else 302, groups)


def test_another_course_is_not_lost(hub: Hub, browser: httpx.Client) -> None:
    """A launch sets the groups of its own course; those of another course stay."""
    assert hub.platform.launch(browser, "eve-1").status_code == 302
    hub.platform.next_claims = {f"{CLAIM}context": {"id": "context-7"}, f"{CLAIM}roles": ["Instructor"]}
    assert hub.platform.launch(browser, "eve-1").status_code == 302
    assert hub.groups("eve-1") == {"nbgrader-dl101", "formgrade-ml1", "instructors-ml1"}


def old(**changes: float) -> dict[str, Any]:
    """Times of a token, moved."""
    return {name: int(time.time() + seconds) for name, seconds in changes.items()}


REFUSED: dict[str, tuple[int, Callable[[], dict[str, Any]]]] = {
    "wrong audience": (401, lambda: {"aud": "somebody-else"}),
    "two audiences, none responsible": (400, lambda: {"aud": ["tool-client-1", "somebody-else"]}),
    "wrong issuer": (400, lambda: {"iss": "https://lms.example.org"}),
    "wrong nonce": (400, lambda: {"nonce": "0" * 64}),
    "no nonce": (400, lambda: {"nonce": None}),
    "expired": (400, lambda: old(iat=-400, exp=-100)),
    "no end": (400, lambda: {"exp": None}),
    "too old": (400, lambda: old(iat=-3600, exp=100)),
    "from the future": (400, lambda: old(iat=100, exp=400)),
    "not LTI 1.3": (400, lambda: {f"{CLAIM}version": "1.1.0"}),
    "no deployment": (400, lambda: {f"{CLAIM}deployment_id": None}),
    "other deployment": (403, lambda: {f"{CLAIM}deployment_id": "deployment-2"}),
    "nobody": (403, lambda: {"sub": None}),
    "unknown course": (403, lambda: {f"{CLAIM}context": {"id": "context-99"}}),
    "no course": (403, lambda: {f"{CLAIM}context": None}),
    "role in the institution only": (
        403,
        lambda: {f"{CLAIM}roles": ["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"]},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_launch_that_is_not_in_order_is_refused(hub: Hub, browser: httpx.Client, name: str) -> None:
    """What the standard forbids, or what is not from a course of this hub, signs nobody in."""
    hub.platform.members.append(Member(f"new-{name}", "Instructor"))
    status, claims = REFUSED[name]
    hub.platform.next_claims = claims()
    answer = hub.platform.launch(browser, f"new-{name}")
    assert answer.status_code == status, answer.text
    assert hub.groups(f"new-{name}") == set()
    assert browser.get(f"{hub.address}/hub/api/user").status_code in (401, 403)


def test_an_unknown_course_is_told_clearly(hub: Hub, browser: httpx.Client) -> None:
    """The page says that the course is not there, and what the operator writes to add it."""
    hub.platform.next_claims = {f"{CLAIM}context": {"id": "context-99"}}
    text = hub.platform.launch(browser, "iris-1").text
    assert "This course is not on this hub yet" in text
    assert "context-99" in text


def test_a_forged_key_is_refused(hub: Hub, browser: httpx.Client) -> None:
    """A token that the platform has not signed is none."""
    hub.platform.next_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert hub.platform.launch(browser, "iris-1").status_code == 400


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_another_algorithm_is_refused(hub: Hub, browser: httpx.Client, algorithm: str) -> None:
    """A token that names another algorithm than the platform's is refused, also one that needs no private key."""
    fields = hub.platform.begin(browser, "iris-1")
    claims = jwt.decode(fields["id_token"], options={"verify_signature": False})
    secret = None if algorithm == "none" else "a public key is no secret, whatever its length may be"
    forged = jwt.encode(claims, secret, algorithm, headers={"kid": hub.platform.kid})
    answer = browser.post(next(iter(hub.platform.redirect_uris)), data={**fields, "id_token": forged})
    assert answer.status_code == 400


def test_a_launch_is_used_once(hub: Hub, browser: httpx.Client) -> None:
    """The same form a second time is refused: without the cookies, and with all of them kept."""
    fields = hub.platform.begin(browser, "iris-1")
    [callback] = hub.platform.redirect_uris
    cookies = httpx.Cookies(browser.cookies)
    assert browser.post(callback, data=fields).status_code == 302
    assert httpx.post(callback, data=fields).status_code == 400
    again = httpx.post(callback, data=fields, cookies=cookies)
    assert again.status_code == 400
    assert "used before" in again.text


def test_a_launch_of_another_browser_is_refused(hub: Hub, browser: httpx.Client) -> None:
    """Nobody can be signed in as somebody else by a form that was begun elsewhere."""
    with httpx.Client() as other:
        fields = hub.platform.begin(other, "iris-1")
    hub.platform.begin(browser, "Ada-1")
    assert browser.post(next(iter(hub.platform.redirect_uris)), data=fields).status_code == 400


@pytest.mark.parametrize("change", [{"iss": "https://lms.example.org"}, {"client_id": "another"}])
def test_another_platform_cannot_begin(hub: Hub, change: dict[str, str]) -> None:
    """A launch that another LMS begins ends at once."""
    begin = {
        "iss": hub.platform.issuer,
        "login_hint": "Ada-1",
        "target_link_uri": hub.address,
        "client_id": "tool-client-1",
    }
    answer = httpx.get(f"{hub.address}/hub/lti13/oauth_login", params={**begin, **change})
    assert answer.status_code == 400


def test_a_launch_leads_nowhere_else(hub: Hub, browser: httpx.Client) -> None:
    """The address to open after a launch stays on this hub."""
    for target in ("https://evil.example.org/hub/x", "//evil.example.org/", "https:evil.example.org"):
        begin = {"iss": hub.platform.issuer, "login_hint": "Ada-1", "client_id": "tool-client-1"}
        start = browser.get(f"{hub.address}/hub/lti13/oauth_login", params={**begin, "target_link_uri": target})
        form = browser.get(start.headers["Location"]).text
        token, state = (form.split(f'name="{name}" value="')[1].split('"')[0] for name in ("id_token", "state"))
        answer = browser.post(next(iter(hub.platform.redirect_uris)), data={"id_token": token, "state": state})
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/")
        assert not answer.headers["Location"].startswith("//")


def test_staff_can_use_their_password(hub: Hub, browser: httpx.Client) -> None:
    """Those whom courses.toml names have a password beside the LMS, and the groups of the file."""
    assert set(hub.passwords) == {"iris", "tom", "ivo"}
    page = browser.get(f"{hub.address}/hub/login")
    assert "from your course in the learning management system" in page.text
    form = {"username": "tom", "password": hub.passwords["tom"], "_xsrf": browser.cookies["_xsrf"]}
    answer = browser.post(f"{hub.address}/hub/login", data=form)
    assert answer.status_code == 302, answer.text
    assert hub.groups_of_user("tom") == {"formgrade-dl101"}


def test_nobody_from_the_lms_has_a_password(hub: Hub, browser: httpx.Client) -> None:
    """The name of somebody who launches opens nothing on the page for passwords."""
    browser.get(f"{hub.address}/hub/login")
    name = user_of(hub.platform.issuer, "iris-1")
    form = {"username": name, "password": "", "_xsrf": browser.cookies["_xsrf"]}
    assert browser.post(f"{hub.address}/hub/login", data=form).status_code != 302
    assert browser.get(f"{hub.address}/hub/signup").status_code == 404


def test_what_a_launch_said_is_kept_in_secret(hub: Hub, browser: httpx.Client) -> None:
    """The database holds no e-mail address in clear, and no other account can read the keys."""
    hub.platform.launch(browser, "Ada-1")
    with sqlite3.connect(hub.state / "hub.sqlite") as database:
        name = user_of(hub.platform.issuer, "Ada-1")
        [kept] = database.execute("select encrypted_auth_state from users where name = ?", [name]).fetchone()
    assert kept
    assert b"xample" not in kept
    for file in ("crypt_key", "lms-key.pem", "lms/dl101.json"):
        assert (hub.state / file).stat().st_mode & 0o077 == 0
    services = json.loads((hub.state / "lms" / "dl101.json").read_text())
    assert services["members"] == f"{hub.platform.issuer}/course/members"


def test_the_public_key_can_be_had(hub: Hub) -> None:
    """The LMS reads our key set without signing in, and finds nothing private in it."""
    [key] = httpx.get(f"{hub.address}/hub/lti13/jwks.json").json()["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)
    assert os.environ.get("JUPYTERHUB_CRYPT_KEY") is None


def command(hub: Hub, *arguments: str) -> Done:
    """A command of the operator, in a course directory beside the hub's state."""
    folder = hub.state.parent / "course"
    if not folder.exists():
        folder.mkdir()
        settings = (
            'from tensorgrade.gradebook import configure\nc = get_config()\nc.CourseDirectory.course_id = "dl101"\n'
        )
        (folder / "nbgrader_config.py").write_text(settings + "configure(c)\n")
    return run(Course.at(folder), *arguments, "--hub", str(hub.state.parent / "config"), "--state", str(hub.state))


def test_grades_go_back_to_where_people_came_from(hub: Hub, browser: httpx.Client) -> None:
    """After one launch the commands know the LMS: they read who is there, and send the grades, with the hub's key."""
    assert hub.platform.launch(browser, "Ada-1").status_code == 302
    hub.platform.complaints.clear()
    hub.platform.tool_keys = lambda: dict(httpx.get(f"{hub.address}/hub/lti13/jwks.json").json())
    done = command(hub, "roster", "sync")
    assert done.returncode == 0, done.stderr
    name = user_of(hub.platform.issuer, "Ada-1")
    [course, _] = read_courses(hub.state.parent / "config" / "courses.toml")
    assert name in course.students
    give_points(hub.state.parent / "course" / "gradebook.db", name)
    done = command(hub, "passback", "attention", "--dry-run")
    assert (done.returncode, hub.platform.items) == (0, {}), done.stderr
    assert "1 to send" in done.stdout
    done = command(hub, "passback", "attention")
    assert done.returncode == 0, done.stderr
    assert "Ada Lovelace" in done.stdout
    assert hub.platform.items[1].scores["Ada-1"]["scoreGiven"] == 4.5
    assert "1 the LMS has it" in command(hub, "passback", "attention").stdout
    assert hub.platform.complaints == []


def give_points(database: Path, user: str) -> None:
    """One graded submission, in nbgrader's own way."""
    with warnings.catch_warnings(), Gradebook(f"sqlite:///{database}", "dl101") as gradebook:
        warnings.simplefilter("ignore", SAWarning)  # nbgrader's own
        gradebook.add_assignment("attention")
        gradebook.add_notebook("p", "attention")
        gradebook.add_grade_cell("attend", "p", "attention", max_score=5, cell_type="code")
        gradebook.add_submission("attention", user)
        grade = gradebook.find_grade("attend", "p", "attention", user)
        grade.auto_score, grade.needs_manual_grade = 4.5, False
        gradebook.db.commit()


# sign_in.toml

LTI = SIGN_IN.format(issuer="https://lms.example.edu", outside="https://lms.example.edu")
OAUTH = """
[oauth]
client_id = "hub"
client_secret_file = "secret"
authorize_url = "https://login.example.edu/authorize"
token_url = "https://login.example.edu/token"
userdata_url = "https://login.example.edu/userinfo"
username_claim = "preferred_username"
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[ldap]", r"\[ldap\]: expected one of the tables \[passwords\], \[lti\], \[oauth\]"),
        ("[passwords]\n" + LTI, "expected one table, got 2"),
        ("", "expected one table, got 0"),
        (LTI.replace("issuer = ", "# "), r"\[lti\]: issuer is missing"),
        (LTI.replace("jwks_url = ", "jwk_url = "), "unknown key jwk_url"),
        (LTI.replace("https://", "http://"), "authorize_url: .* expected an https address"),
        (OAUTH.replace("username_claim = ", "# "), "username_claim is missing"),
    ],
)
def test_a_wrong_way_in_names_the_key(tmp_path: Path, text: str, reason: str) -> None:
    """A way in that would not work is told with the file and the key."""
    (tmp_path / "sign_in.toml").write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_way_in(tmp_path / "sign_in.toml")


def test_the_example_can_be_read(tmp_path: Path) -> None:
    """The file in hub_config says passwords; with the other tables uncommented each can be read too."""
    text = (ROOT / "hub_config" / "sign_in.toml").read_text()
    assert read_way_in(ROOT / "hub_config" / "sign_in.toml").kind == "passwords"
    for kind in ("lti", "oauth"):
        [table] = [part for part in text.split("\n\n") if part.startswith(f"# [{kind}]")]
        (tmp_path / "sign_in.toml").write_text("\n".join(line.removeprefix("# ") for line in table.splitlines()))
        assert read_way_in(tmp_path / "sign_in.toml").kind == kind


def configured(folder: Path, text: str) -> Config:
    """JupyterHub's settings for this way in."""
    (folder / "sign_in.toml").write_text(text)
    settings = Config()
    settings.Authenticator.allowed_users = {"iris", "lti-0123456789abcdef0123"}
    settings.JupyterHub.load_groups = {"formgrade-dl101": {"users": ["iris"]}}
    configure_way_in(settings, folder / "sign_in.toml", folder, ())
    return settings


def test_lti_leaves_the_groups_to_the_launch(tmp_path: Path) -> None:
    """JupyterHub refuses groups of two sources; and nobody from the LMS gets a password."""
    assert configured(tmp_path, "[passwords]").Authenticator.allow_existing_users is False
    settings = configured(tmp_path, LTI)
    assert settings.Authenticator.manage_groups is True
    assert not settings.JupyterHub.load_groups
    assert settings.Authenticator.allowed_users == {"iris"}
    again = configured(tmp_path, LTI)
    assert again.CryptKeeper["keys"] == settings.CryptKeeper["keys"]
    assert len(settings.CryptKeeper["keys"][0]) == 32


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A secret with open rights stops the hub, with the file's name."""
    configured(tmp_path, LTI)
    (tmp_path / "crypt_key").chmod(0o644)
    with pytest.raises(UsageError, match="crypt_key: others may read this key"):
        configured(tmp_path, LTI)
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(UsageError, match="secret: others may read this secret"):
        configured(tmp_path, OAUTH)


def test_oauth_lets_in_only_people_of_the_courses(tmp_path: Path) -> None:
    """Whoever the university knows is not in yet: courses.toml decides."""
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "secret").chmod(0o600)
    authenticator = GenericOAuthenticator(config=configured(tmp_path, OAUTH))
    assert authenticator.client_secret == "s3cret"
    assert authenticator.authorize_url == "https://login.example.edu/authorize"
    for user, allowed in (("iris", True), ("mallory", False)):
        name = authenticator.user_info_to_username({"preferred_username": user})
        verdict = authenticator.check_allowed(name, {"name": name, "auth_state": {}, "admin": None})
        assert asyncio.run(verdict) is allowed
