"""The checks that come with the notebook: a symptom for each group of bugs."""

import math

import pytest
import torch

from tensorgrade.checks import assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure

FUNCTIONS = ("Net", "make_sets", "config", "criterion", "train", "evaluate")


@pytest.mark.task("Net")
def test_ten_classes_ten_numbers(student):
    """A network for ten classes gives ten numbers for each of three images."""
    assert_shape(student.Net(10)(torch.zeros(3, 1, 8, 8)), (3, 10), name="Net(10)(images)")


@pytest.mark.task("Net")
def test_no_probabilities(student):
    """The outputs are no probabilities: those of an image do not sum to 1."""
    x = torch.arange(3 * 64).reshape(3, 1, 8, 8).sin()
    (logits,) = unpack_tensors((student.Net(10)(x),), "Net(10)(images)")
    if not (logits.sum(-1) - 1).abs().amax() > 1e-4:
        raise CheckFailure("rows sum to 1", "The outputs of each image sum to 1. Who has made probabilities of them?")


def first_pass(student, number):
    """Two passes over one of the loaders, on the digits of the notebook."""
    data = student.read_data()
    return student.load("runs").passes(student.make_sets, student.read_data, data, 0, 2)[number]


@pytest.mark.task("make_sets")
def test_first_batch_is_mixed(student):
    """The first batch of training holds digits of at least six kinds."""
    labels = first_pass(student, 0)[0][0][1]
    if not labels.unique().numel() >= 6:
        raise CheckFailure("few classes", "The first batch holds few classes. Which digits come first, and which last?")


@pytest.mark.task("make_sets")
def test_nearest_mean_picture(student):
    """A rule without any training works: of ten mean pictures, the nearest one names the digit 8 times in 10."""
    images, labels = (torch.cat(parts) for parts in zip(*first_pass(student, 0)[0], strict=True))
    images = images.flatten(1)
    means = torch.stack([images[labels == digit].mean(0) for digit in range(10)])
    right = (torch.cdist(images, means).argmin(1) == labels).double().mean().item()
    if not right >= 0.8:
        hint = (
            f"The nearest mean picture is right in {100 * right:.0f} of 100 cases. Do labels and images fit together?"
        )
        raise CheckFailure(f"nearest mean {right:.3f}", hint)


@pytest.mark.task("make_sets")
def test_validation_stays(student):
    """Two passes over the validation images give the same images."""
    first, second = (torch.cat([images for images, _ in one]) for one in first_pass(student, 1))
    if not torch.equal(first, second):
        hint = "Two passes over the validation loader give different images. What is random there?"
        raise CheckFailure("validation differs from pass to pass", hint)


@pytest.mark.task("train")
def test_easy_classes_are_learned(student):
    """In twenty epochs the loss on images of three easy classes falls to less than half of ln 3."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(60) % 3
    images = torch.randn(60, 64, generator=generator) + 2 * torch.eye(3, 64)[labels] * 2
    batches = [(images[at : at + 10].reshape(-1, 1, 8, 8), labels[at : at + 10]) for at in range(0, 60, 10)]
    functions = (student.train, student.evaluate, student.config)
    history = student.load("spies").watch(functions, {"epochs": 20}, batches, batches)["history"]
    first, last = (float(history["train_loss"][at]) for at in (0, -1))
    if not (0 < last < 0.5 * math.log(3) and 0 < first < 2 * math.log(3)):
        hint = (
            f"The loss on easy images goes from {first:.2f} to {last:.2f} in twenty epochs; guessing has ln 3 = 1.10."
        )
        raise CheckFailure(f"loss {first:.3f} to {last:.3f}", hint)


@pytest.mark.task("evaluate")
def test_six_of_seven(student):
    """Of seven images in two batches a model gets six right: the accuracy is 6/7."""
    labels = torch.tensor([0, 1, 2, 3, 3, 2, 1])
    images = torch.zeros(7, 64)
    images[range(7), [0, 1, 2, 3, 3, 2, 0]] = 4.0
    images = images.reshape(7, 1, 8, 8)
    batches = [(images[:4], labels[:4]), (images[4:], labels[4:])]
    result = student.load("spies").evaluate_planted(student.evaluate, batches, 4)
    if not abs(float(result["acc"]) - 6 / 7) <= 1e-5:
        hint = f"Six of seven images are right: the accuracy is 0.857, evaluate says {float(result['acc']):.3f}."
        raise CheckFailure("another accuracy", hint)


@pytest.mark.task("main")
@pytest.mark.budget(cpu_seconds=20)
def test_three_epochs(student):
    """After three epochs the accuracy on the validation images is at least 0.6."""
    _, history, _ = student.main(0, epochs=3)
    reached = float(history["val_acc"][-1])
    if not reached >= 0.6:
        hint = f"After three epochs val_acc is {reached:.2f}; guessing has 0.10. Repair the parts above first."
        raise CheckFailure(f"val_acc {reached:.3f}", hint)


@pytest.mark.task("smoke")
def test_one_healthy_one_broken(student):
    """A healthy network is not flagged, one with a softmax at its end is."""
    generator = torch.Generator().manual_seed(2)
    labels = torch.arange(60) % 10
    images = torch.randn(10, 64, generator=generator)[labels] + 0.5 * torch.randn(60, 64, generator=generator)
    batch = (images.reshape(60, 1, 8, 8), labels)
    healthy = [("flatten",), ("linear", 64, 32), ("relu",), ("linear", 32, 10)]
    zoo = student.load("zoo")
    for parts, wanted in ((healthy, []), ([*healthy, ("softmax",)], ["memorise_loss"])):
        flags = zoo.examine(student.smoke, parts, batch)[0]["flags"]
        if flags != wanted:
            raise CheckFailure(f"flags {flags}", f"The flags are {flags}, expected {wanted}.")


@pytest.mark.task("BUG_LOG")
def test_log_has_its_form(student):
    """BUG_LOG has at least 12 entries with where, symptom, cause and evidence, each filled, none twice."""
    log = student.BUG_LOG
    if type(log) is not list or len(log) < 12:
        raise CheckFailure("too short", "BUG_LOG must be a list of at least 12 entries.")
    for number, entry in enumerate(log, start=1):
        if type(entry) is not dict or set(entry) != {"where", "symptom", "cause", "evidence"}:
            raise CheckFailure(f"entry {number}", f"Entry {number} must be a dict with the four keys of the text.")
        if entry["where"] not in FUNCTIONS:
            raise CheckFailure(f"entry {number}: where", f'"where" of entry {number} must name one of the functions.')
        for key in ("symptom", "cause", "evidence"):
            if type(entry[key]) is not str or len(entry[key].strip()) < 15:
                raise CheckFailure(f"entry {number}: {key}", f'"{key}" of entry {number} must be a sentence.')
    for key in ("cause", "evidence"):
        if len({" ".join(entry[key].lower().split()) for entry in log}) < len(log):
            raise CheckFailure(f"equal {key}", f'Two entries have the same "{key}": each is about another bug.')
