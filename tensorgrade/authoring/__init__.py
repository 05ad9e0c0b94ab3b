"""Helps an instructor trust an assignment before students see it.

* `lint` finds what does not fit together, without running a solution.
* `preview` and `page` show what students will see.
* `prove` tries everything on a grader that shows whether it can be trusted; `proof` is what it found,
  `proof_page` shows it; `answers` knows which cell answers which task.
* `calibrate` runs what checks measure with many seeds; `calibration` holds the runs and the rule that follows,
  `calibration_file` stores them, `calibration_page` shows them; `measured` knows which checks measure, `sequential`
  what their chances of error are; `thresholds` finds those written by hand.
* `rehearsal` makes a release apart, `traps` finds what must not be in it.
"""

from tensorgrade.authoring.calibrate import Plan, calibrate_assignment
from tensorgrade.authoring.calibration import Calibration
from tensorgrade.authoring.calibration_file import find_unsupported, write_calibrations
from tensorgrade.authoring.calibration_page import calibration_page
from tensorgrade.authoring.lint import lint_assignment
from tensorgrade.authoring.measured import find_measured
from tensorgrade.authoring.page import preview_page
from tensorgrade.authoring.preview import Preview, Trial, preview_assignment
from tensorgrade.authoring.proof import Kind, Proof
from tensorgrade.authoring.proof_page import proof_page
from tensorgrade.authoring.prove import prove_assignment

__all__ = [
    "Calibration",
    "Kind",
    "Plan",
    "Preview",
    "Proof",
    "Trial",
    "calibrate_assignment",
    "calibration_page",
    "find_measured",
    "find_unsupported",
    "lint_assignment",
    "preview_assignment",
    "preview_page",
    "proof_page",
    "prove_assignment",
    "write_calibrations",
]
