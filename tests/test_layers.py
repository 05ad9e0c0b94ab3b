"""Defence in depth: each layer of the sandbox is taken away in turn, and attacked."""

from __future__ import annotations

import functools
import platform
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tensorgrade.errors import WorkerLost
from tensorgrade.sandbox import files, groups
from tensorgrade.sandbox.levels import POD, STRICT, Layer, Level
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.system_calls import DENIED, DENIED_WITHOUT_NAMESPACES
from tensorgrade.sandbox.template import Template
from tests.conftest import QUICK
from tests.layer_attacks import ATTACKS, NAMESPACES, POWERS, TOOLS, WITHOUT_NAMESPACES, Attack

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the system call numbers are those of x86-64")

NAMES = {
    Layer.FILES: "bubblewrap",
    Layer.NAMESPACES: "namespaces",
    Layer.POWERS: "powers",
    Layer.LANDLOCK: "Landlock",
    Layer.SYSTEM_CALLS: "system calls",
    Layer.LIMITS: "limits",
    Layer.GROUP: "group",
}


class Field:
    """A template whose workers get the layers that a test wants, and one whose view has a folder too many."""

    def __init__(self, closed: Template, opened: Template, planted: Path, port: int) -> None:
        self._templates = {True: closed, False: opened}
        self._places = {
            "SECRET": planted / "secret",
            "PLANT": planted / "new",
            "LISTENING": planted / "socket",
            "PORT": port,
        }
        self.was_lost = False

    def attack(self, attack: Attack, layers: frozenset[Layer]) -> str:
        """What an attack reaches under these layers only."""
        self.was_lost = False
        template = self._templates[Layer.FILES in layers]
        template.level = Level("some", layers)
        with worker_of(template) as other, worker_of(template) as worker:
            other.request(("run", 1, attack.before))
            source = attack.source
            for name, value in self._places.items():
                source = source.replace(name, str(value))
            try:
                worker.allow(20)
                _, succeeded, shown = worker.request(("run", 1, f"{TOOLS}\n{source}"))
                assert succeeded, shown
                return str(worker.request(("get", "crossed"))[1])
            except WorkerLost:
                self.was_lost = True
                return ""


@contextmanager
def worker_of(template: Template) -> Iterator[Worker]:
    """A worker in which a student's code may run."""
    worker = template.fork(QUICK)
    try:
        worker.request(("begin",))
        yield worker
    finally:
        worker.close()


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    """Where the attacks are made: a planted course, a server, two templates."""
    with ExitStack() as stack:
        planted = Path(tempfile.mkdtemp(dir="/var/tmp"))
        stack.callback(shutil.rmtree, planted)
        planted.chmod(0o777)
        (planted / "secret").write_text("label")
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(str(planted / "socket"))
        local.listen()
        (planted / "socket").chmod(0o777)
        threading.Thread(target=functools.partial(_accept, server), daemon=True).start()
        closed = stack.enter_context(Template())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tensorgrade.sandbox.template.bwrap_arguments", functools.partial(_opened, planted))
            opened = stack.enter_context(Template())
        yield Field(closed, opened, planted, server.getsockname()[1])


def _accept(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        return


def _opened(planted: Path, binds: tuple[files.Bind, ...], command: list[str]) -> list[str]:
    arguments = files.bwrap_arguments(binds, command)
    place = arguments.index("--remount-ro")
    more = ["--share-net", "--bind", str(planted), str(planted)]
    return [*arguments[:place], *more, *arguments[place:]]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_is_stopped(attack: Attack, field: Field) -> None:
    """With all layers no attack reaches anything."""
    assert field.attack(attack, STRICT.layers) == ""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_without_its_layer_an_attack_does_as_documented(attack: Attack, field: Field) -> None:
    """One layer less: the attack succeeds, or others stop it, as SECURITY.md says."""
    if attack.name == "processes" and not groups.find().folders:
        pytest.skip("the layer behind the limit of processes is a control group, and this machine lends none")
    reached = field.attack(attack, STRICT.layers - {attack.layer})
    row = next(line for line in table_in_security() if line.startswith(f"| {attack.does} |"))
    assert row.split("|")[3].strip() == ("reached" if reached else "stopped")


@pytest.mark.proof
def test_the_table_of_layers_is_true(field: Field) -> None:
    """Each cell of the table in SECURITY.md is what happens when that layer alone is there."""
    made = ["| An attack tries to | Its layer | without it | alone enough |", "|---|---|---|---|"]
    for attack in ATTACKS:
        without = field.attack(attack, STRICT.layers - {attack.layer})
        # There is power to take away where a worker is root of namespaces of its own.
        base = frozenset({NAMESPACES} if attack.layer is POWERS else ())
        bare = not field.attack(attack, base)
        bare_by = "the watch from outside" if field.was_lost else "the kernel's own rights"
        alone = [
            name for layer, name in NAMES.items() if layer not in base and not field.attack(attack, base | {layer})
        ]
        enough = bare_by if bare else ", ".join(alone)
        made.append(f"| {attack.does} | {NAMES[attack.layer]} | {'reached' if without else 'stopped'} | {enough} |")
    assert table_in_security() == made, "\n".join(made)


def test_the_readme_sums_the_table_up() -> None:
    """What is left of the wall when a layer is gone: a row for each, counted from the table in SECURITY.md."""
    made = ["| Layer taken away | its attacks | stopped by the others |", "|---|---:|---:|"]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table_in_security()[2:]]
    for name in NAMES.values():
        outcomes = [without for _, layer, without, _ in rows if layer == name]
        made.append(f"| {name} | {len(outcomes)} | {outcomes.count('stopped')} |")
    assert _table("README.md", "## Trust model") == made, "\n".join(made)


def table_in_security() -> list[str]:
    """The table of attacks and layers."""
    return _table("SECURITY.md", "## Layers")


def _table(file: str, section: str) -> list[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return [line for line in text.split(section)[1].split("\n## ")[0].splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", WITHOUT_NAMESPACES)
def test_without_namespaces_one_process_has_to_be_enough(name: str, field: Field) -> None:
    """Under pod each of these is stopped, and without its layer each one succeeds."""
    attack = Attack(name, Layer.ONE_PROCESS, "", WITHOUT_NAMESPACES[name])
    assert field.attack(attack, POD.layers) == ""
    assert field.attack(attack, POD.layers - {Layer.ONE_PROCESS}) != ""


def test_pod_leaves_threads_to_a_submission(field: Field) -> None:
    """A thread is no process: data loaders and plots that use one go on."""
    source = "import threading\nseen = []\none = threading.Thread(target=seen.append, args=(1,))\n"
    threads = Attack("threads", Layer.ONE_PROCESS, "", f"{source}one.start(); one.join()\ncrossed = str(seen)")
    assert field.attack(threads, POD.layers) == "[1]"


def test_every_protecting_line_names_an_attack() -> None:
    """What stands after `test:` in the room's comments is the name of an attack that is made here."""
    known = {attack.name for attack in ATTACKS} | set(WITHOUT_NAMESPACES)
    named = set()
    for path in (ROOT / "tensorgrade" / "sandbox").glob("*.py"):
        for one in re.findall(r"test: ([a-z_, ]+)", path.read_text()):
            named |= {name.strip() for name in one.split(",")}
    assert named == known
    for line in (*DENIED, *DENIED_WITHOUT_NAMESPACES):
        assert re.search(r"\(ref: .*\(\d\).*; test: .*\)$", line.reason), line.reason
