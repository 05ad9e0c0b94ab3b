"""The hidden checks: frame, windows, pooling, the four kernels and the receptive field.

Pictures are not square, and sizes of rows and columns differ everywhere: an exchanged pair cannot hide.
"""

import math

import pytest
import torch
from torch.nn import functional

from tensorgrade.checks import assert_close, assert_not_called, assert_not_mutated, assert_shape
from tensorgrade.errors import CheckFailure

# Sums of some ten terms of size 1 to 10; float64 rounds at 1e-16.
FLOAT64 = {"rtol": 0.0, "atol": 1e-12}
# What the rules exclude. Methods of tensors are allowed, `unfold` too.
READY_MADE = (
    *("torch.*[Cc]onv*", "torch.*[Pp]ool*", "torch.*[Pp]ad*", "torch.nn.*[Ff]old*"),
    *("numpy.*pad*", "numpy.*convolve*", "numpy.*correlate*", "numpy.*sliding_window*", "scipy.*"),
)


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def require_own_work(student, name, *inputs):
    """Neither the text of a task's answer nor a run of it shows a ready-made operation."""
    assert_not_called(student, name, READY_MADE, inputs=inputs)


def require_close(actual, expected, name, advice):
    """A float64 result is right to the last digits; advice is added to the hint if it is not."""
    try:
        assert_close(actual, expected, **FLOAT64, name=name)
    except CheckFailure as failure:
        if isinstance(actual, torch.Tensor) and is_close(actual, expected, 1e-4):
            advice = "For float64 inputs, digits are lost: which dtype have the tensors that you make on the way?"
            raise CheckFailure(failure.rationale, f"{name} is right to some digits only. {advice}") from None
        raise CheckFailure(failure.rationale, f"{failure.hint} {advice}") from None


def require_shape(actual, shape, name):
    """A framed picture has its shape."""
    try:
        assert_shape(actual, shape, name=name)
    except CheckFailure as failure:
        hint = f"{failure.hint} `pad` is (rows, columns), and each number counts on two sides."
        raise CheckFailure(failure.rationale, hint) from None


def is_close(actual, expected, tolerance=1e-12):
    """Whether a result of any kind is near a tensor."""
    try:
        assert_close(actual, expected, rtol=0.0, atol=tolerance)
    except CheckFailure:
        return False
    return True


def require_gradient(student, function, inputs, result, along, expected):
    """The result is right, and so is the gradient of the first input."""
    require_close(function(*inputs), result, "the result", "Its gradient was not tried.")
    found = student.gradients(function, inputs, along=along)[0]
    if found is None:
        hint = "No gradient reaches x. Is something detached, turned into numbers, or copied without history?"
        raise CheckFailure("no gradient", hint)
    require_close(found, expected, "the gradient of x", "The result is right; does every part of it remember x?")


@pytest.mark.task("frame")
def test_frame_is_own_work(student, rng):
    """The frame is built from basic operations."""
    require_own_work(student, "frame", draw(rng, 1, 1, 2, 3), (1, 2))


@pytest.mark.task("frame")
@pytest.mark.needs("test_frame_is_own_work")
@pytest.mark.parametrize("pad", [(2, 1), (1, 3), (0, 2), (3, 0), (0, 0)], ids=["high", "wide", "sides", "ends", "none"])
def test_picture_stands_in_the_middle(student, rng, pad):
    """Inside the frame stands the picture, in its order and with all digits; the frame has its size on every side."""
    for n, c, height, width in ((2, 3, 5, 7), (1, 1, 1, 1), (1, 2, 6, 3)):
        x = draw(rng, n, c, height, width)
        framed = student.frame(x, pad)
        size = (n, c, height + 2 * pad[0], width + 2 * pad[1])
        require_shape(framed, size, "frame(x, pad)")
        inside = framed[:, :, pad[0] : pad[0] + height, pad[1] : pad[1] + width]
        require_close(
            inside, x, "the middle of frame(x, pad)", "How many rows are above it, and how many columns left?"
        )
        if framed.dtype != x.dtype:
            raise CheckFailure(f"float64 in, {framed.dtype} out", "The result must have the precision of the input.")


@pytest.mark.task("frame")
@pytest.mark.needs("test_frame_is_own_work")
@pytest.mark.parametrize("value", [None, 2.5, -math.inf, 0.1], ids=["default", "half", "infinite", "tenth"])
def test_frame_has_its_value_on_every_side(student, rng, value):
    """Everything around the picture has the given value, or 0 if none is given."""
    x, (ph, pw) = draw(rng, 2, 3, 4, 5), (2, 1)
    framed = student.frame(x, (ph, pw)) if value is None else student.frame(x, (ph, pw), value)
    require_shape(framed, (2, 3, 8, 7), "frame(x, pad, value)")
    wanted = 0.0 if value is None else value
    sides = {"above": framed[:, :, :ph], "below": framed[:, :, -ph:]}
    sides |= {"on the left": framed[:, :, :, :pw], "on the right": framed[:, :, :, -pw:]}
    wrong = [
        side for side, part in sides.items() if not torch.equal(part.double(), torch.full_like(part.double(), wanted))
    ]
    require_close(framed[:, :, ph:-ph, pw:-pw], x, "the middle of frame(x, pad, value)", "What happens to it there?")
    if wrong:
        hint = f"The frame does not have the given value everywhere {' and '.join(wrong)} (corners included)."
        raise CheckFailure(f"value {wanted}: wrong {', '.join(wrong)}", hint)


@pytest.mark.task("frame")
@pytest.mark.needs("test_frame_is_own_work")
@pytest.mark.parametrize("pad", [(1, 2), (0, 0)], ids=["border", "none"])
def test_frame_is_a_new_tensor(student, rng, pad):
    """The result shares nothing with the picture: changing it leaves the picture as it is, and so does the call."""
    x = draw(rng, 2, 1, 3, 4)
    assert_not_mutated(student, student.frame, (x, pad))
    after = student.load("probes").input_after_change(student.frame, x, pad)
    if not is_close(after, x):
        hint = f"With pad {pad}, who changes the result of frame changes x. Is it a copy that you return?"
        raise CheckFailure(f"pad {pad}: the input was changed", hint)


@pytest.mark.task("frame")
@pytest.mark.needs("test_frame_is_own_work")
def test_frame_passes_gradients(student, rng):
    """The gradient of the picture is the inner part of the gradient of the result."""
    x, along = draw(rng, 2, 3, 5, 7), draw(rng, 2, 3, 7, 11)
    result = functional.pad(x, (2, 2, 1, 1))
    require_gradient(student, student.frame, (x, (1, 2)), result, along, along[:, :, 1:6, 2:9])


# What is special about a case: sizes of the window, then strides.
WINDOWS = {
    "square": ((2, 2), (1, 1)),
    "wide": ((2, 3), (1, 1)),
    "high": ((4, 1), (1, 1)),
    "steps": ((2, 2), (3, 3)),
    "unequal": ((2, 2), (2, 3)),
    "skipping": ((1, 2), (3, 4)),
    "all": ((3, 2), (1, 2)),
}
ADVICE = {
    "square": "Windows are square here and the stride is 1.",
    "wide": "Windows are wider than high here, the stride is 1. Which number of `kernel` counts rows?",
    "high": "Windows are higher than wide here, the stride is 1. Which number of `kernel` counts rows?",
    "steps": "The stride is larger than 1 here.",
    "unequal": "The stride for rows differs from that for columns here; the first belongs to the rows.",
    "skipping": "The stride is larger than the window here, so some pixels are in no window.",
    "all": "Both window and stride are unequal here.",
}


@pytest.mark.task("patches")
def test_patches_is_own_work(student, rng):
    """The windows are cut out with basic operations."""
    require_own_work(student, "patches", draw(rng, 1, 1, 3, 4), (2, 3), (1, 1))


@pytest.mark.task("patches")
@pytest.mark.needs("test_patches_is_own_work")
@pytest.mark.parametrize("case", WINDOWS)
def test_windows_hold_the_right_pixels(student, rng, case):
    """Every window is there with the pixels that it shows, whatever the sizes, and leftover pixels are dropped."""
    kernel, stride = WINDOWS[case]
    for shape in ((2, 3, 7, 11), (3, 2, 8, 5), (1, 1, 6, 13)):
        x = draw(rng, *shape)
        expected = functional.unfold(x, kernel, stride=stride)
        actual = student.patches(x, kernel, stride)
        if not isinstance(actual, torch.Tensor) or actual.shape != expected.shape:
            require_close(actual, expected, "patches(x, kernel, stride)", ADVICE[case])
        # In whatever order: an order that is wrong is another check's matter.
        ordered = [torch.sort(one.double().flatten(1)).values for one in (actual, expected)]
        require_close(*ordered, "the set of all values of patches(x, kernel, stride)", ADVICE[case])


@pytest.mark.task("patches", weight=3)
@pytest.mark.needs("test_patches_is_own_work")
def test_windows_come_in_reading_order(student, rng):
    """Windows come row by row; within one, channel after channel, each row by row."""
    x, (n, c, kh, kw, rows, columns) = draw(rng, 2, 3, 7, 11), (2, 3, 2, 4, 6, 4)
    expected = functional.unfold(x, (kh, kw), stride=(1, 2))
    actual = student.patches(x, (kh, kw), (1, 2))
    parts = expected.reshape(n, c, kh, kw, rows, columns)
    mistakes = {
        (0, 1, 2, 3, 5, 4): "The windows come column by column, but they have to come row by row.",
        (0, 1, 3, 2, 4, 5): "Within a window the pixels come column by column, but they have to come row by row.",
        (
            0,
            2,
            3,
            1,
            4,
            5,
        ): "Within a window the channels of a pixel stand together; whole channels have to follow each other.",
        (
            0,
            4,
            5,
            1,
            2,
            3,
        ): "Each window has to be a column of the result; it is spread over several. Is a transposition missing?",
        (1, 0, 2, 3, 4, 5): "The pictures of the batch are mixed with the channels.",
    }
    for order, sentence in mistakes.items():
        if is_close(actual, parts.permute(order).reshape(expected.shape)):
            raise CheckFailure(f"axes in the order {order}", sentence)
    require_close(actual, expected, "patches(x, kernel, stride)", "Compare with the formula: which index runs fastest?")


@pytest.mark.task("patches")
@pytest.mark.needs("test_patches_is_own_work")
def test_smallest_windows(student, rng):
    """A window of one pixel, one as large as the picture, and a single picture of one channel keep all axes."""
    for shape, kernel in (
        ((1, 1, 1, 1), (1, 1)),
        ((1, 1, 3, 5), (3, 5)),
        ((2, 3, 4, 5), (1, 1)),
        ((2, 1, 4, 3), (4, 1)),
    ):
        x = draw(rng, *shape)
        expected = functional.unfold(x, kernel)
        advice = "One of the sizes is 1 here. Does something drop axes of length 1?"
        require_close(student.patches(x, kernel, (1, 1)), expected, "patches(x, kernel, (1, 1))", advice)


@pytest.mark.task("patches")
@pytest.mark.needs("test_patches_is_own_work")
def test_windows_of_a_transposed_picture(student, rng):
    """A picture that does not lie in memory in its order has the same windows."""
    x = draw(rng, 2, 3, 5, 7)
    expected = functional.unfold(x, (2, 3), stride=(1, 2))
    require_close(student.patches(x, (2, 3), (1, 2)), expected, "patches", "A transposed picture was not tried.")
    actual = student.load("probes").of_view(student.patches, x, (2, 3), (1, 2))
    advice = "The input is x.transpose(2, 3) of another tensor here. Do you rely on how its numbers lie in memory?"
    require_close(actual, expected, "patches of a transposed picture", advice)


@pytest.mark.task("patches")
@pytest.mark.needs("test_patches_is_own_work")
def test_overlapping_windows_add_their_gradients(student, rng):
    """A pixel's gradient is the sum over all windows that show it."""
    x = draw(rng, 2, 3, 7, 6)
    result = functional.unfold(x, (3, 2), stride=(2, 1))
    along = draw(rng, *result.shape)
    expected = functional.fold(along, (7, 6), (3, 2), stride=(2, 1))
    require_gradient(student, student.patches, (x, (3, 2), (2, 1)), result, along, expected)


@pytest.mark.task("pool_max")
def test_pool_is_own_work(student, rng):
    """The largest values are found with basic operations."""
    require_own_work(student, "pool_max", draw(rng, 1, 1, 4, 6), (2, 3))


@pytest.mark.task("pool_max")
@pytest.mark.needs("test_pool_is_own_work")
@pytest.mark.parametrize("case", WINDOWS)
def test_pool_keeps_the_largest(student, rng, case):
    """Of every window of every channel the largest value stays; leftover pixels are dropped."""
    kernel, stride = WINDOWS[case]
    for shape in ((2, 3, 7, 11), (3, 2, 8, 5), (1, 1, 6, 13)):
        x = draw(rng, *shape)
        expected = functional.max_pool2d(x, kernel, stride)
        require_close(student.pool_max(x, kernel, stride), expected, "pool_max(x, kernel, stride)", ADVICE[case])


@pytest.mark.task("pool_max")
@pytest.mark.needs("test_pool_is_own_work")
def test_pool_of_negative_pictures(student, rng):
    """Where all values are negative the largest is negative too, also at the edge."""
    x = -1 - draw(rng, 2, 3, 7, 9).abs()
    for kernel, stride in (((2, 3), (2, 3)), ((3, 2), (1, 2)), ((4, 4), (3, 3))):
        advice = "All values of the picture are negative here. Which number does a maximum start from?"
        expected = functional.max_pool2d(x, kernel, stride)
        require_close(student.pool_max(x, kernel, stride), expected, "pool_max of negative values", advice)


@pytest.mark.task("pool_max")
@pytest.mark.needs("test_pool_is_own_work")
def test_pool_steps_by_its_kernel(student, rng):
    """Without a stride, or with None, the windows stand side by side."""
    for kernel in ((2, 3), (3, 1)):
        x = draw(rng, 2, 3, 8, 10)
        expected = functional.max_pool2d(x, kernel)
        advice = "No stride is given here: it is the same as the kernel, in both directions."
        require_close(student.pool_max(x, kernel), expected, "pool_max(x, kernel)", advice)
        require_close(student.pool_max(x, kernel, None), expected, "pool_max(x, kernel, None)", advice)


@pytest.mark.task("pool_max")
@pytest.mark.needs("test_pool_is_own_work")
def test_smallest_pools(student, rng):
    """A window of one pixel changes nothing; one as large as the picture leaves one value of each channel."""
    x = draw(rng, 1, 1, 3, 5)
    advice = "One of the sizes is 1 here. Does something drop axes of length 1?"
    require_close(student.pool_max(x, (1, 1)), x, "pool_max(x, (1, 1))", advice)
    require_close(student.pool_max(x, (3, 5)), x.amax((2, 3), keepdim=True), "pool_max of a whole picture", advice)
    x = draw(rng, 3, 1, 4, 1)
    require_close(student.pool_max(x, (2, 1)), x.unflatten(2, (2, 2)).amax(3), "pool_max of one column", advice)


@pytest.mark.task("pool_max")
@pytest.mark.needs("test_pool_is_own_work")
def test_pool_sends_gradients_to_the_largest(student, rng):
    """The gradient of a result goes to the pixel that it came from; one that won twice gets both."""
    x = draw(rng, 2, 3, 7, 9).requires_grad_()
    out = functional.max_pool2d(x, (3, 2), (2, 1))
    along = draw(rng, *out.shape)
    out.backward(along)
    require_gradient(student, student.pool_max, (x.detach(), (3, 2), (2, 1)), out.detach(), along, x.grad)


@pytest.mark.task("pool_max")
@pytest.mark.needs("test_pool_is_own_work")
def test_pool_leaves_its_input(student, rng):
    """The picture is the same before and after."""
    x = draw(rng, 2, 1, 4, 6)
    assert_not_mutated(student, student.pool_max, (x, (2, 3)))


KERNELS = {
    "horizontal": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "vertical": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "blur": [[1 / 9] * 3] * 3,
}


def filtered(img, name):
    """The picture under one of the four kernels, with zeros around it."""
    kernel = torch.tensor(KERNELS[name], dtype=img.dtype)
    return functional.conv2d(img[None, None], kernel[None, None], padding=1)[0, 0]


def run_bank(student, img):
    """The four pictures, of the right names and shape."""
    found = student.edge_bank(img)
    if not isinstance(found, dict) or set(found) != set(KERNELS):
        hint = "edge_bank has to return a dict with exactly the four keys of the text."
        raise CheckFailure(f"edge_bank returned {found!r:.200}", hint)
    for name in KERNELS:
        assert_shape(found[name], img.shape, name=f'edge_bank(img)["{name}"]')
    return found


@pytest.mark.task("edge_bank")
def test_bank_is_own_work(student, rng):
    """The kernels are applied with basic operations, or with the parts of this notebook."""
    require_own_work(student, "edge_bank", draw(rng, 3, 4))


@pytest.mark.task("edge_bank", weight=0.75)
@pytest.mark.needs("test_bank_is_own_work")
@pytest.mark.parametrize("name", KERNELS)
def test_bank_matches_its_kernels(student, rng, name):
    """Each picture is the input, with zeros around it, under its kernel, with all digits."""
    for height, width in ((6, 9), (7, 4), (1, 1), (1, 5), (2, 1)):
        img = draw(rng, height, width)
        actual, expected = run_bank(student, img)[name], filtered(img, name)
        require_close(actual, expected, f'edge_bank(img)["{name}"]', advise_about_bank(actual, img, name))


def advise_about_bank(actual, img, name):
    """What is wrong with one of the four pictures, in a sentence; nothing if it is right."""
    expected, inner = filtered(img, name), (slice(1, -1), slice(1, -1))
    if is_close(actual, expected) or min(img.shape) < 3:
        return "The picture has less than three rows or columns here."
    for other in KERNELS:
        for sign, word in ((1, ""), (-1, "minus ")):
            if is_close(actual, sign * filtered(img, other)):
                return f"It is what {word}{other} should be."
    if is_close(actual[inner], expected[inner]):
        return "It is right inside, but not at its border. What stands around the picture?"
    return "It is wrong inside the picture: compare the weights with the text, and their order."


@pytest.mark.task("edge_bank")
@pytest.mark.needs("test_bank_is_own_work")
def test_even_pictures_have_no_edges(student):
    """An evenly grey picture has no edge inside, and nothing to blur; a steady slope is an edge of one direction."""
    rows = torch.arange(6.0, dtype=torch.float64)[:, None].expand(6, 5).contiguous()
    expected = {"horizontal": (0.0, 8.0), "vertical": (0.0, 0.0), "laplace": (0.0, 0.0)}
    even, slope = run_bank(student, torch.full((6, 5), 3.0, dtype=torch.float64)), run_bank(student, rows)
    for name, (of_even, of_slope) in expected.items():
        for found, value, what in ((even, of_even, "an even picture"), (slope, of_slope, "one that grows downwards")):
            wanted = torch.full((4, 3), value, dtype=torch.float64)
            advice = f"The input is {what}. Add up the weights of the kernel, row by row."
            require_close(found[name][1:-1, 1:-1], wanted, f"{name} inside the picture", advice)
    wanted = torch.full((4, 3), 3.0, dtype=torch.float64)
    require_close(
        even["blur"][1:-1, 1:-1], wanted, "blur inside an even picture", "A mean of equal values is that value."
    )


def field_of(specs):
    """The receptive field and the jump, seen in the gradients of layers with positive weights."""
    length = 1
    for kernel, stride in reversed(specs):
        length = length * stride + kernel
    x = torch.ones(1, 1, length, dtype=torch.float64, requires_grad=True)
    out = x
    for kernel, stride in specs:
        out = functional.conv1d(out, torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64), stride=stride)
    spans = []
    for place in (0, 1):
        (gradient,) = torch.autograd.grad(out[0, 0, place], x, retain_graph=True)
        rows = gradient.flatten().nonzero().flatten()
        spans.append((rows[0].item(), rows[-1].item()))
    return spans[0][1] - spans[0][0] + 1, spans[1][0] - spans[0][0]


STACKS = {
    "one layer": [[(3, 1)], [(5, 2)], [(1, 4)]],
    "layers of stride 1": [[(3, 1), (5, 1)], [(2, 1), (1, 1), (4, 1)]],
    "a stride in the last layer": [[(3, 1), (4, 3)], [(7, 1), (2, 2)]],
    "a stride before other layers": [[(3, 2), (5, 1)], [(2, 3), (4, 1), (3, 1)], [(1, 2), (3, 1)]],
    "several strides": [[(7, 2), (3, 2), (3, 1), (3, 2)], [(4, 3), (2, 2), (5, 4)], [(3, 2)] * 5],
}


@pytest.mark.task("receptive_field")
@pytest.mark.parametrize("stack", STACKS, ids=[name.replace(" ", "-") for name in STACKS])
def test_field_is_what_gradients_show(student, stack):
    """Size and jump are those of the layers that the list describes."""
    for specs in STACKS[stack]:
        for part, found, wanted in zip(("size", "jump"), run_field(student, specs), field_of(specs), strict=True):
            if found != wanted:
                hint = f"The {part} is wrong for {stack}. Draw the windows of two neighbouring results in the picture."
                raise CheckFailure(f"{part} of {specs}: expected {wanted}, got {found!r:.50}", hint)


@pytest.mark.task("receptive_field")
def test_field_of_the_picture_itself(student):
    """Without layers a number sees itself, and the next one is one row further."""
    if tuple(run_field(student, [])) != (1, 1):
        hint = "An empty list stands for the picture itself: size 1, jump 1."
        raise CheckFailure("the field of no layers is not (1, 1)", hint)


def run_field(student, specs):
    """The size and the jump, each a number."""
    found = student.receptive_field(specs)
    if not isinstance(found, tuple | list) or len(found) != 2 or not all(type(one) in (int, float) for one in found):
        raise CheckFailure(
            f"got {found!r:.100}", "receptive_field has to return a pair of whole numbers, (size, jump)."
        )
    return found
