"""Nodes of equal value are taken for one."""
# loses: order
# killed by: test_parents_come_first


# %% order-solution
def order(root):
    found, seen, waiting = [], set(), [(root, False)]
    while waiting:
        node, has_parents_in = waiting.pop()
        if has_parents_in:
            found.append(node)
        elif node.value not in seen:
            seen.add(node.value)
            waiting.append((node, True))
            waiting += [(parent, False) for parent in node.parents]
    return found
