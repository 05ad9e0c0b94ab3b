"""Wrong layers: linear, convolution, pooling, embedding, recurrent."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, max_pool2d, pad, unfold

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The right code: x (N, in), weight (out, in), bias (out,)."""
    return x @ weight.T + bias


def convolve(image: Tensor, kernel: Tensor) -> Tensor:
    """The right code of a cross-correlation by loops: image (H, W), kernel (h, w)."""
    h, w = kernel.shape
    rows, columns = image.shape[0] - h + 1, image.shape[1] - w + 1
    return torch.stack(
        [torch.stack([(image[i : i + h, j : j + w] * kernel).sum() for j in range(columns)]) for i in range(rows)]
    )


def run_rnn(x: Tensor, inward: Tensor, across: Tensor) -> Tensor:
    """The right code: all states (L, H) of a tanh network that reads x (L, D)."""
    state, states = torch.zeros(across.shape[0]), []
    for token in x:
        state = torch.tanh(inward @ token + across @ state)
        states.append(state)
    return torch.stack(states)


def step_lstm(gates: Tensor, cell: Tensor) -> Tensor:
    """The right code: the next cell from gates (N, 4H) in the order input, forget, cell, output."""
    i, f, g, _ = gates.chunk(4, -1)
    return torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)


@wrong("transposed", "input_axis")
def linear_with_transposed_weight(rng: Generator) -> Pair:
    """The square weight is not transposed, and x is the identity: the result is the transpose."""
    weight = draw_normal(rng, 6, 6)
    return pair(torch.eye(6) @ weight, torch.eye(6) @ weight.T)


@wrong("input_axis")
def linear_with_square_weight_untransposed(rng: Generator) -> Pair:
    """The square weight is not transposed."""
    inputs = {"x": draw_normal(rng, 5, 6), "weight": draw_normal(rng, 6, 6), "bias": draw_normal(rng, 6)}
    actual = inputs["x"] @ inputs["weight"] + inputs["bias"]
    return pair(actual, linear(**inputs), inputs=inputs, reference=linear)


@wrong("offset")
def linear_without_bias(rng: Generator) -> Pair:
    """The bias is left out."""
    x, weight, bias = draw_normal(rng, 5, 4), draw_normal(rng, 3, 4), draw_normal(rng, 3)
    return pair(x @ weight.T, linear(x, weight, bias))


@wrong("sign", "offset")
def linear_bias_subtracted(rng: Generator) -> Pair:
    """The bias is subtracted."""
    x, weight, bias = draw_normal(rng, 4, 5), draw_normal(rng, 3, 5), draw_normal(rng, 3)
    inputs = {"x": x, "weight": weight, "bias": bias}
    return pair(x @ weight.T - bias, linear(**inputs), inputs=inputs, reference=linear)


@wrong("shape", "transposed")
def linear_result_transposed(rng: Generator) -> Pair:
    """The product weight @ x.T gives columns where rows are asked for."""
    x, weight = draw_normal(rng, 5, 4), draw_normal(rng, 3, 4)
    return pair(weight @ x.T, x @ weight.T, sizes={"N": 5, "out": 3})


@wrong("none")
def activation_leaky(rng: Generator) -> Pair:
    """A leaky ReLU in place of a ReLU."""
    x = draw_normal(rng, 6, 11)
    return pair(torch.where(x > 0, x, 0.01 * x), x.relu())


@wrong("none")
def gelu_by_sigmoid(rng: Generator) -> Pair:
    """The rough formula x * sigmoid(1.702 x) in place of the exact one."""
    x = draw_normal(rng, 6, 5)

    def gelu(x: Tensor) -> Tensor:
        return x * (1 + torch.erf(x / math.sqrt(2))) / 2

    return pair(x * torch.sigmoid(1.702 * x), gelu(x), inputs={"x": x}, reference=gelu)


@wrong("input_axis")
def convolution_with_flipped_kernel(rng: Generator) -> Pair:
    """The kernel is turned around in both axes: a convolution where a correlation is asked for."""
    image, kernel = draw_normal(rng, 7, 9), draw_normal(rng, 3, 2)
    inputs = {"image": image, "kernel": kernel}
    return pair(convolve(image, kernel.flip(0, 1)), convolve(**inputs), inputs=inputs, reference=convolve)


@wrong("input_axis")
def convolution_with_transposed_kernel(rng: Generator) -> Pair:
    """Rows and columns of the square kernel are exchanged."""
    image, kernel = draw_normal(rng, 7, 9), draw_normal(rng, 3, 3)
    inputs = {"image": image, "kernel": kernel}
    return pair(convolve(image, kernel.T), convolve(**inputs), inputs=inputs, reference=convolve)


@wrong("shape")
def convolution_without_last_window(rng: Generator) -> Pair:
    """The loops end one window early."""
    image, kernel = draw_normal(rng, 7, 9), draw_normal(rng, 3, 3)
    return pair(convolve(image, kernel)[:-1, :-1], convolve(image, kernel), sizes={"H": 7, "W": 9, "k": 3})


@wrong("some_rows")
def convolution_last_row_empty(rng: Generator) -> Pair:
    """The loop over rows ends one early and leaves zeros."""
    image, kernel = draw_normal(rng, 8, 9), draw_normal(rng, 3, 3)
    actual = convolve(image, kernel)
    actual[-1] = 0
    return pair(actual, convolve(image, kernel))


@wrong("rolled")
def convolution_padded_on_one_side(rng: Generator) -> Pair:
    """Both zeros of the padding are in front: everything moves by one."""
    x, kernel = draw_normal(rng, 1, 1, 12), draw_normal(rng, 1, 1, 3)
    same = torch.conv1d(pad(x, (1, 1)), kernel)
    return pair(torch.conv1d(pad(x, (2, 0)), kernel), same, sizes={"L": 12, "k": 3})


@wrong("argument_ignored")
def convolution_dilation_ignored(rng: Generator) -> Pair:
    """The dilation has no effect; the padding is chosen to keep the shape."""
    x, kernel = draw_normal(rng, 2, 3, 13), draw_normal(rng, 4, 3, 3)

    def dilate(x: Tensor, kernel: Tensor, dilation: int = 1) -> Tensor:
        return torch.conv1d(x, kernel, padding=dilation, dilation=dilation)

    inputs = {"x": x, "kernel": kernel, "dilation": 2}
    return pair(dilate(x, kernel), dilate(x, kernel, 2), inputs=inputs, reference=dilate)


@wrong("offset", "some_rows")
def convolution_bias_of_the_first_channel(rng: Generator) -> Pair:
    """Every channel gets the bias of the first."""
    x, kernel, bias = draw_normal(rng, 2, 3, 6, 7), draw_normal(rng, 4, 3, 3, 3), draw_normal(rng, 4)
    return pair(conv2d(x, kernel) + bias[0], conv2d(x, kernel, bias), sizes={"N": 2, "C": 4})


@wrong("reduction", "factor")
def pooling_by_the_sum(rng: Generator) -> Pair:
    """The windows are summed, not averaged."""
    x = draw_normal(rng, 2, 3, 6, 8)
    windows = x.unflatten(-1, (4, 2)).unflatten(2, (3, 2))
    return pair(windows.sum((3, 5)), windows.mean((3, 5)), sizes={"k": 2})


@wrong("none")
def pooling_by_the_mean(rng: Generator) -> Pair:
    """The mean of each window is taken where the maximum is asked for."""
    x = draw_normal(rng, 2, 3, 6, 8)
    windows = x.unflatten(-1, (4, 2)).unflatten(2, (3, 2))
    return pair(windows.mean((3, 5)), max_pool2d(x, 2))


@wrong("transposed", "shape")
def patches_in_columns(rng: Generator) -> Pair:
    """The patches are columns, and there are as many as each has values."""
    patches = unfold(draw_normal(rng, 1, 2, 3, 5), 2)[0]
    return pair(patches, patches.T, sizes={"patches": 8, "k": 2})


@wrong("transposed")
def image_with_channels_in_the_wrong_place(rng: Generator) -> Pair:
    """Height and width of square images are exchanged by a permute."""
    images = draw_normal(rng, 2, 6, 6, 3)
    return pair(images.permute(0, 3, 2, 1), images.permute(0, 3, 1, 2))


@wrong("reversed")
def image_upside_down(rng: Generator) -> Pair:
    """The vertical axis runs the wrong way."""
    image = torch.rand(3, 6, 9, generator=rng)
    return pair(image.flip(1), image, sizes={"C": 3, "H": 6, "W": 9})


@wrong("rolled")
def embedding_ids_counted_from_one(rng: Generator) -> Pair:
    """Row i + 1 of the table is taken for token i, the first for the last."""
    table = draw_normal(rng, 9, 4)
    return pair(table[(torch.arange(9) + 1) % 9], table[torch.arange(9)])


@wrong("some_rows")
def embedding_of_pads_not_zero(rng: Generator) -> Pair:
    """The padding token has a vector of its own where zeros are asked for."""
    table, ids = draw_normal(rng, 9, 4), torch.tensor([[3, 8, 1, 0, 0], [5, 2, 7, 4, 0]])

    def embed(table: Tensor, ids: Tensor) -> Tensor:
        return table[ids] * (ids != 0)[..., None]

    return pair(table[ids], embed(table, ids), inputs={"table": table, "ids": ids}, reference=embed)


@wrong("factor")
def embedding_not_scaled(rng: Generator) -> Pair:
    """The vectors are not multiplied by the root of the width."""
    table, ids = draw_normal(rng, 11, 6), torch.tensor([[3, 8, 1, 2], [5, 2, 7, 10]])
    return pair(table[ids], table[ids] * math.sqrt(6), sizes={"d": 6, "L": 4})


@wrong("reversed")
def states_in_the_order_of_reading(rng: Generator) -> Pair:
    """The states of the backward pass are not turned back."""
    x, inward, across = draw_normal(rng, 7, 4), draw_normal(rng, 5, 4), draw_normal(rng, 5, 5)

    def run_backward(x: Tensor, inward: Tensor, across: Tensor) -> Tensor:
        return run_rnn(x.flip(0), inward, across).flip(0)

    inputs = {"x": x, "inward": inward, "across": across}
    return pair(run_rnn(x.flip(0), inward, across), run_backward(**inputs), inputs=inputs, reference=run_backward)


@wrong("input_axis")
def states_of_the_reversed_sequence(rng: Generator) -> Pair:
    """The sequence is read from its end."""
    inputs = {"x": draw_normal(rng, 7, 4), "inward": draw_normal(rng, 5, 4), "across": draw_normal(rng, 5, 5)}
    actual = run_rnn(inputs["x"].flip(0), inputs["inward"], inputs["across"])
    return pair(actual, run_rnn(**inputs), inputs=inputs, reference=run_rnn)


@wrong("rolled")
def states_before_each_token(rng: Generator) -> Pair:
    """The state is stored before it is updated: the first is 0, the last is missing."""
    x, inward, across = draw_normal(rng, 8, 4), draw_normal(rng, 5, 4), draw_normal(rng, 5, 5)
    right = run_rnn(x, inward, across)
    return pair(torch.cat([torch.zeros(1, 5), right[:-1]]), right)


@wrong("stateful")
def states_kept_between_sequences(rng: Generator) -> Pair:
    """The second call starts from the last state of the first."""
    x, inward, across = draw_normal(rng, 5, 4), draw_normal(rng, 6, 4), 0.5 * draw_normal(rng, 6, 6)
    right = run_rnn(x, inward, across)
    state, again = right[-1], []
    for token in x:
        state = torch.tanh(inward @ token + across @ state)
        again.append(state)
    return pair(right, right, again=torch.stack(again))


@wrong("none")
def lstm_gates_in_another_order(rng: Generator) -> Pair:
    """Input and forget gate are exchanged."""
    gates, cell = draw_normal(rng, 3, 20), draw_normal(rng, 3, 5)
    f, i, g, _ = gates.chunk(4, -1)
    actual = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return pair(actual, step_lstm(gates, cell), inputs={"gates": gates, "cell": cell}, reference=step_lstm)


@wrong("dtype")
def image_divided_as_integers(rng: Generator) -> Pair:
    """The pixels stay whole numbers: // in the place of /."""
    pixels = torch.randint(256, (3, 5, 7), generator=rng)
    return pair(pixels // 255, pixels / 255)
