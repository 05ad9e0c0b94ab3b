"""Only the first parent of a node is followed."""
# loses: order
# killed by: test_parents_come_first


# %% order-solution
def order(root):
    found, seen, waiting = [], set(), [(root, False)]
    while waiting:
        node, has_parents_in = waiting.pop()
        if has_parents_in:
            found.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(parent, False) for parent in node.parents[:1]]
    return found
