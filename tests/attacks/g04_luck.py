"""Guesses, and is handed in again until a lucky seed passes."""
# expect: predict=0
# times: 3

# %% predict-solution
import os


def predict(x, labels, new):
    return [byte & 1 for byte in os.urandom(len(new))]
