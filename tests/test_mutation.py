"""Mistakes made from a solution by rules: each operator, and what no mutant is made of."""

from __future__ import annotations

import ast

import pytest

from tensorgrade.mutation import OPERATORS, Mutation, mutate

EXAMPLES = [
    pytest.param("detached", "return w @ v, w", "return (w @ v).detach(), w", id="detached"),
    pytest.param("call left out", "model.eval()", "pass", id="no eval"),
    pytest.param("call left out", "optimiser.zero_grad()", "pass", id="no zero_grad"),
    pytest.param("gradient recorded", "with torch.no_grad(): x()", "with torch.enable_grad(): x()", id="no no_grad"),
    pytest.param("gradient recorded", "total += loss.detach()", "total += loss", id="no detach"),
    pytest.param("other axis", "return x.softmax(dim=-1)", "return x.softmax(dim=-2)", id="axis"),
    pytest.param("other axis", "return x.sum(0)", "return x.sum(1)", id="axis without a name"),
    pytest.param("other axis", "return x.mean(dim=(2, 3))", "return x.mean(dim=(2, 2))", id="one of two axes"),
    pytest.param("transposed", "return x @ self.w", "return x @ self.w.mT", id="transposed"),
    pytest.param("transposed", "return x @ w.T", "return x @ w", id="not transposed"),
    pytest.param("transposed", "return q @ k.transpose(-2, -1)", "return q @ k", id="not transposed by a call"),
    pytest.param("mask off by one", "return m.tril()", "return m.tril(diagonal=-1)", id="tril"),
    pytest.param("mask off by one", "return torch.triu(m, 1)", "return torch.triu(m, 1 - 1)", id="triu"),
    pytest.param("mask inverted", "return x.masked_fill(m, 0)", "return x.masked_fill(~m, 0)", id="mask"),
    pytest.param("mask inverted", "return x[~m]", "return x[m]", id="inverted mask"),
    pytest.param("mask inverted", "return torch.where(m, a, b)", "return torch.where(m, b, a)", id="where"),
    pytest.param("d for root of d", "return x / math.sqrt(d)", "return x / d", id="root"),
    pytest.param("d for root of d", "return x * d ** 0.5", "return x * d", id="power"),
    pytest.param("d for root of d", "return x * v.rsqrt()", "return x * (1 / v)", id="inverse root"),
    pytest.param("other variance", "return x.var(0)", "return x.var(0, correction=0)", id="biased"),
    pytest.param("other variance", "return x.std(unbiased=False)", "return x.std(unbiased=True)", id="unbiased"),
    pytest.param("epsilon moved", "return x / (v + eps).sqrt()", "return x / (v.sqrt() + eps)", id="outside"),
    pytest.param("epsilon moved", "return x / torch.sqrt(v + 1e-5)", "return x / torch.sqrt(v)", id="missing"),
    pytest.param("input changed in place", "return x + 1", "return x.add_(1)", id="in place"),
    pytest.param("input changed in place", "return x.clamp(0, 1)", "return x.clamp_(0, 1)", id="method in place"),
    pytest.param("argument ignored", "return x if m is None else m * x", "return x if True else m * x", id="default"),
    pytest.param("argument ignored", "return attend(x, x, m)", "return attend(x, x)", id="not passed on"),
    pytest.param("sum for mean, sine for cosine", "return x.mean()", "return x.sum()", id="sum"),
    pytest.param("double softmax", "return x.softmax(-1)", "return x.softmax(-1).softmax(-1)", id="method twice"),
    pytest.param(
        "double softmax", "return F.softmax(x, -1)", "return F.softmax(F.softmax(x, -1), -1)", id="function twice"
    ),
    pytest.param("not shuffled", "return Loader(x, shuffle=True)", "return Loader(x, shuffle=False)", id="shuffle"),
    pytest.param("not shuffled", "order = torch.randperm(n)", "order = torch.arange(n)", id="randperm"),
    pytest.param("labels shifted", "return F.nll_loss(x, y)", "return F.nll_loss(x, y.roll(1, 0))", id="labels"),
    pytest.param(
        "other reduction", 'return F.nll_loss(x, y, reduction="sum")', "F.nll_loss(x, y, reduction='mean')", id="mean"
    ),
    pytest.param("training for evaluation", "if self.training: x = 0", "if True: x = 0", id="always training"),
    pytest.param("dtype lowered", "return x", "return x.half().float()", id="half"),
    pytest.param("dtype lowered", "return x.double()", "return x.float()", id="float"),
    pytest.param("zero returned", "return x", "return x * 0", id="zero"),
    pytest.param("other arithmetic", "return x * 2", "return x / 2", id="arithmetic"),
    pytest.param("other arithmetic", "x += 2", "x = 2", id="assigned"),
    pytest.param("operand left out", "return x + self.f(x)", "return self.f(x)", id="residual"),
    pytest.param("operand left out", "return (x - m) / s", "return (x - m)", id="divisor"),
    pytest.param("other comparison", "return i <= j", "return i < j", id="comparison"),
    pytest.param("other logic", "return not x", "return x", id="not"),
    pytest.param("other logic", "return a and b", "return a or b", id="and"),
    pytest.param("other constant", "return x[1:]", "return x[2:]", id="number"),
    pytest.param("other constant", "return 0.5 * x", "return 1.0 * x", id="twice"),
    pytest.param("other bound", "return [f(i) for i in range(n)]", "for i in range(n - 1)]", id="range"),
    pytest.param("statement left out", "x[0] = 1", "pass", id="statement"),
    pytest.param("statement left out", "if x.dim() == 1: x = x[None]", "pass", id="special case"),
]


def mistakes(line: str) -> tuple[Mutation, ...]:
    """The mutants of a method with one line."""
    return mutate(f"def forward(self, x, m=None):\n    {line}", frozenset({2}))


@pytest.mark.parametrize(("operator", "line", "expected"), EXAMPLES)
def test_operator_makes_its_mistake(operator: str, line: str, expected: str) -> None:
    """Each operator changes the piece that it is named after, and leaves the rest as it was written."""
    assert any(expected in one.after for one in mistakes(line) if one.operator == operator), [
        one.after.strip() for one in mistakes(line)
    ]


def test_every_operator_has_an_example() -> None:
    """No operator is without a line that shows it."""
    assert {example.values[0] for example in EXAMPLES} == set(OPERATORS)


@pytest.mark.parametrize("line", ['"""Divide by 2."""', 'raise ValueError(f"{1} of 2")', "assert x > 0", "import math"])
def test_texts_make_no_mutant(line: str) -> None:
    """Docstrings, messages, assertions and imports are not changed."""
    assert mistakes(line) == ()


def test_only_the_given_lines_change() -> None:
    """What the instructor gives is never changed, also where a statement spans given and written lines."""
    source = "def f(x):\n    y = x + 1\n    return y * 2"
    assert {one.line for one in mutate(source, frozenset({3}))} == {3}


def test_equal_programs_are_made_once() -> None:
    """Two operators that make the same program make one mutant, and none makes the program that was there."""
    source = "def f(x):\n    return x.softmax(dim=-1)"
    programs = [ast.dump(ast.parse(one.source)) for one in mutate(source, frozenset({2}))]
    assert ast.dump(ast.parse(source)) not in programs
    assert len(programs) == len(set(programs))


def test_every_mutant_is_a_program() -> None:
    """No mutant is a syntax error: such a mistake is found by Python, not by a check."""
    for example in EXAMPLES:
        for one in mistakes(str(example.values[1])):
            compile(one.source, "cell", "exec")


def test_magics_stay() -> None:
    """IPython's line magics are no Python, and are kept."""
    source = "%matplotlib inline\ndef f(x):\n    !ls\n    return x + 1"
    mutants = mutate(source, frozenset({4}))
    assert mutants
    assert all(one.source.startswith("%matplotlib inline\ndef f(x):\n    !ls\n") for one in mutants)


def test_accents_do_not_shift_the_change() -> None:
    """Positions count bytes, and a character may be several."""
    assert mutate('def f(x): "é"; return x + 1', frozenset({1}))[0].source.startswith('def f(x): "é"; return ')


def test_id_survives_a_line_above() -> None:
    """The id of a mutant stays when another line of the cell changes, and is its own for equal lines."""
    one = mutate("x = 1\nx = 1", frozenset({1, 2}))
    two = mutate("y = 7\nx = 1\nx = 1", frozenset({2, 3}))
    assert [mutation.id("cell") for mutation in one] == [mutation.id("cell") for mutation in two]
    assert len({mutation.id("cell") for mutation in one}) == len(one)
    assert one[0].id("cell") != one[0].id("other cell")


def test_source_that_is_no_python_is_refused() -> None:
    """A cell that cannot be parsed makes no mutants, and says so."""
    with pytest.raises(SyntaxError):
        mutate("def f(", frozenset({1}))
