"""The hidden checks of the network and of the data, a check for each planted bug.

Each looks at one property alone, so that a bug that is left does not hide the repair of another. The data of
`make_sets` are the grader's: each image carries its own number in its pixels, so that whatever order it comes in, and
however it is scaled or grained, the grader knows which one it is.
"""

from dataclasses import dataclass

import pytest
import torch

from tensorgrade.checks import assert_close, assert_initial_loss, assert_overfits, assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure

BITS, LEARNING, TEST = 9, 250, 70
DIMMED = 0.6  # the test images are darker, so that statistics of their own would show
CLASSES = 10


@pytest.mark.task("Net", weight=2)
@pytest.mark.parametrize("n_classes", [10, 7])
def test_one_logit_for_each_class(student, rng, n_classes):
    """A network for C classes gives C numbers for each image."""
    net = student.Net(n_classes)
    assert_shape(net(torch.randn(5, 1, 8, 8, generator=rng)), (5, n_classes), name=f"Net({n_classes})(images)")


@pytest.mark.task("Net", weight=4)
def test_logits_are_any_numbers(student, rng):
    """The outputs are logits: with large weights the network is sure of its answers, and some outputs are negative."""
    x = torch.randn(20, 1, 8, 8, generator=rng)
    sureness, least = [], 0.0
    for _ in range(9):  # a network with few outputs may by chance have no negative one
        net = student.Net(10)
        net.eval()
        weights = {name: 10 * one for name, one in net.state_dict().items() if one.is_floating_point()}
        student.copy_weights(net, weights)
        name = "Net(10)(images)"
        logits = finite(net(x), name)
        if logits.dim() != 2:
            raise CheckFailure(f"{name} has shape {tuple(logits.shape)}", f"{name} must have two axes.")
        sureness.append(logits.softmax(1).amax(1).mean().item())
        least = min(least, logits.amin().item())
    sure = sorted(sureness)[4]
    if not sure >= 0.9 or not least < 0:
        hint = (
            "Even with very large weights the outputs of the network stay in a narrow range, or never fall below 0. "
            "Logits are any real numbers; the loss makes them probabilities. What happens to the last layer's output?"
        )
        raise CheckFailure(f"softmax of the outputs reaches {sure:.3f}, least output {least:.3f}", hint)


@pytest.mark.task("Net")
def test_loss_begins_at_guessing(student, rng):
    """Before training the network guesses: its loss is near ln C, and its outputs are no probabilities."""
    x = torch.randn(20, 1, 8, 8, generator=rng)
    assert_initial_loss(lambda: student.Net(10)(x), 10, name="Net(10)(images)")


@pytest.mark.task("Net")
def test_one_batch_by_heart(student, rng):
    """The network can learn twelve images by heart."""
    net = student.Net(4)
    net.eval()
    assert_overfits(student, net, torch.randn(12, 1, 8, 8, generator=rng), torch.arange(12) % 4, factor=0.3)


def finite(value, name):
    """A tensor of the submission's, its values finite."""
    (plain,) = unpack_tensors((value,), name)
    if not plain.is_floating_point() or not plain.isfinite().all():
        raise CheckFailure(f"{name}: {plain.dtype}, NaN or infinite", f"{name} must be finite floating point numbers.")
    return plain


@dataclass(frozen=True)
class Tagged:
    """What read_data gives: images of dark and bright pixels that carry their numbers, and random labels.

    Attributes:
        images: shape (LEARNING + TEST, 1, 8, 8); those to learn from come first.
        labels: shape (LEARNING + TEST,).
        places: which pixel carries which bit: shape (63,).
        number_of: the number of the image that carries a code: shape (512,); too large where none does.
    """

    images: torch.Tensor
    labels: torch.Tensor
    places: torch.Tensor
    number_of: torch.Tensor

    @classmethod
    def draw(cls, rng):
        """Images whose numbers stand in pixels of random places."""
        count = LEARNING + TEST
        places = torch.randperm(64, generator=rng)[: 7 * BITS]
        codes = torch.randperm(2**BITS, generator=rng)[:count]  # so that each bit is 0 and 1 in each set
        bits = codes[:, None] >> torch.arange(7 * BITS) % BITS & 1
        number_of = torch.full((2**BITS,), count)
        number_of[codes] = torch.arange(count)
        images = torch.rand(count, 64, generator=rng).round()
        images[:, places] = bits.float()
        images[LEARNING:] *= DIMMED
        parts = [torch.arange(size)[torch.randperm(size, generator=rng)] % CLASSES for size in (LEARNING, TEST)]
        return cls(images.reshape(-1, 1, 8, 8), torch.cat(parts), places, number_of)

    def data(self, *, changed=(), learning=None):
        """The two pairs of read_data; the images of some numbers far brighter."""
        images = (self.images if learning is None else learning).clone()
        images[list(changed)] = 50 * images[list(changed)] + 100
        return (
            (images[:LEARNING], self.labels[:LEARNING]),
            (images[LEARNING:], self.labels[LEARNING:]),
        )

    def numbers(self, images):
        """Which images these are, shape (n,); grain and scaling do not matter, as each pixel has two values."""
        pixels = images.flatten(1)[:, self.places].double()
        middle = (pixels.amin(0) + pixels.amax(0)) / 2
        votes = (pixels > middle).double().reshape(len(pixels), 7, BITS).mean(1)
        return self.number_of[((votes > 0.5).long() << torch.arange(BITS)).sum(1)]


def read_sets(student, data, *, seed=3, number=2, disturbed=0):
    """For training, validation, test: of each pass the images (n, 1, 8, 8) and the labels (n,)."""
    runs = student.load("runs")
    sets = runs.passes(student.make_sets, student.read_data, data, seed, number, disturbed)
    if type(sets) is not list or len(sets) != 3:
        raise CheckFailure("not three loaders", "make_sets must return three loaders: training, validation, test.")
    return [[whole_pass(batches, name) for batches in one] for one, name in zip(sets, ("tr", "va", "te"), strict=True)]


def whole_pass(batches, name):
    """The images and labels of all batches of a pass."""
    pairs = [unpack_tensors(batch, f"images of {name}", f"labels of {name}") for batch in batches]
    for images, labels in pairs:
        assert_close(images, torch.zeros(len(labels), 1, 8, 8), atol=torch.inf, name=f"images of {name}")
        if labels.dim() != 1 or labels.dtype != torch.int64:
            raise CheckFailure(f"labels: {labels.dtype}, {tuple(labels.shape)}", "Labels must be int64, shape (n,).")
    if not pairs:
        raise CheckFailure(f"{name} is empty", f"A pass over {name} yields nothing.")
    return torch.cat([images for images, _ in pairs]).float(), torch.cat([labels for _, labels in pairs])


@pytest.mark.task("make_sets", weight=3)
def test_images_keep_their_labels(student, rng):
    """Every image keeps its own label, and is once in each pass over one of the sets; the seed decides in which."""
    tagged = Tagged.draw(rng)
    found = []
    for name, passes in zip(("tr", "va", "te"), read_sets(student, tagged.data()), strict=True):
        for images, labels in passes:
            numbers = tagged.numbers(images)
            if not (numbers < LEARNING + TEST).all():
                hint = f"Images of {name} are not those that read_data gives. Is anything mixed but rows?"
                raise CheckFailure(f"{name}: unknown numbers", hint)
            right = (tagged.labels[numbers] == labels).double().mean().item()
            if right != 1:
                hint = (
                    f"In {name}, {100 * right:.0f} of 100 images have their own label, no more than by chance "
                    "if it is 10. Follow one image and its label through every line that changes an order."
                )
                raise CheckFailure(f"{name}: {right:.3f} of the labels are right", hint)
        found.append([tagged.numbers(images).sort().values.tolist() for images, _ in passes])
    require_complete(*found)
    _, other, _ = read_sets(student, tagged.data(), seed=4, number=1)
    if tagged.numbers(other[0][0]).sort().values.tolist() == found[1][0]:
        hint = "Two seeds hold out the same images for validation. Chance has to decide which ones, by the seed."
        raise CheckFailure("the same validation images for two seeds", hint)


def require_complete(training, validation, test):
    """The numbers in each pass are all there, once; a fifth is for validation."""
    for passes in zip(training, validation, test, strict=True):
        learned, validated, tested = passes
        if sorted(learned + validated) != list(range(LEARNING)) or tested != list(range(LEARNING, LEARNING + TEST)):
            hint = (
                "In one pass over each of the three loaders some images are missing, come twice, or are in the wrong "
                "set. What happens to the rows that do not fill a batch, and which rows does each loader get?"
            )
            raise CheckFailure(f"{len(learned)}, {len(validated)}, {len(tested)} images in the sets", hint)
        if not 0.18 <= len(validated) / LEARNING <= 0.22:
            hint = "A fifth of the images to learn from is for validation."
            raise CheckFailure(f"{len(validated)} of {LEARNING} images for validation", hint)


def require_scaled_alike(plain, poisoned, name):
    """Images that are 50 times as bright are so after the scaling too."""
    growth = (moments(poisoned)[1] / moments(plain)[1]).item()
    if not 40 <= growth <= 60:
        hint = f"Images of {name} that are much brighter are not so after the scaling. By whose mean and deviation?"
        raise CheckFailure(f"the deviation of {name} grows by {growth:.3f}, expected 50", hint)


def moments(passes):
    """Mean and standard deviation of the brightness in the first pass."""
    images, _ = passes[0]
    return torch.stack([images.double().mean(), images.double().std()])


LEAK = (
    "The scaling of the training images changes when only the images of {} change: {}. From which rows are they taken?"
)


@pytest.mark.task("make_sets", weight=2)
def test_test_images_do_not_decide(student, rng):
    """Mean and deviation do not depend on the test images, and bring the training images to 0 and 1."""
    tagged = Tagged.draw(rng)
    plain, _, test = read_sets(student, tagged.data(), number=1)
    poisoned, _, bright = read_sets(student, tagged.data(changed=range(LEARNING, LEARNING + TEST)), number=1)
    require_same_moments(moments(plain), moments(poisoned), "test")
    require_scaled_alike(test, bright, "te")
    mean, deviation = moments(plain).tolist()
    if not (abs(mean) <= 0.1 and abs(deviation - 1) <= 0.1):  # the grain adds 0.01 to 0.02
        hint = "The training images must have mean 0 and standard deviation 1, but for the grain."
        raise CheckFailure(f"mean {mean:.3f}, deviation {deviation:.3f}", hint)


@pytest.mark.task("make_sets")
def test_validation_images_do_not_decide(student, rng):
    """Mean and deviation do not depend on the validation images."""
    tagged = Tagged.draw(rng)
    plain, validation, _ = read_sets(student, tagged.data(), number=1)
    held = [number for number in tagged.numbers(validation[0][0]).tolist() if number < LEARNING]
    poisoned, bright, _ = read_sets(student, tagged.data(changed=held), number=1)
    require_same_moments(moments(plain), moments(poisoned), "validation")
    require_scaled_alike(validation, bright, "va")


def require_same_moments(plain, poisoned, part):
    """Mean and deviation of the training images are the same, but for the grain."""
    differs = [
        word
        for word, a, b in zip(("the mean", "the deviation"), plain.tolist(), poisoned.tolist(), strict=True)
        if not abs(a - b) <= 0.03
    ]
    if differs:
        hint = LEAK.format(part, " and ".join(differs))
        raise CheckFailure(f"moments {plain.tolist()}, with other images {poisoned.tolist()}", hint)


@pytest.mark.task("make_sets", weight=3)
def test_training_is_shuffled(student, rng):
    """The training loader mixes the classes, anew in each pass, and in the same way for the same seed."""
    tagged = Tagged.draw(rng)
    (first, second), _, _ = read_sets(student, tagged.data())
    classes = first[1][:100].unique().numel()
    if classes < 8:
        hint = (
            f"The first 100 labels of training are of {classes} classes only, of ten. "
            "Draw a bar chart of them: in which order do the batches come?"
        )
        raise CheckFailure(f"{classes} classes", hint)
    alike = (first[1][1:] == first[1][:-1]).double().mean().item()
    if not alike <= 0.4:  # 0.1 by chance
        hint = (
            f"In {100 * alike:.0f} of 100 cases the next training image is of the same class as the one before. Is it "
            "the rows that are mixed, or only the batches?"
        )
        raise CheckFailure(f"{alike:.3f} of the neighbours are of one class", hint)
    orders = [tagged.numbers(images).tolist() for images, _ in (first, second)]
    if orders[0] == orders[1]:
        hint = "Two passes over tr come in the same order. Who draws the order, and when?"
        raise CheckFailure("two passes in one order", hint)
    student.seed(77)
    (again, later), _, _ = read_sets(student, tagged.data(), disturbed=1)
    if [tagged.numbers(images).tolist() for images, _ in (again, later)] != orders:
        hint = (
            "make_sets with the same seed gives another order when the global generators are in another state. "
            "Draw from a torch.Generator of your own, made from `seed`."
        )
        raise CheckFailure("another order for the same seed", hint)
    (other, _), _, _ = read_sets(student, tagged.data(), seed=4)
    if tagged.numbers(other[0]).tolist() in orders:
        raise CheckFailure("the same order for two seeds", "Two seeds give the same order. Where is `seed` used?")


@pytest.mark.task("make_sets", weight=2)
def test_measured_images_have_no_grain(student, rng):
    """Two passes over validation or test give the very same images; those of training have other grain."""
    tagged = Tagged.draw(rng)
    training, validation, test = read_sets(student, tagged.data())
    for name, (first, second) in (("va", validation), ("te", test)):
        if first[0].shape != second[0].shape or not torch.equal(first[0], second[0]):
            hint = f"Two passes over {name} give other images. What is done to images that are only measured?"
            raise CheckFailure(f"{name}: two passes differ", hint)
    one, two = (images[tagged.numbers(images).argsort()] for images, _ in training)
    grain = (one - two).square().mean().sqrt().item()
    if not 0.05 <= grain <= 1:
        hint = "Training images must have grain, another in each pass. Is augment still called, once in every pass?"
        raise CheckFailure(f"two passes over tr differ by {grain:.4f} (root mean square)", hint)


@pytest.mark.task("make_sets")
def test_parts_are_scaled_alike(student, rng):
    """A dark and a bright pixel have the same two values in validation and test, and in training but for the grain."""
    tagged = Tagged.draw(rng)
    sets = read_sets(student, tagged.data(), number=1)
    levels = []
    for name, [(images, _)] in zip(("tr", "va", "te"), sets, strict=True):
        pixels, bright = images.flatten(1).double(), tagged.images[tagged.numbers(images)].flatten(1) > 0
        means = [(pixels * kind).sum(0) / kind.sum(0) for kind in (~bright, bright)]
        spread = (pixels - torch.where(bright, means[1], means[0])).abs().amax().item()
        if name != "tr" and not spread <= 1e-3:
            hint = f"Images of {name} are not only scaled: what is dark in all of them has several values. Is it grain?"
            raise CheckFailure(f"{name}: equal pixels differ by up to {spread:.4f}", hint)
        levels.append(torch.stack([one.nanmean() for one in means]))
    dark, bright = levels[0]
    for name, level, brightest in (("va", levels[1], bright), ("te", levels[2], dark + DIMMED * (bright - dark))):
        # The grain of 12,000 pixels has a mean of about 0.001.
        if not (level - torch.stack([dark, brightest])).abs().amax() <= 0.05:
            hint = (
                f"The same brightness has other values in tr and in {name}. Mean and deviation of the training images "
                "are for all three parts."
            )
            raise CheckFailure(f"dark and bright: tr {levels[0].tolist()}, {name} {level.tolist()}", hint)
