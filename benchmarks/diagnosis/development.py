"""The part of the corpus with which hypotheses are written and tuned."""

from __future__ import annotations

from benchmarks.diagnosis.cases import WrongAnswer, load_part


def development() -> list[WrongAnswer]:
    """All wrong answers of the modules `development_*`."""
    return list(load_part("development_"))
