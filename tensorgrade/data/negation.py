"""Short made-up film reviews in which negations turn the mood, so that counting words is not enough.

A review is three to five clauses such as "the plot was never dull but overall the cast felt wooden".
Each clause says something good (+1) or bad (-1) about one aspect, and a negator before the adjective turns that
around. The label is the sign of the sum. With no negation a bag of words solves the task; with negations it cannot
know which adjective a negator belongs to.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor

PAD = 0
ASPECTS = ("plot", "cast", "music", "script", "ending", "camera", "pace", "humour", "dialogue", "opening")
GOOD = ("great", "moving", "clever", "fresh", "charming", "gripping", "superb", "lively", "honest", "witty")
BAD = ("dull", "wooden", "clumsy", "stale", "shallow", "tedious", "awful", "lifeless", "fake", "silly")
NEGATORS = ("not", "never", "hardly")
VERBS = ("was", "felt", "seemed", "looked")
LINKS = ("and", "but", "while", "then")
FILLERS = ("honestly", "overall", "somehow", "again", "frankly", "clearly", "for", "me", "really", "tonight", "indeed")
VOCABULARY = ("<pad>", "the", *ASPECTS, *GOOD, *BAD, *NEGATORS, *VERBS, *LINKS, *FILLERS)
CLAUSES = (3, 4, 5)
FILLER_PROBABILITY = 0.4
LENGTH = 5 * 7  # of the longest review, in tokens


@dataclass(frozen=True)
class Reviews:
    """A batch of reviews.

    Attributes:
        ids: token ids, shape (count, LENGTH), int64; `PAD` after the end of a review.
        lengths: tokens of each review, shape (count,), int64.
        labels: 1 if the review is good on the whole, 0 if bad, shape (count,), int64.
        words: the word of each id.
    """

    ids: Tensor
    lengths: Tensor
    labels: Tensor
    words: tuple[str, ...] = VOCABULARY

    def renamed(self, rng: torch.Generator) -> Reviews:
        """The same reviews with other ids, so that no model can bring its knowledge of the words along."""
        order = torch.cat([torch.tensor([PAD]), 1 + torch.randperm(len(self.words) - 1, generator=rng)])
        words = [""] * len(self.words)
        for old, new in enumerate(order.tolist()):
            words[new] = self.words[old]
        return replace(self, ids=order[self.ids], words=tuple(words))

    def part(self, start: int, stop: int) -> Reviews:
        """The reviews from `start` up to, but without, `stop`."""
        cut = slice(start, stop)
        return replace(self, ids=self.ids[cut], lengths=self.lengths[cut], labels=self.labels[cut])

    def text(self, index: int) -> str:
        """One review in words."""
        return " ".join(self.words[token] for token in self.ids[index, : self.lengths[index]].tolist())


def draw_reviews(count: int, negation: float, rng: torch.Generator) -> Reviews:
    """Draw reviews.

    Args:
        count: how many.
        negation: probability of a negator in each clause, from 0 to 1.
        rng: the same state gives the same reviews.
    """
    # Python's generator draws single numbers many times faster than torch's.
    chance = random.Random(int(torch.randint(2**62, (), generator=rng)))  # noqa: S311 - not for secrets
    number = {word: index for index, word in enumerate(VOCABULARY)}
    ids = torch.full((count, LENGTH), PAD)
    lengths, labels = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
    for row in range(count):
        words, mood = _draw_review(negation, chance)
        ids[row, : len(words)] = torch.tensor([number[word] for word in words])
        lengths[row], labels[row] = len(words), int(mood > 0)
    return Reviews(ids, lengths, labels)


def _draw_review(negation: float, chance: random.Random) -> tuple[list[str], int]:
    """The words of one review and its mood, which is not 0."""
    while True:
        words: list[str] = []
        mood = 0
        for clause in range(chance.choice(CLAUSES)):
            if clause:
                words.append(chance.choice(LINKS))
            is_good, is_negated = chance.random() < 0.5, chance.random() < negation
            mood += 1 if is_good != is_negated else -1
            words += [chance.choice(FILLERS)] if chance.random() < FILLER_PROBABILITY else []
            words += ["the", chance.choice(ASPECTS), chance.choice(VERBS)]
            words += [chance.choice(NEGATORS)] if is_negated else []
            words.append(chance.choice(GOOD if is_good else BAD))
        if mood != 0:
            return words, mood
