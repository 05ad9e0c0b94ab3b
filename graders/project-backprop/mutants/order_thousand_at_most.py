"""The recursion limit is raised a little."""
# loses: order
# killed by: test_long_chain_is_listed


# %% order-solution
import sys


def order(root):
    sys.setrecursionlimit(3000)
    found, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            found.append(node)

    visit(root)
    return found
