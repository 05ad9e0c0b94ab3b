"""Writes and reads files of its own, in its folder and in a temporary one."""

# %% double-solution
import pathlib
import tempfile

pathlib.Path("notes.txt").write_text("2")


def double(x):
    with tempfile.TemporaryDirectory() as folder:
        torch.save(x, f"{folder}/x.pt")
        x = torch.load(f"{folder}/x.pt")
    return x * int(pathlib.Path("notes.txt").read_text())
