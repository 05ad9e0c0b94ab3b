"""The services of an LMS: tokens, people and grades, against a platform that is as strict as the standards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tensorgrade.errors import LmsError, UsageError
from tensorgrade.lms.grades import Grade, State
from tensorgrade.lms.keys import public_keys, tool_key
from tensorgrade.lms.launch import Role, Services, read_services, role_of, write_services
from tensorgrade.lms.members import read_members
from tensorgrade.lms.passback import RESULTS, Fate, Passback, Score
from tensorgrade.lms.people import Person, user_of
from tensorgrade.lms.service import ATTEMPTS, LONGEST_WAIT, Service
from tensorgrade.lms.service import Platform as Registration
from tests.lms_platform import AGS, MEMBERSHIP, ROLES, Member, Platform, Refusal


@pytest.fixture
def platform() -> Iterator[Platform]:
    """An LMS with five students and staff."""
    with Platform() as served:
        students = [Member(f"s{number}", "Learner", f"S{number}@x.edu", "Stu", f"Dent{number}") for number in range(5)]
        served.members = [*students, Member("t", "TeachingAssistant"), Member("i", "Instructor")]
        yield served


@pytest.fixture
def waits() -> list[float]:
    """The seconds that were waited."""
    return []


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our key: one for all tests, because it takes long to make."""
    return tmp_path_factory.mktemp("state") / "key.pem"


@pytest.fixture
def service(platform: Platform, key_file: Path, waits: list[float]) -> Iterator[Service]:
    """Our side, with a key that the LMS knows; waiting takes no time."""
    key = tool_key(key_file)
    platform.tool_keys = lambda: public_keys(key)
    registration = Registration(platform.issuer, platform.client_id, f"{platform.issuer}/token")
    with Service(registration, key, sleep=waits.append) as opened:
        yield opened


def services_of(platform: Platform) -> Services:
    """What a launch says of the services."""
    platform.redirect_uris = {"http://127.0.0.1/hub/x"}
    return Services.of(platform.claims(platform.members[0], "nonce"))


def grade(user: str, points: float | None, lms: str = "", most: float = 10) -> Grade:
    """A grade of somebody."""
    return Grade(
        Person(user, lms_user_id=lms),
        "attention",
        State.GRADED if points is not None else State.PARTLY,
        points,
        0,
        most,
    )


GRADES = (grade("a", 7.25, "s0"), grade("b", 0, "s1"), grade("c", None, "s2"), grade("d", 3), grade("e", 10, "s4"))


def send(
    service: Service, platform: Platform, grades: tuple[Grade, ...] = GRADES, most: float = 10
) -> tuple[Score, ...]:
    """What the command does."""
    column = Passback(service, services_of(platform), "attention", most)
    return tuple(column.send(column.plan(grades)))


def fates(scores: tuple[Score, ...]) -> list[Fate]:
    """What became of each."""
    return [score.fate for score in scores]


def posted(platform: Platform) -> list[str]:
    """The requests that change something."""
    return [one.split("?")[0] for one in platform.requests if one.startswith(("POST /course", "PUT"))]


# Grades


def test_scores_arrive(service: Service, platform: Platform) -> None:
    """What is graded is in the LMS with its points, a 0 too; the rest is not, and nothing was against the standard."""
    scores = send(service, platform)
    assert fates(scores) == [Fate.SENT, Fate.SENT, Fate.NOT_GRADED, Fate.UNKNOWN, Fate.SENT]
    [item] = platform.items.values()
    assert (item.label, item.maximum, item.resource) == ("attention", 10, "attention")
    given = {user: (score["scoreGiven"], score["scoreMaximum"]) for user, score in item.scores.items()}
    assert given == {"s0": (7.25, 10), "s1": (0, 10), "s4": (10, 10)}
    assert {score["gradingProgress"] for score in item.scores.values()} == {"FullyGraded"}
    assert platform.complaints == []


def test_a_second_run_sends_nothing(service: Service, platform: Platform) -> None:
    """What the LMS has already is not sent again; what has changed is, into the same column."""
    send(service, platform)
    platform.requests.clear()
    assert fates(send(service, platform))[:2] == [Fate.SAME, Fate.SAME]
    assert posted(platform) == []
    scores = send(service, platform, (grade("a", 8, "s0"), *GRADES[1:]))
    assert (scores[0].before, fates(scores)[:2]) == (7.25, [Fate.SENT, Fate.SAME])
    assert len(platform.items) == 1
    assert len(posted(platform)) == 1


def test_a_dry_run_changes_nothing(service: Service, platform: Platform) -> None:
    """The plan names what would be sent; the LMS gets no column for it."""
    column = Passback(service, services_of(platform), "attention", 10)
    assert fates(column.plan(GRADES))[0] is Fate.SEND
    assert platform.items == {}
    assert posted(platform) == []


def test_columns_of_others_are_left_alone(service: Service, platform: Platform) -> None:
    """The column is found among others, on a later page; one of the same name that is not ours is not touched."""
    for name, tag in (("attention", ""), ("x", "tensorgrade"), ("y", ""), ("attention", "tensorgrade")):
        platform.add_item({"label": name, "scoreMaximum": 10, "resourceId": name, "tag": tag})
    send(service, platform)
    assert [len(item.scores) for item in platform.items.values()] == [0, 0, 0, 3]
    platform.add_item({"label": "attention", "scoreMaximum": 10, "resourceId": "attention", "tag": "tensorgrade"})
    with pytest.raises(LmsError, match="the LMS has 2 columns for it"):
        send(service, platform)


def test_other_max_points_change_the_column(service: Service, platform: Platform) -> None:
    """After a task was added the column has the new points, and every score is sent again."""
    send(service, platform)
    scores = send(service, platform, tuple(replace(one, max_points=20.0) for one in GRADES), most=20)
    assert platform.items[1].maximum == 20
    assert fates(scores)[0] is Fate.SENT
    assert platform.results(1)[0]["resultScore"] == 7.25


def test_without_results_everything_is_sent(service: Service, platform: Platform) -> None:
    """An LMS that does not let us read grades gets all of them each time."""
    platform.granted.discard(RESULTS)
    send(service, platform)
    assert fates(send(service, platform))[0] is Fate.SENT
    assert platform.complaints == []


def test_one_refusal_stops_no_other(service: Service, platform: Platform) -> None:
    """Somebody who has left the course is named; the others have their grades."""
    platform.members[0].status = "Inactive"
    scores = send(service, platform)
    assert fates(scores)[:2] == [Fate.REFUSED, Fate.SENT]
    assert "404" in scores[0].reason
    assert "no such student" in scores[0].reason


# Patience


def busy(count: int, status: int = 503, **headers: str) -> list[Refusal]:
    """Answers of an LMS that has too much to do."""
    return [Refusal(status, "busy", headers) for _ in range(count)]


@pytest.mark.parametrize(
    ("trouble", "waited"),
    [
        (busy(3), [1, 2, 4]),
        (busy(1, 429, **{"Retry-After": "7"}), [7]),
        (busy(1, 429, **{"Retry-After": "86400"}), [LONGEST_WAIT]),
        (busy(1, 429, **{"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT"}), [1]),
    ],
)
def test_a_busy_lms_is_waited_for(
    service: Service, platform: Platform, waits: list[float], trouble: list[Refusal], waited: list[float]
) -> None:
    """An LMS that is busy is asked again after a while that has an end."""
    platform.trouble = trouble
    assert Fate.SENT in fates(send(service, platform))
    assert waits == waited


def test_patience_has_an_end(service: Service, platform: Platform, waits: list[float]) -> None:
    """After some attempts the command says what the LMS answers."""
    platform.trouble = busy(100)
    with pytest.raises(LmsError, match=r"503 .*busy"):
        send(service, platform)
    assert len(waits) == ATTEMPTS - 1


def test_an_lms_that_cannot_be_reached(service: Service, platform: Platform, waits: list[float]) -> None:
    """No answer at all is told too."""
    services = services_of(platform)
    platform.__exit__()
    with pytest.raises(LmsError, match="cannot be reached"):
        list(service.pages(services.line_items, RESULTS, "x/y"))
    assert sum(waits) == 1 + 2 + 4 + 8


def test_a_token_that_has_ended_is_renewed(service: Service, platform: Platform) -> None:
    """A long run outlives its token."""
    send(service, platform)
    platform.tokens.clear()
    assert fates(send(service, platform, (grade("a", 9, "s0"),))) == [Fate.SENT]


def test_one_token_serves_many_requests(service: Service, platform: Platform) -> None:
    """A token is asked for once for each kind of service, not for each grade."""
    send(service, platform)
    assert sum(one == "POST /token" for one in platform.requests) <= 3


# What must not happen


def test_a_key_that_the_lms_does_not_know_is_refused(service: Service, platform: Platform, tmp_path: Path) -> None:
    """The sentence says what is missing at the LMS."""
    platform.tool_keys = lambda: public_keys(tool_key(tmp_path / "another.pem"))
    with pytest.raises(LmsError, match=r"no token for lineitem: .* Does the LMS have our public key"):
        send(service, platform)


def test_what_was_not_granted_is_named(service: Service, platform: Platform) -> None:
    """A right that the LMS has not given stops the run before anything is sent."""
    platform.granted.discard(f"{AGS}score")
    with pytest.raises(LmsError, match=r"no token for score: .*invalid_scope"):
        send(service, platform)


@pytest.mark.parametrize("url", ["http://lms.example.edu/token", "ftp://127.0.0.1/x", "https:/x", ""])
def test_no_token_goes_over_an_open_line(service: Service, url: str) -> None:
    """An address without TLS gets nothing, unless it is this machine."""
    with pytest.raises(LmsError, match="expected an https address"):
        service.send("GET", url, RESULTS)


def test_a_next_page_elsewhere_is_not_asked(service: Service, platform: Platform) -> None:
    """A list that goes on at another server does not get our token there."""
    with Platform() as other:
        platform.next_page_at = other.issuer
        with pytest.raises(LmsError, match=r"its next page .* is not one"):
            read_members(service, services_of(platform).members, platform.issuer)
        assert other.requests == []


# People


def test_members_are_the_active_students(service: Service, platform: Platform) -> None:
    """All pages are read; staff and people who have left are not students; the name on the hub is that of a launch."""
    platform.members[1].status = "Inactive"
    people = read_members(service, services_of(platform).members, platform.issuer)
    assert [person.lms_user_id for person in people] == ["s0", "s2", "s3", "s4"]
    assert people[0] == Person(user_of(platform.issuer, "s0"), "S0@x.edu", "Stu", "Dent0", "", "s0")
    assert platform.complaints == []


def test_a_list_that_is_not_in_order_changes_nothing(service: Service, platform: Platform) -> None:
    """A member without an id, or a name that no file can hold, ends the reading."""
    platform.members[4].subject = ""
    with pytest.raises(LmsError, match=r"a member without user_id\. Nothing was changed"):
        read_members(service, services_of(platform).members, platform.issuer)


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (ROLES["Learner"], Role.STUDENT),
        (ROLES["TeachingAssistant"], Role.TA),
        ([f"{MEMBERSHIP}/Instructor#TeachingAssistant"], Role.TA),
        (ROLES["Instructor"], Role.INSTRUCTOR),
        ([f"{MEMBERSHIP}#Learner", f"{MEMBERSHIP}#Instructor"], Role.INSTRUCTOR),
        (["Learner"], Role.STUDENT),
        (["Instructor"], Role.INSTRUCTOR),
        (ROLES["Mentor"], None),
        (["http://purl.imsglobal.org/vocab/lis/v2/system/person#Administrator"], None),
        (["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"], None),
        (["https://evil.example.org/membership#Instructor", "xInstructor"], None),
        ([], None),
    ],
)
def test_the_role_is_that_in_the_course(roles: list[str], role: Role | None) -> None:
    """Roles in the course count, those in the institution do not; an assistant is no instructor."""
    assert role_of(roles) is role


# What is kept


def test_services_are_kept(tmp_path: Path) -> None:
    """What a launch said can be read again; before the first launch the sentence says what to do."""
    services = Services("context-1", "https://x/items", "https://x/members", ("a", "b"))
    with pytest.raises(UsageError, match="Open the hub once from the course in the LMS"):
        read_services(tmp_path / "dl101.json")
    write_services(tmp_path / "dl101.json", services)
    assert read_services(tmp_path / "dl101.json") == services


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """The key stays the same, has rights for its owner only, and is refused when others could have read it."""
    first = public_keys(tool_key(tmp_path / "key.pem"))
    assert public_keys(tool_key(tmp_path / "key.pem")) == first
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(UsageError, match="others may read this key"):
        tool_key(tmp_path / "key.pem")
