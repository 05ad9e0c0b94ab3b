"""What somebody has who is no longer in a course, or has another role there: nothing of the old one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jupyterhub import orm
from jupyterhub.auth import Authenticator
from jupyterhub.user import User
from sqlalchemy.orm import Session
from traitlets.config import Config

from tensorgrade.hub import HubCourse
from tensorgrade.hub.lti import LaunchAuthenticator
from tensorgrade.hub.oauth import CourseOAuthenticator
from tensorgrade.hub.sign_in import CourseAuthenticator
from tensorgrade.hub.spawner import ProfileSpawner
from tensorgrade.lms.people import LAUNCHED
from tests.running_hub import SECONDS, TWO_COURSES, Hub, Member, children_of, hub_of_two_courses, start

COURSE = HubCourse("dl101", "Deep learning", ".", ("iris",), ("tom",), ("ada",))
LAUNCHED_ONE = f"{LAUNCHED}0123456789abcdef0123"


@pytest.fixture
def database() -> Iterator[Session]:
    """A database of the hub's own kind, from before the file was changed."""
    with closing(orm.new_session_factory("sqlite:///:memory:")()) as session:
        groups = {"formgrade-dl101": ["iris", "ada", "gone", LAUNCHED_ONE], "formgrade-old": ["iris", LAUNCHED_ONE]}
        users = {name: orm.User(name=name) for names in groups.values() for name in names}
        session.add_all([orm.OAuthClient(identifier="jupyterhub"), *users.values()])
        session.add_all(orm.Group(name=name, users=[users[one] for one in who]) for name, who in groups.items())
        session.commit()
        for user in users.values():
            session.add(orm.APIToken(user=user, client_id="jupyterhub", note="made by hand"))
        session.commit()
        yield session


@pytest.mark.parametrize("kind", [CourseAuthenticator, LaunchAuthenticator, CourseOAuthenticator])
def test_an_account_keeps_what_the_file_says(kind: type[Authenticator], database: Session) -> None:
    """At the hub's start groups go that the file does not name, and leavers' tokens, by whatever way people sign in."""
    settings = Config()
    settings.CourseMembers.courses = [COURSE]
    authenticator = kind(config=settings, **({"db": database} if issubclass(kind, CourseAuthenticator) else {}))
    cookies = {user.name: user.cookie_id for user in database.query(orm.User)}
    for user in database.query(orm.User):
        authenticator.add_user(user)
    database.commit()
    left = {user.name: [group.name for group in user.groups] for user in database.query(orm.User)}
    launched = ["formgrade-dl101"] if kind is LaunchAuthenticator else []
    assert left == {"iris": ["formgrade-dl101"], "ada": [], "gone": [], LAUNCHED_ONE: launched}
    shut_out = {user.name for user in database.query(orm.User) if not user.api_tokens}
    assert shut_out == {user.name for user in database.query(orm.User) if user.cookie_id != cookies[user.name]}
    assert shut_out == {"gone", LAUNCHED_ONE} - ({LAUNCHED_ONE} if launched else set())


@pytest.mark.parametrize(("made_for", "ends"), [("formgrade-dl101", False), ("instructors-dl101", True)])
def test_a_room_lasts_as_long_as_the_groups_it_was_made_for(made_for: str, ends: bool, database: Session) -> None:
    """A server that was started with a group which its user has lost is stopped at the hub's next look."""
    account = orm.User.find(database, "iris")
    database.add(orm.Spawner(user=account, name=""))
    database.commit()
    spawner = User(account, {"spawner_class": ProfileSpawner, "config": Config()}).spawner
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        reaper = threading.Thread(target=process.wait)  # as the kernel has it after a restart: not the hub's child
        reaper.start()
        spawner.load_state({"pid": process.pid, "made_for": [made_for]})
        kept = {**spawner.get_state()}
        status = asyncio.run(spawner.poll())
        process.kill()
        reaper.join()
    assert kept["made_for"] == [made_for]
    assert (status is not None) is ends
    assert process.returncode == (-signal.SIGINT if ends else -signal.SIGKILL)


@pytest.mark.proof
def test_a_change_of_the_file_takes_back_what_people_had() -> None:
    """A TA who is a student now loses groups and server, and somebody who has left the token and the sign-in."""
    with hub_of_two_courses() as hub:
        tom, bob = Member(hub, "tom"), Member(hub, "bob")
        token = bob.ask("POST", "/hub/api/users/bob/tokens", json={}).json()["token"]
        assert tom.ask("POST", "/hub/api/users/tom/server", json={"profile": "cpu"}).status_code in (201, 202)
        room = room_of(hub, "tom")
        os.kill(children_of(hub.process.pid)[0], signal.SIGKILL)  # the servers stay
        hub.process.wait(SECONDS)
        assert Path(f"/proc/{room}").exists()
        config = hub.state.parent / "operator" / "hub_config"
        changed = TWO_COURSES.replace('tas = ["tom"]', "tas = []").replace('["ada", "bob"]', '["ada", "tom"]')
        (config / "courses.toml").write_text(changed)
        hub.process = start(hub.state, hub.port, config).process
        assert groups_of_user(hub, "tom") == {"nbgrader-dl101"}
        assert groups_of_user(hub, "bob") == set()
        assert bob.session.get(f"{hub.address}/hub/api/user", timeout=SECONDS).status_code == 403
        bearer = {"Authorization": f"token {token}"}
        bob.session.cookies.clear()
        assert bob.session.get(f"{hub.address}/hub/api/user", headers=bearer, timeout=SECONDS).status_code == 403
        assert tom.get("/hub/api/user").status_code == 200
        ended(room)


def room_of(hub: Hub, user: str) -> int:
    """The process that the hub has started for somebody's server, as soon as the server answers."""
    query = (
        "select spawners.state from spawners join users on users.id = user_id where users.name = ? and started not null"
    )
    deadline = time.monotonic() + SECONDS
    while True:
        with closing(sqlite3.connect(f"file:{hub.state / 'hub.sqlite'}?mode=ro", uri=True)) as database:
            rows = database.execute(query, [user]).fetchall()
        if rows and rows[0][0] and "pid" in (state := json.loads(rows[0][0])):
            return int(state["pid"])
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ended(pid: int) -> None:
    """Wait until a process is gone."""
    deadline = time.monotonic() + SECONDS
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def groups_of_user(hub: Hub, name: str) -> set[str]:
    """A user's groups, from the hub's database."""
    query = """select groups.name from groups join user_group_map on groups.id = group_id
        join users on users.id = user_id where users.name = ?"""
    with closing(sqlite3.connect(f"file:{hub.state / 'hub.sqlite'}?mode=ro", uri=True)) as database:
        return {row[0] for row in database.execute(query, [name])}
