"""What was seen is kept from call to call."""
# loses: order
# killed by: test_order_can_be_asked_again


# %% order-solution
SEEN = set()


def order(root):
    found, seen, waiting = [], SEEN, [(root, False)]
    while waiting:
        node, has_parents_in = waiting.pop()
        if has_parents_in:
            found.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(parent, False) for parent in node.parents]
    return found
