"""Wrong statistics, graphs, clustering, text counts and reinforcement."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """The right code: from each row of x (N, D) to each of y (M, D)."""
    return (x[:, None] - y).square().sum(-1)


def ridge(x: Tensor, y: Tensor, strength: float = 0.0) -> Tensor:
    """The right code: weights (D,) of a ridge regression, float64."""
    return torch.linalg.solve(x.T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)


def logistic_gradient(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The right code: the gradient of the mean logistic loss, labels 0.0 or 1.0."""
    return x.T @ (torch.sigmoid(x @ weight) - y) / len(y)


def spread_on_graph(x: Tensor, links: Tensor) -> Tensor:
    """The right code: each node gets the mean of itself and those it links to; links (N, N) bool."""
    both = (links | torch.eye(len(x), dtype=torch.bool)).float()
    return both @ x / both.sum(1, keepdim=True)


def draw_links(rng: Generator, nodes: int = 6) -> Tensor:
    """A directed graph in which each node has a link to the next one."""
    links = torch.rand(nodes, nodes, generator=rng) < 0.3
    links[torch.arange(nodes), (torch.arange(nodes) + 1) % nodes] = True
    return links & ~torch.eye(nodes, dtype=torch.bool)


def discount(rewards: Tensor, gamma: float = 1.0) -> Tensor:
    """The right code: the discounted return of each step."""
    returns, total = [], torch.zeros(())
    for reward in rewards.flip(0):
        total = reward + gamma * total
        returns.append(total)
    return torch.stack(returns).flip(0)


def bootstrap(reward: Tensor, value: Tensor, goes_on: Tensor, gamma: float = 0.9) -> Tensor:
    """The right code: targets reward + gamma * value, without the value where the episode ends."""
    return reward + gamma * value * goes_on


def average_weights(old: Tensor, new: Tensor, decay: float = 0.9) -> Tensor:
    """The right code of a moving average of weights."""
    return decay * old + (1 - decay) * new


def step_rmsprop(gradient: Tensor, square: Tensor, eps: float = 1e-3) -> Tensor:
    """The right code: the step of one gradient with the mean of squares so far."""
    square = 0.9 * square + 0.1 * gradient**2
    return -0.1 * gradient / (square.sqrt() + eps)


def clip_rows(gradients: Tensor, largest: float = 1.0) -> Tensor:
    """The right code: rows (N, D) longer than allowed are shortened."""
    norms = gradients.norm(dim=1, keepdim=True)
    return gradients * (largest / norms).clamp(max=1)


@wrong("transposed")
def distances_from_the_other_side(rng: Generator) -> Pair:
    """The table has the centres in its rows; there are as many as points."""
    x, centres = draw_normal(rng, 5, 3), draw_normal(rng, 5, 3)
    return pair(squared_distances(centres, x), squared_distances(x, centres))


@wrong("unstable")
def distances_by_the_binomial_formula(rng: Generator) -> Pair:
    """The squares are expanded; far from the origin all digits cancel."""
    x, y = 2000 + draw_normal(rng, 5, 3), 2000 + draw_normal(rng, 6, 3)
    actual = (x**2).sum(1)[:, None] - 2 * x @ y.T + (y**2).sum(1)
    return pair(actual, squared_distances(x, y), inputs={"x": x, "y": y}, reference=squared_distances)


@wrong("none")
def distances_not_squared(rng: Generator) -> Pair:
    """The root is taken, the squares are asked for."""
    x, y = draw_normal(rng, 5, 3), draw_normal(rng, 7, 3)
    return pair(torch.cdist(x, y), squared_distances(x, y), sizes={"N": 5, "M": 7, "D": 3})


@wrong("shape")
def distances_of_pairs_only(rng: Generator) -> Pair:
    """Row i is compared with centre i alone."""
    x, y = draw_normal(rng, 5, 3), draw_normal(rng, 5, 3)
    return pair((x - y).square().sum(-1), squared_distances(x, y))


@wrong("not_finite", "some_rows")
def centre_of_an_empty_cluster(rng: Generator) -> Pair:
    """A cluster without points has the mean 0 / 0; its old centre must stay."""
    x, old = draw_normal(rng, 9, 3), draw_normal(rng, 4, 3)
    member = torch.eye(4)[torch.tensor([0, 3, 3, 0, 1, 3, 1, 0, 1])]
    actual = member.T @ x / member.sum(0)[:, None]
    return pair(actual, torch.where(member.sum(0)[:, None] > 0, actual, old), sizes={"N": 9, "clusters": 4})


@wrong("argument_ignored")
def ridge_without_penalty(rng: Generator) -> Pair:
    """The strength of the penalty has no effect."""
    inputs = {"x": draw_normal(rng, 9, 4, dtype=torch.float64), "y": draw_normal(rng, 9, dtype=torch.float64)}
    full = inputs | {"strength": 2.0}
    return pair(ridge(**inputs), ridge(**full), inputs=full, reference=ridge)


@wrong("reduction", "factor")
def logistic_gradient_summed(rng: Generator) -> Pair:
    """The gradient is not divided by the number of examples."""
    x, weight = draw_normal(rng, 11, 4), draw_normal(rng, 4)
    y = (torch.rand(11, generator=rng) < 0.5).float()
    return pair(x.T @ (torch.sigmoid(x @ weight) - y), logistic_gradient(x, y, weight))


@wrong("sign")
def logistic_gradient_of_the_likelihood(rng: Generator) -> Pair:
    """Label minus probability: the direction of the likelihood, not of the loss."""
    x, weight = draw_normal(rng, 9, 4), draw_normal(rng, 4)
    y = (torch.rand(9, generator=rng) < 0.5).float()
    return pair(x.T @ (y - torch.sigmoid(x @ weight)) / 9, logistic_gradient(x, y, weight))


@wrong("log_or_exp")
def odds_without_logarithm(rng: Generator) -> Pair:
    """The odds are returned where their logarithm is asked for."""
    p = 0.05 + 0.9 * torch.rand(4, 5, generator=rng)
    return pair(p / (1 - p), torch.logit(p))


@wrong("unstable", "not_finite")
def log_sum_of_large_numbers(rng: Generator) -> Pair:
    """The sum of the exponentials overflows before its logarithm."""
    x = 150 * draw_normal(rng, 8, 5)
    return pair(x.exp().sum(1).log(), torch.logsumexp(x, 1), sizes={"N": 8, "D": 5}, dim=1)


@wrong("variance", "factor")
def standard_errors_biased(rng: Generator) -> Pair:
    """The deviation of the runs divides by their number; the unbiased one is asked for."""
    scores = torch.rand(5, 8, generator=rng)
    actual = ((scores - scores.mean(0)).square().sum(0) / 5).sqrt() / math.sqrt(5)
    return pair(actual, scores.std(0) / math.sqrt(5), sizes={"runs": 5, "models": 8}, dim=0)


@wrong("input_axis")
def graph_read_against_its_links(rng: Generator) -> Pair:
    """Each node gets the mean of those that link to it."""
    inputs = {"x": draw_normal(rng, 6, 4), "links": draw_links(rng)}
    actual = spread_on_graph(inputs["x"], inputs["links"].T)
    return pair(actual, spread_on_graph(**inputs), inputs=inputs, reference=spread_on_graph)


@wrong("mask_ignored", "argument_ignored", "constant")
def graph_fully_connected(rng: Generator) -> Pair:
    """The links are not used: each node gets the mean of all."""
    inputs = {"x": draw_normal(rng, 7, 4), "links": draw_links(rng, 7)}
    actual = inputs["x"].mean(0).expand(7, 4)
    expected = spread_on_graph(**inputs)
    return pair(actual, expected, inputs=inputs, reference=spread_on_graph, mask="links")


@wrong("none")
def graph_without_self_links(rng: Generator) -> Pair:
    """A node does not count itself."""
    x, links = draw_normal(rng, 6, 4), draw_links(rng)
    return pair(links.float() @ x / links.sum(1, keepdim=True), spread_on_graph(x, links), sizes={"N": 6, "D": 4})


@wrong("softmax_axis")
def gates_over_the_tokens(rng: Generator) -> Pair:
    """Each expert's gates sum to one over the tokens, not each token's over the experts."""
    tokens, weight = draw_normal(rng, 2, 7, 4), draw_normal(rng, 4, 3)
    inputs = {"tokens": tokens, "weight": weight}

    def gate(tokens: Tensor, weight: Tensor) -> Tensor:
        return torch.softmax(tokens @ weight, -1)

    return pair(torch.softmax(tokens @ weight, 1), gate(**inputs), inputs=inputs, reference=gate, dim=-1)


@wrong("not_finite")
def information_of_unseen_words(rng: Generator) -> Pair:
    """The logarithm of a count of 0 is -inf; nothing is added for unseen pairs."""
    counts = torch.randint(1, 9, (5, 6), generator=rng).float()
    counts[1, 4] = counts[3, 0] = 0
    total = counts.sum()
    expected_counts = counts.sum(1, keepdim=True) * counts.sum(0) / total
    actual = (counts / expected_counts).log()
    return pair(actual, actual.clamp(min=0))


@wrong("rolled")
def next_words_counted_for_themselves(rng: Generator) -> Pair:
    """The one-hot rows of the words themselves stand where those of the next words are asked for."""
    ids = torch.randint(6, (11,), generator=rng)
    table = torch.eye(6)
    return pair(table[ids[:-1]], table[ids[1:]])


@wrong("reversed")
def best_candidates_last(rng: Generator) -> Pair:
    """The scores are sorted upwards."""
    scores = draw_normal(rng, 5, 7)
    return pair(scores.sort(1).values, scores.sort(1, descending=True).values, sizes={"N": 5, "k": 7}, dim=1)


@wrong("input_axis")
def returns_discounted_from_the_start(rng: Generator) -> Pair:
    """The rewards are added up from the first step on instead of the last."""
    inputs = {"rewards": draw_normal(rng, 9), "gamma": 0.8}
    actual = discount(inputs["rewards"].flip(0), 0.8).flip(0)
    return pair(actual, discount(**inputs), inputs=inputs, reference=discount)


@wrong("argument_ignored", "some_rows")
def returns_not_discounted(rng: Generator) -> Pair:
    """Gamma has no effect: the rewards are just added up."""
    inputs = {"rewards": draw_normal(rng, 8), "gamma": 0.7}
    return pair(discount(inputs["rewards"]), discount(**inputs), inputs=inputs, reference=discount)


@wrong("rolled")
def returns_of_the_next_step(rng: Generator) -> Pair:
    """Each step has the return of the step behind it, the last has 0."""
    right = discount(draw_normal(rng, 10), 0.9)
    return pair(torch.cat([right[1:], torch.zeros(1)]), right)


@wrong("some_rows")
def targets_at_the_end_of_an_episode(rng: Generator) -> Pair:
    """The value of the next state counts even where the episode ends."""
    reward, value = draw_normal(rng, 9), draw_normal(rng, 9)
    goes_on = torch.tensor([1, 1, 0, 1, 1, 1, 0, 1, 1], dtype=torch.bool)
    return pair(reward + 0.9 * value, bootstrap(reward, value, goes_on))


@wrong("mask_inverted")
def targets_with_inverted_end(rng: Generator) -> Pair:
    """The value counts only where the episode ends."""
    reward, value = draw_normal(rng, 10), draw_normal(rng, 10)
    inputs = {"reward": reward, "value": value, "goes_on": torch.rand(10, generator=rng) < 0.6}
    actual = bootstrap(reward, value, ~inputs["goes_on"])
    return pair(actual, bootstrap(**inputs), inputs=inputs, reference=bootstrap, mask="goes_on")


@wrong("shape")
def advantages_of_all_pairs(rng: Generator) -> Pair:
    """Returns (N,) minus values (N, 1) broadcast to a table."""
    returns, values = draw_normal(rng, 8), draw_normal(rng, 8, 1)
    return pair(returns - values, returns - values[:, 0])


@wrong("offset")
def advantages_without_baseline(rng: Generator) -> Pair:
    """The mean return is not subtracted."""
    returns = 5 + draw_normal(rng, 9)
    return pair(returns, returns - returns.mean(), sizes={"N": 9})


@wrong("arguments_swapped")
def average_with_swapped_weights(rng: Generator) -> Pair:
    """Nine tenths are taken from the new weights."""
    inputs = {"old": draw_normal(rng, 4, 5), "new": draw_normal(rng, 4, 5)}
    actual = average_weights(inputs["new"], inputs["old"])
    return pair(actual, average_weights(**inputs), inputs=inputs, reference=average_weights)


@wrong("stateful")
def average_updated_by_every_look(rng: Generator) -> Pair:
    """Looking at the average also moves it: the second look gives something else."""
    old, new = draw_normal(rng, 4, 5), draw_normal(rng, 4, 5)
    first = average_weights(old, new)
    return pair(first, first, again=average_weights(first, new))


@wrong("epsilon")
def rmsprop_epsilon_inside(rng: Generator) -> Pair:
    """The small constant is under the root."""
    inputs = {"gradient": 0.1 * draw_normal(rng, 7), "square": 0.01 * torch.rand(7, generator=rng), "eps": 1e-3}
    square = 0.9 * inputs["square"] + 0.1 * inputs["gradient"] ** 2
    actual = -0.1 * inputs["gradient"] / (square + 1e-3).sqrt()
    return pair(actual, step_rmsprop(**inputs), inputs=inputs, reference=step_rmsprop)


@wrong("known_mistake")
def rmsprop_without_root(rng: Generator) -> Pair:
    """The step is divided by the mean of squares, not its root."""
    gradient, square = draw_normal(rng, 7), torch.rand(7, generator=rng)
    mean = 0.9 * square + 0.1 * gradient**2
    mistakes = {
        "Divide by the root of the mean square: what unit has the step?": -0.1 * gradient / (mean + 1e-3),
        "The gradient must enter the mean before the step is made.": -0.1 * gradient / (square.sqrt() + 1e-3),
    }
    return pair(-0.1 * gradient / (mean + 1e-3), step_rmsprop(gradient, square), mistakes=mistakes)


@wrong("some_rows")
def short_gradients_lengthened(rng: Generator) -> Pair:
    """All rows get the largest length, also those that were shorter."""
    gradients = draw_normal(rng, 8, 5) * torch.tensor([3.0, 0.1, 2.0, 4.0, 0.2, 3.0, 2.5, 0.1])[:, None]
    actual = gradients / gradients.norm(dim=1, keepdim=True)
    return pair(actual, clip_rows(gradients), sizes={"N": 8, "D": 5}, dim=1)


@wrong("constant", "some_rows")
def policy_that_has_collapsed(rng: Generator) -> Pair:
    """The probabilities of every state are those of the first."""
    scores = draw_normal(rng, 7, 4)
    right = torch.softmax(scores, 1)
    return pair(right[:1].expand(7, 4), right, sizes={"states": 7, "actions": 4}, dim=1)


@wrong("factor")
def cosine_schedule_not_halved(rng: Generator) -> Pair:
    """The 1 / 2 in front of 1 + cos is missing."""
    wave = 1 + torch.cos(torch.arange(11) * math.pi / 11)
    return pair(0.3 * wave, 0.15 * wave)


@wrong("none")
def gumbel_noise_left_uniform(rng: Generator) -> Pair:
    """The noise is uniform, not sent through two logarithms."""
    scores, u = draw_normal(rng, 6, 5), 0.01 + 0.98 * torch.rand(6, 5, generator=rng)
    return pair(torch.softmax(scores + u, 1), torch.softmax(scores - (-u.log()).log(), 1), dim=1)


@wrong("dtype")
def counts_in_half_precision(rng: Generator) -> Pair:
    """The visits were added up in float16, which cannot count beyond 2048 exactly."""
    visits = torch.randint(3000, 9000, (4, 6), generator=rng).float()
    return pair(visits.half(), visits)
