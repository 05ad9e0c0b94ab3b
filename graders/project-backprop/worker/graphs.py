"""Builds graphs of the student's nodes. It runs beside the student's code and holds nothing secret."""

import operator

OPERATIONS = {"add": operator.add, "mul": operator.mul, "tanh": lambda a: a.tanh(), "exp": lambda a: a.exp()}


def build(make, leaves, steps):
    """All nodes of a computation: the leaves with these values, then one for each step (operation, *positions)."""
    nodes = [make(value) for value in leaves]
    for name, *places in steps:
        nodes.append(OPERATIONS[name](*(nodes[place] for place in places)))
    return nodes


def places_in_order(make, order, leaves, steps, root):
    """Where the nodes that `order` gives stand in the computation; -1 for one that is not in it."""
    nodes = build(make, leaves, steps)
    places = {id(node): place for place, node in enumerate(nodes)}
    return [places.get(id(node), -1) for node in order(nodes[root])]


def places_of_second(make, order, leaves, steps, root):
    """The same for a second call, after one for the same root and one for the node before it."""
    nodes = build(make, leaves, steps)
    places = {id(node): place for place, node in enumerate(nodes)}
    order(nodes[root])
    order(nodes[root - 1])
    return [places.get(id(node), -1) for node in order(nodes[root])]


def gradients(make, backprop, leaves, steps, roots):
    """The gradient of each node after `backprop` from each of the roots, one after the other."""
    nodes = build(make, leaves, steps)
    found = []
    for root in roots:
        backprop(nodes[root])
        found.append([node.grad for node in nodes])
    return found
