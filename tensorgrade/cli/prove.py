"""`tensorgrade prove`."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from tensorgrade.cli.words import course_option, progress, shown
from tensorgrade.course import Course

if TYPE_CHECKING:
    from tensorgrade.authoring import Proof

PARTS = {
    "reference": "REFERENCE",
    "empty": "EMPTY",
    "variants": "VARIANT",
    "mutants": "MUTANT",
    "generated": "GENERATED",
}
SHOWN = 10  # survivors in the terminal; the page has all


@click.command()
@click.argument("assignment")
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True, metavar="N", help="Draw N inputs.")
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(list(PARTS)), help="Only this; may be repeated. Default: all."
)
@click.option("--mutant", "mutants", multiple=True, metavar="NAME", help="Of the mutants only this; may be repeated.")
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Try N at a time. Default: one for each core."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to write the page."
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@course_option
def prove(
    assignment: str,
    seeds: int,
    parts: tuple[str, ...],
    mutants: tuple[str, ...],
    workers: int | None,
    output: Path | None,
    opens: bool,
    folder: Path,
) -> int:
    """Prove that the grader of ASSIGNMENT can be trusted.

    \b
    The solution passes every check, with each of N secrets      reference
    the untouched release passes none                            empty
    correct solutions in graders/ASSIGNMENT/variants pass too    variants
    each mutant in graders/ASSIGNMENT/mutants loses points       mutants
      in the task that it names, and only there
    mistakes made from the solution by rules are found           generated

    Writes one page with every mutant that survived (build/proof/ASSIGNMENT.html in the course). A
    generated mutant that is no mistake is judged in graders/ASSIGNMENT/equivalent.toml, one line
    each: its id, and why. Exits with 1 if there is something to mend.

    \b
    Examples:
      tensorgrade prove attention
      tensorgrade prove attention --part mutants --part generated
      tensorgrade prove attention --mutant attend_unscaled
      tensorgrade prove attention --seeds 20 --part reference --part variants
    """
    from tensorgrade.authoring import Kind, proof_page, prove_assignment
    from tensorgrade.fleet import LocalProcesses

    course = Course.at(folder)
    found = course.assignment(assignment)
    kinds = frozenset(Kind[PARTS[part]] for part in parts or (["mutants"] if mutants else PARTS))
    path = output or course.root / "build" / "proof" / f"{found.name}.html"
    with LocalProcesses(workers or len(os.sched_getaffinity(0))) as executor, progress() as tell:
        proof = prove_assignment(
            found,
            executor,
            kinds=kinds,
            seeds=seeds,
            mutants=frozenset(mutants) or None,
            tell=tell,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(proof_page(proof), encoding="utf-8")
    _show(proof)
    click.echo(str(path))
    if opens:
        webbrowser.open(path.resolve().as_uri())
    return 1 if list(proof.problems()) else 0


def _show(proof: Proof) -> None:
    from tensorgrade.authoring import Kind

    table = Table(title=f"{proof.assignment}: {proof.title}")
    for column in ("tried", "number", "as it should be"):
        table.add_column(column, justify="left" if column == "tried" else "right")
    for kind in Kind:
        tried, right = proof.count(kind)
        if tried:
            table.add_row(kind.value, str(tried), f"{right} ({right / tried:.1%})")
    Console().print(table)
    for attempt in proof.survivors[:SHOWN]:
        place = f"{attempt.cell}, line {attempt.line} ({attempt.summary}), id {attempt.name}"
        click.echo(f"survives: {place}\n  - {attempt.before.strip()}\n  + {attempt.after.strip()}")
    if len(proof.survivors) > SHOWN:
        click.echo(f"and {len(proof.survivors) - SHOWN} more, see the page")
    for problem in proof.problems():
        click.echo(f"to mend: {shown(problem)}")
