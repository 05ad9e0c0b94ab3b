"""The hidden checks of the graph: its order, and the chain rule on it.

Graphs are drawn at random, values and derivatives are computed here by torch; only numbers and places come back.
"""

import pytest
import torch

from tensorgrade.checks import assert_close
from tensorgrade.errors import CheckFailure

# Sums of products of size 1 in float64, in any order.
EXACT = {"rtol": 1e-9, "atol": 1e-9}
TORCH = {"add": torch.add, "mul": torch.mul, "tanh": torch.tanh, "exp": torch.exp}


def draw_graph(rng, size=12):
    """Values of three leaves, and steps (operation, *places), each of nodes before it."""
    steps = []
    for place in range(3, 3 + size):
        name = ("add", "mul", "tanh", "add")[int(torch.randint(4, (), generator=rng))]
        count = 1 if name == "tanh" else 2
        at = torch.randint(place, (count,), generator=rng).tolist()
        at[-1] = max(at[-1], place - 2)  # long ways and short ways to the same node
        steps.append((name, *at))
    return (2 * torch.rand(3, generator=rng, dtype=torch.float64) - 1).tolist(), steps


def ancestors(leaves, steps, root):
    """The places of all nodes that a node depends on, and its own."""
    parents = [()] * len(leaves) + [tuple(at) for _, *at in steps]
    seen, waiting = {root}, [root]
    while waiting:
        new = set(parents[waiting.pop()]) - seen
        seen |= new
        waiting += new
    return seen, parents


def expected_gradients(leaves, steps, root):
    """The derivative of a node by every node, 0 where there is none, by torch; float64."""
    nodes = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in leaves]
    for name, *at in steps:
        nodes.append(TORCH[name](*(nodes[place] for place in at)))
        nodes[-1].retain_grad()
    nodes[root].backward()
    return torch.stack([torch.zeros_like(node.detach()) if node.grad is None else node.grad for node in nodes])


def as_numbers(found, count, name):
    """A list of plain numbers from the student's side, as a tensor (count,)."""
    if type(found) is not list or len(found) != count or not all(type(one) in (int, float) for one in found):
        kinds = sorted({type(one).__name__ for one in found}) if type(found) is list else type(found).__name__
        raise CheckFailure(f"{name}: expected {count} numbers, got {kinds}", f"{name} must be plain Python numbers.")
    return torch.tensor([float(one) for one in found], dtype=torch.float64)


def require_order(found, leaves, steps, root):
    """All nodes are there, each once and after its parents."""
    wanted, parents = ancestors(leaves, steps, root)
    if type(found) is not list or not all(type(place) is int for place in found):
        raise CheckFailure("order: no list of nodes", "Return a list of nodes.")
    if len(set(found)) != len(found):
        hint = "A node is in the list twice. Remember which nodes you have seen: a node can be reached on several ways."
        raise CheckFailure(f"{len(found) - len(set(found))} nodes too many", hint)
    if missing := wanted - set(found):
        raise CheckFailure(f"missing: {sorted(missing)}", "A node that the root depends on, or the root, is missing.")
    if strangers := set(found) - wanted:
        raise CheckFailure(
            f"too many: {sorted(strangers)}", "The list holds something that the root does not depend on."
        )
    at = {place: number for number, place in enumerate(found)}
    late = [(place, parent) for place in found for parent in parents[place] if at[parent] > at[place]]
    if late:
        hint = (
            "A node stands before one of its parents. There may be a short way and a long way to the same parent: "
            "a node may enter the list only when all its parents are in it."
        )
        raise CheckFailure(f"node {late[0][0]} stands before its parent {late[0][1]}", hint)


@pytest.mark.task("order", weight=2)
def test_parents_come_first(student, rng):
    """Every node stands once, after all its parents, with nothing that the root does not depend on."""
    graphs = student.load("graphs")
    for number in range(12):
        leaves, steps = draw_graph(rng)
        leaves = [1.0, 1.0, 1.0] if number == 0 else leaves  # equal numbers are not the same node
        for root in (len(leaves) + len(steps) - 1, 8):
            found = graphs.places_in_order(student.Var, student.order, leaves, steps, root)
            require_order(found, leaves, steps, root)


@pytest.mark.task("order")
def test_short_and_long_way(student):
    """A node that is reached on a short way and on a long way stands before both."""
    graphs = student.load("graphs")
    chain = [("tanh", 0), ("tanh", 1), ("tanh", 2)]
    for last in (("add", 0, 3), ("add", 3, 0), ("mul", 1, 3), ("mul", 3, 1)):
        found = graphs.places_in_order(student.Var, student.order, [0.5], [*chain, last], 4)
        require_order(found, [0.5], [*chain, last], 4)


@pytest.mark.task("order")
def test_single_node(student):
    """A node without parents is alone in its list."""
    found = student.load("graphs").places_in_order(student.Var, student.order, [2.0, 3.0], [], 1)
    require_order(found, [2.0, 3.0], [], 1)


@pytest.mark.task("order")
def test_order_can_be_asked_again(student, rng):
    """A second call for the same graph gives all nodes again."""
    leaves, steps = draw_graph(rng)
    root = len(leaves) + len(steps) - 1
    found = student.load("graphs").places_of_second(student.Var, student.order, leaves, steps, root)
    try:
        require_order(found, leaves, steps, root)
    except CheckFailure as failure:
        hint = f"This was a second call for the same graph. {failure.hint} Is something kept from call to call?"
        raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("order")
def test_many_ways_cost_nothing(student):
    """Forty doublings, and so a million million ways, are listed as quickly as forty nodes."""
    steps = [("add", place, place) for place in range(40)]
    found = student.load("graphs").places_in_order(student.Var, student.order, [1.0], steps, 40)
    require_order(found, [1.0], steps, 40)


@pytest.mark.task("order")
def test_long_chain_is_listed(student):
    """A chain of 5,000 nodes is no problem."""
    steps = [("add", place, 0) for place in range(5000)]
    found = student.load("graphs").places_in_order(student.Var, student.order, [1.0], steps, 5000)
    require_order(found, [1.0], steps, 5000)


@pytest.mark.task("backprop", weight=2)
@pytest.mark.needs("test_parents_come_first")
def test_gradients_of_random_graphs(student, rng):
    """The gradient of every node is the derivative of the root, also where a node is used several times."""
    graphs = student.load("graphs")
    for _ in range(10):
        leaves, steps = draw_graph(rng)
        root = len(leaves) + len(steps) - 1
        (found,) = graphs.gradients(student.Var, student.backprop, leaves, steps, [root])
        inside = sorted(ancestors(leaves, steps, root)[0])
        numbers = as_numbers([found[place] for place in inside] if type(found) is list else found, len(inside), "grad")
        require_gradients(dict(zip(inside, numbers, strict=True)), leaves, steps, root)


def require_gradients(found, leaves, steps, root):
    """The gradients, by place, are right; the hint looks at a wrong node of which all children are right."""
    parents, expected = ancestors(leaves, steps, root)[1], expected_gradients(leaves, steps, root)
    inside = sorted(found)
    try:
        assert_close(torch.stack([found[place] for place in inside]), expected[inside], **EXACT, name="grad")
    except CheckFailure as failure:
        wrong = {
            place
            for place in inside
            if not (found[place] - expected[place]).abs() <= 1e-9 + 1e-9 * expected[place].abs()
        }
        children = {
            place: [child for child in inside for parent in parents[child] if parent == place] for place in wrong
        }
        ready = [len(children[place]) for place in wrong if not wrong & set(children[place])]
        hints = {
            0: "The derivative of the root by itself is 1, and its grad says so.",
            1: "A node with one child is wrong though that child is right: multiply the child's grad by the slope.",
        }
        several = (
            "A node that was used several times is wrong, though all nodes made of it are right. What arrives is added "
            "up, and a node can pass it on only when all has arrived."
        )
        raise CheckFailure(failure.rationale, hints.get(min(ready, default=0), several)) from None


@pytest.mark.task("backprop")
@pytest.mark.needs("test_parents_come_first")
def test_node_used_twice(student, rng):
    """What arrives at a node on several ways is added up."""
    graphs = student.load("graphs")
    advice = "Several children pass something on to one parent: it is added to what arrived there before."
    for count, steps in (
        (1, [("mul", 0, 0)]),
        (1, [("mul", 0, 0), ("add", 1, 0)]),
        (2, [("mul", 0, 1), ("tanh", 0), ("add", 2, 3)]),
        (2, [("exp", 0), ("mul", 2, 1), ("mul", 2, 2), ("add", 3, 4)]),
    ):
        leaves = (0.3 + torch.rand(count, generator=rng)).tolist()
        root = len(leaves) + len(steps) - 1
        (found,) = graphs.gradients(student.Var, student.backprop, leaves, steps, [root])
        numbers = as_numbers(found, root + 1, "grad")
        try:
            assert_close(numbers, expected_gradients(leaves, steps, root), **EXACT, name="grad")
        except CheckFailure as failure:
            raise CheckFailure(failure.rationale, f"{failure.hint} {advice}") from None


@pytest.mark.task("backprop")
@pytest.mark.needs("test_parents_come_first")
def test_old_gradients_are_forgotten(student, rng):
    """A second call gives the same gradients, and one from another root those of that root."""
    graphs = student.load("graphs")
    leaves, steps = draw_graph(rng)
    last = len(leaves) + len(steps) - 1
    for roots in ([last, last], [last, last - 1], [last - 1, last]):
        found = graphs.gradients(student.Var, student.backprop, leaves, steps, roots)
        inside = sorted(ancestors(leaves, steps, roots[-1])[0])
        numbers = as_numbers([found[-1][place] for place in inside], len(inside), "grad")
        expected = expected_gradients(leaves, steps, roots[-1])[inside]
        try:
            assert_close(numbers, expected, **EXACT, name="grad")
        except CheckFailure as failure:
            hint = "After a second call grad is another one. What stood there before the call must not count."
            raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("backprop")
@pytest.mark.needs("test_parents_come_first")
def test_root_alone(student):
    """The derivative of a node by itself is 1."""
    (found,) = student.load("graphs").gradients(student.Var, student.backprop, [4.0], [], [0])
    assert_close(as_numbers(found, 1, "grad"), torch.ones(1, dtype=torch.float64), **EXACT, name="grad of the root")


@pytest.mark.task("backprop")
@pytest.mark.needs("test_long_chain_is_listed")
def test_long_chain_is_differentiated(student):
    """Gradients come back through 5,000 nodes."""
    steps = [("add", place, 0) for place in range(5000)]
    (found,) = student.load("graphs").gradients(student.Var, student.backprop, [1.0], steps, [5000])
    expected = torch.tensor([5001.0] + [1.0] * 5000, dtype=torch.float64)
    assert_close(as_numbers(found, 5001, "grad"), expected, **EXACT, name="grad")
