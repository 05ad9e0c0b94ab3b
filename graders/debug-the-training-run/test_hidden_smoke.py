"""The hidden checks of the smoke detector: classifiers that the student has not seen, healthy and broken."""

import math

import pytest
import torch
from torch.nn import functional

from tensorgrade.checks import assert_close
from tensorgrade.errors import CheckFailure

KEYS = ("init_loss", "memorise_loss", "label_shuffle_acc")
CLASSES, IMAGES = 10, 60


def draw_batch(rng, n_classes=CLASSES, count=IMAGES):
    """Images of classes that can be told apart, and their labels."""
    kinds = torch.randn(n_classes, 64, generator=rng)
    labels = torch.arange(count)[torch.randperm(count, generator=rng)] % n_classes
    images = kinds[labels] + 0.7 * torch.randn(count, 64, generator=rng)
    return images.reshape(count, 1, 8, 8), labels, kinds


def plain_parts(*before_relu, end=(), hidden=32, n_classes=CLASSES):
    """A network with one hidden layer, and what stands before its ReLU or at its end."""
    return [
        ("flatten",),
        ("linear", 64, hidden),
        *before_relu,
        ("relu",),
        ("linear", hidden, n_classes),
        *end,
    ]


def smoke(student, parts, batch, answers=None, *, training=True):
    """What smoke says of a classifier: a dict with all its keys, of the right kinds."""
    zoo = student.load("zoo")
    result, kept = zoo.examine(student.smoke, parts, batch, answers, training=training)
    if type(result) is not dict:
        raise CheckFailure("no dict", "smoke must return a dict.")
    for key in KEYS:
        if type(result.get(key)) is not float:
            raise CheckFailure(f"{key}: {result.get(key)!r:.100}", f'"{key}" must be a Python float.')
    norms, flags = result.get("grad_norms"), result.get("flags")
    if type(norms) is not dict or not all(type(norm) is float for norm in norms.values()):
        raise CheckFailure("grad_norms", '"grad_norms" must be a dict of Python floats.')
    if type(result.get("eval_deterministic")) is not bool:
        raise CheckFailure("eval_deterministic", '"eval_deterministic" must be True or False.')
    if type(flags) is not list or not all(type(flag) is str for flag in flags):
        raise CheckFailure("flags", '"flags" must be a list of texts.')
    return result, kept


HEALTHY = {
    "plain": plain_parts(),
    "dropout": plain_parts(("drop", 0.3), hidden=64),
    "batch norm": [("flatten",), ("linear", 64, 32), ("relu",), ("norm", 32), ("linear", 32, CLASSES)],
    "convolution": [("convolution", 1, 4), ("relu",), ("flatten",), ("linear", 256, CLASSES)],
}
BROKEN = {
    "softmax at the end": plain_parts(end=[("softmax",)]),
    "sigmoid at the end": plain_parts(end=[("sigmoid",)]),
    "first layer cut off": plain_parts(("detach",)),
    "first layer frozen": [("flatten",), ("frozen", 64, 32), ("relu",), ("linear", 32, CLASSES)],
    "logits too large": plain_parts(end=[("times", 40.0)]),
    "dropout in evaluation": plain_parts(("always drop", 0.2), hidden=64),
    "input without effect": plain_parts(("times", 0.0)),
    "last layer zero": [("flatten",), ("linear", 64, 32), ("relu",), ("linear", 32, CLASSES, 0)],
}


@pytest.mark.task("smoke", weight=4)
@pytest.mark.budget(cpu_seconds=20)  # twelve models
def test_broken_models_are_flagged(student, rng):
    """Of eight broken models at least seven are flagged, and none of four healthy ones."""
    images, labels, _ = draw_batch(rng)
    flagged = {
        name: bool(smoke(student, parts, (images, labels))[0]["flags"]) for name, parts in (HEALTHY | BROKEN).items()
    }
    wrong = [name for name in HEALTHY if flagged[name]]
    missed = [name for name in BROKEN if not flagged[name]]
    if wrong:
        hint = f"smoke flags a healthy model. Compare each entry of its result with the limits of the text: {wrong[0]}."
        raise CheckFailure(f"healthy models flagged: {', '.join(wrong)}", hint)
    if len(missed) > 1:
        hint = f"smoke misses {len(missed)} of 8 broken models, such as one with this fault: {missed[0]}."
        raise CheckFailure(f"broken models missed: {', '.join(missed)}", hint)


def dear_bias(n_classes, labels, more):
    """A bias towards the first class that costs about so much more than guessing."""
    biases = torch.zeros(400, n_classes)
    biases[:, 0] = torch.linspace(0, 20, 400)
    losses = torch.stack([functional.cross_entropy(bias.expand(len(labels), -1), labels) for bias in biases])
    return biases[(losses - math.log(n_classes) - more).abs().argmin()]


@pytest.mark.task("smoke")
@pytest.mark.parametrize("n_classes", [10, 4])
def test_first_loss_and_gradients(student, rng, n_classes):
    """The first loss and the norm of each gradient are those of the model as it is."""
    images, labels, _ = draw_batch(rng, n_classes, 24)
    weight = (0.02 * torch.randn(n_classes, 64, generator=rng)).requires_grad_()  # a first loss near guessing
    bias = torch.randn(n_classes, generator=rng).mul(0.1).requires_grad_()
    loss = functional.cross_entropy(images.flatten(1) @ weight.T + bias, labels)
    gradients = torch.autograd.grad(loss, (weight, bias))
    parts = [("flatten",), ("given", weight.detach(), bias.detach())]
    result, _ = smoke(student, parts, (images, labels))
    assert_close(torch.tensor(result["init_loss"]), loss.detach(), rtol=1e-4, name='"init_loss"')
    for name, gradient in zip(("1.weight", "1.bias"), gradients, strict=True):
        found = result["grad_norms"].get(name, math.nan)
        assert_close(torch.tensor(found), gradient.norm(), rtol=1e-3, name='a norm in "grad_norms"')
    if "init_loss" in result["flags"]:
        hint = "A model that guesses among C classes is flagged for its first loss. What is C?"
        raise CheckFailure(f"flags {result['flags']} for {n_classes} classes", hint)
    unfair = dear_bias(n_classes, labels, 0.75)
    result_unfair, _ = smoke(student, [("flatten",), ("given", torch.zeros_like(weight), unfair)], (images, labels))
    if "init_loss" not in result_unfair["flags"]:
        hint = "A model whose first loss is more than 0.5 above guessing is not flagged for it."
        raise CheckFailure(f"init_loss {result_unfair['init_loss']:.3f} is not flagged", hint)
    if len(result["grad_norms"]) != 2:
        raise CheckFailure("other names", '"grad_norms" must have the name of each parameter, and no other.')


@pytest.mark.task("smoke")
def test_first_loss_is_measured_in_evaluation(student, rng):
    """The first loss does not depend on dropout."""
    images, labels, _ = draw_batch(rng)
    parts = [
        ("flatten",),
        ("drop", 0.5),
        ("given", 0.2 * torch.randn(CLASSES, 64, generator=rng), torch.zeros(CLASSES)),
    ]
    (_, weight, _) = parts[2]
    expected = functional.cross_entropy(images.flatten(1) @ weight.T, labels)
    result, _ = smoke(student, parts, (images, labels))
    assert_close(torch.tensor(result["init_loss"]), expected, rtol=1e-4, name='"init_loss" of a model with dropout')


@pytest.mark.task("smoke")
def test_learning_by_heart(student, rng):
    """A healthy model can learn the batch by heart, one with a softmax at its end cannot, of two classes neither."""
    images, labels, _ = draw_batch(rng)
    healthy = smoke(student, HEALTHY["plain"], (images, labels))[0]["memorise_loss"]
    stuck = smoke(student, BROKEN["softmax at the end"], (images, labels))[0]["memorise_loss"]
    untrained = math.log(CLASSES)
    if not (0 <= healthy <= 0.1 and 1.4 <= stuck <= untrained):
        hint = (
            '"memorise_loss" is not the loss after 50 steps on the whole batch: it should be near 0 for a healthy '
            "model, and between 1.4 and ln C for one with a softmax at its end. Is a copy trained, and measured?"
        )
        raise CheckFailure(f"healthy {healthy:.4f}, stuck {stuck:.4f}", hint)
    images, labels, _ = draw_batch(rng, 2)
    parts = plain_parts(end=[("softmax",)], n_classes=2)
    if "memorise_loss" not in smoke(student, parts, (images, labels))[0]["flags"]:
        hint = (
            "A model of two classes with a softmax at its end cannot get below ln(1 + 1/e) = 0.31: that is above 0.3."
        )
        raise CheckFailure("two classes and a softmax: not flagged", hint)


def trained_loss(weight, images, labels):
    """The loss of a linear classifier that starts with these weights, after the steps that the text asks for."""
    weight, bias = weight.clone().requires_grad_(), torch.zeros(len(weight), requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=0.02)
    for _ in range(50):
        optimiser.zero_grad()
        functional.cross_entropy(images.flatten(1) @ weight.T + bias, labels).backward()
        optimiser.step()
    return functional.cross_entropy(images.flatten(1) @ weight.T + bias, labels).item()


@pytest.mark.task("smoke")
def test_fifty_steps_of_adam(student, rng):
    """The loss after learning by heart is that after the steps of the text, and measured in evaluation mode."""
    images, labels, _ = draw_batch(rng)
    drawn = torch.randint(CLASSES, (IMAGES,), generator=rng)
    weight = 0.1 * torch.randn(CLASSES, 64, generator=rng)
    found = smoke(student, [("flatten",), ("given", weight, torch.zeros(CLASSES))], (images, drawn))[0]["memorise_loss"]
    wanted = trained_loss(weight, images, drawn)
    if not abs(found - wanted) <= 0.01 * wanted:
        hint = (
            '"memorise_loss" is not what 50 steps of Adam with learning rate 0.02 give. Does each step follow the '
            "gradient of one pass alone, and is the loss measured after the last one?"
        )
        raise CheckFailure(f"{found:.5f}, expected {wanted:.5f}", hint)
    parts = [("flatten",), ("linear", 64, 64), ("relu",), ("drop", 0.85), ("linear", 64, CLASSES)]
    found = smoke(student, parts, (images, labels))[0]["memorise_loss"]
    if not found <= 0.1:  # in training mode 0.4 and more
        hint = '"memorise_loss" of a model with much dropout is too large. In which mode is the trained copy measured?'
        raise CheckFailure(f"{found:.4f} with dropout", hint)


@pytest.mark.task("smoke")
def test_calm_and_restless_models(student, rng):
    """Only a model that draws at random or keeps something in evaluation mode is not deterministic."""
    images, labels, _ = draw_batch(rng)
    for name, parts, calm in (
        ("dropout", HEALTHY["dropout"], True),
        ("batch norm", HEALTHY["batch norm"], True),
        ("dropout also in evaluation", BROKEN["dropout in evaluation"], False),
        ("a counter in forward", plain_parts(end=[("drift", 0.1)]), False),
    ):
        result, _ = smoke(student, parts, (images, labels))
        if result["eval_deterministic"] is not calm or ("eval_deterministic" in result["flags"]) is calm:
            hint = f'"eval_deterministic" or its flag is wrong for a model with {name}.'
            raise CheckFailure(f"{name}: {result['eval_deterministic']}, flags {result['flags']}", hint)


@pytest.mark.task("smoke")
def test_answers_from_elsewhere(student, rng):
    """Labels in random order teach nothing, unless the model has the answers already."""
    images, labels, kinds = draw_batch(rng)
    honest, _ = smoke(student, HEALTHY["plain"], (images, labels))
    knowing, _ = smoke(student, HEALTHY["plain"], (images, labels), answers=200 * kinds.T)
    if not honest["label_shuffle_acc"] <= 0.5 or "label_shuffle_acc" in honest["flags"]:
        hint = (
            '"label_shuffle_acc" of a healthy model is far above chance. Are the labels of the first half in random '
            "order, and is it measured on the second half, with a fresh copy of the model?"
        )
        raise CheckFailure(f"healthy: {honest['label_shuffle_acc']:.3f}", hint)
    if not knowing["label_shuffle_acc"] >= 0.9 or "label_shuffle_acc" not in knowing["flags"]:
        hint = (
            'A model that has the right answers from elsewhere keeps them: "label_shuffle_acc" must show and flag that.'
        )
        raise CheckFailure(f"knowing: {knowing['label_shuffle_acc']:.3f}, flags {knowing['flags']}", hint)


@pytest.mark.task("smoke")
@pytest.mark.parametrize("training", [True, False])
def test_model_stays_as_it_is(student, rng, training):
    """The model keeps its weights, buffers, gradients and mode."""
    images, labels, _ = draw_batch(rng)
    _, kept = smoke(student, HEALTHY["batch norm"], (images, labels), training=training)
    if kept is not True:
        hint = "After smoke the model has other weights, buffers or gradients, or another mode. Work on copies of it."
        raise CheckFailure("the model is changed", hint)
