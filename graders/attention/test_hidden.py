"""The hidden checks: attention, masks and positions on inputs that the student never sees.

Most compare the submission with itself (permuted, cut, perturbed), so that each mistake is found by
the check that is named after it. Shapes are pairwise different: a swapped axis cannot hide.
"""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from tensorgrade.checks import Facts, assert_close, assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure

# float32 rounds at 6e-8; sums of about ten terms of size 1 to 10 in any order agree to some 1e-6.
FLOAT32 = {"rtol": 1e-5, "atol": 1e-5}
# Angles of up to 30 radians, rounded in float32 by several operations: 30 * 6e-8 * some.
ANGLE = {"rtol": 0.0, "atol": 1e-4}


def draw_inputs(rng, *batch, queries=5, keys=7, dtype=torch.float32):
    """Queries (batch, queries, 11), keys (batch, keys, 11) and values (batch, keys, 3)."""
    shapes = ((queries, 11), (keys, 11), (keys, 3))
    return tuple(torch.randn(*batch, *shape, generator=rng, dtype=dtype) for shape in shapes)


def run_attend(student, q, k, v, allow=None):
    """Out and weights as float64, finite and of the right shapes, however they were computed."""
    result = student.attend(q, k, v) if allow is None else student.attend(q, k, v, allow)
    out, w = unpack_tensors(result, "out", "w")
    batch = q.shape[:-2]
    for name, value, size in (("w", w, k.shape[-2]), ("out", out, v.shape[-1])):
        # An infinite tolerance leaves shape, kind of dtype and finiteness.
        assert_close(value, torch.zeros(*batch, q.shape[-2], size), atol=math.inf, name=name)
    return out.double(), w.double()


def assert_rows_sum_to_one(w, hint="The weights of each query must sum to 1 over the keys."):
    """The weights (..., Lq, Lk) of each query are a distribution."""
    total = w.sum(-1)
    if not (((total - 1).abs() <= 1e-5).all() and (w >= -1e-6).all()):
        raise CheckFailure(f"row sums of w: {total.min():.6f} to {total.max():.6f}, smallest {w.min():.6f}", hint)


def expected_weights(q, k, allow=None):
    """The weights (..., Lq, Lk) by torch's own attention: averaging unit vectors gives the weights themselves."""
    unit = torch.eye(k.shape[-2], dtype=k.dtype).expand(*k.shape[:-1], k.shape[-2])
    return scaled_dot_product_attention(q, k, unit, attn_mask=allow)


def expected_out(q, k, v, allow=None):
    """The output (..., Lq, e) by torch's own attention."""
    return scaled_dot_product_attention(q, k, v, attn_mask=allow)


def facts_of(reference, **inputs):
    """What a hint may be made of: the inputs by name, and what the reference gives for altered ones."""
    return Facts(
        sizes={"d": 11}, dim=-1, inputs=inputs, reference=reference, mask="allow" if "allow" in inputs else None
    )


def draw_allow(rng, queries=5, keys=7):
    """A random bool mask (queries, keys) with an allowed and a forbidden key in each row."""
    allow = torch.rand(queries, keys, generator=rng) < 0.5
    allow[:, 2], allow[:, 5] = True, False
    return allow


@pytest.mark.task("attend")
def test_matches_reference(student, rng):
    """The output is the value vectors averaged with the attention weights."""
    q, k, v = draw_inputs(rng, 2)
    out, w = run_attend(student, q, k, v)
    weights, output = facts_of(expected_weights, q=q, k=k), facts_of(expected_out, q=q, k=k, v=v)
    assert_close(w, expected_weights(q, k), **FLOAT32, name="w", facts=weights)
    assert_close(out, expected_out(q, k, v), **FLOAT32, name="out", facts=output)


@pytest.mark.task("attend")
def test_weights_sum_to_one(student, rng):
    """The weights of each query sum to one over the keys."""
    _, w = run_attend(student, *draw_inputs(rng, 2))
    assert_rows_sum_to_one(w, "The weights of each query must sum to 1 over the keys. Which axis is the softmax over?")


@pytest.mark.task("attend", weight=2)
def test_doubled_width_scales_scores(student, rng):
    """The scores are divided by the square root of the width of queries and keys."""
    q, k, v = draw_inputs(rng, 2)
    _, w = run_attend(student, q, k, v)
    _, w_doubled = run_attend(student, torch.cat([q, q], -1), torch.cat([k, k], -1), v)
    if not w.amax() - w.amin() > 1e-3:
        raise CheckFailure("the weights are uniform", "The weights do not depend on the queries and keys.")
    # A logarithm gives the scores back, up to a constant per query.
    scores, scores_doubled = ((x.log() - x.log().mean(-1, keepdim=True)) for x in (w, w_doubled))
    growth = ((scores * scores_doubled).sum() / scores.square().sum()).item()
    if not abs(growth - math.sqrt(2)) <= 1e-3:
        raise CheckFailure(
            f"width doubled by repetition: scores grow by {growth:.4f}, expected sqrt(2)",
            "If every component of q and k is written twice, the dot products double and the scores must "
            f"grow by sqrt(2) = 1.41; they grow by {growth:.2f}. By what are the dot products divided?",
        )
    assert_close(w_doubled, torch.softmax(math.sqrt(2) * w.log(), -1), **FLOAT32, name="w")


@pytest.mark.task("attend")
def test_forbidden_keys_get_no_weight(student, rng):
    """A key that may not be looked at has weight exactly 0; the others still sum to one."""
    allow = draw_allow(rng)
    _, w = run_attend(student, *draw_inputs(rng, 2), allow)
    leaked = (w * ~allow).abs().amax().item()
    if leaked != 0:
        hint = "A forbidden key has a weight other than 0. True in `allow` means: may look."
        raise CheckFailure(f"largest weight of a forbidden key: {leaked:.6g}", hint)
    assert_rows_sum_to_one(w, "With a mask the weights no longer sum to 1. Does it act before the softmax?")


@pytest.mark.task("attend")
def test_forbidden_keys_have_no_influence(student, rng):
    """Forbidding keys gives the same result as leaving them out."""
    q, k, v = draw_inputs(rng, 2)
    keep = [0, 2, 3, 6]
    allow = torch.zeros(5, 7, dtype=torch.bool)
    allow[:, keep] = True
    out, w = run_attend(student, q, k, v, allow)
    out_cut, w_cut = run_attend(student, q, k[:, keep].contiguous(), v[:, keep].contiguous())
    assert_rows_sum_to_one(w_cut)
    w_spread = torch.zeros_like(w)
    w_spread[..., keep] = w_cut
    weights = facts_of(expected_weights, q=q, k=k, allow=allow)
    assert_close(w, w_spread, **FLOAT32, name="w", facts=weights)
    assert_close(out, out_cut, **FLOAT32, name="out", facts=facts_of(expected_out, q=q, k=k, v=v, allow=allow))


@pytest.mark.task("attend")
def test_future_does_not_leak(student, rng):
    """Where only the past is allowed, a token has no effect on the positions before it."""
    q, k, v = draw_inputs(rng, 2, queries=6, keys=6)
    q *= 0.3  # small scores: every allowed key has a weight that shows
    allow = torch.ones(6, 6, dtype=torch.bool).tril()
    before, w_before = run_attend(student, q, k, v, allow)
    for token in (5, 2):
        k_changed, v_changed = k.clone(), v.clone()
        k_changed[:, token] *= -1
        v_changed[:, token] += 5
        after, w_after = run_attend(student, q, k_changed, v_changed, allow)
        assert_close(w_after[:, :token], w_before[:, :token], **FLOAT32, name="w before the changed token")
        assert_close(after[:, :token], before[:, :token], **FLOAT32, name="out before the changed token")
        if not ((after - before)[:, token:].abs().amax((1, 2)) > 1e-3).all():
            raise CheckFailure(f"token {token} has no effect on later positions", "An allowed key has no effect.")


@pytest.mark.task("attend", weight=2)
def test_row_without_allowed_keys_is_zero(student, rng):
    """A query that may look at nothing has weights and output 0; the others are unchanged."""
    q, k, v = draw_inputs(rng, 2)
    allow = torch.ones(2, 5, 7, dtype=torch.bool)
    allow[0, 1] = allow[1, 4] = allow[1, 0] = False
    blind = ~allow.any(-1)
    out, w = run_attend(student, q, k, v, allow)
    out_free, w_free = run_attend(student, q, k, v)
    assert_rows_sum_to_one(w_free)
    for name, value, free in (("w", w, w_free), ("out", out, out_free)):
        largest = value[blind].abs().amax().item()
        if not largest <= 1e-6:
            hint = f"{name} is not 0 for a query that may look at nothing. What is a softmax of equal scores?"
            raise CheckFailure(f"{name}: largest value of a row without allowed keys: {largest:.6g}", hint)
        assert_close(value[~blind], free[~blind], **FLOAT32, name=f"{name} of the other queries")


@pytest.mark.task("attend")
def test_order_of_keys_does_not_matter(student, rng):
    """Reordering the keys together with their values leaves the output as it is."""
    q, k, v = draw_inputs(rng, 2)
    order = [3, 4, 5, 6, 0, 1, 2]
    out, w = run_attend(student, q, k, v)
    out_moved, w_moved = run_attend(student, q, k[:, order].contiguous(), v[:, order].contiguous())
    assert_rows_sum_to_one(w)
    assert_close(w_moved, w[..., order], **FLOAT32, name="w")
    assert_close(out_moved, out, **FLOAT32, name="out")


@pytest.mark.task("attend")
def test_leading_axes_are_independent(student, rng):
    """Any number of leading axes works, and each of their entries is attended on its own."""
    q, k, v = draw_inputs(rng, 3, 2)
    q, k, v = (x.transpose(0, 1) for x in (q, k, v))  # shape (2, 3, ..., ...), not contiguous
    out, w = run_attend(student, q, k, v)
    assert_rows_sum_to_one(w)
    for i, j in ((0, 0), (0, 2), (1, 1)):
        out_one, w_one = run_attend(student, q[i, j], k[i, j], v[i, j])
        assert_close(w[i, j], w_one, **FLOAT32, name="w")
        assert_close(out[i, j], out_one, **FLOAT32, name="out")


@pytest.mark.task("attend")
def test_allow_broadcasts(student, rng):
    """A mask with fewer axes, or axes of length 1, holds for everything that it broadcasts to."""
    q, k, v = draw_inputs(rng, 2, 3)
    allow = draw_allow(rng)
    for small in (
        allow,
        allow[0],
        allow[:1],
        torch.stack([allow[0], allow[3]])[:, None, None],
        allow[None, None],
    ):
        full = small.expand(2, 3, 5, 7).contiguous()
        out, w = run_attend(student, q, k, v, small.contiguous())
        out_full, w_full = run_attend(student, q, k, v, full)
        assert_rows_sum_to_one(w)
        assert_close(w, w_full, **FLOAT32, name="w")
        assert_close(out, out_full, **FLOAT32, name="out")


@pytest.mark.task("attend")
def test_single_query_and_key(student, rng):
    """With one key the output is its value; axes of length 1 stay in the shapes."""
    for batch in ((), (1,), (4, 1)):
        q, k, v = draw_inputs(rng, *batch, queries=1, keys=1)
        out, w = run_attend(student, q, k, v)
        assert_close(w, torch.ones(*batch, 1, 1), **FLOAT32, name="w")
        assert_close(out, v, **FLOAT32, name="out")


@pytest.mark.task("attend")
def test_large_scores_stay_finite(student, rng):
    """Scores in the thousands, allowed or forbidden, give finite and right weights."""
    target = [4, 1, 6, 3, 5]
    q, k = 100 * torch.eye(7)[target], 100 * torch.eye(7)
    v = torch.randn(7, 3, generator=rng)
    out, _ = run_attend(student, q, k, v)
    assert_close(out, v[target], **FLOAT32, name="out")
    # Key 0 matches every query twice as well as the best allowed key does.
    k[0] = 200
    allow = torch.ones(5, 7, dtype=torch.bool)
    allow[:, 0] = False
    out, _ = run_attend(student, q, k, v, allow)
    masked = facts_of(expected_out, q=q, k=k, v=v, allow=allow)
    assert_close(out, v[target], **FLOAT32, name="out, with the best key forbidden", facts=masked)
    # Rows of very different sizes, allowed keys close together, forbidden ones far above; exact in float32.
    q, k = torch.tensor([[240.0], [-60.0], [1.0]]), torch.tensor([[-50.0], [-50.015625], [-49.984375], [50.0]])
    allow = torch.tensor([[True, True, True, False]])
    _, w = run_attend(student, q, k, torch.randn(4, 3, generator=rng), allow)
    expected = torch.softmax((q @ k.T).double().masked_fill(~allow, -math.inf), -1)
    large = facts_of(expected_weights, q=q, k=k, allow=allow)
    assert_close(w, expected, **FLOAT32, name="w, with scores from -12000 to 12000", facts=large)


@pytest.mark.task("attend")
def test_float64_is_kept(student, rng):
    """Inputs in float64 are computed in float64."""
    q, k, v = draw_inputs(rng, 2, dtype=torch.float64)
    out, w = run_attend(student, q, k, v)
    # float64 rounds at 1e-16, float32 at 6e-8: nothing lies between.
    off = max((w.sum(-1) - 1).abs().amax().item(), (out - w @ v).abs().amax().item())
    if not off <= 1e-11:
        hint = "For float64 inputs w must sum to 1, and out equal w @ v, to the last digits of float64."
        raise CheckFailure(f"sums of w, or out - w @ v, are off by {off:.3g}", hint)
    # Width 16: its root is exact, in whatever precision it was taken.
    q, k = torch.randn(2, 5, 16, generator=rng, dtype=torch.float64), torch.randn(2, 7, 16, generator=rng).double()
    _, w = run_attend(student, q, k, v)
    expected = torch.softmax(q @ k.transpose(1, 2) / 4, -1)
    assert_close(w, expected, rtol=0.0, atol=1e-11, name="w of float64 inputs")
    for dtype in (torch.float32, torch.float64):
        results = unpack_tensors(student.attend(q.to(dtype), k.to(dtype), v.to(dtype)), "out", "w")
        if any(result.dtype != dtype for result in results):
            kinds = ", ".join(str(result.dtype) for result in results)
            raise CheckFailure(f"{dtype} in, {kinds} out", "The results must have the precision of the inputs.")


def reference_gradients(inputs, along, allow):
    """The gradients of queries, keys and values, by torch's own attention."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    scaled_dot_product_attention(*leaves, attn_mask=allow).backward(along)
    return [leaf.grad for leaf in leaves]


@pytest.mark.task("attend")
def test_gradients_match_reference(student, rng):
    """Gradients flow through the attention to queries, keys and values."""
    inputs, along = draw_inputs(rng, 2), torch.randn(2, 5, 3, generator=rng)
    allow = draw_allow(rng)
    found = student.gradients(student.attend, (*inputs, allow), along=(along, None))
    for i, (name, gradient) in enumerate(zip("qkv", found[:3], strict=True)):
        if gradient is None:
            raise CheckFailure(f"no gradient of {name}", f"No gradient reaches {name}. Is a tensor detached or copied?")

        def expected_gradient(q, k, v, allow, i=i):
            return reference_gradients((q, k, v), along, allow)[i]

        facts = facts_of(expected_gradient, **dict(zip("qkv", inputs, strict=True)), allow=allow)
        expected = expected_gradient(*inputs, allow)
        assert_close(gradient, expected, **FLOAT32, name=f"the gradient of {name}", facts=facts)


@pytest.mark.task("attend")
def test_blind_rows_leave_gradients_finite(student, rng):
    """A query that may look at nothing makes no gradient NaN, and has none itself."""
    inputs, along = draw_inputs(rng, 2), torch.randn(2, 5, 3, generator=rng)
    allow = draw_allow(rng)
    allow[1] = False
    found = student.gradients(student.attend, (*inputs, allow), along=(along, None))
    for name, gradient in zip("qkv", found[:3], strict=True):
        if gradient is None or not gradient.isfinite().all():
            hint = f"The gradient of {name} is NaN or missing beside a row without allowed keys. NaN times 0 is NaN."
            raise CheckFailure(f"gradient of {name}: {gradient}", hint)
    if not found[0][:, 1].abs().amax() <= 1e-6:
        raise CheckFailure("the blind query has a gradient", "A query that may look at nothing has a gradient.")


def assert_mask(actual, rows, name):
    """The mask equals the nested lists of bools; a mask the wrong way round is called so."""
    expected = torch.tensor(rows)
    assert_shape(actual, expected.shape, name=name)
    if actual.dtype == torch.bool and torch.equal(actual, ~expected):
        raise CheckFailure(f"{name}: inverted", f"{name}: True and False are exchanged. True means: may look.")
    assert_close(actual, expected, name=name)


@pytest.mark.task("masks")
def test_future_mask_allows_past_and_self(student):
    """Each position may look at itself and at everything before, at nothing else."""
    for length in (1, 2, 7, 40):
        expected = [[key <= query for key in range(length)] for query in range(length)]
        assert_mask(student.mask_future(length), expected, "mask_future(L)")


@pytest.mark.task("masks")
def test_future_mask_makes_attention_causal(student, rng):
    """With the mask of the future, a token has an effect on itself and on later ones only."""
    mask = student.mask_future(6)
    assert_close(mask, torch.ones(6, 6, dtype=torch.bool), atol=1, name="mask_future(L)")  # shape and dtype
    x = torch.randn(6, 11, generator=rng)
    before = scaled_dot_product_attention(x, x, x, attn_mask=mask)
    for token in (5, 3):
        changed = x.clone()
        changed[token] += 1
        after = scaled_dot_product_attention(x, changed, changed, attn_mask=mask)
        moved = (after - before).abs().amax(-1)
        if not (moved[:token] <= 1e-5).all():
            raise CheckFailure(f"token {token} changes earlier outputs", "A position sees a token after it.")
        if not moved[token] > 1e-5:
            raise CheckFailure(f"token {token} does not change its output", "A position does not see itself.")


@pytest.mark.task("masks")
def test_pads_mask_allows_real_tokens(student, rng):
    """Real tokens may be looked at, pads may not, in sequences of any length from 0 on."""
    lengths = [*torch.randint(1, 6, (3,), generator=rng).tolist(), 0, 6]
    expected = [[[key < length for key in range(6)]] for length in lengths]
    assert_mask(student.mask_pads(torch.tensor(lengths), 6), expected, "mask_pads(lengths, L)")
    for lengths, length in (([2, 0, 3], 7), ([1, 3, 0, 4], 4)):  # no full sequence; as many sequences as keys
        expected = [[[key < real for key in range(length)]] for real in lengths]
        assert_mask(student.mask_pads(torch.tensor(lengths), length), expected, "mask_pads(lengths, L)")


@pytest.mark.task("masks")
def test_pads_do_not_change_attention(student, rng):
    """A padded sequence is attended as if its pads were not there."""
    lengths = [3, 7, 1]
    mask = student.mask_pads(torch.tensor(lengths), 7)
    assert_close(mask, torch.ones(3, 1, 7, dtype=torch.bool), atol=1, name="mask_pads(lengths, L)")
    x = torch.randn(3, 7, 11, generator=rng)
    out = scaled_dot_product_attention(x, x, x, attn_mask=mask.expand(3, 7, 7))
    for row, length in zip(range(3), lengths, strict=True):
        real = x[row, :length]
        alone = scaled_dot_product_attention(real, real, real)
        assert_close(out[row, :length], alone, **FLOAT32, name="attention under mask_pads")


@pytest.mark.task("masks", weight=2)
def test_band_mask_allows_the_radius(student):
    """A position may look exactly as far as the radius, in both directions."""
    for radius in (0, 1, 3):
        expected = [[abs(query - key) <= radius for key in range(9)] for query in range(9)]
        assert_mask(student.mask_band(9, radius), expected, "mask_band(L, radius)")


@pytest.mark.task("masks")
def test_band_mask_counts_its_pairs(student):
    """The number of allowed pairs grows with the radius until everything is allowed."""
    length = 11
    for radius in (2, 5, 10, 11, 30):
        mask = student.mask_band(length, radius)
        assert_close(mask, torch.ones(length, length, dtype=torch.bool), atol=1, name="mask_band(L, radius)")
        reach = min(radius, length - 1)
        expected = length * (2 * reach + 1) - reach * (reach + 1)
        if int(mask.sum()) != expected:
            size = "smaller than" if radius < length else "at least"
            rationale = f"mask_band({length}, {radius}): expected {expected} pairs, got {int(mask.sum())}"
            raise CheckFailure(rationale, f"mask_band has a wrong number of allowed pairs for a radius {size} L.")


@pytest.mark.task("masks", weight=2)
def test_global_positions_look_both_ways(student):
    """Global positions may look everywhere, and everyone may look at them."""
    for length, radius, chosen in ((9, 1, (0, 4)), (9, 0, (8,)), (7, 2, (1, 5, 6))):
        place = range(length)
        expected = [[abs(i - j) <= radius or i in chosen or j in chosen for j in place] for i in place]
        mask = student.mask_band(length, radius, chosen)
        assert_shape(mask, (length, length), name="mask_band")
        for seen, words in (
            (mask[list(chosen)], "look everywhere"),
            (mask[:, list(chosen)], "be seen by everyone"),
        ):
            if not seen.all():
                raise CheckFailure(f"globals {chosen} cannot {words}", f"A global position cannot {words}.")
        assert_mask(mask, expected, "mask_band(L, radius, globals)")


def expected_positions(length, width):
    """The table of positions, one value at a time, in the float64 of Python."""

    def value(t, column):
        angle = t / 10000 ** (2 * (column // 2) / width)
        return math.cos(angle) if column % 2 else math.sin(angle)

    return torch.tensor([[value(t, column) for column in range(width)] for t in range(length)])


@pytest.mark.task("positions", weight=2)
def test_positions_follow_the_formula(student):
    """Each pair of columns is the sine and the cosine of its frequency."""
    for length, width in ((30, 8), (5, 14), (1, 4), (120, 6)):
        table = student.wave_positions(length, width)
        assert_shape(table, (length, width), name="wave_positions(L, d)")
        if table.dtype != torch.float32:
            raise CheckFailure(f"dtype {table.dtype}", "wave_positions(L, d) must be float32.")
        assert_close(table, expected_positions(length, width), **ANGLE, name="wave_positions(L, d)")


@pytest.mark.task("positions", weight=2)
def test_odd_width(student):
    """With an odd width the last column is a sine, and the formula is the same."""
    for length, width in ((11, 7), (4, 1), (6, 3)):
        table = student.wave_positions(length, width)
        assert_close(table, expected_positions(length, width), **ANGLE, name="wave_positions(L, d)")


@pytest.mark.task("positions")
def test_similarity_depends_on_distance(student):
    """The inner product of two positions depends only on how far apart they are."""
    table = student.wave_positions(23, 8)
    assert_close(table, torch.zeros(23, 8), atol=1.001, name="wave_positions(L, d)")  # waves stay within 1
    products = table.double() @ table.double().T
    if not ((products[1:, 1:] - products[:-1, :-1]).abs() <= 1e-3).all():
        hint = "Equal distances give different inner products. Does each pair share one frequency?"
        raise CheckFailure("the matrix of inner products is not constant along its diagonals", hint)
    if not (products[0, 0] - products[0, 1]).abs() > 0.1:
        raise CheckFailure("neighbours have equal rows", "Neighbouring positions cannot be told apart.")


@pytest.mark.task("positions")
def test_positions_tell_the_order(student, rng):
    """Attention over tokens with positions changes when the tokens are reordered."""
    table = student.wave_positions(9, 12)
    assert_close(table, torch.zeros(9, 12), atol=1.001, name="wave_positions(L, d)")
    tokens = torch.randn(9, 12, generator=rng)

    def attend(x):
        placed = x + table.float()
        return scaled_dot_product_attention(placed, placed, placed)

    difference = (attend(tokens.flip(0)) - attend(tokens).flip(0)).abs().amax()
    if not difference > 1e-3:
        raise CheckFailure("reordered tokens give reordered outputs", "All positions look the same to attention.")
