"""The mistakes of deep learning, each an operator on the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from tensorgrade.mutation.code import Change, Code

Operator = Callable[[Code, ast.AST, tuple[str, ...]], Iterator[Change]]

AXES = ("dim", "axis", "dims", "axes")
# Methods and functions whose last integer is an axis, where it is not named.
OVER_AN_AXIS = {
    *("sum", "mean", "var", "std", "amax", "amin", "max", "min", "argmax", "argmin", "prod", "logsumexp", "norm"),
    *("softmax", "log_softmax", "cumsum", "cumprod", "flip", "cat", "stack", "unsqueeze", "squeeze", "flatten"),
    *("chunk", "split", "gather", "index_select", "roll", "sort", "topk", "any", "all"),
}
EXCHANGED = {
    "mean": "sum",
    "sum": "mean",
    "max": "min",
    "min": "max",
    "amax": "amin",
    "amin": "amax",
    "argmax": "argmin",
    "argmin": "argmax",
    "sin": "cos",
    "cos": "sin",
    "any": "all",
    "all": "any",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "tril": "triu",
    "triu": "tril",
    "tanh": "sigmoid",
    "sigmoid": "tanh",
}
LOSSES = {"cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "binary_cross_entropy", "mse_loss"}
IN_PLACE = {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}
IN_PLACE_METHODS = {"masked_fill", "add", "sub", "mul", "div", "clamp", "relu", "exp", "sqrt", "tanh", "sigmoid"}
SMALL = 1e-3  # a constant below this under a root is an epsilon


def name_of(node: ast.AST) -> str:
    """The last part of a dotted name, or of the name of what is called; nothing for anything else."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def called(node: ast.AST, *names: str) -> ast.Call | None:
    """The node, if it calls something by one of these names."""
    return node if isinstance(node, ast.Call) and name_of(node) in names else None


def _values(node: ast.AST) -> list[ast.expr]:
    """What a `return` gives: the items of a tuple, or the one value."""
    if not isinstance(node, ast.Return) or node.value is None:
        return []
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return [value for value in values if not isinstance(value, ast.Constant)]


def detached(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """What is returned has no gradient."""
    return (code.replaced(value, f"{code.atom(value)}.detach()") for value in _values(node))


def constant_return(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """What is returned is zero, of the right shape."""
    return (code.replaced(value, f"{code.atom(value)} * 0") for value in _values(node))


def lowered_dtype(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """What is returned has lost digits, or a wider dtype is left out."""
    for value in _values(node):
        yield code.replaced(value, f"{code.atom(value)}.half().float()")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "double":
        yield code.renamed(node.func, "float")
    if isinstance(node, ast.Attribute) and node.attr in ("float64", "double") and name_of(node.value) == "torch":
        yield code.renamed(node, "float32")


def left_out_call(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """`eval()`, `train()`, `zero_grad()`, `step()`, `backward()` are forgotten."""
    if isinstance(node, ast.Expr) and called(node.value, "eval", "train", "zero_grad", "step", "backward"):
        yield code.replaced(node, "pass")


def gradient_recorded(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """`no_grad` is forgotten."""
    if isinstance(node, ast.With):
        for item in node.items:
            if called(item.context_expr, "no_grad", "inference_mode"):
                yield code.replaced(item.context_expr, "torch.enable_grad()")
    if isinstance(node, ast.Call) and name_of(node) == "detach" and isinstance(node.func, ast.Attribute):
        yield code.replaced(node, code.text(node.func.value))


def other_axis(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """Along another axis."""
    if not isinstance(node, ast.Call):
        return
    axes = [keyword.value for keyword in node.keywords if keyword.arg in AXES]
    if not axes and name_of(node) in OVER_AN_AXIS and node.args:
        axes = [node.args[-1]]
    for axis in axes:
        for value in axis.elts if isinstance(axis, ast.Tuple) else [axis]:
            number = _integer(value)
            if number is not None:
                yield code.replaced(value, str({-1: -2, -2: -1, 0: 1}.get(number, number - 1 if number > 0 else -1)))


def _integer(node: ast.AST) -> int | None:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
    return None


def transposed(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A factor of a matrix product is transposed, or a transposition is forgotten."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield code.replaced(node.right, f"{code.atom(node.right)}.mT")
    call = called(node, "transpose", "permute", "swapaxes", "t", "movedim")
    if call is not None and isinstance(call.func, ast.Attribute) and name_of(call.func.value) != "torch":
        yield code.replaced(node, code.text(call.func.value))
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield code.replaced(node, code.text(node.value))


def mask_off_by_one(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """The diagonal of a triangular mask is one too high or too low."""
    call = called(node, "tril", "triu")
    if call is None:
        return
    own = isinstance(call.func, ast.Attribute) and name_of(call.func.value) != "torch"
    named = [keyword.value for keyword in call.keywords if keyword.arg == "diagonal"]
    diagonals = named or call.args[0 if own else 1 :]
    for step in (-1, 1):
        if diagonals:
            yield code.replaced(diagonals[0], f"{code.atom(diagonals[0])} {'+' if step > 0 else '-'} 1")
        else:
            inside = ", ".join([*(code.text(argument) for argument in call.args), f"diagonal={step}"])
            yield code.replaced(call, f"{code.text(call.func)}({inside})")


def inverted_mask(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """True and False of a mask mean the opposite."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield code.replaced(node, code.text(node.operand))
    call = called(node, "masked_fill", "masked_fill_")
    if call is not None and call.args and not isinstance(call.args[0], ast.UnaryOp):
        yield code.replaced(call.args[0], f"~{code.atom(call.args[0])}")
    where = called(node, "where")
    if where is not None and len(where.args) == 3:
        first, second = where.args[1:]
        start, end = code.span(first)[0], code.span(second)[1]
        yield Change(start, end, f"{code.text(second)}, {code.text(first)}")


def wrong_root(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """Scaled by d instead of the root of d."""
    call = called(node, "sqrt", "rsqrt")
    if call is not None:
        own = isinstance(call.func, ast.Attribute) and not call.args
        inside = code.atom(call.func.value if own else call.args[0])  # type: ignore[attr-defined]
        yield code.replaced(call, inside if name_of(call) == "sqrt" else f"(1 / {inside})")
    match node:
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=0.5)):
            yield code.replaced(node, code.atom(node.left))


def other_variance(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """Divided by n - 1 instead of n, or the other way round."""
    call = called(node, "var", "std", "var_mean", "std_mean")
    if call is None:
        return
    for keyword in call.keywords:
        if keyword.arg == "unbiased" and isinstance(keyword.value, ast.Constant):
            yield code.replaced(keyword.value, str(not keyword.value.value))
        if keyword.arg in ("correction", "ddof") and _integer(keyword.value) is not None:
            yield code.replaced(keyword.value, str(1 - (_integer(keyword.value) or 0)))
    if not {"unbiased", "correction", "ddof"} & {keyword.arg for keyword in call.keywords}:
        parts = [*map(code.text, call.args), *map(code.text, call.keywords), "correction=0"]
        yield code.replaced(call, f"{code.text(call.func)}({', '.join(parts)})")


def moved_epsilon(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """The epsilon stands outside the root, or is missing."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and _is_epsilon(node.right):
        yield code.replaced(node, code.atom(node.left))
    call = called(node, "sqrt")
    if call is not None:
        own = isinstance(call.func, ast.Attribute) and not call.args
        inside = call.func.value if own else call.args[0]  # type: ignore[attr-defined]
        if isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Add) and _is_epsilon(inside.right):
            root = f"{code.atom(inside.left)}.sqrt()" if own else f"{code.text(call.func)}({code.text(inside.left)})"
            yield code.replaced(call, f"({root} + {code.text(inside.right)})")


def _is_epsilon(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float) and 0 < node.value < SMALL
    return "eps" in name_of(node)


def changed_input(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """An argument is changed in place."""
    match node:
        case ast.BinOp(left=ast.Name(id=name), op=operator) if name in parameters and type(operator) in IN_PLACE:
            yield code.replaced(node, f"{name}.{IN_PLACE[type(operator)]}({code.text(node.right)})")
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method) as function):
            if name in parameters and method in IN_PLACE_METHODS:
                yield code.renamed(function, f"{method}_")


def ignored_argument(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """An argument is not looked at, or not passed on."""
    match node:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot() | ast.Is()], comparators=[ast.Constant(value=None)]):
            if name in parameters:
                yield code.replaced(node, str(isinstance(node.ops[0], ast.Is)))
    if isinstance(node, ast.Call):
        given = [*node.args, *node.keywords]
        last = given[-1].value if given and isinstance(given[-1], ast.keyword) else given[-1] if given else None
        if len(given) > 1 and isinstance(last, ast.Name) and last.id in parameters:
            yield Change(code.span(given[-2])[1], code.span(given[-1])[1], "")


def exchanged(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A function in place of its neighbour: sum for mean, sine for cosine, the lower for the upper triangle."""
    if isinstance(node, ast.Call) and name_of(node) in EXCHANGED and isinstance(node.func, ast.Name | ast.Attribute):
        yield code.renamed(node.func, EXCHANGED[name_of(node)])


def double_softmax(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A softmax of a softmax."""
    call = called(node, "softmax", "log_softmax")
    if call is None:
        return
    if isinstance(call.func, ast.Attribute) and call.args and _integer(call.args[0]) is None:
        yield code.replaced(call.args[0], code.text(call))
    else:
        arguments = code.text(call)[len(code.text(call.func)) :]
        yield code.replaced(call, f"{code.text(call)}.{name_of(call)}{arguments}")


def no_shuffle(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """The examples come in the same order in every epoch."""
    if isinstance(node, ast.keyword) and node.arg == "shuffle" and isinstance(node.value, ast.Constant):
        yield code.replaced(node.value, str(not node.value.value))
    call = called(node, "randperm")
    if call is not None and call.args:
        yield code.replaced(call, f"torch.arange({code.text(call.args[0])})")


def shifted_labels(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """Each example has the label of another."""
    call = called(node, *LOSSES)
    if call is not None and len(call.args) > 1:
        yield code.replaced(call.args[1], f"{code.atom(call.args[1])}.roll(1, 0)")


def other_reduction(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A loss is summed instead of averaged, or the other way round."""
    if isinstance(node, ast.keyword) and node.arg == "reduction" and isinstance(node.value, ast.Constant):
        yield code.replaced(node.value, repr({"mean": "sum", "sum": "mean"}.get(str(node.value.value), "mean")))
    call = called(node, *LOSSES)
    if call is not None and "reduction" not in {keyword.arg for keyword in call.keywords}:
        parts = [*map(code.text, call.args), *map(code.text, call.keywords), 'reduction="sum"']
        yield code.replaced(call, f"{code.text(call.func)}({', '.join(parts)})")


def always_training(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """What should differ between training and evaluation does not."""
    if isinstance(node, ast.Attribute) and node.attr == "training":
        yield code.replaced(node, "True")
        yield code.replaced(node, "False")


LEARNING: dict[str, Operator] = {
    "detached": detached,
    "call left out": left_out_call,
    "gradient recorded": gradient_recorded,
    "other axis": other_axis,
    "transposed": transposed,
    "mask off by one": mask_off_by_one,
    "mask inverted": inverted_mask,
    "d for root of d": wrong_root,
    "other variance": other_variance,
    "epsilon moved": moved_epsilon,
    "input changed in place": changed_input,
    "argument ignored": ignored_argument,
    "sum for mean, sine for cosine": exchanged,
    "double softmax": double_softmax,
    "not shuffled": no_shuffle,
    "labels shifted": shifted_labels,
    "other reduction": other_reduction,
    "training for evaluation": always_training,
    "dtype lowered": lowered_dtype,
    "zero returned": constant_return,
}
