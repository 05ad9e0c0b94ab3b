"""Files that were kept long enough are removed, on demand; their records, and everything newer, stay."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from tensorgrade.errors import UsageError
from tensorgrade.hub.exchange.backup import back_up
from tensorgrade.hub.exchange.nouns import Kept, Refused, Submission, utc_now
from tensorgrade.hub.exchange.retention import before, find_old, retire, retiring
from tensorgrade.hub.exchange.service import Service
from tensorgrade.hub.exchange.storage import FolderStore
from tests.commands import run
from tests.running_exchange import archive_of
from tests.test_exchange_records import part, service

__all__ = ["service"]  # the fixture
KEEP = "[service]\nkeep_days = 365\n"


def hand_in(service: Service, text: bytes, student: str, days_ago: float) -> Submission:
    """A submission that came some days ago."""
    then = replace(service, clock=lambda: utc_now() - timedelta(days=days_ago))
    return then.hand_in(part(service, text), "dl101", "tiny", student, None)[0]


def give_feedback(service: Service, one: Submission) -> Kept:
    """A page on it, today."""
    kept = service.keep(part(service, b"page"), "feedback", one.id)
    service.records.set_feedback(one.id, kept, {"tiny": "0" * 64})
    return kept


def commanded(tmp_path: Path, *more: str) -> list[str]:
    """What the command says."""
    done = run(tmp_path, "tensorgrade", "exchange-retire", str(tmp_path), str(tmp_path / "state"), *more)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_is_old_goes_and_its_record_stays(service: Service, tmp_path: Path) -> None:
    """A dry run changes nothing and says the same; then the bytes are gone, with a line in the log for each."""
    (tmp_path / "exchange.toml").write_text(KEEP)
    old, new = hand_in(service, b"old", "ada", 366), hand_in(service, b"new", "ada", 364)
    keys = set(service.store.all_keys())
    expected = f"dl101 tiny: 1 submissions, 0 feedback, {old.size} bytes"
    assert commanded(tmp_path, "--dry-run") == [expected, "1 would be removed"]
    assert set(service.store.all_keys()) == keys
    assert service.records.submission(old.id) == old
    assert commanded(tmp_path) == [expected, "1 are removed"]
    assert set(service.store.all_keys()) == keys - {old.stored}
    assert service.records.submission(new.id) == new
    after = service.records.submission(old.id)
    assert after.retired_at is not None
    assert replace(after, retired_at=None) == old
    line = json.loads((tmp_path / "state" / "audit.log").read_text().splitlines()[-1])
    assert (line["event"], line["what"], line["receipt"], line["student"]) == ("retired", "submission", old.id, "ada")
    with retiring(tmp_path, tmp_path / "state") as (left, _):
        assert left == ()


def test_feedback_has_its_own_age(service: Service) -> None:
    """Feedback that came later stays when the submission goes, and goes a year later itself."""
    one = hand_in(service, b"x", "ada", 366)
    kept = give_feedback(service, one)
    retire(service.records, service.store, service.audit, find_old(service.records, before(365)))
    assert service.records.submission(one.id).require_feedback() == kept.stored
    in_a_year = before(365, utc_now() + timedelta(days=366))
    [found] = find_old(service.records, in_a_year)
    assert (found.what, found.receipt) == ("feedback", one.id)
    retire(service.records, service.store, service.audit, [found])
    after = service.records.submission(one.id)
    assert (after.pages, after.as_json()["feedback"]) == (None, None)
    with pytest.raises(Refused, match="this feedback was removed on") as refused:
        after.require_feedback()
    assert refused.value.status == HTTPStatus.GONE
    assert kept.stored not in set(service.store.all_keys())


def test_new_feedback_is_not_removed_with_the_old(service: Service) -> None:
    """Feedback that is given again while the old one is about to go stays."""
    one = hand_in(service, b"x", "ada", 1)
    give_feedback(service, one)
    old = [item for item in find_old(service.records, utc_now()) if item.what == "feedback"]
    newer = give_feedback(service, one)
    retire(service.records, service.store, service.audit, old)
    assert service.records.submission(one.id).require_feedback() == newer.stored
    with service.store.open(newer.stored) as file:
        assert file.read()


def test_the_same_bytes_handed_in_again_are_kept(service: Service) -> None:
    """What was retired does not count as handed in; nor does it take its new copy away."""
    first = hand_in(service, b"same", "ada", 400)
    old = find_old(service.records, before(365))
    retire(service.records, service.store, service.audit, old)
    again = hand_in(service, b"same", "ada", 0)
    assert (again.number, again.sha256) == (2, first.sha256)
    retire(service.records, service.store, service.audit, old)
    with service.store.open(again.require_files()) as file:
        assert file.read() == archive_of({"tiny.ipynb": b"same"})


def test_a_kill_before_the_bytes_are_gone_is_made_good(service: Service, tmp_path: Path) -> None:
    """Written down as retired, still there: a backup is whole without it, and it goes the next time."""
    one = hand_in(service, b"x", "ada", 400)

    class Killed(Exception):
        pass

    class Store(FolderStore):
        def remove(self, key: str) -> None:
            raise Killed

    store = Store(tmp_path / "state")
    with pytest.raises(Killed):
        retire(service.records, store, service.audit, find_old(service.records, before(365)))
    assert one.stored in set(service.store.all_keys())
    back_up(tmp_path / "state", tmp_path / "copy")
    assert not (tmp_path / "copy" / "objects" / one.stored).exists()
    retire(service.records, service.store, service.audit, [])
    assert set(service.store.all_keys()) == service.records.stored()


def test_room_is_given_back(service: Service) -> None:
    """What was retired does not count against a student's quota of bytes."""
    one = hand_in(service, os.urandom(500), "ada", 400)
    service.records._quota = replace(service.records._quota, bytes=one.size + 100)
    with pytest.raises(Refused, match="no more is taken"):
        service.records.require_room("dl101", "tiny", "ada", 200)
    retire(service.records, service.store, service.audit, find_old(service.records, before(365)))
    service.records.require_room("dl101", "tiny", "ada", 200)


def test_nothing_goes_by_mistake(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keep_days, in another folder, or as somebody else, nothing is removed."""
    for text, state, reason in (
        ("[service]\n", "state", "keep_days is not set: everything is kept for ever"),
        ("[service]\nkeep_days = 0\n", "state", "keep_days: expected 1 or more, got 0"),
        (KEEP, ".", "no exchange here"),
    ):
        (tmp_path / "exchange.toml").write_text(text)
        with pytest.raises(UsageError, match=reason), retiring(tmp_path, tmp_path / state):
            pass
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(UsageError, match="Run this as that account"), retiring(tmp_path, tmp_path / "state"):
        pass
