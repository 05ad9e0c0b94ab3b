"""Wrong sequence models: rotary and relative positions, gated units, linear attention, decoding, chains."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def rotate(x: Tensor, base: float = 100.0) -> Tensor:
    """The right code of rotary positions: x (L, D) with pairs of neighbouring columns."""
    length, width = x.shape
    angle = torch.arange(length)[:, None] * base ** (-torch.arange(0, width, 2) / width)
    even, odd = x[:, 0::2], x[:, 1::2]
    turned = (even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos())
    return torch.stack(turned, -1).flatten(1)


def slope_bias(length: int, heads: int) -> Tensor:
    """The right code of linear biases: (heads, L, L), slopes 2^(-8 (h + 1) / heads) times minus the distance."""
    slopes = 2 ** (-8 * torch.arange(1, heads + 1) / heads)
    place = torch.arange(length)
    return -slopes[:, None, None] * (place[:, None] - place).abs()


def step_gru(x: Tensor, state: Tensor, weight: Tensor) -> Tensor:
    """The right code of a gated unit without biases: x and state (N, H), weight (3, H, 2H)."""
    both = torch.cat([x, state], -1)
    update, reset = (torch.sigmoid(both @ weight[i].T) for i in range(2))
    new = torch.tanh(torch.cat([x, reset * state], -1) @ weight[2].T)
    return (1 - update) * state + update * new


def pool_by_attention(x: Tensor, query: Tensor, real: Tensor) -> Tensor:
    """The right code: tokens x (B, L, D) averaged by their match with one query (D,), pads left out."""
    scores = (x @ query).masked_fill(~real, -math.inf)
    return (torch.softmax(scores, -1)[..., None] * x).sum(1)


def draw_tokens(rng: Generator, *lengths: int) -> dict[str, Tensor]:
    """Tokens (B, L, 4), a query (4,) and the bool mask of real tokens (B, L)."""
    longest = max(lengths) + 1
    real = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return {"x": draw_normal(rng, len(lengths), longest, 4), "query": draw_normal(rng, 4), "real": real}


def attend_linearly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The right code of linear attention with the feature map elu + 1."""
    q, k = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    return q @ (k.T @ v) / (q @ k.sum(0))[:, None]


def forward_chain(start: Tensor, step: Tensor, emit: Tensor) -> Tensor:
    """The right code of a hidden chain: probabilities (L, S) of state and past; emit (L, S)."""
    alphas = [start * emit[0]]
    for seen in emit[1:]:
        alphas.append((alphas[-1] @ step) * seen)
    return torch.stack(alphas)


def draw_chain(rng: Generator, length: int = 6, states: int = 4) -> dict[str, Tensor]:
    """A start (S,), transitions (S, S) whose rows sum to 1, and emissions (L, S)."""
    start, step = (torch.softmax(draw_normal(rng, *shape), -1) for shape in ((states,), (states, states)))
    return {"start": start, "step": step, "emit": torch.rand(length, states, generator=rng)}


def perplexity(losses: Tensor, real: Tensor) -> Tensor:
    """The right code: the perplexity of each sequence from losses (B, L) of its tokens."""
    return torch.exp((losses * real).sum(1) / real.sum(1))


@wrong("none", "some_rows")
def rotary_by_halves(rng: Generator) -> Pair:
    """The first half of the columns is paired with the second."""
    x = draw_normal(rng, 7, 6)
    angle = torch.arange(7)[:, None] * 100.0 ** (-torch.arange(0, 6, 2) / 6)
    low, high = x[:, :3], x[:, 3:]
    actual = torch.cat([low * angle.cos() - high * angle.sin(), low * angle.sin() + high * angle.cos()], 1)
    return pair(actual, rotate(x), inputs={"x": x}, reference=rotate)


@wrong("none", "some_rows")
def rotary_in_the_other_direction(rng: Generator) -> Pair:
    """The angle has the wrong sign, so that the pairs turn the other way."""
    x = draw_normal(rng, 8, 4)
    angle = -torch.arange(8)[:, None] * 100.0 ** (-torch.arange(0, 4, 2) / 4)
    even, odd = x[:, 0::2], x[:, 1::2]
    turned = (even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos())
    return pair(torch.stack(turned, -1).flatten(1), rotate(x))


@wrong("rolled")
def rotary_applied_after_a_shift(rng: Generator) -> Pair:
    """The cached rows of cosines start at position 1, and the last is that of position 0."""
    angle = torch.arange(9)[:, None] * 100.0 ** (-torch.arange(0, 6, 2) / 6)
    return pair(angle.cos().roll(-1, 0), angle.cos(), sizes={"L": 9, "D": 6})


@wrong("sign")
def slopes_reward_distance(rng: Generator) -> Pair:
    """The bias grows with the distance."""
    return pair(-slope_bias(7, 3), slope_bias(7, 3), inputs={"length": 7, "heads": 3}, reference=slope_bias)


@wrong("transposed")
def signed_distances_transposed(rng: Generator) -> Pair:
    """Key minus query where query minus key is clipped to -2 and 5."""
    place = torch.arange(9)
    right = (place[:, None] - place).clamp(-2, 5)
    return pair((place - place[:, None]).clamp(-2, 5), right, sizes={"L": 9})


@wrong("reversed")
def slopes_in_descending_order_of_heads(rng: Generator) -> Pair:
    """The steepest slope is given to the last head."""
    return pair(slope_bias(6, 4).flip(0), slope_bias(6, 4), sizes={"L": 6, "heads": 4})


@wrong("none")
def gated_unit_resets_too_late(rng: Generator) -> Pair:
    """The reset gate multiplies the new state, not the old one that goes into it."""
    inputs = {"x": draw_normal(rng, 5, 4), "state": draw_normal(rng, 5, 4), "weight": draw_normal(rng, 3, 4, 8)}
    x, state, weight = inputs.values()
    both = torch.cat([x, state], -1)
    update, reset = (torch.sigmoid(both @ weight[i].T) for i in range(2))
    actual = (1 - update) * state + update * reset * torch.tanh(both @ weight[2].T)
    return pair(actual, step_gru(**inputs), inputs=inputs, reference=step_gru)


@wrong("arguments_swapped")
def gated_unit_with_swapped_inputs(rng: Generator) -> Pair:
    """The token and the state are exchanged."""
    inputs = {"x": draw_normal(rng, 5, 4), "state": draw_normal(rng, 5, 4), "weight": draw_normal(rng, 3, 4, 8)}
    actual = step_gru(inputs["state"], inputs["x"], inputs["weight"])
    return pair(actual, step_gru(**inputs), inputs=inputs, reference=step_gru)


@wrong("stateful")
def gated_unit_remembers_the_batch(rng: Generator) -> Pair:
    """The module keeps its state: the second call on the same tokens goes on from there."""
    x, weight = draw_normal(rng, 3, 4), draw_normal(rng, 3, 4, 8)
    first = step_gru(x, torch.zeros(3, 4), weight)
    return pair(first, first, again=step_gru(x, first, weight), sizes={"N": 3, "H": 4})


@wrong("mask_ignored", "argument_ignored")
def attention_pool_sees_pads(rng: Generator) -> Pair:
    """Pads take part in the weighted average."""
    inputs = draw_tokens(rng, 2, 5, 3)
    actual = pool_by_attention(inputs["x"], inputs["query"], torch.ones(3, 6, dtype=torch.bool))
    return pair(actual, pool_by_attention(**inputs), inputs=inputs, reference=pool_by_attention, mask="real")


@wrong("mask_after_softmax")
def attention_pool_masks_late(rng: Generator) -> Pair:
    """The pads are put to 0 after the softmax."""
    inputs = draw_tokens(rng, 4, 2, 6, 3)
    x, query, real = inputs.values()
    actual = ((torch.softmax(x @ query, -1) * real)[..., None] * x).sum(1)
    return pair(actual, pool_by_attention(**inputs), inputs=inputs, reference=pool_by_attention, mask="real")


@wrong("mask_inverted")
def attention_pool_sees_only_pads(rng: Generator) -> Pair:
    """The mask marks the pads, as another library has it."""
    inputs = draw_tokens(rng, 2, 5, 3)
    x, query, real = inputs.values()
    actual = pool_by_attention(x, query, ~real)
    return pair(actual, pool_by_attention(**inputs), inputs=inputs, reference=pool_by_attention, mask="real")


@wrong("mask_off_by_one")
def attention_pool_misses_the_last_token(rng: Generator) -> Pair:
    """The last real token counts as a pad."""
    inputs = draw_tokens(rng, 3, 5, 2, 6)
    x, query, real = inputs.values()
    actual = pool_by_attention(x, query, real & real.roll(-1, 1))
    return pair(actual, pool_by_attention(**inputs), inputs=inputs, reference=pool_by_attention, mask="real")


@wrong("mask_after_softmax")
def pointer_probabilities_masked_late(rng: Generator) -> Pair:
    """Cities that were visited lose their probability after the softmax."""
    scores = draw_normal(rng, 5, 8)
    free = torch.rand(5, 8, generator=rng) < 0.6
    free[:, 3], free[:, 6] = True, False
    actual = torch.softmax(scores, -1) * free
    return pair(actual, torch.softmax(scores.masked_fill(~free, -math.inf), -1), sizes={"B": 5, "cities": 8}, dim=-1)


@wrong("argument_ignored", "constant")
def linear_attention_without_the_queries(rng: Generator) -> Pair:
    """The values are averaged by the keys alone."""
    inputs = {"q": draw_normal(rng, 5, 4), "k": draw_normal(rng, 7, 4), "v": draw_normal(rng, 7, 3)}
    actual = attend_linearly(torch.zeros(5, 4), inputs["k"], inputs["v"])
    return pair(actual, attend_linearly(**inputs), inputs=inputs, reference=attend_linearly)


@wrong("none")
def linear_attention_not_normalised(rng: Generator) -> Pair:
    """The sum of the weights is not divided by."""
    q, k, v = draw_normal(rng, 5, 4), draw_normal(rng, 7, 4), draw_normal(rng, 7, 3)
    q_features, k_features = torch.nn.functional.elu(q) + 1, torch.nn.functional.elu(k) + 1
    return pair(q_features @ (k_features.T @ v), attend_linearly(q, k, v))


@wrong("input_axis", "some_rows")
def chain_steps_backwards_in_time(rng: Generator) -> Pair:
    """The matrix of transitions is used from the wrong side."""
    inputs = draw_chain(rng)
    actual = forward_chain(inputs["start"], inputs["step"].T, inputs["emit"])
    return pair(actual, forward_chain(**inputs), inputs=inputs, reference=forward_chain, rtol=1e-5, atol=1e-7)


@wrong("argument_ignored")
def chain_starts_uniformly(rng: Generator) -> Pair:
    """The distribution of the first state is not used: ones stand in its place."""
    inputs = draw_chain(rng)
    actual = forward_chain(torch.ones(4), inputs["step"], inputs["emit"])
    return pair(actual, forward_chain(**inputs), inputs=inputs, reference=forward_chain)


@wrong("unstable", "not_finite")
def chain_underflows(rng: Generator) -> Pair:
    """The likelihood of a long sequence is multiplied up, and its logarithm taken at the end."""
    p = 0.02 * torch.rand(5, 60, generator=rng) + 1e-3

    def log_likelihood(p: Tensor) -> Tensor:
        return p.log().sum(1)

    return pair(p.prod(1).log(), log_likelihood(p), inputs={"p": p}, reference=log_likelihood, dim=1)


@wrong("softmax_axis")
def transitions_normalised_by_columns(rng: Generator) -> Pair:
    """The columns of the table of transitions sum to one, not the rows."""
    scores = draw_normal(rng, 5, 5)
    return pair(torch.softmax(scores, 0), torch.softmax(scores, 1))


@wrong("log_or_exp")
def perplexity_without_exponential(rng: Generator) -> Pair:
    """The mean loss is returned as the perplexity."""
    losses, real = torch.rand(5, 7, generator=rng), torch.arange(7) < torch.tensor([7, 3, 5, 2, 6])[:, None]
    right = perplexity(losses, real)
    return pair(right.log(), right, inputs={"losses": losses, "real": real}, reference=perplexity)


@wrong("some_rows")
def perplexity_with_padded_losses(rng: Generator) -> Pair:
    """The mean runs over pads too; sequences without pads are right."""
    losses, real = torch.rand(6, 8, generator=rng), torch.arange(8) < torch.tensor([8, 3, 8, 8, 5, 8])[:, None]
    return pair(losses.mean(1).exp(), perplexity(losses, real), sizes={"B": 6, "L": 8}, dim=1)


@wrong("mask_off_by_one")
def window_of_the_past_too_long(rng: Generator) -> Pair:
    """The sliding window of three tokens reaches one further back."""
    gap = torch.arange(10)[:, None] - torch.arange(10)
    return pair((gap >= 0) & (gap <= 3), (gap >= 0) & (gap < 3))


@wrong("reversed")
def beam_read_from_the_end(rng: Generator) -> Pair:
    """The tokens are collected along the back pointers and never turned around."""
    ids = torch.randint(3, 60, (4, 9), generator=rng)
    return pair(ids.flip(1), ids)


@wrong("accumulates", "offset")
def cache_keeps_the_last_prompt(rng: Generator) -> Pair:
    """The sum of the context is not cleared before the second prompt."""
    first, second = draw_normal(rng, 5, 3).sum(0), draw_normal(rng, 5, 3).cumsum(0)
    return pair(first + second, second, earlier=first, dim=0)
