"""The hidden checks of the layer, in float64 with the check's own weights.

Several compare the layer with itself (moved, added, cut into groups), so that each mistake is found by
the check that is named after it. Sizes of rows and columns differ everywhere.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tensorgrade.checks import assert_close, assert_linear, assert_not_called, assert_shape
from tensorgrade.errors import CheckFailure, StudentError

# Sums of at most a hundred terms of size 1 to 10; float64 rounds at 1e-16.
FLOAT64 = {"rtol": 1e-12, "atol": 1e-12}
# What the rules exclude. Methods of tensors are allowed, `unfold` too.
READY_MADE = (
    *("torch.*[Cc]onv*", "torch.*[Pp]ool*", "torch.*[Pp]ad*", "torch.nn.*[Ff]old*"),
    *("numpy.*pad*", "numpy.*convolve*", "numpy.*correlate*", "numpy.*sliding_window*", "scipy.*"),
)


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def make(student, weight, bias=None, **options):
    """A layer of the submission's in float64, with these weights (c_out, c_in / groups, kh, kw)."""
    c_out, c_in, *kernel = weight.shape
    c_in *= options.get("groups", 1)
    layer = student.Conv(c_in, c_out, tuple(kernel), bias=bias is not None, **options)
    layer.double()
    student.copy_weights(layer, {"weight": weight} | ({} if bias is None else {"bias": bias}))
    return layer


def require_close(student, actual, expected, name, advice):
    """A float64 result is right to the last digits; advice is added to the hint if it is not."""
    try:
        assert_close(actual, expected, **FLOAT64, name=name)
    except CheckFailure as failure:
        if isinstance(actual, torch.Tensor) and is_close(actual, expected, 1e-4):
            advice = "For float64 inputs, digits are lost: which dtype have the tensors that you make on the way?"
            raise CheckFailure(failure.rationale, f"{name} is right to some digits only. {advice}") from None
        if not is_plainly_right(student):
            advice = (
                "The layer is wrong already with a square kernel, stride 1, no frame and one group: begin with that."
            )
        raise CheckFailure(failure.rationale, f"{failure.hint} {advice}") from None


def is_plainly_right(student):
    """Whether a layer without frame, steps or groups gives the right result."""
    x, weight = torch.arange(60.0, dtype=torch.float64).reshape(1, 3, 4, 5), torch.ones(2, 3, 2, 2).double()
    weight[:, :, 0, 1], weight[1, 1] = 3, -2
    bias = torch.tensor([1.0, -1.0], dtype=torch.float64)
    return is_close(make(student, weight, bias)(x), functional.conv2d(x, weight, bias))


def is_close(actual, expected, tolerance=1e-12):
    """Whether a result of any kind is near a tensor."""
    try:
        assert_close(actual, expected, rtol=0.0, atol=tolerance)
    except CheckFailure:
        return False
    return True


@pytest.mark.task("Conv")
def test_conv_is_own_work(student, rng):
    """The layer is built from basic operations."""
    layer, x = student.Conv(1, 1, (2, 3), (1, 1), (1, 1)), draw(rng, 1, 1, 3, 4).float()
    assert_not_called(student, "Conv", READY_MADE, inputs=(x,), function=layer)


CASES = {
    "plain": "The kernel is square here, the stride is 1, and there is no frame.",
    "kernel": "The kernel is not square here. Which of its sizes counts rows?",
    "stride": "The strides for rows and columns differ here; the first belongs to the rows.",
    "pad": "The pads for rows and columns differ here. Is the frame right on all four sides?",
    "all": "Kernel, stride and pad differ in both directions here.",
}


def draw_pair(rng, low, high, *, unequal):
    """Two whole numbers from low up to high."""
    first, second = (low + torch.randperm(high - low + 1, generator=rng)[:2]).tolist()
    return (first, second) if unequal else (first, first)


def draw_geometry(rng, case):
    """Kernel, stride and pad at random."""
    kernel = draw_pair(rng, 1, 4, unequal=case in ("kernel", "all"))
    stride = draw_pair(rng, 1, 3, unequal=True) if case in ("stride", "all") else (1, 1)
    pad = draw_pair(rng, 0, 3, unequal=True) if case in ("pad", "all") else (0, 0)
    return kernel, stride, pad


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
@pytest.mark.parametrize("case", CASES)
def test_conv_matches_its_formula(student, rng, case):
    """With given weights the result is that of the formula, for kernels, strides and pads of all kinds."""
    for _ in range(8):
        kernel, stride, pad = draw_geometry(rng, case)
        n, (height, width) = int(torch.randint(1, 4, (), generator=rng)), draw_pair(rng, 4, 9, unequal=True)
        x, weight, bias = draw(rng, n, 3, height, width), draw(rng, 5, 3, *kernel), draw(rng, 5)
        expected = functional.conv2d(x, weight, bias, stride, pad)
        actual = make(student, weight, bias, stride=stride, pad=pad)(x)
        require_close(student, actual, expected, "Conv(...)(x)", CASES[case])


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_kernel_of_one_weight_moves_the_picture(student, rng):
    """A kernel that is 1 at one place and 0 elsewhere shows the picture as that place of the window sees it."""
    x = draw(rng, 2, 1, 6, 5)
    for row in range(3):
        for column in range(2):
            weight = torch.zeros(1, 1, 3, 2, dtype=torch.float64)
            weight[0, 0, row, column] = 1
            actual = make(student, weight)(x)
            if not is_close(actual, seen_from(x, row, column)):
                hint = "A kernel with a single 1 shows another part of the picture than the place of that 1 sees."
                mistakes = {
                    (2 - row, 1 - column): "The kernel is turned by 180 degrees. Compare the signs in the formula.",
                    (2 - row, column): "The rows of the kernel come in the opposite order.",
                    (row, 1 - column): "The columns of the kernel come in the opposite order.",
                }
                found = [sentence for place, sentence in mistakes.items() if is_close(actual, seen_from(x, *place))]
                raise CheckFailure(f"1 at ({row}, {column}): the wrong part of the picture", (found or [hint])[0])


def seen_from(x, row, column):
    """What the pixels at one place of all windows of 3 x 2 show."""
    return x[:, :, row : row + x.shape[2] - 2, column : column + x.shape[3] - 1]


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_groups_see_their_own_channels(student, rng, groups):
    """Each slice of the output depends on the slice of the input with the same number, and on no other."""
    x, weight, bias = draw(rng, 2, 6, 5, 4), draw(rng, 12, 6 // groups, 2, 3), draw(rng, 12)
    layer = make(student, weight, bias, groups=groups)
    before = layer(x)
    assert_shape(before, (2, 12, 4, 2), name="Conv(..., groups=...)(x)")
    changed = x.clone()
    changed[:, -1] += 1
    seen = (layer(changed) - before).abs().amax((0, 2, 3)) > 1e-9
    own = torch.arange(12) >= 12 - 12 // groups
    if not torch.equal(seen, own):
        hint = "When the last input channel changes, exactly the last slice of output channels must. How are they cut?"
        raise CheckFailure(f"groups={groups}: output channels that change: {seen.nonzero().flatten().tolist()}", hint)
    advice = "Each output channel sees the right input channels; are their weights the right ones?"
    require_close(
        student, before, functional.conv2d(x, weight, bias, groups=groups), "Conv(..., groups=...)(x)", advice
    )


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_groups_divide_both_numbers_of_channels(student):
    """Groups that do not divide the input channels, or the output channels, are refused with a ValueError."""
    for c_in, c_out, groups, which in ((4, 6, 3, "c_in"), (6, 4, 3, "c_out"), (3, 4, 2, "c_in"), (2, 1, 2, "c_out")):
        try:
            student.Conv(c_in, c_out, (2, 1), groups=groups)
        except StudentError as error:
            if error.type_name != "ValueError":
                raise
        else:
            hint = f"Conv has to raise a ValueError if groups does not divide {which}."
            raise CheckFailure(f"Conv({c_in}, {c_out}, (2, 1), groups={groups}) was accepted", hint)


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_moved_picture_gives_moved_result(student, rng):
    """If the picture moves by some strides, the result moves by as many places."""
    picture = draw(rng, 2, 3, 17, 19)
    layer = make(student, draw(rng, 4, 3, 3, 2), draw(rng, 4), stride=(2, 3))
    here, there = picture[:, :, :11, :13].contiguous(), picture[:, :, 4:15, 3:16].contiguous()
    results = layer(here), layer(there)
    for result in results:
        assert_shape(result, (2, 4, 5, 4), name="Conv(...)(x)")
    advice = "The input was moved by some strides here, and the result did not move with it."
    require_close(student, results[1][:, :, :-2, :-1], results[0][:, :, 2:, 1:], "the inner part of the result", advice)


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_layer_without_bias_is_linear(student, rng):
    """Without a bias, sums and multiples of pictures give sums and multiples of the results."""
    layer = make(student, draw(rng, 5, 3, 2, 3), pad=(1, 0), stride=(1, 2))
    assert_linear(layer, draw(rng, 2, 3, 5, 6), rng=rng, **FLOAT64, name="Conv(..., bias=False)(x)")


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_bias_is_added_once(student, rng):
    """The bias of a channel is added once to every value of that channel."""
    x, weight, bias = draw(rng, 2, 3, 5, 7), draw(rng, 4, 3, 2, 3), draw(rng, 4)
    with_bias = make(student, weight, bias, pad=(1, 2))(x)
    without = make(student, weight, torch.zeros(4, dtype=torch.float64), pad=(1, 2))(x)
    for result in (with_bias, without):
        assert_shape(result, (2, 4, 6, 9), name="Conv(...)(x)")
    expected = bias[None, :, None, None].expand(2, 4, 6, 9)
    require_close(
        student, with_bias - without, expected, "what the bias adds", "How often is the bias added, and to what?"
    )


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
@pytest.mark.parametrize("of", ["x", "weight", "bias"])
def test_conv_passes_gradients(student, rng, of):
    """The right gradients reach the picture, the weights and the bias."""
    x, weight, bias = (draw(rng, *shape).requires_grad_() for shape in ((2, 4, 6, 7), (6, 2, 3, 2), (6,)))
    out = functional.conv2d(x, weight, bias, (2, 1), (1, 2), groups=2)
    along = draw(rng, *out.shape)
    out.backward(along)
    layer = make(student, weight.detach(), bias.detach(), stride=(2, 1), pad=(1, 2), groups=2)
    require_close(student, layer(x.detach()), out.detach(), "Conv(...)(x)", "The gradient was not tried.")
    found = {"x": student.gradients(layer, (x.detach(),), along=along)[0]} | student.parameter_gradients(layer)
    if found.get(of) is None:
        hint = f"No gradient reaches {of}. Is something detached, turned into numbers, or is .data used?"
        raise CheckFailure(f"no gradient of {of}", hint)
    expected = {"x": x, "weight": weight, "bias": bias}[of].grad
    require_close(
        student,
        found[of],
        expected,
        f"the gradient of {of}",
        "The result is right; is a part of the layer outside the graph?",
    )


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_parameters_are_registered(student, rng):
    """The layer has the parameters of the text, and nothing else; its state makes another layer equal to it."""
    with_bias, without = student.Conv(6, 4, (3, 2), groups=2), student.Conv(6, 4, (3, 2), bias=False, groups=2)
    for layer, shapes in (
        (with_bias, {"weight": (4, 3, 3, 2), "bias": (4,)}),
        (without, {"weight": (4, 3, 3, 2)}),
    ):
        state = layer.state_dict()
        found = {name: tuple(value.shape) for name, value in state.items()}
        if found != shapes:
            hint = "Names or shapes in state_dict() are not those of the text. What registers a tensor as a parameter?"
            raise CheckFailure(f"expected {shapes}, got {found!r:.200}", hint)
        if set(student.parameter_gradients(layer)) != set(shapes):
            raise CheckFailure("a tensor of the state does not learn", "Not everything in the state is a parameter.")
        other = student.Conv(6, 4, (3, 2), bias="bias" in shapes, groups=2)
        student.copy_weights(other, state)
        x = draw(rng, 2, 6, 5, 4).float()
        assert_close(other(x), layer(x), rtol=0.0, atol=1e-5, name="a layer with another one's state")
    if without.bias is not None:
        raise CheckFailure("bias=False: .bias is not None", "With bias=False, self.bias has to be None.")


# Channels in and out, kernel, groups: each way to miscount the terms of a sum is off by a factor of 16 or more in one.
STARTS = {
    "plain": (16, 32, (3, 3), 1),
    "deep": (24, 48, (2, 3), 24),
    "high": (4, 32, (25, 1), 2),
    "wide": (4, 32, (1, 25), 2),
}


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
@pytest.mark.parametrize("case", STARTS)
def test_layer_starts_in_proportion(student, rng, case):
    """A new layer's results are about as large as its inputs, its kernels are all different, its biases near 0."""
    c_in, c_out, kernel, groups = STARTS[case]
    layer = student.Conv(c_in, c_out, kernel, groups=groups)
    x = draw(rng, 5, c_in, kernel[0] + 1, kernel[1] + 1).float()
    out = layer(x)
    assert_shape(out, (5, c_out, 2, 2), name="Conv(...)(x)")
    # A uniform start as in nn.Conv2d gives 0.6, a normal one 1; 32 or more kernels hold chance to some per cent.
    ratio = out.double().std().item()
    if not 0.3 <= ratio <= 3:
        hint = (
            f"For inputs of size 1, a new layer's results have the size {ratio:.2g}. How many terms does one sum have?"
        )
        raise CheckFailure(f"standard deviation {ratio:.3f}, expected 0.3 to 3", hint)
    weight, bias = (layer.state_dict()[name].double() for name in ("weight", "bias"))
    kernels, mean = weight.flatten(1), weight.mean().item()
    if not (kernels[0] - kernels[1:]).abs().amax(1).gt(1e-6).all():
        raise CheckFailure("equal kernels", "Kernels start out equal; they will get equal gradients and stay equal.")
    if (
        not abs(mean) <= 0.2 * weight.double().std().item()
    ):  # at least 288 draws: five standard errors are 0.3 / sqrt(n / 288)
        raise CheckFailure(f"mean {mean:.3f}", "The weights do not start with mean 0.")
    if not bias.abs().mean() <= 0.5:  # drawn like the weights, the mean of the largest ones here is 0.33
        raise CheckFailure(f"mean size {bias.abs().mean():.3f} of the bias", "The biases do not start near 0.")


@pytest.mark.task("Conv", weight=2)
@pytest.mark.needs("test_conv_is_own_work")
def test_three_steps_lead_to_the_same_weights(student, rng):
    """Three steps of gradient descent change weights and bias as the formula says."""
    x, weight, bias = draw(rng, 3, 4, 7, 6), draw(rng, 6, 2, 3, 2), draw(rng, 6)
    options = {"stride": (2, 1), "groups": 2}
    library = nn.Conv2d(4, 6, (3, 2), padding=(1, 0), **options).double()
    library.load_state_dict({"weight": weight, "bias": bias})
    target = draw(rng, *library(x).shape)
    for _ in range(3):
        library.zero_grad()
        (library(x) - target).square().mean().backward()
        with torch.no_grad():
            for parameter in library.parameters():
                parameter -= 0.1 * parameter.grad
    layer = make(student, weight, bias, pad=(1, 0), **options)
    assert_shape(layer(x), target.shape, name="Conv(...)(x)")
    found = student.load("training").train(layer, x, target, 0.1, 3)
    for name, expected in library.named_parameters():
        if name not in found:
            raise CheckFailure(f"{name} is no parameter", f"`{name}` is not among the layer's parameters.")
        advice = "Does the layer use its own parameters at every call, and are their gradients complete?"
        require_close(student, found[name], expected.detach(), f"{name} after three steps", advice)


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_smallest_layers(student, rng):
    """One picture, one channel, one pixel, and a kernel as large as the picture keep all axes."""
    advice = "One of the sizes is 1 here. Does something drop axes of length 1?"
    for shape, kernel, c_out in (
        ((1, 1, 1, 1), (1, 1), 1),
        ((1, 1, 3, 5), (3, 5), 1),
        ((2, 3, 4, 5), (1, 1), 2),
        ((1, 2, 4, 3), (4, 1), 3),
        ((3, 1, 2, 6), (1, 6), 1),
    ):
        x, weight, bias = draw(rng, *shape), draw(rng, c_out, shape[1], *kernel), draw(rng, c_out)
        require_close(
            student, make(student, weight, bias)(x), functional.conv2d(x, weight, bias), "Conv(...)(x)", advice
        )


@pytest.mark.task("Conv")
@pytest.mark.needs("test_conv_is_own_work")
def test_an_int_holds_for_rows_and_columns(student, rng):
    """Kernel, stride and pad may each be an int or a pair, whatever the others are, in the order of the text."""
    x, weight, bias = draw(rng, 2, 2, 7, 8), draw(rng, 3, 2, 2, 2), draw(rng, 3)
    for given, plain in (
        ((2,), (1, 0)),
        ((2, 3, 1), (3, 1)),
        (((2, 2), 2, (1, 0)), (2, (1, 0))),
        ((2, (2, 1), 2), ((2, 1), 2)),
        (([2, 2], [1, 2], [0, 1]), ((1, 2), (0, 1))),
    ):
        layer = student.Conv(2, 3, *given)
        layer.double()
        student.copy_weights(layer, {"weight": weight, "bias": bias})
        expected = functional.conv2d(x, weight, bias, *plain)
        advice = f"The arguments are {', '.join(['int' if isinstance(one, int) else 'pair' for one in given])} here."
        require_close(student, layer(x), expected, "Conv(2, 3, kernel, stride, pad)(x)", advice)
