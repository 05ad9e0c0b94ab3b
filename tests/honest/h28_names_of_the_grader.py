"""Calls its own things check, student, rng, test_double, Worker and torch_calls."""

# %% double-solution
student, rng, Worker, outputs, WORD = 1, None, object, [], "mine"


def test_double():
    assert double(torch.ones(1)) == 2


def double(x):
    torch_calls = x
    return torch_calls + x


test_double()


class CheckFailure(Exception):
    pass
