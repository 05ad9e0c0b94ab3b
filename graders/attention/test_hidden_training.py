"""The hidden check that trains: whether the model learns what a bag of words cannot."""

import math

import pytest
import torch

from tensorgrade.checks import assert_close
from tensorgrade.data import draw_reviews

SIZES = (54, 32, 4, 1, 2, 40)  # n_tokens, d_model, n_heads, n_layers, n_classes, max_length
EPOCHS = 8


@pytest.mark.task("reviews", weight=5)
@pytest.mark.needs("test_model_matches_reference")
@pytest.mark.budget(cpu_seconds=60)
def test_learns_negation(student, calibrated, metrics):
    """Trained for 8 epochs on 4,000 reviews, the model understands new ones better than a bag of words can."""
    train = student.load("training").train

    def accuracy(run):
        reviews = draw_reviews(5000, 0.3, run.rng).renamed(run.rng)
        learning, asked = reviews.part(0, 4000), reviews.part(4000, 5000)
        data = (learning.ids, learning.lengths, learning.labels)
        weights, losses = student.kept(train, student.ReviewTransformer, SIZES, *data, EPOCHS)
        model = student.ReviewTransformer(*SIZES)
        model.eval()
        student.copy_weights(model, weights)
        logits = model(asked.ids, asked.lengths)
        assert_close(logits, torch.zeros(1000, 2), atol=math.inf, name="ReviewTransformer(ids, lengths)")
        metrics["last loss"] = sum(losses[-50:]) / 50
        return (logits.argmax(1) == asked.labels).double().mean()

    hint = (
        "After training the model is right on {percent} of 100 new reviews. "
        "It has to use where a word stands: are positions, masks and all layers in use?"
    )
    calibrated("accuracy", accuracy, hint=hint)
