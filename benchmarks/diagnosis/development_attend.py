"""Wrong attention: output and weights of one head, from the mutants of the assignment on attention."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong

Inputs = tuple[Tensor, Tensor, Tensor]


def draw_inputs(rng: Generator, *batch: int, queries: int = 5, keys: int = 7) -> Inputs:
    """Queries (batch, queries, 11), keys (batch, keys, 11) and values (batch, keys, 3)."""
    shapes = ((queries, 11), (keys, 11), (keys, 3))
    q, k, v = (draw_normal(rng, *batch, *shape) for shape in shapes)
    return q, k, v


def draw_allow(rng: Generator, queries: int = 5, keys: int = 7) -> Tensor:
    """A random mask (queries, keys) with an allowed and a forbidden key in each row."""
    allow = torch.rand(queries, keys, generator=rng) < 0.5
    allow[:, 2], allow[:, 4] = True, False
    return allow


def score(q: Tensor, k: Tensor) -> Tensor:
    """Scaled dot products (..., Lq, Lk)."""
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def attend(q: Tensor, k: Tensor, v: Tensor, allow: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The right code: outputs (..., Lq, e) and weights (..., Lq, Lk)."""
    scores = score(q, k)
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w


def right_out(q: Tensor, k: Tensor, v: Tensor, allow: Tensor | None = None) -> Tensor:
    """The outputs of the right code."""
    return attend(q, k, v, allow)[0]


def right_weights(q: Tensor, k: Tensor) -> Tensor:
    """The weights of the right code, without a mask."""
    return torch.softmax(score(q, k), dim=-1)


@wrong("factor")
def attention_unscaled(rng: Generator) -> Pair:
    """The scores are not divided by sqrt(d)."""
    q, k, _ = draw_inputs(rng, 2)
    return pair(torch.softmax(q @ k.mT, -1), right_weights(q, k), rtol=1e-5, atol=1e-5)


@wrong("factor")
def attention_scaled_by_d(rng: Generator) -> Pair:
    """The scores are divided by d instead of sqrt(d)."""
    q, k, _ = draw_inputs(rng, 2)
    return pair(torch.softmax(q @ k.mT / q.shape[-1], -1), right_weights(q, k), sizes={"d": 11}, dim=-1)


@wrong("factor")
def attention_scaled_by_keys(rng: Generator) -> Pair:
    """The scores are divided by the root of the number of keys."""
    q, k, v = draw_inputs(rng, 2)
    actual = torch.softmax(q @ k.mT / math.sqrt(k.shape[-2]), -1) @ v
    return pair(actual, right_out(q, k, v), inputs={"q": q, "k": k, "v": v}, reference=right_out)


@wrong("mask_inverted")
def attention_mask_inverted(rng: Generator) -> Pair:
    """True in the mask is taken as forbidden."""
    q, k, v = draw_inputs(rng, 2)
    allow = draw_allow(rng)
    actual = torch.softmax(score(q, k).masked_fill(allow, -math.inf), -1) @ v
    inputs = {"q": q, "k": k, "v": v, "allow": allow}
    return pair(actual, right_out(**inputs), inputs=inputs, reference=right_out, mask="allow")


@wrong("mask_after_softmax")
def attention_mask_after_softmax(rng: Generator) -> Pair:
    """The mask multiplies the weights after the softmax."""
    q, k, v = draw_inputs(rng, 2)
    allow = draw_allow(rng)
    actual = (torch.softmax(score(q, k), -1) * allow) @ v
    inputs = {"q": q, "k": k, "v": v, "allow": allow}
    return pair(actual, right_out(**inputs), inputs=inputs, reference=right_out, mask="allow")


@wrong("mask_after_softmax")
def attention_weights_masked_late(rng: Generator) -> Pair:
    """The weights are put to 0 after the softmax, so that rows do not sum to one."""
    q, k, v = draw_inputs(rng)
    allow = draw_allow(rng)
    actual = torch.softmax(score(q, k), -1).masked_fill(~allow, 0.0)
    return pair(actual, attend(q, k, v, allow)[1], dim=-1)


@wrong("mask_ignored", "argument_ignored")
def attention_mask_ignored(rng: Generator) -> Pair:
    """The mask is ignored."""
    q, k, v = draw_inputs(rng, 2)
    inputs = {"q": q, "k": k, "v": v, "allow": draw_allow(rng)}
    return pair(right_out(q, k, v), right_out(**inputs), inputs=inputs, reference=right_out, mask="allow")


@wrong("detached", "constant")
def attention_gradient_of_queries_detached(rng: Generator) -> Pair:
    """The weights are cut off, so that no gradient reaches the queries."""
    q, k, v = draw_inputs(rng, 2)
    q.requires_grad_()
    (expected,) = torch.autograd.grad(right_out(q, k, v).sum(), q)
    detached = right_weights(q, k).detach() @ v + 0 * q.sum()
    (actual,) = torch.autograd.grad(detached.sum(), q)
    return pair(actual, expected)


@wrong("detached")
def attention_self_gradient_detached(rng: Generator) -> Pair:
    """In self-attention only the path through the values has a gradient."""
    x = draw_normal(rng, 2, 6, 8).requires_grad_()
    (expected,) = torch.autograd.grad(right_out(x, x, x).square().sum(), x)
    (actual,) = torch.autograd.grad((right_weights(x, x).detach() @ x).square().sum(), x)
    return pair(actual, expected)


@wrong("dtype")
def attention_in_bfloat16(rng: Generator) -> Pair:
    """Everything is computed in bfloat16."""
    q, k, v = draw_inputs(rng, 2)
    return pair(right_out(q.bfloat16(), k.bfloat16(), v.bfloat16()), right_out(q, k, v), dim=-1)


@wrong("not_finite", "some_rows")
def attention_blind_rows_are_nan(rng: Generator) -> Pair:
    """A row without allowed keys becomes NaN."""
    q, k, v = draw_inputs(rng, 2)
    allow = draw_allow(rng)
    allow[3] = False
    actual = torch.softmax(score(q, k).masked_fill(~allow, -math.inf), -1) @ v
    inputs = {"q": q, "k": k, "v": v, "allow": allow}
    return pair(actual, right_out(**inputs), inputs=inputs, reference=right_out, mask="allow")


@wrong("some_rows")
def attention_blind_rows_are_uniform(rng: Generator) -> Pair:
    """A large negative number in place of -inf: a row without allowed keys sees everything."""
    q, k, v = draw_inputs(rng, 2)
    allow = draw_allow(rng)
    allow[3] = False
    actual = torch.softmax(score(q, k).masked_fill(~allow, -1e9), -1) @ v
    return pair(actual, right_out(q, k, v, allow))


@wrong("unstable", "not_finite")
def attention_overflow(rng: Generator) -> Pair:
    """The softmax is written by hand and overflows."""
    q, k, v = draw_inputs(rng)
    q = 60 * q
    e = score(q, k).exp()
    actual = e / e.sum(-1, keepdim=True) @ v
    return pair(actual, right_out(q, k, v), inputs={"q": q, "k": k, "v": v}, reference=right_out)


@wrong("unstable", "not_finite", "some_rows")
def attention_global_maximum(rng: Generator) -> Pair:
    """The largest score of all rows is subtracted, not that of each row: small rows underflow."""
    q, k, _ = draw_inputs(rng)
    q[1:] *= 400
    q[3] *= 10
    e = torch.exp(score(q, k) - score(q, k).max())
    return pair(e / e.sum(-1, keepdim=True), right_weights(q, k), dim=-1)


@wrong("unstable", "not_finite", "mask_after_softmax")
def attention_renormalised_after_mask(rng: Generator) -> Pair:
    """The weights are masked after the softmax and divided by their sum, which is 0 for large scores."""
    q, k, v = draw_inputs(rng)
    q = 200 * q
    allow = draw_allow(rng)
    late = torch.softmax(score(q, k), -1) * allow
    inputs = {"q": q, "k": k, "v": v, "allow": allow}
    actual = late / late.sum(-1, keepdim=True) @ v
    return pair(actual, right_out(**inputs), inputs=inputs, reference=right_out, mask="allow")


@wrong("none", "unstable")
def attention_clamped_scores(rng: Generator) -> Pair:
    """Scores are clamped to 5 so that nothing overflows."""
    q, k, v = draw_inputs(rng, 2)
    q = 4 * q
    actual = torch.softmax(score(q, k).clamp(-5, 5), -1) @ v
    return pair(actual, right_out(q, k, v), sizes={"d": 11}, dim=-1)


@wrong("softmax_axis")
def attention_softmax_over_queries(rng: Generator) -> Pair:
    """The softmax runs over the queries."""
    q, k, _ = draw_inputs(rng, 2)
    return pair(torch.softmax(score(q, k), -2), right_weights(q, k), dim=-1)


@wrong("softmax_axis")
def attention_output_over_queries(rng: Generator) -> Pair:
    """The softmax runs over the queries, and the output is compared."""
    q, k, v = draw_inputs(rng, 2)
    actual = torch.softmax(score(q, k), -2) @ v
    return pair(actual, right_out(q, k, v), inputs={"q": q, "k": k, "v": v}, reference=right_out, dim=-1)


@wrong("softmax_axis")
def attention_softmax_over_everything(rng: Generator) -> Pair:
    """The softmax runs over all axes together."""
    q, k, _ = draw_inputs(rng, 2)
    scores = score(q, k)
    return pair(torch.softmax(scores.flatten(), 0).reshape(scores.shape), right_weights(q, k))


@wrong("shape")
def attention_squeezed(rng: Generator) -> Pair:
    """Axes of length 1 are dropped from the result."""
    q, k, v = draw_inputs(rng, 4, 1, queries=1)
    expected = right_out(q, k, v)
    return pair(expected.squeeze(), expected)


@wrong("constant")
def attention_uniform_weights(rng: Generator) -> Pair:
    """All keys get the same weight, whatever the queries."""
    q, k, _ = draw_inputs(rng, 2)
    w = torch.ones(2, 5, 7)
    return pair(w / w.sum(-1, keepdim=True), right_weights(q, k), sizes={"d": 11, "Lk": 7}, dim=-1)


@wrong("argument_ignored", "constant")
def attention_queries_without_effect(rng: Generator) -> Pair:
    """The output is the plain mean of the values: the queries have no effect."""
    q, k, v = draw_inputs(rng, 2)
    actual = v.mean(-2, keepdim=True).expand(2, 5, 3)
    return pair(actual, right_out(q, k, v), inputs={"q": q, "k": k, "v": v}, reference=right_out)


@wrong("constant")
def attention_zeros(rng: Generator) -> Pair:
    """Zeros of the right shape."""
    q, k, v = draw_inputs(rng, 2)
    return pair(torch.zeros(2, 5, 3), right_out(q, k, v))


@wrong("none", "some_rows")
def attention_always_causal(rng: Generator) -> Pair:
    """Without a mask, the past alone is allowed."""
    q, k, v = draw_inputs(rng, 2, queries=6, keys=6)
    past = torch.ones(6, 6, dtype=torch.bool).tril()
    return pair(right_out(q, k, v, past), right_out(q, k, v))


@wrong("none")
def attention_near_keys_first(rng: Generator) -> Pair:
    """Later keys get a small penalty."""
    q, k, v = draw_inputs(rng, 2)
    actual = torch.softmax(score(q, k) - 0.1 * torch.arange(7), -1) @ v
    return pair(actual, right_out(q, k, v), sizes={"d": 11, "Lk": 7}, dim=-1)


@wrong("none")
def attention_soft_mask(rng: Generator) -> Pair:
    """Forbidden keys lose 2 points of score instead of all."""
    q, k, v = draw_inputs(rng, 2)
    allow = draw_allow(rng)
    actual = torch.softmax(score(q, k) - 2 * (~allow).float(), -1) @ v
    inputs = {"q": q, "k": k, "v": v, "allow": allow}
    return pair(actual, right_out(**inputs), inputs=inputs, reference=right_out, mask="allow")


@wrong("arguments_swapped")
def attention_keys_and_values_swapped(rng: Generator) -> Pair:
    """The weights come from the values and average the keys."""
    q, k = draw_normal(rng, 2, 5, 8), draw_normal(rng, 2, 7, 8)
    v = draw_normal(rng, 2, 7, 8)
    return pair(right_out(q, v, k), right_out(q, k, v), inputs={"q": q, "k": k, "v": v}, reference=right_out)
