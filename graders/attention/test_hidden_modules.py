"""The hidden checks of the modules: heads, encoder layer, and the model that reads reviews.

Weights are copied into the submission's layers by the names that the task fixes, so that the whole
computation can be compared with torch's own modules. Sizes are pairwise different.
"""

import math

import pytest
import torch
from torch import nn

from tensorgrade.checks import (
    Facts,
    assert_batch_independent,
    assert_close,
    assert_not_mutated,
    assert_permutation_equivariant,
    assert_permutation_invariant,
)
from tensorgrade.errors import CheckFailure, StudentError

# float32 rounds at 6e-8; two layers of sums over 24 terms of size 1 agree to some 1e-6 in any order.
FLOAT32 = {"rtol": 1e-4, "atol": 1e-4}


def random_weights(rng, shapes):
    """By name, normal weights whose matrices keep the size of what they multiply."""
    return {name: torch.randn(*shape, generator=rng) / shape[-1] ** 0.5 for name, shape in shapes.items()}


def heads_weights(rng, width, prefix=""):
    """Weights of one `Heads`."""
    names = ("query", "key", "value", "output")
    matrices = {f"{prefix}{name}.weight": (width, width) for name in names}
    return random_weights(rng, matrices | {f"{prefix}{name}.bias": (width,) for name in names})


def library_heads(weights, n_heads, prefix=""):
    """Torch's own multi-head attention with the same weights."""
    width = len(weights[f"{prefix}output.bias"])
    library = nn.MultiheadAttention(width, n_heads, batch_first=True)
    names = [f"{prefix}{name}" for name in ("query", "key", "value")]
    library.load_state_dict(
        {
            "in_proj_weight": torch.cat([weights[f"{name}.weight"] for name in names]),
            "in_proj_bias": torch.cat([weights[f"{name}.bias"] for name in names]),
            "out_proj.weight": weights[f"{prefix}output.weight"],
            "out_proj.bias": weights[f"{prefix}output.bias"],
        }
    )
    return library.eval()


def layer_weights(rng, width, hidden, prefix=""):
    """Weights of one `EncoderLayer`."""
    others = random_weights(
        rng,
        {
            f"{prefix}expand.weight": (hidden, width),
            f"{prefix}expand.bias": (hidden,),
            f"{prefix}contract.weight": (width, hidden),
            f"{prefix}contract.bias": (width,),
        },
    )
    for name in ("norm1", "norm2"):
        others[f"{prefix}{name}.weight"] = 1 + 0.3 * torch.randn(width, generator=rng)
        others[f"{prefix}{name}.bias"] = 0.3 * torch.randn(width, generator=rng)
    return heads_weights(rng, width, f"{prefix}heads.") | others


def library_layer(weights, n_heads, prefix=""):
    """Torch's own pre-norm encoder layer with the same weights."""
    hidden, width = weights[f"{prefix}expand.weight"].shape
    library = nn.TransformerEncoderLayer(width, n_heads, hidden, dropout=0.0, batch_first=True, norm_first=True)
    library.self_attn = library_heads(weights, n_heads, f"{prefix}heads.")
    names = {"norm1": "norm1", "norm2": "norm2", "linear1": "expand", "linear2": "contract"}
    for theirs, ours in names.items():
        part = {end: weights[f"{prefix}{ours}.{end}"] for end in ("weight", "bias")}
        getattr(library, theirs).load_state_dict(part)
    return library.eval()


def side_by_side(x, n_heads):
    """The width cut into heads: (batch, length, width) to (batch, n_heads, length, width / n_heads)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def joined(x):
    """The heads side by side again: the way back."""
    return x.transpose(1, 2).flatten(2)


def heads_by_hand(weights, n_heads, x, context, prefix="", *, cut=side_by_side, join=joined, scale=1.0, **other):
    """What `Heads` gives, or would give after a mistake; `other` may name the layer of the values, and the last one."""
    linear = nn.functional.linear
    names = {"query": "query", "key": "key", "value": "value", "output": "output"} | other
    found = {
        name: (weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"])
        for name in set(names.values()) - {None}
    }
    q, k, v = (
        cut(linear(at, *found[names[part]]), n_heads)
        for part, at in (("query", x), ("key", context), ("value", context))
    )
    attended = join((scale * q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v)
    return attended if names["output"] is None else linear(attended, *found[names["output"]])


def heads_mistakes(weights, n_heads, x, context):
    """By hint, what `Heads` gives after a mistake that people make."""
    batch, width = len(x), x.shape[-1]

    def bare_view(x, n_heads):
        return x.reshape(batch, n_heads, -1, width // n_heads)

    def bare_join(x):
        return x.reshape(batch, -1, width)

    def wrong(x=x, context=context, n_heads=n_heads, **options):
        return lambda: heads_by_hand(weights, n_heads, x, context, **options)

    return {
        "Every head needs its own columns of every position, and yours cut the positions. "
        "Reread: view(batch, length, n_heads, -1) first, then transpose.": wrong(cut=bare_view),
        "Every head needs its own columns of every position, and yours cut the positions, there and back. "
        "Reread: view(batch, length, n_heads, -1) first, then transpose.": wrong(cut=bare_view, join=bare_join),
        "A head takes neighbouring columns: the first d_k belong to the first head. "
        "Which axis of your view is the head, and which the column in it?": wrong(
            cut=lambda x, h: x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2),
            join=lambda x: x.permute(0, 2, 3, 1).flatten(2),
        ),
        "The heads are joined in the wrong order. Is their axis moved back before the reshape?": wrong(join=bare_join),
        "The scores are divided by sqrt(d_k) twice. Reread: what does attend do already?": wrong(
            scale=(n_heads / width) ** 0.5
        ),
        "The scores are divided by the root of the whole width. Reread: how wide is one head?": wrong(
            scale=n_heads**-0.5
        ),
        "The scores are not divided by sqrt(d_k).": wrong(scale=(width / n_heads) ** 0.5),
        "Keys and values have to come from the context. Are they made from x?": wrong(context=x),
        "Queries, keys and values have a layer each. Do the values go through the layer of the keys?": wrong(
            value="key"
        ),
        "Is the output layer applied to the joined heads?": wrong(output=None),
        "This is the result of a single head of the full width. Is n_heads used where the width is cut?": wrong(
            n_heads=1
        ),
    }


def layer_by_hand(weights, n_heads, x, **mistake):
    """What `EncoderLayer` gives without a mask, or would give after a mistake."""
    prefix = mistake.get("prefix", "")

    def norm(name, x):
        return nn.functional.layer_norm(
            x, x.shape[-1:], weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"]
        )

    def network(x):
        expand, contract = (
            (weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"]) for name in ("expand", "contract")
        )
        between = mistake.get("activation", torch.relu)
        return nn.functional.linear(between(nn.functional.linear(x, *expand)), *contract)

    def heads(x, context):
        return heads_by_hand(weights, n_heads, x, context, f"{prefix}heads.")

    if mistake.get("post"):
        first = norm("norm1", x + heads(x, x))
        return norm("norm2", first + network(first))
    normed = x if mistake.get("bare_heads") else norm("norm1", x)
    first = mistake.get("first", 1) * x + heads(normed, x if mistake.get("bare_context") else normed)
    read = x if mistake.get("network_reads_x") else first
    return mistake.get("second", 1) * first + network(read if mistake.get("bare_network") else norm("norm2", read))


def layer_mistakes(weights, n_heads, x):
    """By hint, what `EncoderLayer` gives after a mistake that people make."""

    def wrong(**mistake):
        return lambda: layer_by_hand(weights, n_heads, x, **mistake)

    return {
        "The norms stand after each half, as in the first transformer; here each half begins with its norm.": wrong(
            post=True
        ),
        "What the heads give replaces their input. Reread: the residual path adds it.": wrong(first=0),
        "What the small network gives replaces its input. Reread: the residual path adds it.": wrong(second=0),
        "The second half has to read what the first half gives. Does it read x?": wrong(network_reads_x=True),
        "Is there a ReLU between the two layers of the small network?": wrong(activation=lambda x: x),
        "The small network uses another nonlinearity than ReLU.": wrong(activation=nn.functional.gelu),
        "The queries go through the norm, keys and values do not.": wrong(bare_context=True),
        "Is the first norm used? The heads read x as it came.": wrong(bare_heads=True),
        "Is the second norm used? The small network reads its input as it came.": wrong(bare_network=True),
    }


def require_gradient(found, expected, name, tolerance=1e-4):
    """A gradient that is right; the result itself is, by the check that this one needs."""
    if found is None:
        raise CheckFailure(f"{name} has no gradient", f"No gradient reaches {name}. Is something detached?")
    try:
        assert_close(found, expected, rtol=tolerance, atol=tolerance, name=f"the gradient of {name}")
    except CheckFailure as error:
        hint = (
            f"{error.hint} In evaluation the result is right: is a part of the way to {name} cut off "
            "(detach, .data, no_grad), or is something else done while training?"
        )
        raise CheckFailure(error.rationale, hint) from error


def run(module, *inputs, shape, name):
    """The result as float64, finite and of the right shape."""
    out = module(*inputs)
    assert_close(out, torch.zeros(shape), atol=math.inf, name=name)
    return out.double()


def make_eval(student, name, *sizes):
    """A module of the submission's with dropout off."""
    module = student[name](*sizes)
    module.eval()
    return module


@pytest.mark.task("heads")
@pytest.mark.parametrize("n_heads", [1, 2, 4])
def test_heads_match_library(student, rng, n_heads):
    """With the same weights the result equals multi-head attention as it is defined."""
    weights = heads_weights(rng, 12)
    heads = make_eval(student, "Heads", 12, n_heads)
    student.copy_weights(heads, weights)
    x, context = torch.randn(3, 5, 12, generator=rng), torch.randn(3, 7, 12, generator=rng)
    with torch.no_grad():
        expected, _ = library_heads(weights, n_heads)(x, context, context)
    again = run(heads, x, context, shape=(3, 5, 12), name="Heads(x, context)")
    facts = Facts(again=again, mistakes=heads_mistakes(weights, n_heads, x, context))
    assert_close(heads(x, context), expected, **FLOAT32, name="Heads(x, context)", facts=facts)


@pytest.mark.task("heads")
@pytest.mark.parametrize("part", ["query", "value"])
def test_heads_are_independent(student, rng, part):
    """A head fills its own slice of the width, from its own slice of queries and values."""
    weights = heads_weights(rng, 12)
    weights["output.weight"], weights["output.bias"] = torch.eye(12), torch.zeros(12)
    x, context = torch.randn(2, 5, 12, generator=rng), torch.randn(2, 7, 12, generator=rng)
    results = []
    for _ in range(2):
        heads = make_eval(student, "Heads", 12, 4)
        student.copy_weights(heads, weights)
        results.append(run(heads, x, context, shape=(2, 5, 12), name="Heads(x, context)"))
        weights[f"{part}.weight"][3:6] *= -1
    moved = (results[1] - results[0]).abs().amax((0, 1)) > 1e-5
    own = torch.zeros(12, dtype=torch.bool)
    own[3:6] = True
    if not torch.equal(moved, own):
        columns = moved.nonzero().flatten().tolist()
        hint = f"When the {part} of one head changes, its slice of the result must, and no other. How is the width cut?"
        raise CheckFailure(f"{part}: columns 3 to 5 turned around: columns that change: {columns}", hint)


@pytest.mark.task("heads")
@pytest.mark.parametrize("axes", ["batch", "pads", "pairs", "one", "keys"])
def test_heads_obey_the_mask(student, rng, axes):
    """What no query may look at has no effect, whichever axes the mask has."""
    x, context = torch.randn(3, 5, 12, generator=rng), torch.randn(3, 7, 12, generator=rng)
    keep = [0, 2, 3, 6]
    allow = torch.zeros(5, 7, dtype=torch.bool)
    allow[:, keep] = True
    allow = {
        "batch": allow.expand(3, 5, 7).contiguous(),
        "pads": allow[:1].expand(3, 1, 7).contiguous(),
        "pairs": allow,
        "one": allow[None],
        "keys": allow[0],
    }[axes]
    heads = make_eval(student, "Heads", 12, 3)
    masked = run(heads, x, context, allow, shape=(3, 5, 12), name="Heads with a mask")
    cut = run(heads, x, context[:, keep].contiguous(), shape=(3, 5, 12), name="Heads without a mask")
    everything = run(heads, x, context, shape=(3, 5, 12), name="Heads without a mask")
    others = [place for place in range(7) if place not in keep]
    inverted = run(heads, x, context[:, others].contiguous(), shape=(3, 5, 12), name="Heads without a mask")
    facts = Facts(
        mistakes={
            "The mask has no effect. Is it handed on to attend?": everything,
            "The heads look at what the mask forbids. Reread: where allow is True, a query may look.": inverted,
        }
    )
    assert_close(masked, cut, **FLOAT32, name="Heads(x, context, allow)", facts=facts)


@pytest.mark.task("heads")
def test_mask_of_each_sequence_is_its_own(student, rng):
    """In a batch with as many sequences as heads, each sequence has its own mask."""
    x = torch.randn(3, 4, 12, generator=rng)
    allow = torch.rand(3, 4, 4, generator=rng) < 0.5
    allow[:, torch.arange(4), torch.arange(4)] = True
    heads = make_eval(student, "Heads", 12, 3)
    together = run(heads, x, x, allow, shape=(3, 4, 12), name="Heads(x, x, allow)")
    for row in range(3):
        one = slice(row, row + 1)
        alone = run(heads, x[one], x[one], allow[one], shape=(1, 4, 12), name="Heads of one sequence")
        assert_close(together[one], alone, **FLOAT32, name="Heads(x, x, allow)")


@pytest.mark.task("heads")
def test_mask_of_two_axes_holds_for_all_sequences(student, rng):
    """A mask of queries and keys holds for every sequence, also if there are as many as queries."""
    x = torch.randn(4, 4, 12, generator=rng)
    allow = torch.ones(4, 4, dtype=torch.bool).tril()
    heads = make_eval(student, "Heads", 12, 3)
    small = run(heads, x, x, allow, shape=(4, 4, 12), name="Heads(x, x, allow)")
    full = run(heads, x, x, allow.expand(4, 4, 4).contiguous(), shape=(4, 4, 12), name="Heads(x, x, allow)")
    assert_close(small, full, **FLOAT32, name="Heads with a mask of two axes")


@pytest.mark.task("heads")
def test_blind_query_gets_the_bias(student, rng):
    """A query that may look at nothing gets 0 from every head, so the bias of the output layer."""
    weights = heads_weights(rng, 12)
    heads = make_eval(student, "Heads", 12, 3)
    student.copy_weights(heads, weights)
    x, allow = torch.randn(2, 5, 12, generator=rng), torch.ones(2, 5, 5, dtype=torch.bool)
    allow[0, 1] = allow[1, 4] = False
    out = run(heads, x, x, allow, shape=(2, 5, 12), name="Heads(x, x, allow)")
    expected = weights["output.bias"].expand(2, 12)
    free = run(heads, x, x, shape=(2, 5, 12), name="Heads(x, x)")[~allow.any(-1)]
    facts = Facts(
        mistakes={"A query that may look at nothing looks at everything. Is the mask handed on to attend?": free}
    )
    name = "the result of a query that may look at nothing, which is the bias of the output layer,"
    assert_close(out[~allow.any(-1)], expected, **FLOAT32, name=name, facts=facts)


@pytest.mark.task("heads")
def test_heads_are_the_same_in_training(student, rng):
    """Heads have no dropout: training and evaluation give the same result."""
    x, allow = torch.randn(2, 6, 12, generator=rng), torch.ones(6, 6, dtype=torch.bool).tril()
    heads = make_eval(student, "Heads", 12, 3)
    evaluated = run(heads, x, x, allow, shape=(2, 6, 12), name="Heads(x, x, allow)")
    free = run(heads, x, x, shape=(2, 6, 12), name="Heads(x, x)")
    heads.train()
    facts = Facts(mistakes={"While training, the mask has no effect.": free})
    name = "Heads(x, x, allow) while training, which is to be as in evaluation,"
    assert_close(heads(x, x, allow), evaluated, **FLOAT32, name=name, facts=facts)


@pytest.mark.task("heads")
def test_heads_divide_the_width(student):
    """A number of heads that does not divide the width is refused with a ValueError."""
    hint = "Heads(d_model, n_heads) has to raise a ValueError if n_heads does not divide d_model."
    for width, n_heads in ((8, 3), (7, 2)):
        try:
            student.Heads(width, n_heads)
        except StudentError as error:
            if error.type_name != "ValueError":
                raise
        else:
            raise CheckFailure(f"Heads({width}, {n_heads}) was accepted", hint)


@pytest.mark.task("heads")
def test_order_of_the_context_does_not_matter(student, rng):
    """Reordering the context changes nothing; reordering the queries reorders the result."""
    x, context = torch.randn(2, 5, 12, generator=rng), torch.randn(2, 7, 12, generator=rng)
    heads = make_eval(student, "Heads", 12, 2)
    options = {"rng": rng, "name": "Heads(x, context)", **FLOAT32}
    assert_permutation_invariant(lambda context: heads(x, context), context, **options)
    assert_permutation_equivariant(lambda x: heads(x, context), x, **options)


@pytest.mark.task("heads")
@pytest.mark.needs("test_heads_match_library")
def test_heads_learn(student, rng):
    """The right gradients reach both inputs and every parameter of the heads, biases included."""
    weights = heads_weights(rng, 12)
    heads = make_eval(student, "Heads", 12, 3)
    student.copy_weights(heads, weights)
    x, context = torch.randn(2, 5, 12, generator=rng), torch.randn(2, 7, 12, generator=rng)
    along = torch.randn(2, 5, 12, generator=rng)
    found = student.gradients(heads, (x, context), along=along)
    library = library_heads(weights, 3)
    x.requires_grad_(), context.requires_grad_()
    library(x, context, context)[0].backward(along)
    expected = {"x": x.grad, "context": context.grad, "output.weight": library.out_proj.weight.grad}
    for name, matrix, bias in zip(
        ("query", "key", "value"), library.in_proj_weight.grad.chunk(3), library.in_proj_bias.grad.chunk(3), strict=True
    ):
        expected |= {f"{name}.weight": matrix, f"{name}.bias": bias}
    found = dict(zip(("x", "context"), found, strict=True)) | student.parameter_gradients(heads)
    for name, gradient in expected.items():
        require_gradient(found.get(name), gradient, name)


def require_gradients(student, module, names, no_effect=()):
    """Every parameter that the task names has a finite gradient, which is not zero everywhere."""
    found = student.parameter_gradients(module)
    for name in names:
        if found.get(name) is None or not found[name].isfinite().all():
            raise CheckFailure(f"{name}: no finite gradient", "A parameter receives no gradient, or one that is NaN.")
        if name not in no_effect and not found[name].abs().amax() > 0:
            raise CheckFailure(f"{name}: gradient 0", "A parameter has no effect on the result: its gradient is 0.")


@pytest.mark.task("layer", weight=1.5)
@pytest.mark.parametrize("n_heads", [1, 3])
def test_layer_matches_library(student, rng, n_heads):
    """With the same weights the result equals that of a pre-norm encoder layer."""
    weights = layer_weights(rng, 12, 20)
    layer = make_eval(student, "EncoderLayer", 12, n_heads, 20, 0.5)
    student.copy_weights(layer, weights)
    x = torch.randn(3, 7, 12, generator=rng)
    lengths = torch.tensor([7, 2, 5])
    pads = torch.arange(7) >= lengths[:, None]
    with torch.no_grad():
        library = library_layer(weights, n_heads)
        expected, expected_masked = library(x), library(x, src_key_padding_mask=pads)
    result = layer(x)
    again = run(layer, x, shape=(3, 7, 12), name="EncoderLayer(x)")
    facts = Facts(again=again, mistakes=layer_mistakes(weights, n_heads, x))
    assert_close(result, expected, **FLOAT32, name="EncoderLayer(x)", facts=facts)
    masked = run(layer, x, ~pads[:, None], shape=(3, 7, 12), name="EncoderLayer(x, allow)")
    facts = Facts(mistakes={"The mask has no effect. Is it handed on to the heads?": expected[~pads]})
    name = "EncoderLayer(x, allow) at real tokens"
    assert_close(masked[~pads], expected_masked[~pads], **FLOAT32, name=name, facts=facts)


@pytest.mark.task("layer")
@pytest.mark.needs("test_layer_matches_library")
def test_layer_learns(student, rng):
    """The right gradients reach the input and every parameter, while training too; a dropout of 0 drops nothing."""
    weights = layer_weights(rng, 12, 20)
    layer = student.EncoderLayer(12, 3, 20, 0.0)
    layer.train()
    student.copy_weights(layer, weights)
    x, along = torch.randn(2, 6, 12, generator=rng), torch.randn(2, 6, 12, generator=rng)
    allow = torch.ones(6, 6, dtype=torch.bool).tril()
    found = student.gradients(layer, (x, allow), along=along)
    found = {"x": found[0]} | student.parameter_gradients(layer)
    library = library_layer(weights, 3).train()
    x.requires_grad_()
    library(x, src_mask=~allow).backward(along)
    expected = {"x": x.grad, "heads.output.weight": library.self_attn.out_proj.weight.grad}
    for theirs, ours in (("norm1", "norm1"), ("norm2", "norm2"), ("linear1", "expand"), ("linear2", "contract")):
        expected |= {f"{ours}.{end}": getattr(getattr(library, theirs), end).grad for end in ("weight", "bias")}
    for name, matrix in zip(("query", "key", "value"), library.self_attn.in_proj_weight.grad.chunk(3), strict=True):
        expected[f"heads.{name}.weight"] = matrix
    for name, gradient in expected.items():
        require_gradient(found.get(name), gradient, name, tolerance=1e-3)


@pytest.mark.task("layer")
def test_layer_permutes_with_its_input(student, rng):
    """Without positions, reordered tokens give the same results in the new order."""
    layer = make_eval(student, "EncoderLayer", 12, 2, 20, 0.1)
    x = torch.randn(2, 7, 12, generator=rng)
    assert_permutation_equivariant(layer, x, rng=rng, name="EncoderLayer(x)", **FLOAT32)


@pytest.mark.task("layer")
def test_layer_is_causal_under_a_mask(student, rng):
    """Where only the past is allowed, a token has no effect on results before it, and one on its own."""
    x = torch.randn(2, 6, 12, generator=rng)
    layer = make_eval(student, "EncoderLayer", 12, 2, 20, 0.1)
    allow = torch.ones(6, 6, dtype=torch.bool).tril()
    before = run(layer, x, allow, shape=(2, 6, 12), name="EncoderLayer(x, allow)")
    for token in (5, 2):
        changed = x.clone()
        changed[:, token] = torch.randn(12, generator=rng)
        after = run(layer, changed, allow, shape=(2, 6, 12), name="EncoderLayer(x, allow)")
        moved = (after - before).abs().amax((0, 2))
        if not (moved[:token] <= 1e-5).all():
            raise CheckFailure(f"token {token} changes earlier results", "A position sees a token after it.")
        if not (moved[token:] > 1e-5).all():
            raise CheckFailure(f"token {token} has no later effect", "A position that may be looked at has no effect.")


@pytest.mark.task("layer")
def test_residual_path_is_untouched(student, rng):
    """A layer that adds nothing returns its input, also while it trains."""
    weights = {
        name: torch.zeros_like(value) if name.startswith(("heads.output", "contract")) else value
        for name, value in layer_weights(rng, 12, 20).items()
    }
    x = torch.randn(2, 7, 12, generator=rng)
    for is_training in (False, True):
        layer = student.EncoderLayer(12, 2, 20, 0.5)
        layer.train() if is_training else layer.eval()
        student.copy_weights(layer, weights)
        out = run(layer, x, shape=(2, 7, 12), name="EncoderLayer(x)")
        if not (out - x).abs().amax() <= 1e-5:
            when = "while training" if is_training else "in evaluation"
            hint = f"With heads and network adding 0, the layer does not return its input {when}."
            raise CheckFailure(f"largest change {(out - x).abs().amax():.3g} {when}", hint)


@pytest.mark.task("layer")
@pytest.mark.parametrize("half", ["heads.output", "contract"])
def test_dropout_in_training_only(student, rng, half):
    """What each half adds is partly dropped while training, and never in evaluation."""
    other = "contract" if half == "heads.output" else "heads.output"
    weights = {
        name: torch.zeros_like(value) if name.startswith(other) else value
        for name, value in layer_weights(rng, 12, 20).items()
    }
    x = torch.randn(4, 9, 12, generator=rng)
    layer = make_eval(student, "EncoderLayer", 12, 2, 20, 0.3)
    student.copy_weights(layer, weights)
    added = run(layer, x, shape=(4, 9, 12), name="EncoderLayer(x)") - x
    again = run(layer, x, shape=(4, 9, 12), name="EncoderLayer(x)") - x
    assert_close(again, added, **FLOAT32, name="a second evaluation")
    layer.train()
    trained = run(layer, x, shape=(4, 9, 12), name="EncoderLayer(x)") - x
    dropped = (trained.abs() <= 1e-6).double().mean().item()
    kept = trained.abs() > 1e-6
    # 432 values dropped with probability 0.3: five standard deviations are 0.11.
    if not 0.18 <= dropped <= 0.42:
        hint = "With dropout 0.3, about 3 of 10 added values have to be 0 while training. Is each half dropped?"
        raise CheckFailure(f"{half}: {dropped:.2f} of what is added is dropped, expected 0.3", hint)
    assert_close(
        trained[kept],
        added[kept] / 0.7,
        **FLOAT32,
        name="what dropout has kept, to be scaled by 1 / (1 - p) and nothing else,",
    )
    # By chance about 1 of 70 rows, and 1 of 25 columns, of a sequence are kept as a whole.
    for axis, name in ((2, "positions"), (1, "columns")):
        alike = (kept.all(axis) | ~kept.any(axis)).double().mean().item()
        if alike > 0.4:
            hint = f"Dropout drops or keeps whole {name}; each value has to be dropped on its own."
            raise CheckFailure(f"{alike:.2f} of the {name} are dropped or kept as a whole", hint)


def review_batch(rng, n_tokens, lengths, width):
    """Random ids with pads after each length."""
    # 0 is an id like any other: what is a pad, the lengths alone say.
    ids = torch.randint(0, n_tokens, (len(lengths), width), generator=rng)
    ids[:, 1] = 0
    lengths = torch.tensor(lengths)
    return ids * (torch.arange(width) < lengths[:, None]), lengths


@pytest.mark.task("reviews", weight=2)
def test_model_matches_reference(student, rng):
    """With the same weights the logits equal those of embedding, positions, layers, norm, mean and classifier."""
    weights = layer_weights(rng, 12, 24, "layers.0.") | layer_weights(rng, 12, 24, "layers.1.")
    weights |= random_weights(rng, {"embedding.weight": (23, 12), "classify.weight": (5, 12), "classify.bias": (5,)})
    weights |= {"norm.weight": 1 + 0.3 * torch.randn(12, generator=rng), "norm.bias": torch.randn(12, generator=rng)}
    model = make_eval(student, "ReviewTransformer", 23, 12, 3, 2, 5, 9)
    student.copy_weights(model, weights)
    ids, lengths = review_batch(rng, 23, [9, 4, 1, 7], 9)
    with torch.no_grad():
        expected = model_by_hand(weights, ids, lengths)
    facts = Facts(mistakes=model_mistakes(weights, ids, lengths))
    assert_close(model(ids, lengths), expected, **FLOAT32, name="ReviewTransformer(ids, lengths)", facts=facts)


def model_by_hand(weights, ids, lengths, *, n_heads=3, n_layers=2, sees_pads=False, scale=1.0, positions=1.0, end=None):
    """The logits of `ReviewTransformer`, or what it would give after a mistake; `end` makes them of the last layer."""
    width = weights["norm.bias"].shape[0]
    real = torch.arange(ids.shape[1]) < lengths[:, None]
    x = scale * weights["embedding.weight"][ids] + positions * wave_table(ids.shape[1], width)
    with torch.no_grad():
        for index in range(n_layers):
            mask = None if sees_pads else ~real
            x = library_layer(weights, n_heads, f"layers.{index}.")(x, src_key_padding_mask=mask)

    def norm(x):
        return nn.functional.layer_norm(x, (width,), weights["norm.weight"], weights["norm.bias"])

    def mean(x):
        return torch.where(real[..., None], x, 0.0).sum(1) / lengths[:, None]

    vectors = mean(norm(x)) if end is None else end(x, norm, mean)
    return vectors @ weights["classify.weight"].T + weights["classify.bias"]


def model_mistakes(weights, ids, lengths):
    """By hint, what `ReviewTransformer` gives after a mistake that people make."""
    batch, width = torch.arange(len(ids)), weights["norm.bias"].shape[0]

    def wrong(**mistake):
        return lambda: model_by_hand(weights, ids, lengths, **mistake)

    return {
        "The positions are not added to the token vectors.": wrong(positions=0.0),
        "The token vectors are scaled by the root of the width; this task does not ask for it.": wrong(
            scale=width**0.5
        ),
        "Tokens look at pads. Is a mask made from the lengths, and handed to every layer?": wrong(sees_pads=True),
        "Only the first layer is used.": wrong(n_layers=1),
        "The layers have one head each. Is n_heads handed on to them?": wrong(n_heads=1),
        "The last norm is not used.": wrong(end=lambda x, norm, mean: mean(x)),
        "The last norm comes before the mean, not after it.": wrong(end=lambda x, norm, mean: norm(mean(x))),
        "The mean counts the pads. Reread: it runs over the first `length` vectors of each review.": wrong(
            end=lambda x, norm, mean: norm(x).mean(1)
        ),
        "The sum runs over the real tokens, but is divided by the padded length.": wrong(
            end=lambda x, norm, mean: mean(norm(x)) * lengths[:, None] / ids.shape[1]
        ),
        "The last real token is used; the task asks for the mean over all.": wrong(
            end=lambda x, norm, mean: norm(x)[batch, lengths - 1]
        ),
        "The first token is used; the task asks for the mean over all.": wrong(end=lambda x, norm, mean: norm(x)[:, 0]),
    }


def wave_table(length, width):
    """The table of positions, in float32."""
    column = torch.arange(width)
    angle = torch.arange(length)[:, None].double() / 10000 ** (2 * (column // 2).double() / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()


@pytest.mark.task("reviews")
def test_pads_do_not_count(student, rng):
    """A review has the same logits however many pads follow it, whatever their ids are."""
    model = make_eval(student, "ReviewTransformer", 23, 12, 2, 2, 3, 20)
    ids, lengths = review_batch(rng, 23, [5, 3, 6], 6)
    short = run(model, ids, lengths, shape=(3, 3), name="ReviewTransformer(ids, lengths)")
    longer = torch.cat([ids, torch.zeros(3, 5, dtype=torch.int64)], 1)
    padded = run(model, longer, lengths, shape=(3, 3), name="ReviewTransformer with more pads")
    assert_close(padded, short, **FLOAT32, name="ReviewTransformer with more pads")
    odd = torch.where(torch.arange(11) < lengths[:, None], longer, 17)
    changed = run(model, odd, lengths, shape=(3, 3), name="ReviewTransformer with other pads")
    assert_close(changed, short, **FLOAT32, name="ReviewTransformer with other pads")


@pytest.mark.task("reviews")
def test_reviews_are_independent(student, rng):
    """In evaluation the logits of a review do not depend on the others in its batch."""
    model = make_eval(student, "ReviewTransformer", 23, 12, 2, 1, 2, 20)
    batch = review_batch(rng, 23, [5, 8, 3, 8], 8)
    assert_batch_independent(model, batch, rng=rng, name="ReviewTransformer(ids, lengths)", **FLOAT32)


@pytest.mark.task("reviews")
def test_order_of_words_matters(student, rng):
    """The same words in another order give other logits."""
    model = student.ReviewTransformer(23, 12, 2, 1, 3, 20)
    model.eval()
    ids, lengths = review_batch(rng, 23, [9, 9], 9)
    straight = run(model, ids, lengths, shape=(2, 3), name="ReviewTransformer(ids, lengths)")
    turned = run(model, ids.flip(1), lengths, shape=(2, 3), name="ReviewTransformer(ids, lengths)")
    if not (straight - turned).abs().amax() > 1e-4:
        hint = "Reordered words give the same logits. Are the positions added to the token vectors?"
        raise CheckFailure("reversed reviews have equal logits", hint)


@pytest.mark.task("reviews")
def test_model_learns_everywhere(student, rng):
    """Every parameter receives a gradient, and none of them is NaN, also beside an empty review."""
    model = student.ReviewTransformer(9, 12, 2, 2, 3, 20)
    ids, lengths = review_batch(rng, 9, [8, 7, 8, 0], 8)
    ids[0] = torch.arange(1, 9)
    logits = run(model, ids, lengths, shape=(4, 3), name="ReviewTransformer(ids, lengths)")
    targets = torch.tensor([0, 1, 2, 1])
    along = (logits.softmax(-1) - nn.functional.one_hot(targets, 3)).float() / 4  # gradient of the cross-entropy
    student.gradients(model, (ids, lengths), along=along)
    names = [*layer_weights(rng, 12, 24, "layers.0."), "embedding.weight", "norm.weight", "norm.bias"]
    names += layer_weights(rng, 12, 24, "layers.1.")
    # A key's bias adds the same to all scores of a query, which changes no weight: its gradient is 0.
    require_gradients(
        student,
        model,
        [*names, "classify.weight", "classify.bias"],
        {"layers.0.heads.key.bias", "layers.1.heads.key.bias"},
    )


@pytest.mark.task("reviews")
def test_batch_is_left_as_it_is(student, rng):
    """The model changes neither the tokens nor the lengths that it is given."""
    ids, lengths = review_batch(rng, 31, [6, 0, 3], 6)
    assert_not_mutated(student, make_eval(student, "ReviewTransformer", 31, 16, 2, 1, 2, 20), (ids, lengths))


@pytest.mark.task("reviews", weight=0.5)
@pytest.mark.parametrize("n_classes", [2, 7])
def test_loss_begins_at_guessing(student, rng, n_classes):
    """Before training the model guesses: its cross-entropy is near ln C, and its outputs are logits."""
    ids, lengths = review_batch(rng, 31, [6] * 8, 6)
    losses = []
    for _ in range(9):  # one model in a hundred is unlucky; the middle one of nine is not
        model = make_eval(student, "ReviewTransformer", 31, 16, 2, 1, n_classes, 20)
        logits = run(model, ids, lengths, shape=(8, n_classes), name="ReviewTransformer(ids, lengths)")
        # Over all classes, so that no luck of the labels is in it.
        losses.append((logits.logsumexp(-1) - logits.mean(-1)).mean().item())
    loss = sorted(losses)[4]
    # The default classifier adds logits of variance at most 1/3 to guessing.
    if not abs(loss - math.log(n_classes)) <= 0.5:
        hint = "Before training the cross-entropy must be near ln C, as for guessing. Are the logits too large?"
        raise CheckFailure(f"loss {loss:.3f}, expected about {math.log(n_classes):.3f}", hint)
    if (logits.sum(-1) - 1).abs().amax() <= 1e-4 or (logits.exp().sum(-1) - 1).abs().amax() <= 1e-4:
        raise CheckFailure("the outputs are normalised", "The result must be logits, without a softmax.")


@pytest.mark.task("reviews")
def test_token_vectors_start_small(student):
    """The table of token vectors starts with a standard deviation of 0.1."""
    deviation = student.ReviewTransformer(200, 32, 2, 1, 2, 20).state_dict()["embedding.weight"].std().item()
    if not 0.08 <= deviation <= 0.12:  # 6,400 draws: five standard errors are 0.005
        raise CheckFailure(
            f"standard deviation {deviation:.3f}", "The token vectors do not start as small as the task says."
        )


@pytest.mark.task("reviews")
def test_only_the_layers_drop(student, rng):
    """While training the layers drop a tenth of what they add, nothing else is dropped, and pads stay unseen."""
    model = student.ReviewTransformer(23, 12, 2, 1, 12, 20)
    model.train()
    weights = layer_weights(rng, 12, 24, "layers.0.")
    for name in weights:
        if "heads.output" in name or "contract" in name:
            weights[name] = torch.zeros_like(weights[name])
    weights |= {"embedding.weight": torch.randn(23, 12, generator=rng), "classify.weight": torch.eye(12)}
    weights |= {"norm.weight": torch.ones(12), "norm.bias": torch.zeros(12), "classify.bias": torch.zeros(12)}
    student.copy_weights(model, weights)
    ids, lengths = review_batch(rng, 23, [5, 8, 3, 8], 8)
    trained = run(model, ids, lengths, shape=(4, 12), name="ReviewTransformer(ids, lengths)")
    model.eval()
    assert_close(model(ids, lengths), trained, **FLOAT32, name="a model whose layers add nothing, while training")
    # One column gets much added: after the norm it is the root of 11 where that is kept, and less where it is dropped.
    weights["layers.0.contract.bias"] = 1000.0 * torch.eye(12)[0]
    student.copy_weights(model, weights)
    model.train()
    ids = torch.randint(23, (2000, 1), generator=rng)
    logits = run(model, ids, torch.ones(2000, dtype=torch.int64), shape=(2000, 12), name="ReviewTransformer")
    dropped = (logits[:, 0] < 3.3).double().mean().item()
    if not 0.06 <= dropped <= 0.14:  # six standard deviations are 0.04
        raise CheckFailure(f"{dropped:.3f} dropped, expected 0.1", "The layers do not drop a tenth of what they add.")


@pytest.mark.task("reviews")
def test_pads_do_not_count_in_training(student, rng):
    """While training, with the same dropout, the logits do not depend on the ids of pads."""
    model = student.ReviewTransformer(23, 12, 2, 1, 3, 20)
    model.train()
    ids, lengths = review_batch(rng, 23, [5, 3, 6], 8)
    results = []
    for pad in (0, 17):
        student.seed(5)
        odd = torch.where(torch.arange(8) < lengths[:, None], ids, pad)
        results.append(run(model, odd, lengths, shape=(3, 3), name="ReviewTransformer(ids, lengths)"))
    assert_close(results[1], results[0], **FLOAT32, name="ReviewTransformer with other pads, while training")
