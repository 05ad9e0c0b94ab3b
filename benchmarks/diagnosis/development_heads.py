"""Wrong heads, layers and readers of reviews, from the mutants of the assignment on attention."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import gelu, layer_norm

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong

Weights = dict[str, Tensor]


def draw_weights(rng: Generator, width: int) -> Weights:
    """Matrices (width, width) and biases (width,) of the four layers of the heads."""
    weights = {}
    for name in ("query", "key", "value", "output"):
        weights[name] = draw_normal(rng, width, width) / math.sqrt(width)
        weights[f"{name}_bias"] = draw_normal(rng, width)
    return weights


def project(x: Tensor, weights: Weights, name: str) -> Tensor:
    """One linear layer."""
    return x @ weights[name].T + weights[f"{name}_bias"]


def split(x: Tensor, n_heads: int) -> Tensor:
    """Cut the width into heads: (B, L, D) to (B, h, L, D / h)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, allow: Tensor | None = None) -> Tensor:
    """Average the values by the weights; a query that may look at nothing gives 0."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if allow is None:
        return torch.softmax(scores, -1) @ v
    weights = torch.softmax(scores.masked_fill(~allow, -math.inf), -1)
    return weights.masked_fill(~allow, 0.0) @ v


def find_heads(x: Tensor, context: Tensor, weights: Weights, n_heads: int, allow: Tensor | None = None) -> Tensor:
    """What the heads find before the output layer: (B, h, Lq, D / h)."""
    q = split(project(x, weights, "query"), n_heads)
    k, v = (split(project(context, weights, name), n_heads) for name in ("key", "value"))
    return attend(q, k, v, None if allow is None else allow.unsqueeze(-3))


def heads(x: Tensor, context: Tensor, weights: Weights, n_heads: int = 3, allow: Tensor | None = None) -> Tensor:
    """The right code of all heads."""
    found = find_heads(x, context, weights, n_heads, allow)
    return project(found.transpose(1, 2).flatten(2), weights, "output")


def layer(x: Tensor, weights: Weights) -> Tensor:
    """The right code of an encoder layer with norms in front."""
    normed = layer_norm(x, x.shape[-1:])
    y = x + heads(normed, normed, weights)
    return y + network(layer_norm(y, y.shape[-1:]), weights)


def network(x: Tensor, weights: Weights) -> Tensor:
    """The small network of each position; its two layers borrow the weights of query and value."""
    return project(torch.relu(project(x, weights, "query")), weights, "value")


@wrong("none")
def heads_cut_by_a_bare_view(rng: Generator) -> Pair:
    """The width is cut into heads by a bare reshape, which cuts time instead."""
    x, weights = draw_normal(rng, 2, 5, 12), draw_weights(rng, 12)
    q, k, v = (project(x, weights, name).reshape(2, 3, 5, 4) for name in ("query", "key", "value"))
    return pair(project(attend(q, k, v).reshape(2, 5, 12), weights, "output"), heads(x, x, weights))


@wrong("none")
def heads_interleaved(rng: Generator) -> Pair:
    """Head n takes every h-th column instead of neighbouring ones."""
    x, weights = draw_normal(rng, 2, 5, 12), draw_weights(rng, 12)
    q, k, v = (
        project(x, weights, name).unflatten(-1, (-1, 3)).permute(0, 3, 1, 2) for name in ("query", "key", "value")
    )
    found = attend(q, k, v).permute(0, 2, 3, 1).flatten(2)
    sizes = {"D": 12, "n_heads": 3, "L": 5}
    return pair(project(found, weights, "output"), heads(x, x, weights), sizes=sizes)


@wrong("none")
def heads_joined_wrong(rng: Generator) -> Pair:
    """The heads are joined without moving their axis back."""
    x, weights = draw_normal(rng, 2, 5, 12), draw_weights(rng, 12)
    found = find_heads(x, x, weights, 3).reshape(2, 5, 12)
    return pair(project(found, weights, "output"), heads(x, x, weights), rtol=1e-4, atol=1e-4)


@wrong("argument_ignored")
def heads_ignore_context(rng: Generator) -> Pair:
    """Keys and values come from x instead of the context."""
    x, context, weights = draw_normal(rng, 2, 5, 12), draw_normal(rng, 2, 7, 12), draw_weights(rng, 12)
    inputs = {"x": x, "context": context, "weights": weights}
    return pair(heads(x, x, weights), heads(**inputs), inputs=inputs, reference=heads)


@wrong("arguments_swapped")
def heads_query_the_wrong_side(rng: Generator) -> Pair:
    """The context asks and x answers."""
    x, context, weights = draw_normal(rng, 2, 6, 12), draw_normal(rng, 2, 6, 12), draw_weights(rng, 12)
    inputs = {"x": x, "context": context, "weights": weights}
    return pair(heads(context, x, weights), heads(**inputs), inputs=inputs, reference=heads)


@wrong("argument_ignored")
def heads_only_one(rng: Generator) -> Pair:
    """There is one head of the full width, whatever n_heads says."""
    x, weights = draw_normal(rng, 2, 5, 12), draw_weights(rng, 12)
    inputs = {"x": x, "context": x, "weights": weights, "n_heads": 4}
    return pair(heads(x, x, weights, 1), heads(**inputs), inputs=inputs, reference=heads)


@wrong("offset")
def heads_without_output_bias(rng: Generator) -> Pair:
    """The output layer has no bias."""
    x, weights = draw_normal(rng, 2, 5, 12), draw_weights(rng, 12)
    found = find_heads(x, x, weights, 3).transpose(1, 2).flatten(2)
    return pair(found @ weights["output"].T, heads(x, x, weights))


@wrong("mask_ignored", "argument_ignored", "some_rows")
def heads_mask_ignored(rng: Generator) -> Pair:
    """The mask is accepted and forgotten."""
    x, weights = draw_normal(rng, 2, 6, 12), draw_weights(rng, 12)
    allow = torch.ones(6, 6, dtype=torch.bool).tril()
    inputs = {"x": x, "context": x, "weights": weights, "allow": allow}
    return pair(heads(x, x, weights), heads(**inputs), inputs=inputs, reference=heads, mask="allow")


@wrong("some_rows")
def heads_mask_of_the_first(rng: Generator) -> Pair:
    """The mask of the first sequence is used for all."""
    x, weights = draw_normal(rng, 4, 6, 12), draw_weights(rng, 12)
    allow = (torch.arange(6) < torch.tensor([3, 5, 4, 2])[:, None])[:, None, :]
    return pair(heads(x, x, weights, allow=allow[:1]), heads(x, x, weights, allow=allow), sizes={"B": 4, "L": 6})


@wrong("mask_off_by_one", "some_rows")
def heads_see_the_next_token(rng: Generator) -> Pair:
    """The causal mask allows the next token as well."""
    x, weights = draw_normal(rng, 2, 6, 12), draw_weights(rng, 12)
    ones = torch.ones(6, 6, dtype=torch.bool)
    inputs = {"x": x, "context": x, "weights": weights, "allow": ones.tril()}
    actual = heads(x, x, weights, allow=ones.tril(1))
    return pair(actual, heads(**inputs), inputs=inputs, reference=heads, mask="allow")


@wrong("some_rows", "not_finite")
def heads_blind_query_is_nan(rng: Generator) -> Pair:
    """A query that may look at nothing becomes NaN in every head."""
    x, weights = draw_normal(rng, 2, 5, 12), draw_weights(rng, 12)
    allow = torch.ones(5, 5, dtype=torch.bool)
    allow[1] = False
    q, k, v = (split(project(x, weights, name), 3) for name in ("query", "key", "value"))
    raw = torch.softmax((q @ k.mT / 2).masked_fill(~allow, -math.inf), -1) @ v
    actual = project(raw.transpose(1, 2).flatten(2), weights, "output")
    return pair(actual, heads(x, x, weights, allow=allow))


@wrong("none")
def layer_with_gelu(rng: Generator) -> Pair:
    """The small network uses GELU."""
    x, weights = draw_normal(rng, 3, 5, 9), draw_weights(rng, 9)
    actual = project(gelu(project(x, weights, "query")), weights, "value")
    return pair(actual, network(x, weights), inputs={"x": x, "weights": weights}, reference=network)


@wrong("none")
def layer_without_residual(rng: Generator) -> Pair:
    """The first half replaces its input instead of adding to it."""
    x, weights = draw_normal(rng, 3, 5, 12), draw_weights(rng, 12)
    normed = layer_norm(x, (12,))
    y = heads(normed, normed, weights)
    return pair(y + network(layer_norm(y, (12,)), weights), layer(x, weights))


@wrong("none")
def layer_with_norms_behind(rng: Generator) -> Pair:
    """The norms stand after each half, as in the first transformer."""
    x, weights = draw_normal(rng, 3, 5, 12), draw_weights(rng, 12)
    y = layer_norm(x + heads(x, x, weights), (12,))
    return pair(layer_norm(y + network(y, weights), (12,)), layer(x, weights), sizes={"D": 12, "L": 5}, dim=-1)


@wrong("stateful")
def layer_writes_into_its_input(rng: Generator) -> Pair:
    """The residual sum is written into the input: the second call starts from another one."""
    x, weights = draw_normal(rng, 3, 5, 12), draw_weights(rng, 12)
    expected = layer(x, weights)

    def call(x: Tensor) -> Tensor:
        normed = layer_norm(x, (12,))
        x += heads(normed, normed, weights)
        return x + network(layer_norm(x, (12,)), weights)

    first = call(x)
    return pair(first, expected, again=call(x))


@wrong("stateful")
def layer_drops_in_evaluation(rng: Generator) -> Pair:
    """Values are dropped in evaluation too: no two calls give the same."""
    x, weights = draw_normal(rng, 3, 5, 12), draw_weights(rng, 12)
    expected = layer(x, weights)

    def drop() -> Tensor:
        return expected * (torch.rand(expected.shape, generator=rng) > 0.1) / 0.9

    return pair(drop(), expected, again=drop())


@wrong("rolled")
def layer_moved_by_one(rng: Generator) -> Pair:
    """The result of each position stands one position later."""
    x, weights = draw_normal(rng, 2, 7, 12), draw_weights(rng, 12)
    return pair(layer(x, weights).roll(1, 1), layer(x, weights), rtol=1e-4, atol=1e-4)


def mean_of_real(x: Tensor, lengths: Tensor) -> Tensor:
    """The right code: the mean of the real tokens, (B, D)."""
    real = (torch.arange(x.shape[1]) < lengths[:, None])[..., None]
    return (x * real).sum(1) / lengths.clamp(min=1)[:, None]


@wrong("some_rows")
def reviews_divided_by_padded_length(rng: Generator) -> Pair:
    """The sum over real tokens is divided by the padded length: right for full reviews only."""
    x, lengths = draw_normal(rng, 5, 9, 4), torch.tensor([9, 3, 9, 9, 6])
    real = (torch.arange(9) < lengths[:, None])[..., None]
    inputs = {"x": x, "lengths": lengths}
    return pair((x * real).mean(1), mean_of_real(x, lengths), inputs=inputs, reference=mean_of_real)


@wrong("argument_ignored", "some_rows")
def reviews_mean_over_pads(rng: Generator) -> Pair:
    """The mean counts the pads: the lengths have no effect."""
    x, lengths = draw_normal(rng, 5, 9, 4), torch.tensor([2, 9, 5, 7, 6])
    inputs = {"x": x, "lengths": lengths}
    return pair(x.mean(1), mean_of_real(x, lengths), inputs=inputs, reference=mean_of_real, sizes={"B": 5, "L": 9})


@wrong("not_finite", "some_rows")
def reviews_empty_is_nan(rng: Generator) -> Pair:
    """An empty review divides by zero."""
    x, lengths = draw_normal(rng, 5, 9, 4), torch.tensor([2, 0, 5, 9, 6])
    real = (torch.arange(9) < lengths[:, None])[..., None]
    return pair((x * real).sum(1) / lengths[:, None], mean_of_real(x, lengths), sizes={"B": 5, "L": 9})


@wrong("none")
def reviews_last_token(rng: Generator) -> Pair:
    """The last real token stands for the review."""
    x, lengths = draw_normal(rng, 5, 9, 4), torch.tensor([2, 9, 5, 7, 6])
    return pair(x[torch.arange(5), lengths - 1], mean_of_real(x, lengths))


@wrong("log_or_exp")
def reviews_softmax_inside(rng: Generator) -> Pair:
    """The model returns probabilities where scores are asked for."""
    x, weight = draw_normal(rng, 6, 8), draw_normal(rng, 8, 5)
    return pair(torch.softmax(x @ weight, -1), x @ weight, rtol=1e-3, atol=1e-3, sizes={"B": 6, "C": 5}, dim=-1)


@wrong("log_or_exp", "offset")
def reviews_log_softmax_inside(rng: Generator) -> Pair:
    """The model returns log-probabilities where scores are asked for."""
    x, weight = draw_normal(rng, 6, 8), draw_normal(rng, 8, 5)
    return pair(torch.log_softmax(x @ weight, -1), x @ weight)


@wrong("offset")
def reviews_batch_mean_removed(rng: Generator) -> Pair:
    """The mean over the batch is subtracted, so that reviews depend on each other."""
    x, weight = draw_normal(rng, 6, 8), draw_normal(rng, 8, 5)
    return pair((x - x.mean(0)) @ weight, x @ weight, sizes={"B": 6, "C": 5})
