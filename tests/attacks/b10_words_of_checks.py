"""Replaces the words of tensorgrade.checks and its exceptions in the worker."""
# expect: double=0

# %% double-solution
import sys

import tensorgrade.checks
import tensorgrade.errors

for _module in [module for name, module in list(sys.modules.items()) if name.startswith("tensorgrade")]:
    for _name in [name for name in dir(_module) if name.startswith(("assert", "measure", "check"))]:
        setattr(_module, _name, lambda *args, **kwargs: None)
tensorgrade.errors.CheckFailure = tensorgrade.errors.WorkerLost = StopIteration


def double(x):
    return None
