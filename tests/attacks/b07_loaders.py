"""Replaces everything that could read an answer: torch.load, pickle, json, msgpack."""
# falls: gradescope-utils
# expect: double=0 predict=0

# %% double-solution
import json
import pickle

import msgpack

torch.load = pickle.load = pickle.loads = json.load = json.loads = lambda *args, **kwargs: {"points": 4, "passed": True}
msgpack.unpackb = lambda *args, **kwargs: ("value", True)


def double(x):
    return torch.load("answer")

# %% predict-solution
def predict(x, labels, new):
    return pickle.loads(b"")
