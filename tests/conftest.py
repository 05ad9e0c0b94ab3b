"""What several test files share: one warm template, and a session to run cells in."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
import torch

from tensorgrade.errors import CheckFailure
from tensorgrade.limits import Limits
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.template import Template
from tensorgrade.student.session import Session


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In continuous integration a check that is skipped is a check that failed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr}"
    return report


QUICK = Limits(check_cpu_seconds=1, cell_cpu_seconds=1, memory_mib=512, disk_mib=16, processes=16, message_mib=8)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As in the grader: small tensors on several threads wait for one another where another test runs beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rng(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def expect(check: Callable[[], Any], words: str | None) -> None:
    """The check passes, or fails with these words in its hint."""
    if words is None:
        check()
        return
    with pytest.raises(CheckFailure) as caught:
        check()
    assert words in str(caught.value.hint)


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """One template for the whole run, as in a grading process."""
    with Template() as warm:
        yield warm


@pytest.fixture
def worker(template: Template) -> Iterator[Worker]:
    """A worker that has its files and has given up its powers."""
    started = template.fork(QUICK)
    for name, content in {"data.csv": b"1,2\n", "helper.py": b"ANSWER = 42\n", "torch.py": b"raise OSError\n"}.items():
        started.request(("file", name, content))
    started.request(("begin",))
    yield started
    started.close()


@pytest.fixture
def open_session(template: Template) -> Iterator[Callable[..., Session]]:
    """Opens sessions on given cells and closes them in the end."""
    opened: list[Session] = []

    def open_one(*cells: str, files: dict[str, bytes] | None = None, limits: Limits = QUICK, **more: Any) -> Session:
        session = Session(template, cells, files or {}, limits, **more)
        opened.append(session)
        return session.__enter__()

    yield open_one
    for session in opened:
        session.close()
