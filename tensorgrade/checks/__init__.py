"""The words a grader author uses about tensors: closeness, gradients, properties, learning."""

from tensorgrade.checks.calls import Calls, assert_called, assert_not_called
from tensorgrade.checks.closeness import (
    assert_close,
    assert_dtype,
    assert_finite,
    assert_relative_error,
    assert_shape,
    relative_error,
    unpack_tensors,
)
from tensorgrade.checks.diagnosis import Facts
from tensorgrade.checks.gradients import (
    assert_gradient,
    assert_has_gradient,
    assert_input_gradients,
    assert_parameter_gradients,
    assert_parameters_have_gradients,
    assert_same_gradient,
)
from tensorgrade.checks.independence import (
    assert_batch_independent,
    assert_causal,
    assert_train_eval_agree,
    assert_train_eval_differ,
)
from tensorgrade.checks.learning import (
    Budget,
    Recipe,
    assert_initial_loss,
    assert_loss_falls,
    assert_no_leakage,
    assert_overfits,
    train_under_budget,
)
from tensorgrade.checks.metrics import measure
from tensorgrade.checks.normalisation import assert_distribution, assert_standardised
from tensorgrade.checks.purity import (
    assert_deterministic,
    assert_not_mutated,
    assert_random_state_kept,
    assert_reproducible,
)
from tensorgrade.checks.sides import Side, ThisProcess
from tensorgrade.checks.sizes import EMPTY, ODD_SIZES, assert_every_size
from tensorgrade.checks.symmetries import (
    assert_linear,
    assert_permutation_equivariant,
    assert_permutation_invariant,
    assert_translation_equivariant,
)

__all__ = [
    "EMPTY",
    "ODD_SIZES",
    "Budget",
    "Calls",
    "Facts",
    "Recipe",
    "Side",
    "ThisProcess",
    "assert_batch_independent",
    "assert_called",
    "assert_causal",
    "assert_close",
    "assert_deterministic",
    "assert_distribution",
    "assert_dtype",
    "assert_every_size",
    "assert_finite",
    "assert_gradient",
    "assert_has_gradient",
    "assert_initial_loss",
    "assert_input_gradients",
    "assert_linear",
    "assert_loss_falls",
    "assert_no_leakage",
    "assert_not_called",
    "assert_not_mutated",
    "assert_overfits",
    "assert_parameter_gradients",
    "assert_parameters_have_gradients",
    "assert_permutation_equivariant",
    "assert_permutation_invariant",
    "assert_random_state_kept",
    "assert_relative_error",
    "assert_reproducible",
    "assert_same_gradient",
    "assert_shape",
    "assert_standardised",
    "assert_train_eval_agree",
    "assert_train_eval_differ",
    "assert_translation_equivariant",
    "measure",
    "relative_error",
    "train_under_budget",
    "unpack_tensors",
]
