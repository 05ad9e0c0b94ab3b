"""Proves a grader: right solutions earn all points, nothing earns none, every mistake is found."""

from __future__ import annotations

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from tensorgrade.authoring.answers import dependent_tasks, find_answers
from tensorgrade.authoring.proof import Attempt, Kind, Proof
from tensorgrade.authoring.rehearsal import rehearse_release
from tensorgrade.authoring.trials import SOLUTION, Ledger, Trial, Trials
from tensorgrade.course import Assignment
from tensorgrade.errors import UsageError
from tensorgrade.fleet.bundle import pack_submission
from tensorgrade.grading.grader import provenance_of
from tensorgrade.grading.records import ALL_CHECKS, CheckRecord, Selection, Status
from tensorgrade.limits import MIB
from tensorgrade.mutation import mutate
from tensorgrade.notebooks import CellEdits, read_edits
from tensorgrade.sandbox.levels import STRICT
from tensorgrade.sandbox.template import describe

QUICK = Selection(long=False)
SEEDS = 5
RELEASE_BYTES = 192 * MIB
JUDGED = "equivalent.toml"

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Trial:
    """Something to try, and the checks to try it on."""

    attempt: Attempt
    files: Mapping[str, bytes] = field(repr=False)
    selection: Selection = ALL_CHECKS
    edits: CellEdits | None = None

    @property
    def to_run(self) -> Trial:
        """What is sent to an executor."""
        return Trial(self.attempt.name, self.attempt.seed, self.files, self.selection)


def prove_assignment(
    assignment: Assignment,
    executor: Executor,
    *,
    kinds: frozenset[Kind] = frozenset(Kind),
    seeds: int = SEEDS,
    mutants: frozenset[str] | None = None,
    tell: Tell = lambda done, total, name: None,
) -> Proof:
    """Try everything on the grader that shows whether it can be trusted.

    The reference solution and each variant in ``variants/`` must pass every check with each seed. The
    untouched release must pass none. Each mutant in ``mutants/`` must fail the checks that it names,
    and lose points in the tasks that it names and in no task that has nothing to do with them. Of the
    mutants generated from the solution most must fail a check. Of a task that has nothing to do with
    what was changed one check is tried. Checks with a budget of their own (such as training) run for
    the reference with each seed, for one variant with each seed, for the mutants that name them, and
    for the generated mutants that nothing else finds. Results are recorded one by one, so that an
    interrupted proof goes on where it was.

    Args:
        assignment: with tensorgrade's checks; it is not changed.
        executor: runs `run_trial`, several at a time.
        kinds: what to try; the reference solution is always tried once.
        seeds: how many secrets to draw inputs with, the course's own first.
        mutants: names of those in ``mutants/`` to try; None for all.
        tell: called with the number of trials that are done, their total, and the name of the last one.

    Raises:
        UsageError: the assignment is classic, a mutant is not there, or a file of the proof is not as it should be.
        GraderError: notebooks and checks do not fit together.
    """
    if assignment.is_classic:
        raise UsageError(f"graders/{assignment.name}: no checks to prove: its tests stand in the notebook")
    return _Proving(assignment, executor, seeds, mutants, tell).proof(kinds)


class _Proving:
    """One proof: what is to try, what came of it."""

    def __init__(
        self, assignment: Assignment, executor: Executor, seeds: int, mutants: frozenset[str] | None, tell: Tell
    ) -> None:
        self._assignment = assignment
        self._seeds = seeds
        self._tell = tell
        self._done = self._total = 0
        self._runner = Trials(assignment, executor)
        self._ledger = Ledger(assignment.course.root / ".tensorgrade" / "proof" / f"{assignment.name}.jsonl")
        self._platform = json.dumps(asdict(provenance_of(assignment, describe(STRICT))), sort_keys=True)
        self._answers = find_answers(assignment)
        self._checks: tuple[CheckRecord, ...] = ()
        self._quick: frozenset[str] = frozenset()
        self._dependents: dict[str, set[str]] = {}
        self._judged = _read_judged(assignment)
        self._mutants = _chosen(assignment, mutants)
        self._tries_all = mutants is None

    def proof(self, kinds: frozenset[Kind]) -> Proof:
        """Try the reference first: where it fails, nothing else says anything."""
        reference = _Trial(Attempt(Kind.REFERENCE, ""), self._runner.files(SOLUTION))
        [(_, quick)] = self._tried([replace(reference, selection=QUICK)])
        [(attempt, self._checks)] = self._tried([reference])
        self._quick = frozenset(record.name for record in quick)
        attempts = [attempt]
        if not attempt.problem:
            self._dependents = dependent_tasks(self._answers, self._assignment.grader_files, self._checks)
            trials = [trial for kind in Kind if kind in kinds for trial in self._trials(kind)]
            results = list(self._tried(trials))
            attempts += [attempt for attempt, _ in results if not attempt.survived]
            survivors = {attempt.name for attempt, _ in results if attempt.survived}
            last = [replace(t, selection=Selection(until_failure=True)) for t in trials if t.attempt.name in survivors]
            attempts += [attempt for attempt, _ in self._tried(last)]
        self._ledger.close()
        order = {kind: number for number, kind in enumerate(Kind)}
        attempts.sort(key=lambda one: (order[one.kind], one.seed, one.cell, one.line, one.name))
        title = str(self._assignment.settings.get("title", self._assignment.name))
        remarks = tuple(self._remarks(kinds, attempts)) if not attempt.problem else ()
        return Proof(self._assignment.name, title, self._seeds, self._checks, tuple(attempts), remarks)

    def _trials(self, kind: Kind) -> Iterator[_Trial]:
        if kind is Kind.REFERENCE:
            for seed in range(1, self._seeds):
                yield _Trial(Attempt(kind, "", seed=seed), self._runner.files(SOLUTION))
        elif kind is Kind.EMPTY:
            yield _Trial(Attempt(kind, ""), _released(self._assignment))
        elif kind is Kind.VARIANT:
            yield from self._variants()
        elif kind is Kind.MUTANT:
            yield from self._wrong_ones()
        else:
            yield from self._generated()

    def _variants(self) -> Iterator[_Trial]:
        """Each variant with each seed; with each seed another one is trained too."""
        variants = _read_folder(self._assignment, "variants")
        tasks_with_long = {record.task for record in self._long_checks}
        trained = [one for one in variants if self._tasks_of(one) & tasks_with_long]
        for seed in range(self._seeds):
            for edits in variants:
                long = bool(trained) and trained[seed % len(trained)] is edits
                attempt = Attempt(Kind.VARIANT, edits.file.stem, edits.summary, seed)
                yield _Trial(attempt, self._runner.files(edits), self._selection(edits, long), edits)

    def _wrong_ones(self) -> Iterator[_Trial]:
        long = {record.name for record in self._long_checks}
        for edits in self._mutants:
            selection = self._selection(edits, bool(_listed(edits, "killed by") & long))
            attempt = Attempt(Kind.MUTANT, edits.file.stem, edits.summary)
            yield _Trial(attempt, self._runner.files(edits), selection, edits)

    def _selection(self, edits: CellEdits, long: bool) -> Selection:
        """All checks of the tasks that build on what was changed, and one of each other task: it should not notice."""
        changed = self._tasks_of(edits) | _listed(edits, "loses")
        related = changed.union(*(self._dependents.get(task, set()) for task in changed))
        chosen = {_function(name) for name in _listed(edits, "killed by")}
        first: dict[str, str] = {}
        for record in self._checks:
            first.setdefault(record.task, _function(record.name))
            if record.task in related or not changed:
                chosen.add(_function(record.name))
        return Selection(long=long, checks=frozenset(chosen.union(first.values())))

    def _generated(self) -> Iterator[_Trial]:
        """Every mistake that can be made in the lines that students write, but for those judged to be none."""
        for answer in self._answers:
            for one in mutate(answer.source, answer.lines):
                name = one.id(answer.cell)
                place = {"cell": answer.cell, "line": one.line, "before": one.before, "after": one.after}
                judged = self._judged.get(name, "")
                attempt = Attempt(Kind.GENERATED, name, one.operator, judged=judged, **place)  # type: ignore[arg-type]
                selection = Selection(frozenset({answer.task}), long=False, until_failure=True)
                yield _Trial(
                    attempt, self._runner.files(CellEdits(one.operator, {}, {answer.cell: one.source})), selection
                )

    def _tried(self, trials: list[_Trial]) -> Iterator[tuple[Attempt, tuple[CheckRecord, ...]]]:
        """Run trials, several at a time, and judge how each ended; those on record are not run again."""
        self._total += len(trials)
        keys = [self._key(trial) for trial in trials]
        missing = []
        for trial, key in zip(trials, keys, strict=True):
            if key in self._ledger:
                yield self._ended(trial, tuple(map(_record, self._ledger[key])))
            else:
                missing.append((trial, key))
        for place, records in self._runner.results([trial.to_run for trial, _ in missing]):
            trial, key = missing[place]
            self._ledger.add(key, [{**asdict(one), "status": one.status.value} for one in records])
            yield self._ended(trial, records)

    def _ended(self, trial: _Trial, records: tuple[CheckRecord, ...]) -> tuple[Attempt, tuple[CheckRecord, ...]]:
        self._done += 1
        self._tell(self._done, self._total, trial.attempt.name or trial.attempt.kind.value)
        return self._judge(trial, records), records

    def _key(self, trial: _Trial) -> str:
        """A hash of all that decides the records of a trial."""
        digest = hashlib.sha256(self._platform.encode())
        digest.update(self._runner.bundle(trial.attempt.seed).sha256.encode())
        for name, content in sorted(trial.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        chosen = [sorted(part) if isinstance(part, frozenset) else part for part in astuple(trial.selection)]
        digest.update(json.dumps(chosen).encode())
        return digest.hexdigest()

    def _judge(self, trial: _Trial, records: tuple[CheckRecord, ...]) -> Attempt:
        failed = tuple(record.name for record in records if record.status is not Status.PASSED)
        if trial.attempt.kind is Kind.GENERATED:
            return replace(trial.attempt, failed=failed[:1])
        problem = ""
        if trial.attempt.kind is Kind.EMPTY:
            passed = [record.name for record in records if record.status is Status.PASSED]
            problem = f"passes {', '.join(passed)}: points for nothing" if passed else ""
        elif trial.edits is not None and trial.attempt.kind is Kind.MUTANT:
            problem = "; ".join(self._wrong_about(trial.edits, records))
        else:
            problem = _failures([record for record in records if record.status is Status.FAILED])
        return replace(trial.attempt, failed=failed, problem=problem)

    def _wrong_about(self, edits: CellEdits, records: tuple[CheckRecord, ...]) -> Iterator[str]:
        """What the grader does not find, or finds in the wrong place, of a mistake that is known."""
        failed = {record.name for record in records if record.status is not Status.PASSED}
        losing = {record.task for record in records if record.name in failed}
        loses = _listed(edits, "loses")
        if kept := sorted(loses - losing):
            yield f"keeps all points of {', '.join(kept)}"
        related = loses.union(*(self._dependents.get(task, set()) for task in loses))
        if others := sorted(losing - related):
            yield f"loses points of {', '.join(others)}, which does not build on {', '.join(sorted(loses))}"
        # A check without its case stands for any of its cases.
        found = failed | set(map(_function, failed))
        if missed := sorted(_listed(edits, "killed by") - found):
            yield f"passes {', '.join(missed)}, which should find it"

    def _remarks(self, kinds: frozenset[Kind], attempts: Iterable[Attempt]) -> Iterator[str]:
        """What is wrong with the mutants and judgements themselves."""
        where = f"graders/{self._assignment.name}"
        if Kind.MUTANT in kinds and self._tries_all:
            lost = set[str]().union(*(_listed(edits, "loses") for edits in self._mutants))
            for task in dict.fromkeys(record.task for record in self._checks):
                if task not in lost:
                    yield f"{where}/mutants: no mutant loses points of the task {task!r}"
            failed = {name for attempt in attempts for name in attempt.failed if attempt.kind is Kind.MUTANT}
            for check in self._checks:
                if check.hidden and check.name not in failed:
                    yield f"{where}/mutants: no mutant fails the check {check.name}: what does it find?"
        if Kind.GENERATED in kinds:
            made = {attempt.name: attempt for attempt in attempts if attempt.kind is Kind.GENERATED}
            for name in self._judged:
                if name not in made:
                    yield f"{where}/{JUDGED}: {name}: no such mutant is generated any more. Delete the line."
                elif made[name].failed:
                    yield f"{where}/{JUDGED}: {name}: is found by {made[name].failed[0]}, so it is no correct solution"

    @property
    def _long_checks(self) -> tuple[CheckRecord, ...]:
        return tuple(record for record in self._checks if record.name not in self._quick)

    def _tasks_of(self, edits: CellEdits) -> set[str]:
        return {answer.task for answer in self._answers if answer.cell in edits.cells}


def _function(name: str) -> str:
    """The function of a check, which may have cases."""
    return name.partition("[")[0]


def _failures(records: list[CheckRecord]) -> str:
    """What a solution that is right fails, with the reason for the first."""
    if not records:
        return ""
    others = f" (and {', '.join(record.name for record in records[1:])})" if records[1:] else ""
    return f"fails {records[0].name}{others}: {records[0].rationale}"


def _record(found: dict[str, Any]) -> CheckRecord:
    """A record as the ledger has it."""
    return CheckRecord(**{**found, "status": Status(found["status"]), "advice": tuple(found["advice"])})


def _released(assignment: Assignment) -> dict[str, bytes]:
    """What students get, as a submission."""
    with tempfile.TemporaryDirectory() as folder:
        files = pack_submission(rehearse_release(assignment, Path(folder)), RELEASE_BYTES)
    if files is None:
        raise UsageError(f"source/{assignment.name}: holds links, or more than {RELEASE_BYTES // MIB} MiB")
    return files


def _read_folder(assignment: Assignment, name: str) -> list[CellEdits]:
    """The files of changed cells in ``mutants/`` or ``variants/``."""
    edits = [read_edits(path) for path in sorted((assignment.graders / name).glob("*.py"))]
    for one in edits:
        if not one.cells:
            raise UsageError(f"{one.file}: changes no cell. Start one with a line such as `# %% attend-solution`.")
        if name == "mutants" and not _listed(one, "loses"):
            raise UsageError(f"{one.file}: expected a line such as `# loses: attend`: the task that must lose points")
    return edits


def _chosen(assignment: Assignment, names: frozenset[str] | None) -> list[CellEdits]:
    """The mutants of these names, or all."""
    mutants = _read_folder(assignment, "mutants")
    if unknown := sorted((names or frozenset()) - {edits.file.stem for edits in mutants}):
        raise UsageError(f"graders/{assignment.name}/mutants: no mutant {unknown[0]!r}")
    return [edits for edits in mutants if names is None or edits.file.stem in names]


def _listed(edits: CellEdits, header: str) -> set[str]:
    """The names in a header such as ``# killed by: a, b``."""
    return {name.strip() for name in edits.headers.get(header, "").split(",") if name.strip()}


def _read_judged(assignment: Assignment) -> dict[str, str]:
    """By id, why a generated mutant is no mistake."""
    path = assignment.graders / JUDGED
    if not path.exists():
        return {}
    try:
        judged = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    for name, reason in judged.items():
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f'{path}: {name}: expected a reason, as in `{name} = "the axis has one entry"`')
    return judged
