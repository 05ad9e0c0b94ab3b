"""The hidden checks of training, measurement and the whole run.

The models are the grader's and note what happens to them; any optimiser and any order of right statements passes.
"""

import math

import pytest
import torch
from torch.nn import functional

from tensorgrade.checks import assert_close, measure, unpack_tensors
from tensorgrade.checks.values import is_same
from tensorgrade.data import load_digits
from tensorgrade.errors import CheckFailure

SETTINGS = {"epochs": 1, "lr": 0.05, "accumulation": 1}
# float32 rounds at 6e-8; gradients are sums of some ten terms of size 1.
FLOAT32 = {"rtol": 1e-4, "atol": 1e-6}
STEPS = 50


def draw_batches(rng, *sizes, first=1.0, classes=3):
    """Batches of random images whose first pixel is a mark, and labels."""
    batches = []
    for number, size in enumerate(sizes):
        images = torch.randn(size, 1, 8, 8, generator=rng)
        images[:, 0, 0, 0] = first * (number + 1)
        batches.append((images, torch.randint(classes, (size,), generator=rng)))
    return batches


def validation_batches(rng):
    """Two batches whose marks are negative."""
    return draw_batches(rng, 5, 2, first=-1)


def watch(student, training, validation, **changes):
    """What a spy notes while it is trained."""
    functions = (student.train, student.evaluate, student.config)
    return student.load("spies").watch(functions, {**SETTINGS, **changes}, training, validation)


def logits_of(weights, images):
    """The logits of a spy with these weights, in float64."""
    plain = {name: one.double() for name, one in weights.items()}
    hidden = (images.flatten(1).double() @ plain["first.weight"].T + plain["first.bias"]).tanh()
    return hidden @ plain["second.weight"].T + plain["second.bias"]


def changes_of(found):
    """By name of a parameter, how much the first step changed it."""
    before, after = found["weights"][:2]
    return {name: (after[name] - before[name]).double().norm().item() for name in before}


@pytest.mark.task("train", weight=2)
def test_loss_is_cross_entropy(student, rng):
    """The loss is the cross-entropy of all logits, as a mean over the batch; training follows its gradient."""
    logits, labels = torch.randn(7, 5, generator=rng), torch.tensor([4, 0, 1, 3, 2, 4, 4])
    expected = functional.cross_entropy(logits, labels)
    loss = student.criterion(logits, labels)
    assert_close(loss, expected, atol=math.inf, name="criterion(logits, labels)")
    if not abs(loss.item() - expected.item()) <= 1e-4:
        hint = (
            "criterion(logits, labels) is not the mean cross-entropy over the batch. Try logits of zeros for C "
            "classes: what should guessing cost? Then ask which columns of the logits it looks at, and how."
        )
        raise CheckFailure(f"criterion: {loss.item():.4f}, expected {expected.item():.4f}", hint)
    training = draw_batches(rng, 6, 6)
    found = watch(student, training, validation_batches(rng))
    images, labels = training[0]
    start = logits_of(found["weights"][0], images)
    wanted = (start.softmax(1) - functional.one_hot(labels, 3)) / len(labels)
    if not found["logit_gradients"]:
        hint = "No gradient of the loss arrives at the logits in training. What is between the loss and backward()?"
        raise CheckFailure("no gradient at the logits", hint)
    assert_close(found["logit_gradients"][0], wanted.float(), **FLOAT32, name="the gradient of the loss at the logits")


@pytest.mark.task("train", weight=2)
def test_every_parameter_learns(student, rng):
    """One step of training changes every parameter of the model, of all its layers."""
    found = watch(student, draw_batches(rng, 6, 6), validation_batches(rng))
    changed = changes_of(found)
    if not all(change > 0 for change in changed.values()):
        still = [name for name, change in changed.items() if not change > 0]
        hint = (
            f"After a step of training {len(still)} of the 4 parameters of a model of two layers are what they were. "
            "Compare weights before and after a step, layer by layer: which ones does the optimiser know?"
        )
        raise CheckFailure(f"unchanged: {', '.join(still)}", hint)


@pytest.mark.task("train", weight=2)
def test_first_step_has_a_sane_size(student, rng):
    """With the default learning rate the first step changes the weights by 1/10,000 to 1/10 of their size."""
    settings = student.config()
    if type(settings) is not dict or not {"epochs", "lr", "accumulation"} <= set(settings):
        hint = "config() must return a dict with at least epochs, lr and accumulation."
        raise CheckFailure(f"config() gave {str(settings)[:200]}", hint)
    if not is_same(student.config(lr=0.5), {**settings, "lr": 0.5}):
        raise CheckFailure("config(lr=0.5)", "config(lr=0.5) must be the default settings with this one changed.")
    found = watch(student, draw_batches(rng, 32, 32, classes=2), validation_batches(rng), **settings)
    size = math.hypot(*(one.double().norm().item() for one in found["weights"][0].values()))
    ratio = math.hypot(*changes_of(found).values()) / size
    if not 1e-4 <= ratio <= 1e-1:
        kind = "smaller" if ratio < 1e-4 else "larger"
        hint = (
            f"The first step with the default settings is {kind} than the text allows, measured by the weights' size."
        )
        raise CheckFailure(f"update to weight ratio {ratio:.3g}", f"{hint} Which setting decides that?")


@pytest.mark.task("train", weight=2)
def test_accumulated_gradients_make_one_step(student, rng):
    """With accumulation 2, two batches of five make the same step as one batch of ten."""
    parts = draw_batches(rng, 5, 5, 5, 5)
    joint = [tuple(torch.cat(both) for both in zip(*parts[:2], strict=True))]
    validation = validation_batches(rng)
    found = watch(student, parts[:2], validation, accumulation=2)["weights"]
    start, end = found[0], found[-1]
    if all(torch.equal(end[name], start[name]) for name in start):
        hint = (
            "With accumulation 2 training changes no weight. Between backward() and step(), what happens to .grad? "
            "Print a gradient's norm right before the step."
        )
        raise CheckFailure("no parameter changes", hint)
    wanted = watch(student, joint, validation)["weights"][-1]
    for name in wanted:
        # An optimiser that divides by the gradient's size makes a step of the rounding of a tiny one: the norm counts.
        if not (end[name] - wanted[name]).norm() <= 0.02 * (wanted[name] - start[name]).norm() + 1e-6:
            hint = (
                "With accumulation 2, two batches of five do not lead where one batch of ten leads. The step should "
                "follow the mean of both gradients: is each loss divided, and is one step made for both?"
            )
            raise CheckFailure(f"{name} differs after 2 accumulated batches", hint)
    require_pairs(watch(student, parts, validation, accumulation=2))


def require_pairs(found):
    """With accumulation 2, .grad holds the sum of two batches, and nothing of those before."""
    start, end = found["weights"][0], found["weights"][-1]
    learning = [name for name in start if not torch.equal(end[name], start[name])]
    for name in learning:
        added, held = ([one[place] for one in found["gradients"] if one[0] == name] for place in (1, 2))
        for number in range(len(added)):
            wanted = added[number] if number % 2 == 0 else added[number - 1] + added[number]
            if not torch.allclose(held[number], wanted, **FLOAT32):
                hint = (
                    "With accumulation 2, .grad is not empty when the third batch begins, or does not hold two "
                    "gradients after the second. Print the norm of a gradient after each backward()."
                )
                raise CheckFailure(f"{name}: .grad after backward pass {number + 1}", hint)


@pytest.mark.task("train", weight=2)
def test_each_step_follows_one_batch(student, rng):
    """Without accumulation each step follows the gradient of its own batch, not of those before."""
    found = watch(student, draw_batches(rng, 5, 5, 5, 5), validation_batches(rng))
    learning = {name for name, change in changes_of(found).items() if change > 0}
    if not learning:
        raise CheckFailure("no parameter changes", "Training changes no weight of a small model.")
    for name, added, held in found["gradients"]:
        if name in learning and not torch.allclose(held, added, rtol=1e-4, atol=1e-7):
            hint = (
                "After backward() .grad holds more than the gradient of this batch. Print the norm of a gradient after "
                "each backward(), for accumulation 1: does it grow?"
            )
            raise CheckFailure(f"{name}: .grad is not what the last backward pass added", hint)


@pytest.mark.task("train", weight=2)
def test_training_mode_in_every_epoch(student, rng):
    """Training images meet a model in training mode, also in the second and third epoch."""
    found = watch(student, draw_batches(rng, 5, 5), validation_batches(rng), epochs=3)
    modes = [training for mark, learning, training, _ in found["forwards"] if learning and mark > 0]
    if len(modes) < 6 or not all(modes):
        epochs = sorted({number // 2 + 1 for number, training in enumerate(modes) if not training})
        hint = (
            f"Training images meet a model in evaluation mode, in epoch {', '.join(map(str, epochs))} of 3. "
            "Validation lies between the epochs: print model.training in front of each training step."
        )
        hint = hint if epochs else "In three epochs the model sees fewer training batches than there are."
        raise CheckFailure(f"training flags {modes}", hint)


DEVICE = (
    "{} a model whose parameters live on another device fails as it would on a GPU: tensors of two devices meet in one "
    "operation. Do images and labels both follow the model?"
)


@pytest.mark.task("train", weight=2)
def test_batches_follow_the_model(student, rng):
    """Training works wherever the model lives: images and labels are moved to its device."""
    spies = student.load("spies")
    validation = validation_batches(rng)
    refused = spies.train_elsewhere(student.train, student.config, SETTINGS, draw_batches(rng, 5, 5), validation)
    if refused is not None:
        raise CheckFailure(f"two devices meet in {str(refused)[:50]}", DEVICE.format("Training"))


@pytest.mark.task("train", weight=2)
def test_memory_does_not_grow(student, rng):
    """The graph of a step is gone when the next ones begin, and the history holds floats, one for each epoch."""
    found = watch(student, draw_batches(rng, *[2] * STEPS), validation_batches(rng))
    living = [count for mark, learning, _, count in found["forwards"] if learning and mark > 0]
    if len(living) < STEPS or max(living) > 10:
        hint = (
            f"After {STEPS} steps the graphs of {max(living, default=0)} earlier steps are still in memory. What keeps "
            "them? Look for a name that a loss is added to, or a list that it is put into."
        )
        raise CheckFailure(f"{max(living, default=0)} graphs live", hint)
    require_floats(found["history"], 1)


def require_floats(history, epochs):
    """A history has its three lists of floats, one for each epoch."""
    for name in ("train_loss", "val_loss", "val_acc"):
        values = history.get(name) if type(history) is dict else None
        if type(values) is not list or len(values) != epochs or not all(type(one) is float for one in values):
            hint = f'history["{name}"] must be a list of Python floats, one for each epoch; a tensor is none.'
            raise CheckFailure(f"{name}: {str(values)[:200]}", hint)


@pytest.mark.task("train")
def test_history_tells_what_happened(student, rng):
    """With a learning rate of 0 the history is the mean loss over all training images, and what evaluate finds."""
    training = draw_batches(rng, 7, 7, 3)
    found = watch(student, training, validation_batches(rng), lr=0.0, epochs=2)
    require_floats(found["history"], 2)
    if any(learning and mark < 0 for mark, learning, _, _ in found["forwards"]):
        hint = "A model in training records a graph for validation images, as if it learned from them."
        raise CheckFailure("validation images are learned from", hint)
    images, labels = (torch.cat(parts) for parts in zip(*training, strict=True))
    expected = functional.cross_entropy(logits_of(found["weights"][0], images), labels)
    for value in found["history"]["train_loss"]:
        if not abs(value - expected.item()) <= 1e-4:
            hint = (
                'With learning rate 0 history["train_loss"] is not the mean loss over all training images. Is cfg '
                "used, is criterion repaired, and how much does an image of a small last batch count?"
            )
            raise CheckFailure(f"train_loss {value}, expected {expected.item()}", hint)
    for key, name in (("loss", "val_loss"), ("acc", "val_acc")):
        evaluated = found["evaluated"][key]
        if not all(is_same(value, evaluated, rtol=1e-5) for value in found["history"][name]):
            hint = f'history["{name}"] is not what evaluate(model, va) finds after the epoch.'
            raise CheckFailure(f"{found['history'][name]}, evaluate: {evaluated}", hint)
    history = watch(student, training, validation_batches(rng), epochs=3)["history"]
    require_floats(history, 3)
    for name in ("train_loss", "val_loss"):
        if len(set(history[name])) < 3:
            hint = f'history["{name}"] is the same for several epochs of a training that changes the weights.'
            raise CheckFailure(f"{name}: {history[name]}", hint)


@pytest.mark.task("evaluate", weight=2)
def test_evaluation_repeats(student, rng):
    """Five evaluations of one model agree, and leave its weights and buffers as they are."""
    spies = student.load("spies")
    results, before, after = spies.evaluate_often(student.evaluate, draw_batches(rng, 8, 8, 8), 5)
    if not all(is_same(result, results[0]) for result in results):
        hint = (
            "Five evaluations of the same model on the same images give different results. The model has dropout and "
            "batch norm: in which mode is it measured?"
        )
        raise CheckFailure(f"results {results}", hint)
    if not is_same(after, before):
        hint = "After an evaluation weights or buffers of the model have changed. Batch norm keeps statistics: when?"
        raise CheckFailure("the state of the model changes", hint)


def draw_planted(rng, sizes, n_classes=4):
    """Batches for a model whose logits stand in the first pixels; right in other shares in each batch."""
    batches = []
    for number, size in enumerate(sizes):
        labels = torch.randint(n_classes, (size,), generator=rng)
        right = torch.arange(size) < size * (len(sizes) - number) / (len(sizes) + 1)
        answers = torch.where(right, labels, (labels + 1) % n_classes)
        images = torch.rand(size, 64, generator=rng)
        images[:, :n_classes] += 3 * functional.one_hot(answers, n_classes)
        batches.append((images.reshape(size, 1, 8, 8), labels))
    return batches


def planted_result(student, batches):
    """What evaluate says of planted logits: two floats; and the logits and labels."""
    result = student.load("spies").evaluate_planted(student.evaluate, batches, 4)
    if type(result) is not dict or not all(type(result.get(key)) is float for key in ("loss", "acc")):
        hint = 'evaluate must return {"loss": ..., "acc": ...}, two Python floats.'
        raise CheckFailure(f"evaluate returned {str(result)[:200]}", hint)
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return result, images.flatten(1)[:, :4], labels


SIZES = [pytest.param((4, 4, 2), id="ten"), pytest.param((6, 1), id="seven"), pytest.param((5,), id="five")]


@pytest.mark.task("evaluate")
@pytest.mark.parametrize("sizes", SIZES)
def test_accuracy_counts_every_image(student, rng, sizes):
    """The accuracy is the share of all images that the model gets right, however they come in batches."""
    result, logits, labels = planted_result(student, draw_planted(rng, sizes))
    expected = measure("accuracy", logits, labels, n_classes=4, average="micro")
    if not abs(result["acc"] - expected) <= 1e-5:
        hint = (
            f"For {len(labels)} images in batches of {', '.join(map(str, sizes))} the accuracy is not the share of "
            "right answers. Count by hand: how much does an image of the last batch count?"
        )
        raise CheckFailure(f"accuracy {result['acc']}, expected {expected}", hint)


@pytest.mark.task("evaluate")
@pytest.mark.parametrize("sizes", SIZES)
def test_loss_counts_every_image(student, rng, sizes):
    """The loss is the mean of the cross-entropy over all images, however they come in batches."""
    result, logits, labels = planted_result(student, draw_planted(rng, sizes))
    expected = functional.cross_entropy(logits.double(), labels).item()
    if not abs(result["loss"] - expected) <= 1e-4:
        hint = (
            'The "loss" of evaluate is not the mean of the cross-entropy over all images. Is criterion repaired, and '
            "does a batch of 2 count less than one of 4?"
        )
        raise CheckFailure(f"loss {result['loss']}, expected {expected}", hint)


@pytest.mark.task("evaluate", weight=2)
def test_evaluation_follows_the_model(student, rng):
    """Evaluation works wherever the model lives: images and labels are moved to its device."""
    refused = student.load("spies").evaluate_elsewhere(student.evaluate, draw_batches(rng, 4, 4))
    if refused is not None:
        raise CheckFailure(f"two devices meet in {str(refused)[:50]}", DEVICE.format("Evaluating"))


def draw_digits(rng):
    """Digits as nobody has seen them: turned, in other brightness, under other names; and the answers of the test part.

    In the place of their labels the test images have serial numbers, so that no answer reaches the student's process.
    """
    digits = load_digits()
    order = torch.randperm(len(digits.labels), generator=rng)
    names = torch.randperm(10, generator=rng)
    images, labels = digits.images[order], names[digits.labels[order]]
    turn, flip = torch.randint(4, (), generator=rng).item(), torch.randint(2, (), generator=rng).item()
    images = images.rot90(turn, (1, 2))
    images = images.mT if flip else images
    bright, shift = torch.rand(2, generator=rng).tolist()
    images = (0.5 + bright) * images + shift + 0.02 * torch.randn(images.shape, generator=rng)
    images = images[:, None].contiguous()
    serial = torch.arange(450)
    return ((images[450:], labels[450:]), (images[:450], serial)), labels[:450]


def whole_run(student, data, seed, changes):
    """History, logits and serial numbers of a run on these data, the latter two in the order of the numbers."""
    functions = (student.make_sets, student.Net, student.train, student.config, student.read_data)
    history, logits, numbers = student.kept(student.load("runs").run, functions, data, seed, changes)
    logits, numbers = unpack_tensors((logits, numbers), "logits", "labels of te")
    if numbers.sort().values.tolist() != list(range(450)):
        hint = "A pass over te must yield every test image once, with its label."
        raise CheckFailure("te does not yield the test part", hint)
    return history, logits[numbers.argsort()]


@pytest.mark.task("main", weight=4)
@pytest.mark.budget(cpu_seconds=60)
def test_run_learns_the_digits(student, calibrated):
    """A whole run learns: on digits that nobody has seen it is about as often right as the repaired script."""

    def accuracy(run):
        data, answers = draw_digits(run.rng)
        _, logits = whole_run(student, data, run.number, {})
        return measure("accuracy", logits, answers, n_classes=10, average="micro")

    hint = (
        "After a whole run the model is right on {percent} of 100 new digits. Something is still wrong: look at the "
        "checks of the single parts first, then at what your repair has changed besides."
    )
    calibrated("accuracy", accuracy, hint=hint)


@pytest.mark.task("main")
@pytest.mark.needs("test_run_learns_the_digits")
def test_run_can_be_repeated(student, rng):
    """Two runs with the same seed give the same history and the same answers, to the last bit."""
    data, _ = draw_digits(rng)
    results = []
    for number in (1, 2):
        student.seed(number)
        functions = (student.make_sets, student.Net, student.train, student.config, student.read_data)
        results.append(student.load("runs").run(functions, data, 5, {"epochs": 2}))
    if not is_same(results[0], results[1], equal_nan=True):
        hint = (
            "Two runs with the same seed differ. main seeds torch: which random numbers come from somewhere else, "
            "from NumPy, from Python, or from a generator that lives on between runs?"
        )
        raise CheckFailure("two runs with one seed differ", hint)
    if not all(math.isfinite(value) for values in results[0][0].values() for value in values):
        raise CheckFailure("the history holds NaN", "The history of a run holds NaN or infinity.")
