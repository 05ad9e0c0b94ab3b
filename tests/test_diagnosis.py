"""The likely cause of a wrong tensor: realistic mistakes are named, coincidences are not."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tensorgrade.checks import Facts, assert_close
from tensorgrade.checks.closeness import Tolerance
from tensorgrade.checks.diagnosis import Cause, Diagnosis, diagnose
from tensorgrade.errors import CheckFailure

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape, seed=0):
    """Normal values, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def find(actual, expected, **facts):
    """The diagnosis with the default tolerances."""
    tolerance = Tolerance.of(actual.dtype, expected.dtype, rtol=None, atol=None)
    return diagnose(actual, expected, Facts(**facts), rtol=tolerance.rtol, atol=tolerance.atol)


def require(found, cause, *words):
    """A diagnosis with this cause, whose hint holds the words and says what to reread."""
    assert found is not None
    assert found.cause is cause, found
    for word in words:
        assert word in found.hint
    assert "Reread" in found.hint or cause is Cause.KNOWN_MISTAKE


# ---- one number, one function ----


def divergence_from_normal(mean, log_variance):
    """KL divergence of each row's normal distribution from the standard one."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


MEAN, LOG_VARIANCE = draw(9, 4), draw(9, 4, seed=1)
DIVERGENCE = divergence_from_normal(MEAN, LOG_VARIANCE)


@pytest.mark.parametrize(
    ("actual", "facts", "cause", "words"),
    [
        pytest.param(-DIVERGENCE, {}, Cause.SIGN, "wrong sign", id="sign"),
        pytest.param(2 * DIVERGENCE, {}, Cause.FACTOR, "factor 2.", id="two"),
        pytest.param(-DIVERGENCE / 2, {}, Cause.FACTOR, "1 / 2 and have the wrong sign", id="minus-half"),
        pytest.param(DIVERGENCE / 4, {"sizes": {"latent": 4}}, Cause.REDUCTION, "factor latent", id="mean"),
        pytest.param(DIVERGENCE / math.log(2), {}, Cause.FACTOR, "base 2", id="bits"),
        pytest.param(DIVERGENCE * 1.2345, {}, Cause.FACTOR, "the same factor.", id="unnamed"),
        pytest.param(DIVERGENCE + 1, {}, Cause.OFFSET, "larger by 1", id="one-more"),
        pytest.param(DIVERGENCE - 0.37, {}, Cause.OFFSET, "the same constant", id="offset"),
        pytest.param(DIVERGENCE.exp(), {}, Cause.LOG_OR_EXP, "exponentials", id="exp"),
        pytest.param(DIVERGENCE.log(), {}, Cause.LOG_OR_EXP, "logarithms", id="log"),
        pytest.param(DIVERGENCE * 0, {}, Cause.CONSTANT, "All values are 0", id="zero"),
        pytest.param(DIVERGENCE.mean().expand(9), {}, Cause.CONSTANT, "All values are equal", id="constant"),
        pytest.param(DIVERGENCE.cumsum(0), {}, Cause.ACCUMULATES, "sum of all before", id="running-sum"),
        pytest.param(DIVERGENCE.floor(), {}, Cause.DTYPE, "whole numbers", id="floor"),
        pytest.param(DIVERGENCE.bfloat16().float(), {}, Cause.DTYPE, "bfloat16", id="rounded"),
    ],
)
def test_what_one_number_or_function_explains(actual, facts, cause, words):
    """A wrong divergence is put down to the factor, constant or function that it is off by."""
    require(find(actual, DIVERGENCE, **facts), cause, words)


def test_bias_of_each_column_is_an_offset():
    """A result without its bias differs by one constant for each column."""
    x, weight, bias = draw(6, 3), draw(3, 4, seed=1), draw(4, seed=2)
    require(find(x @ weight, x @ weight + bias), Cause.OFFSET, "axis 0", "bias")


@pytest.mark.parametrize("power", [1, 0.5])
def test_variance_with_the_other_divisor(power):
    """Dividing by n in place of n - 1 is seen in the variance and in its root, with the name of n."""
    x = draw(11, 5)
    found = find(x.var(0, correction=0) ** power, x.var(0) ** power, sizes={"N": 11})
    require(found, Cause.VARIANCE, "n = N", "correction")


def test_variance_below_scale_and_shift():
    """A learned scale and shift do not hide the divisor of the variance."""
    x, scale, shift = draw(11, 5), 1 + draw(5, seed=1) / 3, draw(5, seed=2)
    centred = x - x.mean(0)
    actual, expected = (scale * centred / x.std(0, correction=n) + shift for n in (1, 0))
    require(find(actual, expected, sizes={"N": 11}), Cause.VARIANCE)


# ---- right values in the wrong places ----

IMAGE = draw(3, 6, 6)


@pytest.mark.parametrize(
    ("actual", "cause", "words"),
    [
        pytest.param(IMAGE.mT, Cause.TRANSPOSED, "The last two axes are swapped", id="transposed"),
        pytest.param(2 * IMAGE.mT, Cause.TRANSPOSED, "one factor", id="transposed-and-scaled"),
        pytest.param(-IMAGE.mT, Cause.TRANSPOSED, "sign", id="transposed-and-negated"),
        pytest.param(IMAGE.transpose(0, 1).reshape(3, 6, 6), Cause.TRANSPOSED, "reshape", id="viewed"),
        pytest.param(IMAGE.flip(1), Cause.REVERSED, "along axis 1", id="flipped"),
        pytest.param(IMAGE.flip(1, 2), Cause.REVERSED, "the last two axes", id="turned"),
        pytest.param(IMAGE.roll(1, 2), Cause.ROLLED, "one step too late along axis 2", id="rolled"),
        pytest.param(torch.cat([IMAGE[:, 2:], draw(3, 2, 6, seed=1)], 1), Cause.ROLLED, "2 steps too early", id="cut"),
        pytest.param(IMAGE.softmax(0), Cause.LOG_OR_EXP, "softmax, along axis 0", id="softmax"),
        pytest.param(IMAGE[:, :1].expand(3, 6, 6), Cause.CONSTANT, "along axis 1 are equal", id="one-row"),
    ],
)
def test_right_values_in_the_wrong_places(actual, cause, words):
    """Swapped, reversed, shifted and repeated slices of an image are called by their name."""
    require(find(actual, IMAGE), cause, words)


SCORES = draw(4, 5)


@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
@pytest.mark.parametrize(("wrong", "words"), [(0, "along axis 0"), (None, "together")])
def test_softmax_over_another_axis(function, wrong, words):
    """A (log-)softmax over the batch, or over everything, is seen in the sums."""
    actual = function(SCORES.flatten(), 0).reshape(4, 5) if wrong is None else function(SCORES, wrong)
    require(find(actual, function(SCORES, 1)), Cause.SOFTMAX_AXIS, words, "axis 1")


@pytest.mark.parametrize(
    ("factor", "cause", "words"), [(math.sqrt(8), Cause.FACTOR, "sqrt(d_k)"), (-1, Cause.SIGN, "sign")]
)
def test_factor_inside_a_softmax(factor, cause, words):
    """What the scores were multiplied by can be read off the probabilities."""
    require(find((SCORES * factor).softmax(1), SCORES.softmax(1), sizes={"d_k": 8}), cause, words)


def test_norm_over_another_axis():
    """A layer norm of the tokens in place of the features is seen in means and variances, also below a scale."""
    x, scale, shift = draw(5, 7), 1 + draw(7, seed=1) / 3, draw(7, seed=2)

    def norm(x, axis):
        return (x - x.mean(axis, keepdim=True)) / x.std(axis, keepdim=True, correction=0)

    require(find(norm(x, 0), norm(x, 1)), Cause.INPUT_AXIS, "along axis 0", "along axis 1")

    def reference(x, scale, shift):
        return scale * norm(x, 1) + shift

    inputs = {"x": x, "scale": scale, "shift": shift}
    found = find(scale * norm(x, 0) + shift, reference(**inputs), inputs=inputs, reference=reference)
    require(found, Cause.INPUT_AXIS)


def test_axes_in_another_order():
    """Three axes that went around are noticed, also in a cube, whose shape does not show it."""
    cube = draw(4, 4, 4)
    require(find(cube.permute(1, 2, 0), cube), Cause.TRANSPOSED, "another order")


# ---- shape and dtype ----

TABLE = draw(4, 6)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        pytest.param(TABLE.T, TABLE, "swapped. The values are right then", id="transposed"),
        pytest.param(
            TABLE[None], TABLE, "An axis of length 1 is left over (axis 0). The values are right", id="squeeze"
        ),
        pytest.param(TABLE, TABLE[:, None], "missing (axis 1). The values are right", id="unsqueeze"),
        pytest.param(draw(2, 3, 4).permute(2, 0, 1), draw(2, 3, 4), "permute(1, 2, 0) mends it", id="permute"),
        pytest.param(TABLE.flatten(), TABLE, "another shape, in their order. The values are right", id="reshape"),
        pytest.param(TABLE.square(), TABLE.square().sum(1), "The sum along axis 1 is missing", id="sum"),
        pytest.param(TABLE, TABLE.mean(), "The mean over all values is missing", id="mean"),
        pytest.param(TABLE[:, 0] - TABLE[:, 1][:, None], TABLE[:, 0] - TABLE[:, 1], "on its diagonal", id="broadcast"),
        pytest.param(
            torch.cat([TABLE, TABLE[:1]]), TABLE, "too many along axis 0, the last. The values", id="one-more"
        ),
        pytest.param(TABLE[:-1, :-1], TABLE, "The last entries along axis 0 and axis 1 are missing", id="cut"),
        pytest.param(draw(4, 5), TABLE, "Too short along axis 1", id="other"),
    ],
)
def test_shape_with_what_mends_it(actual, expected, words):
    """A wrong shape comes with the step that mends it, and with whether the values are right then."""
    require(find(actual, expected), Cause.SHAPE, words)


def test_shape_alone_claims_nothing_of_values():
    """Wrong values, an infinite tolerance or a constant expected value never give "the values are right"."""
    assert "right then" not in find(draw(6, 4, seed=1), TABLE).hint
    assert "right then" not in diagnose(TABLE.T, TABLE, rtol=0.0, atol=math.inf).hint
    assert "right then" not in find(torch.ones(6, 4), torch.ones(4, 6)).hint


def test_stride_that_is_ignored_explains_the_shape():
    """A shape that an ignored argument gives is put down to the argument."""

    def window(x, stride=1):
        return x.unfold(0, 3, stride).sum(1)

    inputs = {"x": draw(15), "stride": 2}
    found = find(window(inputs["x"]), window(**inputs), inputs=inputs, reference=window)
    require(found, Cause.ARGUMENT_IGNORED, "`stride`")


def test_dtype_of_another_kind():
    """Another kind of dtype is named, with whether the values would be right."""
    counts = torch.tensor([3, 1, 4, 1, 5])
    require(find(counts.float(), counts), Cause.DTYPE, "values are float, integer", "right then")


# ---- masks ----

LENGTHS = torch.tensor([2, 5, 1, 4])
REAL = torch.arange(5) < LENGTHS[:, None]
FUTURE = torch.ones(7, 7, dtype=torch.bool).tril()


@pytest.mark.parametrize(
    ("actual", "expected", "cause"),
    [
        pytest.param(~REAL, REAL, Cause.MASK_INVERTED, id="inverted"),
        pytest.param(torch.arange(5) <= LENGTHS[:, None], REAL, Cause.MASK_OFF_BY_ONE, id="one-more"),
        pytest.param(torch.arange(1, 6) < LENGTHS[:, None], REAL, Cause.MASK_OFF_BY_ONE, id="one-less"),
        pytest.param(FUTURE.T, FUTURE, Cause.TRANSPOSED, id="transposed"),
        pytest.param(FUTURE.tril(-1), FUTURE, Cause.MASK_OFF_BY_ONE, id="without-self"),
        pytest.param(
            torch.zeros(7, 7).masked_fill(FUTURE, -math.inf),
            torch.zeros(7, 7).masked_fill(~FUTURE, -math.inf),
            Cause.MASK_INVERTED,
            id="additive-inverted",
        ),
    ],
)
def test_masks_that_are_the_value(actual, expected, cause):
    """A wrong mask is inverted, transposed or off by one."""
    require(find(actual, expected), cause)


def attend(q, k, v, allow=None):
    """Attention of one head; a row without allowed keys is 0."""
    return scaled_dot_product_attention(q, k, v, attn_mask=allow).nan_to_num()


QKV = {"q": draw(5, 8), "k": draw(6, 8, seed=1), "v": draw(6, 3, seed=2)}
ALLOW = torch.rand(5, 6, generator=torch.Generator().manual_seed(3)) < 0.6
ALLOW[:, 0] = True
WEIGHTS = (QKV["q"] @ QKV["k"].T / math.sqrt(8)).softmax(-1)


@pytest.mark.parametrize(
    ("actual", "cause"),
    [
        pytest.param(attend(**QKV), Cause.MASK_IGNORED, id="ignored"),
        pytest.param(attend(**QKV, allow=~ALLOW), Cause.MASK_INVERTED, id="inverted"),
        pytest.param((WEIGHTS * ALLOW) @ QKV["v"], Cause.MASK_AFTER_SOFTMAX, id="late"),
        pytest.param(attend(QKV["q"] * math.sqrt(8), QKV["k"], QKV["v"], ALLOW), Cause.FACTOR, id="unscaled"),
        pytest.param(attend(-QKV["q"], QKV["k"], QKV["v"], ALLOW), Cause.SIGN, id="negated"),
    ],
)
def test_masks_that_act_on_the_value(actual, cause):
    """The reference tells what the output is with an altered mask or with altered scores."""
    inputs = {**QKV, "allow": ALLOW}
    require(find(actual, attend(**inputs), inputs=inputs, reference=attend, mask="allow"), cause)


def test_mask_that_does_not_vary_is_not_off_by_one():
    """Other scores under a mask that is the same for all queries are no fault of the mask."""
    keep = torch.tensor([True, False, True, True, False, True]).expand(5, 6)
    expected, actual = ((QKV["q"] @ QKV["k"].T * scale).masked_fill(~keep, -math.inf).softmax(-1) for scale in (1, 0.3))
    for facts in ({}, {"inputs": {"allow": keep}, "mask": "allow", "reference": lambda allow: expected}):
        found = find(actual, expected, **facts)
        assert found is None or found.cause is Cause.FACTOR


def test_masks_are_read_off_weights():
    """The zeros of a distribution say what the mask hides, without a word from the author."""
    expected = (WEIGHTS * ALLOW) / (WEIGHTS * ALLOW).sum(-1, keepdim=True)
    require(find(WEIGHTS, expected), Cause.MASK_IGNORED)
    require(find(WEIGHTS * ALLOW, expected), Cause.MASK_AFTER_SOFTMAX)


# ---- arguments ----


def update(weight, gradient, velocity, lr=0.1, momentum=0.9):
    """A step with momentum."""
    return weight - lr * (momentum * velocity + gradient.tanh())


STEP = {
    "weight": draw(4, 4),
    "gradient": draw(4, 4, seed=1),
    "velocity": draw(4, 4, seed=2),
    "lr": 0.3,
    "momentum": 0.5,
}


@pytest.mark.parametrize(
    ("altered", "cause", "words"),
    [
        pytest.param({"lr": 0.1}, Cause.ARGUMENT_IGNORED, "`lr`", id="lr"),
        pytest.param({"momentum": 0.0}, Cause.ARGUMENT_IGNORED, "`momentum`", id="momentum"),
        pytest.param(
            {"gradient": torch.zeros(4, 4)}, Cause.ARGUMENT_IGNORED, "`gradient` has no effect", id="gradient"
        ),
        pytest.param(
            {"velocity": STEP["weight"]}, Cause.ARGUMENT_IGNORED, "`weight` is used in the place", id="replaced"
        ),
        pytest.param(
            {"velocity": STEP["weight"], "weight": STEP["velocity"]},
            Cause.ARGUMENTS_SWAPPED,
            "`weight` and `velocity`",
            id="swapped",
        ),
        pytest.param({"gradient": STEP["gradient"].T}, Cause.INPUT_AXIS, "`gradient` enters", id="transposed"),
        pytest.param({"gradient": STEP["gradient"].flip(0)}, Cause.INPUT_AXIS, "in reverse", id="reversed"),
        pytest.param({"gradient": STEP["gradient"].roll(1, 0)}, Cause.ROLLED, "shifted by one", id="shifted"),
        pytest.param({"gradient": -STEP["gradient"]}, Cause.SIGN, "`gradient`", id="uphill"),
    ],
)
def test_altered_arguments(altered, cause, words):
    """The argument that was ignored, exchanged, turned or negated is named."""
    found = find(update(**{**STEP, **altered}), update(**STEP), inputs=STEP, reference=update)
    require(found, cause, words)


def test_reference_that_does_not_fit_is_not_used():
    """Where the reference does not give the expected value, nothing is concluded from it."""
    actual = update(**{**STEP, "lr": 0.1})
    assert find(actual, update(**STEP).tanh(), inputs=STEP, reference=update) is None


def normalise(x, eps=1e-5):
    """Layer norm without scale and shift."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()


@pytest.mark.parametrize("has_reference", [True, False])
@pytest.mark.parametrize(
    ("divisor", "words"),
    [
        pytest.param(lambda v: v.sqrt(), "missing", id="missing"),
        pytest.param(lambda v: v.sqrt() + 1e-5, "wrong side", id="outside"),
        pytest.param(lambda v: (v + 1e-3).sqrt(), "another size", id="larger"),
    ],
)
def test_epsilon(divisor, words, has_reference):
    """A moved epsilon is found through the reference, or in the slices of the result alone."""
    x = 0.01 * draw(6, 8)
    centred = x - x.mean(-1, keepdim=True)
    facts = {"inputs": {"x": x}, "reference": normalise} if has_reference else {}
    found = find(centred / divisor(x.var(-1, correction=0, keepdim=True)), normalise(x), **facts)
    require(found, Cause.EPSILON, words)


# ---- calls, rows, numbers that are not finite ----


def test_earlier_calls():
    """A value of the call before is recognised in a sum, as itself, and when calls differ."""
    first, second = draw(3, 4), draw(3, 4, seed=1)
    require(find(first + second, second, earlier=first), Cause.ACCUMULATES)
    require(find(first, second, earlier=first), Cause.STATEFUL, "the call before")
    require(find(first, first, again=2 * first), Cause.ACCUMULATES, "second time")
    require(find(first, first, again=second), Cause.STATEFUL, "second time")
    assert find(first, first, again=first.clone()) is None


def test_known_mistakes_come_first():
    """A mistake that the author foresaw is named in the author's words, given as a value or a function."""
    wrong = -DIVERGENCE
    assert find(wrong, DIVERGENCE, mistakes={"Which sign?": wrong}) == Diagnosis(Cause.KNOWN_MISTAKE, "Which sign?")
    mistakes = {
        "Broken.": lambda **_: 1 / 0,
        "Half?": lambda mean, log_variance: 3 * divergence_from_normal(mean, log_variance),
    }
    inputs = {"mean": MEAN, "log_variance": LOG_VARIANCE}
    assert find(3 * DIVERGENCE, DIVERGENCE, inputs=inputs, mistakes=mistakes).hint == "Half?"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param([0], "Only the first entry along axis 0", id="first"),
        pytest.param([8], "Only the last entry along axis 0", id="last"),
        pytest.param([6, 7, 8], "up to the last 3 entries", id="last-three"),
        pytest.param([2, 5], "(2, 5)", id="some"),
    ],
)
def test_some_rows(rows, words):
    """If all is right but some rows, they are named."""
    expected = draw(9, 4)
    actual = expected.clone()
    actual[rows] = draw(len(rows), 4, seed=1)
    require(find(actual, expected), Cause.SOME_ROWS, words)


def test_rows_that_see_nothing():
    """Rows that the mask blinds are called so, whether they are wrong or NaN."""
    allow = ALLOW.clone()
    allow[3] = False
    expected = attend(**QKV, allow=allow)
    facts = {"inputs": {**QKV, "allow": allow}, "reference": attend, "mask": "allow"}
    actual = expected.clone()
    actual[3] = QKV["v"].mean(0)
    require(find(actual, expected, **facts), Cause.SOME_ROWS, "allows nothing")
    actual[3] = math.nan
    require(find(actual, expected, **facts), Cause.NOT_FINITE, "allows nothing")


@pytest.mark.parametrize(
    ("actual", "expected", "facts", "cause"),
    [
        pytest.param(torch.tensor([1.0, 2, math.nan, 4]), torch.arange(1.0, 5), {}, Cause.NOT_FINITE, id="nan"),
        pytest.param((200 * SCORES).softmax(1).log(), (200 * SCORES).log_softmax(1), {}, Cause.UNSTABLE, id="log-0"),
        pytest.param((200 * SCORES).exp().log1p(), (200 * SCORES).relu(), {}, Cause.UNSTABLE, id="softplus"),
        pytest.param(
            ((30 * SCORES).softmax(1) + 1e-7).log(), (30 * SCORES).log_softmax(1), {}, Cause.UNSTABLE, id="bounded"
        ),
        pytest.param(
            (200 * SCORES).exp() / (200 * SCORES).exp().sum(1, keepdim=True),
            (200 * SCORES).softmax(1),
            {"inputs": {"x": 200 * SCORES}},
            Cause.UNSTABLE,
            id="overflow",
        ),
    ],
)
def test_values_that_are_not_finite(actual, expected, facts, cause):
    """NaN and infinity are put down to large inputs where these explain them."""
    require(find(actual, expected, **facts), cause)


# ---- what is never said ----


@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (2, 2), (3, 3), (7,), (4, 5), (2, 3, 4)], ids=str)
def test_unrelated_values_have_no_diagnosis(shape):
    """Values that have nothing to do with each other get no hint: in one of 100 cases at most."""
    generator = torch.Generator().manual_seed(5)
    pairs = torch.randn(100, 2, *shape, generator=generator)
    assert sum(find(actual, expected) is not None for actual, expected in pairs) <= 1
    whole = torch.randint(0, 4, (40, 2, *shape), generator=generator)
    assert sum(find(actual, expected) is not None for actual, expected in whole) <= 2


def test_unrelated_scalars_have_no_diagnosis_with_a_reference():
    """A hundred altered inputs do not explain a number by luck."""
    generator = torch.Generator().manual_seed(6)

    def loss(x, weight, target, scale=0.3):
        return scale * (torch.tanh(x @ weight) - target).square().mean()

    found = 0
    for _ in range(40):
        shapes = {"x": (4, 3), "weight": (3, 5), "target": (4, 5)}
        inputs = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        actual = torch.rand((), generator=generator)
        found += find(actual, loss(**inputs), inputs=inputs, reference=loss, sizes={"N": 4}) is not None
    assert found <= 1


def test_hints_hold_no_number_of_a_value():
    """Whatever the values are, the numbers in a hint are places, small constants and nothing else."""
    generator = torch.Generator().manual_seed(7)
    hints = []
    for number in range(40):
        secret = 3 + 90 * torch.rand((), generator=generator)
        expected = torch.randn(4, 6, generator=generator) * secret
        wrong = (expected * secret, expected + secret, expected.T, (expected / secret).exp(), expected * 0 + secret)
        actual = wrong[number % 5].contiguous()
        inputs = {"x": expected, "scale": secret.item()}
        for facts in ({}, {"inputs": inputs, "reference": lambda x, scale: x + 0 * scale}, {"sizes": {"N": 977}}):
            found = find(actual, expected, **facts)
            hints += [found.hint] if found else []
    assert len(hints) > 80
    numbers = set(re.findall(r"\d+(?:\.\d+)?", " ".join(hints)))
    assert numbers <= {"0", "1", "2", "3", "4"}


def test_diagnosis_never_raises():
    """Odd shapes, dtypes and facts end in silence or a diagnosis."""

    class Odd(torch.Tensor):
        def detach(self):
            raise SystemExit

    def broken(**inputs):
        raise RuntimeError(inputs)

    facts = Facts(inputs={"x": torch.empty(0), "n": None}, reference=broken, mask="y", mistakes={"a": broken})
    values = [torch.empty(0), torch.empty(0, 3), torch.tensor(1.0), torch.full((3, 3), math.nan), torch.eye(3).bool()]
    values += [
        torch.tensor([2**62, -(2**63)]),
        torch.full((4,), 1e308, dtype=torch.float64),
        torch.tensor([math.inf, -math.inf]),
    ]
    for actual in values:
        for expected in values:
            for some in (Facts(), facts, Facts(earlier=torch.ones(2).as_subclass(Odd), again=expected)):
                found = diagnose(actual, expected, some, rtol=1e-5, atol=1e-5)
                assert found is None or found.hint


def test_right_values_have_no_diagnosis():
    """There is nothing to say of what is right."""
    assert find(TABLE, TABLE) is None
    assert find(TABLE * (1 + 1e-7), TABLE, inputs={"x": TABLE}, reference=torch.clone) is None


def test_large_tensors_are_diagnosed():
    """A quarter of a million values are no obstacle; beyond four million only the first hypotheses are tried."""
    expected = draw(500, 500)
    require(find(expected.T.contiguous(), expected), Cause.TRANSPOSED)
    assert find(draw(500, 500, seed=1), expected) is None
    huge = torch.arange(5e6)
    require(find(0 * huge, huge), Cause.CONSTANT)
    assert find(2 * huge, huge) is None


def test_assert_close_says_the_cause():
    """The hint of a failed comparison ends with the likely cause; the numbers stay in the rationale."""
    with pytest.raises(CheckFailure) as caught:
        assert_close(DIVERGENCE / 4, DIVERGENCE, name="kl", facts=Facts(sizes={"latent": 4}))
    assert caught.value.hint.startswith("9 of 9 values of kl are out of tolerance. All values are too small by")
    assert "latent" in caught.value.hint
    with pytest.raises(CheckFailure, match="shape") as caught:
        assert_close(TABLE.T, TABLE)
    assert caught.value.hint.endswith("The values are right then. Reread: transpose.")


@pytest.mark.parametrize(("factor", "size"), [(1.5, 3), (1.25, 5)])
def test_a_wrong_constant_is_no_variance(factor: float, size: int) -> None:
    """Half as much again of three values is a wrong constant; that 1.5 is 3 / (3 - 1) is a coincidence."""
    expected = torch.linspace(1, 2, size)
    found = diagnose(factor * expected, expected, rtol=1e-5, atol=1e-6)
    assert found is not None
    assert found.cause is Cause.FACTOR
