"""The exchange on an object store with the S3 interface, a real one: the same promises, also while it is away."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tensorgrade.errors import StorageError, UsageError
from tensorgrade.hub.exchange.application import open_service, open_store
from tensorgrade.hub.exchange.backup import back_up
from tensorgrade.hub.exchange.nouns import Submission, utc_now
from tensorgrade.hub.exchange.object_store import read_bucket
from tensorgrade.hub.exchange.retention import find_old, retire
from tensorgrade.hub.exchange.service import Service
from tensorgrade.hub.exchange.settings import read_exchange
from tensorgrade.hub.exchange.storage import Part, Store
from tests.running_exchange import NOTEBOOK, TINY_PLACE, Asker, archive_of, token_of
from tests.running_hub import SECONDS, Member, hub_of_two_courses
from tests.running_swift import SECRET, Swift, swift
from tests.test_exchange_records import COURSE, open_again, part

SETTINGS = '[service]\nstore_file = "store.toml"\n'


@pytest.fixture(scope="module")
def store() -> Iterator[Swift]:
    """A real server, started once."""
    with swift() as started:
        yield started


@pytest.fixture
def service(store: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The exchange with its bytes there, and one assignment."""
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "exchange")
    (tmp_path / "courses.toml").write_text(COURSE)
    (tmp_path / "exchange.toml").write_text(SETTINGS)
    write_secret(tmp_path, store.make_bucket(tmp_path.name.replace("_", "-")[-40:].strip("-")))
    opened = open_service(tmp_path, tmp_path / "state")
    opened.records.release("dl101", "tiny", opened.keep(part(opened), "assignments", "dl101"), None, force=False)
    yield opened
    opened.close()


def write_secret(folder: Path, text: str) -> Path:
    """The file of the keys."""
    file = folder / "store.toml"
    file.write_text(text)
    file.chmod(0o600)
    return file


def open_there(folder: Path) -> Store:
    """The store that the settings in a folder name."""
    return open_store(read_exchange(folder / "exchange.toml"), folder, folder / "state")


def hand_in(service: Service, text: bytes, student: str = "ada") -> Submission:
    """One submission."""
    upload = part(service, text)
    try:
        return service.hand_in(upload, "dl101", "tiny", student, None)[0]
    finally:
        upload.close()


def bytes_of(service: Service, one: Submission) -> bytes:
    """What its record leads to."""
    with service.store.open(one.stored) as file:
        return file.read()


@pytest.mark.proof
def test_an_object_store_keeps_the_same_promises(service: Service, store: Swift, tmp_path: Path) -> None:
    """Many at once, the same one twice, names with signs: each is there once, as it came, and nothing lies here."""
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda n: hand_in(service, str(n % 10).encode(), f"s+{n % 10}@x"), range(20)))
    assert len({one.id for one in made}) == len(service.records.submissions()) == 10
    bucket = service.store._bucket  # type: ignore[attr-defined]
    found = {one.object_name for one in store.client.list_objects(bucket_name=bucket, recursive=True)}
    assert found == service.records.stored() == set(service.store.all_keys())
    for one in service.records.submissions():
        assert bytes_of(service, one) == archive_of({"tiny.ipynb": one.student[2:3].encode()})
    assert [file.name for file in (tmp_path / "state" / "incoming").iterdir()] == []
    with pytest.raises(UsageError, match="they are in an object store"):
        back_up(tmp_path / "state", tmp_path / "copy")


@pytest.mark.proof
def test_a_large_submission_comes_back_whole(service: Service) -> None:
    """Twelve megabytes go in several parts, and are one object with the same hash."""
    upload = Part(service.store.incoming)
    for number in range(12):
        upload.write(bytes([number]) * 1_000_003)
    service.store.keep(upload, "large")
    upload.close()
    with service.store.open("large") as file:
        assert b"".join(bytes([number]) * 1_000_003 for number in range(12)) == file.read()


@pytest.mark.proof
def test_a_store_that_is_killed_loses_nothing_with_a_receipt(service: Service, store: Swift) -> None:
    """Each of its servers is killed and started again under load: who has a receipt finds the bytes under it."""
    given: dict[str, Submission] = {}
    refused: list[StorageError] = []
    stopped = threading.Event()

    def sender(name: str) -> None:
        number = 0
        while not stopped.is_set():
            text = f"{name} {number}"
            try:
                given[text] = hand_in(service, text.encode(), name)
                number += 1
            except StorageError as error:
                refused.append(error)

    senders = [threading.Thread(target=sender, args=(name,)) for name in ("ada", "bob", "eve")]
    for one in senders:
        one.start()
    for kind in ("object", "proxy", "container"):
        store.kill(kind)
        stopped.wait(1)
        store.start(kind)
        store.wait()
        stopped.wait(1)
    stopped.set()
    for one in senders:
        one.join(SECONDS)
    assert given
    assert refused
    assert {one.id for one in service.records.submissions()} == {one.id for one in given.values()}
    for text, one in given.items():
        assert bytes_of(service, one) == archive_of({"tiny.ipynb": text.encode()})


@pytest.mark.proof
def test_bytes_that_have_changed_get_no_receipt(service: Service) -> None:
    """A disk that gives other bytes than came is noticed before anything is written down."""
    upload = part(service)
    good = upload.path.read_bytes()
    upload.path.write_bytes(good[:-8] + bytes([good[-8] ^ 1]) + good[-7:])
    with pytest.raises(StorageError, match="other bytes than it was given"):
        service.store.keep(upload, "submissions/changed")
    upload.close()


@pytest.mark.proof
def test_a_start_leaves_what_another_one_is_storing(service: Service, tmp_path: Path) -> None:
    """What has no record may get it from another exchange in a moment, or has it in a newer database."""
    hand_in(service, b"kept")
    other = service.keep(part(service, b"another exchange's"), "submissions", "dl101", "tiny", "bob")
    open_again(tmp_path).close()
    assert set(service.store.all_keys()) == service.records.stored() | {other.stored}


@pytest.mark.proof
def test_what_is_old_is_removed_there_too(service: Service) -> None:
    """Retention takes the object, and only this one."""
    one = hand_in(service, b"old")
    end, newer = utc_now(), hand_in(service, b"new")
    retire(service.records, service.store, service.audit, find_old(service.records, end))
    assert one.stored not in set(service.store.all_keys())
    with pytest.raises(StorageError, match="missing in the exchange's store"):
        service.store.open(one.stored)
    assert bytes_of(service, newer) == archive_of({"tiny.ipynb": b"new"})


@pytest.mark.proof
def test_wrong_keys_are_refused_and_not_shown(service: Service, store: Swift, tmp_path: Path) -> None:
    """A store that refuses is named with its reason; the keys are in no message."""
    text = (tmp_path / "store.toml").read_text()
    write_secret(tmp_path, text.replace(SECRET, "another-one"))
    with pytest.raises(StorageError, match="the exchange's store refuses: SignatureDoesNotMatch") as refused:
        list(open_there(tmp_path).all_keys())
    assert "another-one" not in f"{refused.value} {refused.value.__cause__} {read_bucket(tmp_path / 'store.toml')}"
    write_secret(tmp_path, text.replace("bucket = ", 'bucket = "nowhere" #'))
    with pytest.raises(StorageError, match="has no bucket 'nowhere'"):
        open_there(tmp_path).check()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(("https:", "http:"), "expected https", id="readable on the way"),
        pytest.param(("https:", "ftp:"), "expected an address such as", id="another protocol"),
        pytest.param(("secret_key", "secret"), "secret: expected texts, and no others than", id="unknown key"),
        pytest.param(('"hidden"', "1234567"), "secret_key: expected texts", id="no text"),
        pytest.param(('bucket = "b"', ""), "bucket is missing", id="nothing"),
        pytest.param(('"b"', "b"), "is no TOML", id="no TOML"),
    ],
)
def test_the_file_of_the_keys_is_checked(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    """What is wrong is named, and what is secret is not."""
    text = 'endpoint = "https://s3.example.edu"\nbucket = "b"\naccess_key = "a"\nsecret_key = "hidden"\n'
    file = write_secret(tmp_path, text)
    assert "hidden" not in repr(read_bucket(file))
    write_secret(tmp_path, text.replace(*change))
    with pytest.raises(UsageError, match=reason) as refused:
        read_bucket(file)
    assert not any(secret in str(refused.value) for secret in ("hidden", "1234567"))


def test_the_file_of_the_keys_is_a_secret(tmp_path: Path) -> None:
    """A file that others can read, or that is not there, is refused."""
    file = write_secret(tmp_path, "")
    file.chmod(0o640)
    with pytest.raises(UsageError, match=r"store\.toml: others may read this secret"):
        read_bucket(file)
    file.unlink()
    with pytest.raises(UsageError, match=r"store\.toml: cannot be read: No such file"):
        read_bucket(file)


def test_without_its_library_there_is_no_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to install is named."""
    (tmp_path / "exchange.toml").write_text(SETTINGS)
    monkeypatch.setitem(sys.modules, "minio", None)
    monkeypatch.delitem(sys.modules, "tensorgrade.hub.exchange.object_store")
    with pytest.raises(UsageError, match=r"store_file: minio is missing. pip install 'tensorgrade\[s3\]'"):
        open_there(tmp_path)


@pytest.mark.proof
def test_a_hub_hands_in_there(store: Swift) -> None:
    """With a hub in front: what is handed in lies in the bucket; while the store is away the answer is 503."""
    settings = store.make_bucket("of-the-hub")
    with hub_of_two_courses(exchange=SETTINGS, secrets={"store.toml": settings}) as hub:
        iris, ada = (Asker(user, hub, token_of(Member(hub, user))) for user in ("iris", "ada"))
        assert iris.ask("PUT", TINY_PLACE, data=archive_of()).status_code == 200
        receipt = ada.submit().json()
        health = f"{hub.address}/services/exchange/health"
        assert requests.get(health, timeout=SECONDS).status_code == 200
        store.kill("proxy")
        away = ada.submit(archive_of({"tiny.ipynb": b"later"}))
        assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
        assert away.json()["error"] == "the exchange's database or store is away. Try again"
        assert requests.get(health, timeout=SECONDS).status_code == 503
        bob, page = Member(hub, "bob"), "/services/exchange/courses/dl101/tiny"
        assert bob.get(page).status_code == 200
        shown = bob.ask("POST", page, files={"files": ("tiny.ipynb", NOTEBOOK)})
        assert shown.status_code == 503
        assert "Nothing was handed in: the exchange&#39;s database or store is away. Try again" in shown.text
        assert ada.ask("GET", f"/submissions/{receipt['receipt']}/files").status_code == 503
        store.start("proxy")
        store.wait()
        assert ada.submit(archive_of({"tiny.ipynb": b"later"})).status_code == 201
        assert ada.ask("GET", f"/submissions/{receipt['receipt']}/files").content == archive_of()
        assert not (hub.state / "exchange-service" / "objects").exists()
        assert SECRET not in (hub.state / "exchange-service" / "audit.log").read_text()
    assert len(list(store.client.list_objects(bucket_name="of-the-hub", recursive=True))) == 3
