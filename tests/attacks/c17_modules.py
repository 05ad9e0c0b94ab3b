"""Replaces modules in sys.modules and puts a finder before all others."""
# falls: pytest in the student's process
# expect: double=0

# %% double-solution
import sys
import types


class Easy(types.ModuleType):
    def __getattr__(self, name):
        return lambda *args, **kwargs: True


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        sys.modules[name] = Easy(name)


sys.meta_path.insert(0, Finder)
for _name in ("pytest", "unittest", "tensorgrade.checks", "tensorgrade.replies", "numpy.testing"):
    sys.modules[_name] = Easy(_name)


def double(x):
    return 0
