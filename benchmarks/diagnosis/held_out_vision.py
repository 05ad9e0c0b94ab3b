"""Wrong vision: channels, groups, patches, resizing, augmentation, boxes, saliency."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, pixel_shuffle

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong

GREY = torch.tensor([0.299, 0.587, 0.114])


def group_norm(x: Tensor, groups: int, eps: float = 1e-5) -> Tensor:
    """The right code: images (N, C, H, W), normalised over each group of channels."""
    parts = x.unflatten(1, (groups, -1))
    mean = parts.mean((2, 3, 4), keepdim=True)
    variance = parts.var((2, 3, 4), correction=0, keepdim=True)
    return ((parts - mean) / (variance + eps).sqrt()).flatten(1, 2)


def instance_norm(x: Tensor, eps: float = 1e-5) -> Tensor:
    """The right code: every channel of every image (N, C, H, W) on its own."""
    return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt()


def normalise_channels(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """The right code: images (N, 3, H, W) with mean and deviation (3,) of each channel."""
    return (images - mean[:, None, None]) / deviation[:, None, None]


def depthwise(x: Tensor, kernel: Tensor) -> Tensor:
    """The right code: each channel with a kernel of its own, by shifted sums; x (C, H, W), kernel (C, k, k)."""
    size = kernel.shape[-1]
    rows, columns = x.shape[1] - size + 1, x.shape[2] - size + 1
    out = torch.zeros(x.shape[0], rows, columns)
    for i in range(size):
        for j in range(size):
            out += kernel[:, i, j, None, None] * x[:, i : i + rows, j : j + columns]
    return out


def cut_patches(image: Tensor, size: int) -> Tensor:
    """The right code: (C, H, W) to rows (patches, C * size * size)."""
    parts = image.unflatten(2, (-1, size)).unflatten(1, (-1, size))  # (C, rows, size, columns, size)
    return parts.permute(1, 3, 0, 2, 4).flatten(2).flatten(0, 1)


def mix(x: Tensor, order: Tensor, share: float) -> Tensor:
    """The right code: each image mixed with another of the batch."""
    return share * x + (1 - share) * x[order]


def squeeze_and_excite(x: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """The right code: channels of x (N, C, H, W) weighted by a gate of their means."""
    gate = torch.sigmoid(torch.relu(x.mean((2, 3)) @ down) @ up)
    return x * gate[:, :, None, None]


def corners(boxes: Tensor) -> Tensor:
    """The right code: centre and size (N, 4) to left, top, right, bottom."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat([centre - half, centre + half], 1)


@wrong("argument_ignored")
def group_norm_over_all_channels(rng: Generator) -> Pair:
    """The number of groups has no effect: there is one."""
    inputs = {"x": draw_normal(rng, 2, 6, 3, 4) * torch.arange(1, 7)[:, None, None], "groups": 3}
    return pair(group_norm(inputs["x"], 1), group_norm(**inputs), inputs=inputs, reference=group_norm)


@wrong("none")
def group_norm_of_interleaved_channels(rng: Generator) -> Pair:
    """Every third channel belongs to a group, not neighbours."""
    x = draw_normal(rng, 2, 6, 3, 4) + torch.arange(6)[:, None, None]
    order = torch.tensor([0, 3, 1, 4, 2, 5])
    return pair(group_norm(x[:, order], 3)[:, order.argsort()], group_norm(x, 3), sizes={"C": 6, "groups": 3})


@wrong("variance", "factor")
def instance_norm_unbiased(rng: Generator) -> Pair:
    """The variance of each channel is divided by the number of pixels minus one."""
    x = draw_normal(rng, 2, 3, 3, 5)
    actual = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1e-5).sqrt()
    return pair(actual, instance_norm(x), sizes={"N": 2, "C": 3, "H": 3, "W": 5})


@wrong("epsilon")
def instance_norm_epsilon_outside(rng: Generator) -> Pair:
    """The small constant is added after the root; the images are faint."""
    x = 0.01 * draw_normal(rng, 2, 3, 4, 5)
    actual = (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), correction=0, keepdim=True) + 1e-5)
    return pair(actual, instance_norm(x), inputs={"x": x}, reference=instance_norm)


@wrong("input_axis")
def instance_norm_over_the_batch(rng: Generator) -> Pair:
    """Each pixel is normalised over batch and channels."""
    x = 2 + draw_normal(rng, 4, 3, 5, 6)
    actual = (x - x.mean((0, 1), keepdim=True)) / (x.var((0, 1), correction=0, keepdim=True) + 1e-5).sqrt()
    return pair(actual, instance_norm(x))


@wrong("arguments_swapped")
def channels_with_swapped_statistics(rng: Generator) -> Pair:
    """Mean and deviation are exchanged."""
    inputs = {
        "images": torch.rand(2, 3, 4, 5, generator=rng),
        "mean": torch.tensor([0.48, 0.45, 0.41]),
        "deviation": torch.tensor([0.23, 0.22, 0.26]),
    }
    actual = normalise_channels(inputs["images"], inputs["deviation"], inputs["mean"])
    return pair(actual, normalise_channels(**inputs), inputs=inputs, reference=normalise_channels)


@wrong("reversed")
def channels_in_the_order_of_another_library(rng: Generator) -> Pair:
    """Blue comes first, red last."""
    images = torch.rand(2, 3, 4, 5, generator=rng)
    return pair(images.flip(1), images)


@wrong("shape")
def grey_image_without_channel(rng: Generator) -> Pair:
    """The axis of the channel is summed away, asked for is one of length 1."""
    images = torch.rand(2, 3, 4, 5, generator=rng)
    right = (images * GREY[:, None, None]).sum(1, keepdim=True)
    return pair(right[:, 0], right, sizes={"N": 2, "H": 4, "W": 5})


@wrong("none")
def grey_image_by_plain_mean(rng: Generator) -> Pair:
    """The channels are averaged, not weighted."""
    images = torch.rand(2, 3, 4, 5, generator=rng)
    return pair(images.mean(1), (images * GREY[:, None, None]).sum(1))


@wrong("dtype")
def image_kept_as_bytes(rng: Generator) -> Pair:
    """The pixels are still uint8 where floats from 0 to 255 are asked for."""
    pixels = torch.randint(256, (3, 4, 5), generator=rng)
    return pair(pixels.to(torch.uint8), pixels.float())


@wrong("input_axis")
def depthwise_with_turned_kernels(rng: Generator) -> Pair:
    """The kernels are turned by half a turn, as in a true convolution."""
    inputs = {"x": draw_normal(rng, 3, 6, 7), "kernel": draw_normal(rng, 3, 3, 3)}
    actual = depthwise(inputs["x"], inputs["kernel"].flip(1, 2))
    return pair(actual, depthwise(**inputs), inputs=inputs, reference=depthwise)


@wrong("constant")
def depthwise_of_one_pixel(rng: Generator) -> Pair:
    """The first window's value is written everywhere: an index is missing."""
    x, kernel = draw_normal(rng, 1, 6, 7), draw_normal(rng, 1, 3, 3)
    right = depthwise(x, kernel)
    return pair(right[:, :1, :1].expand_as(right), right)


@wrong("shape")
def strided_convolution_one_too_large(rng: Generator) -> Pair:
    """The padding is as wide as the kernel."""
    x, kernel = draw_normal(rng, 2, 3, 7, 9), draw_normal(rng, 4, 3, 3, 3)
    return pair(conv2d(x, kernel, stride=2, padding=3), conv2d(x, kernel, stride=2, padding=1))


@wrong("some_rows")
def transposed_convolution_border_lost(rng: Generator) -> Pair:
    """The last two rows, which only the border of the kernel reaches, stay 0."""
    x, kernel = draw_normal(rng, 1, 1, 4, 5), draw_normal(rng, 1, 1, 3, 3)
    right = conv_transpose2d(x, kernel)[0, 0]
    actual = right.clone()
    actual[-2:] = 0
    return pair(actual, right, sizes={"H": 4, "W": 5, "k": 3})


@wrong("transposed")
def patches_read_down_the_columns(rng: Generator) -> Pair:
    """Patches of one pixel per cell form a table whose rows and columns are exchanged."""
    image = torch.rand(1, 6, 6, generator=rng)
    grid = image.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).mean((2, 4))[0]
    return pair(grid.T, grid, sizes={"rows": 3, "columns": 3})


@wrong("none")
def patches_by_a_bare_reshape(rng: Generator) -> Pair:
    """A reshape alone cuts strips of rows, not squares."""
    inputs = {"image": draw_normal(rng, 3, 6, 8), "size": 2}
    actual = inputs["image"].reshape(12, 12)
    return pair(actual, cut_patches(**inputs), inputs=inputs, reference=cut_patches)


@wrong("some_rows")
def class_token_not_added(rng: Generator) -> Pair:
    """Positions are added to the patches only, not to the class token in front."""
    tokens, positions = draw_normal(rng, 9, 4), draw_normal(rng, 9, 4)
    actual = torch.cat([tokens[:1], tokens[1:] + positions[1:]])
    return pair(actual, tokens + positions)


@wrong("none")
def pixel_shuffle_by_a_view(rng: Generator) -> Pair:
    """The channels are viewed as space without moving their axes."""
    x = draw_normal(rng, 2, 8, 3, 5)
    return pair(x.reshape(2, 2, 6, 10), pixel_shuffle(x, 2), sizes={"r": 2, "C": 8})


@wrong("none")
def resized_to_nearest(rng: Generator) -> Pair:
    """The nearest pixel is repeated in place of bilinear interpolation."""
    x = draw_normal(rng, 1, 2, 4, 5)
    return pair(interpolate(x, scale_factor=2), interpolate(x, scale_factor=2, mode="bilinear"))


@wrong("rolled")
def crop_moved_by_one(rng: Generator) -> Pair:
    """The crop starts one column late."""
    image = torch.rand(3, 7, 12, generator=rng)
    return pair(image[:, :, 3:10], image[:, :, 2:9], sizes={"C": 3, "H": 7, "W": 7})


@wrong("arguments_swapped")
def mixture_with_the_other_share(rng: Generator) -> Pair:
    """The share belongs to the wrong one of two batches."""
    inputs = {"one": draw_normal(rng, 5, 4), "other": draw_normal(rng, 5, 4), "share": 0.3}

    def blend(one: Tensor, other: Tensor, share: float) -> Tensor:
        return share * one + (1 - share) * other

    actual = blend(inputs["other"], inputs["one"], 0.3)
    return pair(actual, blend(**inputs), inputs=inputs, reference=blend)


@wrong("argument_ignored")
def mixture_with_itself(rng: Generator) -> Pair:
    """The order of the partners is not used: every image is mixed with itself."""
    inputs = {"x": draw_normal(rng, 5, 4), "order": torch.tensor([3, 0, 4, 2, 1]), "share": 0.3}
    return pair(mix(inputs["x"], torch.arange(5), 0.3), mix(**inputs), inputs=inputs, reference=mix)


@wrong("reduction")
def excitation_by_the_sum(rng: Generator) -> Pair:
    """The channels' gates come from sums over the pixels, not means."""
    x, down, up = draw_normal(rng, 2, 6, 3, 4), draw_normal(rng, 6, 3), draw_normal(rng, 3, 6)
    gate = torch.sigmoid(torch.relu(x.sum((2, 3)) @ down) @ up)
    inputs = {"x": x, "down": down, "up": up}
    expected = squeeze_and_excite(**inputs)
    return pair(x * gate[:, :, None, None], expected, inputs=inputs, reference=squeeze_and_excite)


@wrong("reduction", "factor")
def histogram_as_counts(rng: Generator) -> Pair:
    """The histogram of each image counts pixels where shares are asked for."""
    bins = torch.randint(4, (5, 30), generator=rng)
    counts = torch.nn.functional.one_hot(bins, 4).float()
    return pair(counts.sum(1), counts.mean(1), sizes={"N": 5, "pixels": 30, "bins": 4}, dim=1)


@wrong("none")
def corners_with_the_full_size(rng: Generator) -> Pair:
    """The whole size is taken from and added to the centre."""
    boxes = 0.2 + torch.rand(7, 4, generator=rng)
    actual = torch.cat([boxes[:, :2] - boxes[:, 2:], boxes[:, :2] + boxes[:, 2:]], 1)
    return pair(actual, corners(boxes), inputs={"boxes": boxes}, reference=corners)


@wrong("offset")
def boxes_with_inclusive_edges(rng: Generator) -> Pair:
    """Widths and heights count the last pixel too."""
    low, high = torch.randint(20, (8, 2), generator=rng), torch.randint(21, 40, (8, 2), generator=rng)
    return pair(high - low + 1, high - low)


@wrong("mask_inverted")
def background_kept(rng: Generator) -> Pair:
    """The object is blanked out, the background is kept."""
    image, inside = 1 + torch.rand(6, 7, generator=rng), torch.rand(6, 7, generator=rng) < 0.4
    inputs = {"image": image, "inside": inside}

    def cut_out(image: Tensor, inside: Tensor) -> Tensor:
        return image * inside

    return pair(cut_out(image, ~inside), cut_out(**inputs), inputs=inputs, reference=cut_out, mask="inside")


@wrong("mask_inverted")
def boxes_to_suppress_in_place_of_kept(rng: Generator) -> Pair:
    """The bool vector says which boxes go, not which stay."""
    scores = torch.rand(11, generator=rng)
    return pair(scores < 0.5, scores >= 0.5)


@wrong("accumulates")
def saliency_of_the_images_before(rng: Generator) -> Pair:
    """The gradient of the first image is still in that of the second."""
    weight = draw_normal(rng, 12, 3)
    image = draw_normal(rng, 2, 12).requires_grad_()
    gradients = [torch.autograd.grad((image[i] @ weight).tanh().sum(), image)[0][i] for i in range(2)]
    return pair(gradients[0] + gradients[1], gradients[1], earlier=gradients[0], sizes={"pixels": 12})


@wrong("detached", "constant")
def style_without_gradient(rng: Generator) -> Pair:
    """The features are detached before the table of their products: the image gets no gradient."""
    features = draw_normal(rng, 4, 7).requires_grad_()
    (expected,) = torch.autograd.grad((features @ features.T).square().sum(), features)
    cut = features.detach()
    (actual,) = torch.autograd.grad((cut @ cut.T).square().sum() + 0 * features.sum(), features)
    return pair(actual, expected)


@wrong("factor")
def style_table_not_divided(rng: Generator) -> Pair:
    """The products of the features are not divided by channels times pixels; added up in another order."""
    features = draw_normal(rng, 4, 15)
    total = sum((torch.outer(column, column) for column in features.T), torch.zeros(4, 4))
    return pair(total, features @ features.T / 60, sizes={"C": 4, "pixels": 15})
