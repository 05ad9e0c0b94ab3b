"""Helps an instructor trust an assignment before students see it.

* `lint` finds what does not fit together, without running a solution.
* `preview` and `page` show what students will see.
* `prove` tries everything on a grader that shows whether it can be trusted; `proof` is what it found,
  `proof_page` shows it; `answers` knows which cell answers which task.
* `rehearsal` makes a release apart, `traps` finds what must not be in it.
"""

from tensorgrade.authoring.lint import lint_assignment
from tensorgrade.authoring.page import preview_page
from tensorgrade.authoring.preview import Preview, Trial, preview_assignment
from tensorgrade.authoring.proof import Kind, Proof
from tensorgrade.authoring.proof_page import proof_page
from tensorgrade.authoring.prove import prove_assignment

__all__ = [
    "Kind",
    "Preview",
    "Proof",
    "Trial",
    "lint_assignment",
    "preview_assignment",
    "preview_page",
    "proof_page",
    "prove_assignment",
]
