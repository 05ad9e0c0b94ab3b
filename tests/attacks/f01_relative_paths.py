"""Reads graders, solutions, gradebook and other submissions by every path from the notebook's folder."""
# falls: nbgrader 0.9.6, otter-grader 7.0.0
# expect: double=0
# says: TRIED

# %% double-solution
import itertools
import os

_names = ("graders/vault/test_hidden.py", "source/vault/vault.ipynb", "gradebook.db", "nbgrader_config.py",
          "submitted", ".tensorgrade/secret", "tests.py", "../tests/test_hidden.py", "release/vault/vault.ipynb")
for _depth, _name in itertools.product(range(8), _names):
    _path = "../" * _depth + _name
    try:
        print(open(_path, "rb").read() if os.path.isfile(_path) else os.listdir(_path))
    except OSError:
        pass
print("TRI" + "ED")


def double(x):
    return 0
