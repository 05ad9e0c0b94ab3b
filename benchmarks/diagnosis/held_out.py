"""The part of the corpus that only measures: no hypothesis is written or tuned with it in view."""

from __future__ import annotations

from benchmarks.diagnosis.cases import WrongAnswer, load_part


def held_out() -> list[WrongAnswer]:
    """All wrong answers of the modules `held_out_*`."""
    return list(load_part("held_out_"))
