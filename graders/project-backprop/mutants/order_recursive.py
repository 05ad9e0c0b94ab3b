"""A function calls itself for every parent."""
# loses: order
# killed by: test_long_chain_is_listed


# %% order-solution
def order(root):
    found, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            found.append(node)

    visit(root)
    return found
