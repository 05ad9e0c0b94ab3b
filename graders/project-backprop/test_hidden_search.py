"""The hidden checks of the choice: candidates whose accuracies are planned, and digits that nobody has seen."""

import pytest
import torch

from tensorgrade.checks import Facts, assert_close, measure
from tensorgrade.data import load_digits
from tensorgrade.errors import CheckFailure

EXACT = {"rtol": 1e-9, "atol": 1e-9}


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


ROWS = {"train": 9, "val": 8, "test": 5}


def table_data(rng, features=None):
    """Data whose row number i is the unit vector e_i, so that a network is the table of its scores."""
    total = sum(ROWS.values())
    labels = torch.randint(3, (total,), generator=rng)
    parts = zip(
        torch.eye(total, dtype=torch.float64).split(list(ROWS.values())), labels.split(list(ROWS.values())), strict=True
    )
    return dict(zip(ROWS, parts, strict=True)), labels


def table_of(rng, labels, right):
    """Scores (3, rows) that are highest at the right class in so many rows of each part."""
    answers = []
    for (part, rows), own in zip(ROWS.items(), labels.split(list(ROWS.values())), strict=True):
        wrong = (own + torch.randint(1, 3, (rows,), generator=rng)) % 3
        order = torch.randperm(rows, generator=rng)
        answers.append(torch.where(order < right[part], own, wrong))
    scores = torch.rand(3, len(labels), generator=rng, dtype=torch.float64)
    scores[torch.cat(answers), torch.arange(len(labels))] += 1.5
    return scores - 1.0 - 2 * torch.rand(len(labels), generator=rng, dtype=torch.float64)


# How many rows each candidate gets right: of the training, validation and test set. The best differs from part to part.
CANDIDATES = {
    "third": ((9, 3, 4), (5, 4, 5), (6, 7, 2), (2, 6, 3)),
    "tied": ((9, 2, 1), (4, 6, 3), (5, 6, 5), (9, 6, 4)),
    "alone": ((3, 5, 1),),
    "last": ((8, 0, 5), (9, 1, 5), (1, 2, 0)),
    "perfect": ((2, 1, 5), (3, 8, 0), (9, 7, 4), (7, 7, 5), (9, 8, 5)),
}
WINNERS = {"third": 2, "tied": 1, "alone": 0, "last": 2, "perfect": 1}


def draw_case(rng, name):
    """Tables, a grid of settings in any order of their keys, and the data."""
    data, labels = table_data(rng)
    tables = [table_of(rng, labels, dict(zip(ROWS, right, strict=True))) for right in CANDIDATES[name]]
    grid = [{"number": number, "lr": 0.1 * (number + 1), "hidden": [number]} for number in range(len(tables))]
    return tables, grid, data


def chosen(student, name, tables, grid, data):
    """What search returned, as {"best": dict, "val": tensor, "test": tensor}, and how it trained."""
    found, trainings = student.load("experiment").choose(student.search, tables, grid, data, 61)
    if type(found) is not dict or set(found) != {"best", "val", "test"}:
        raise CheckFailure("search: not the three keys", 'Return {"best": ..., "val": ..., "test": ...}.')
    val = found["val"] if type(found["val"]) is list else []
    if len(val) != len(grid) or not all(type(one) in (int, float) for one in [*val, found["test"]]):
        hint = '"val" must be a list with one number for each setting of the grid, and "test" one number.'
        raise CheckFailure(f"val: {found['val']!r:.200}, test: {found['test']!r:.200}", hint)
    return found, torch.tensor(val, dtype=torch.float64), trainings


@pytest.mark.task("search", weight=2)
@pytest.mark.needs("test_layers_follow_each_other")
@pytest.mark.parametrize("name", CANDIDATES)
def test_best_on_validation(student, rng, name):
    """The setting that is best on the validation set is picked, the first one of equals."""
    tables, grid, data = draw_case(rng, name)
    found, val, _ = chosen(student, name, tables, grid, data)
    expected = torch.tensor([right[1] / ROWS["val"] for right in CANDIDATES[name]], dtype=torch.float64)
    mistakes = {
        "These are per cent; an accuracy lies between 0 and 1.": 100 * expected,
        "These are counts. By what are they divided?": ROWS["val"] * expected,
    }
    assert_close(val, expected, **EXACT, name='"val"', facts=Facts(mistakes=mistakes))
    if found["best"] != grid[WINNERS[name]]:
        hint = '"best" is not the setting with the highest validation accuracy. Of equals the first is picked.'
        raise CheckFailure(f"best: expected {grid[WINNERS[name]]}, got {found['best']!r:.200}", hint)


@pytest.mark.task("search")
@pytest.mark.needs("test_best_on_validation")
@pytest.mark.parametrize("name", CANDIDATES)
def test_test_accuracy_of_the_best(student, rng, name):
    """The test accuracy is that of the setting that was picked."""
    tables, grid, data = draw_case(rng, name)
    found, _, _ = chosen(student, name, tables, grid, data)
    expected = torch.tensor(CANDIDATES[name][WINNERS[name]][2] / ROWS["test"], dtype=torch.float64)
    try:
        assert_close(torch.tensor(float(found["test"]), dtype=torch.float64), expected, **EXACT, name='"test"')
    except CheckFailure as failure:
        hint = '"test" is not the accuracy of the picked network on the test set.'
        raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("search")
@pytest.mark.needs("test_best_on_validation")
def test_set_is_used_once(student, rng):
    """The test set is evaluated for the picked setting alone."""
    tables, grid, data = draw_case(rng, "third")
    uses = student.load("experiment").uses_of_test(student.search, tables, grid, data, 62)
    if type(uses) is not int or uses > 1:
        hint = "The test set is evaluated for more than one candidate. It is used once, after the choice."
        raise CheckFailure(f"{uses!r:.20} evaluations on the test set", hint)
    # Not asked of a search that picks nothing.
    require_trainings(chosen(student, "third", tables, grid, data)[2], grid)


def require_trainings(trainings, grid):
    """Each setting was trained once, in order, on the training set, with the seed."""
    if type(trainings) is not list or [one[0] for one in trainings] != grid:
        hint = "train must be called once for each setting, in the order of the grid."
        raise CheckFailure(f"trained: {trainings!r:.300}", hint)
    if any(one[1:3] != (ROWS["train"], ROWS["train"]) for one in trainings):
        raise CheckFailure(f"rows: {trainings!r:.300}", "A candidate must be trained on the training set alone.")


@pytest.mark.task("search")
@pytest.mark.needs("test_best_on_validation")
def test_candidates_are_trained_alike(student, rng):
    """Every setting is trained once, on the training set, with the given seed; grid and data stay as they are."""
    tables, grid, data = draw_case(rng, "perfect")
    _, _, trainings = chosen(student, "perfect", tables, grid, data)
    require_trainings(trainings, grid)
    if any(one[3] != 61 for one in trainings):
        raise CheckFailure(
            f"seeds: {[one[3] for one in trainings]}", "Every candidate is trained with the seed that was given."
        )
    choose = student.load("experiment").choose
    _, _, after_grid, after_data, _ = student.arguments_after(choose, student.search, tables, grid, data, 61)
    same = all(torch.equal(x, y) for part in ROWS for x, y in zip(data[part], after_data[part], strict=True))
    if after_grid != grid or not same:
        raise CheckFailure("grid or data have changed", "search changes the grid or the data.")


def draw_digits(rng):
    """Two digits against two others: data of (X, t), and the true classes of the test set, which stay here.

    The pixels are in another order, each with another strength and some noise: public labels are of no use.
    """
    digits = load_digits()
    groups = POOL[torch.randperm(len(POOL), generator=rng)[:4]]
    rows = torch.isin(digits.labels, groups).nonzero().flatten()
    rows = rows[torch.randperm(len(rows), generator=rng)][: sum(SIZES)]
    x = digits.images[rows].double().flatten(1)[:, torch.randperm(64, generator=rng)]
    x = x * (0.5 + torch.rand(64, generator=rng, dtype=torch.float64)) + 0.05 * draw(rng, *x.shape)
    t = torch.isin(digits.labels[rows], groups[2:]).long()
    *known, (asked, hidden) = zip(x.split(SIZES), t.split(SIZES), strict=True)
    data = dict(zip(("train", "val"), known, strict=True))
    return data | {"test": (asked, torch.randint(2, hidden.shape, generator=rng))}, hidden


# Of these six any two pairs can be told apart about equally well; with 3, 5 and 8 it depends on the draw.
POOL = torch.tensor([0, 1, 4, 6, 7, 9])
SIZES = (320, 130, 260)  # rows for training, validation and test
DIGITS = {
    "hidden": [16],
    "act": "tanh",
    "classes": 2,
    "lr": 0.1,
    "decay": 0.0,
    "momentum": 0.9,
    "epochs": 15,
    "batch": 25,
}
GRID = [
    DIGITS | {"lr": 1e-5},
    DIGITS | {"momentum": 0.0, "lr": 0.001, "epochs": 2},
    DIGITS | {"hidden": [20, 10], "act": "relu"},
    DIGITS,
    DIGITS | {"decay": 3.0},
]


@pytest.mark.task("search", weight=2)
@pytest.mark.needs("test_best_on_validation", "test_training_is_own_work")
@pytest.mark.budget(cpu_seconds=30)
def test_digits_are_told_apart(student, calibrated):
    """The picked network tells apart digits that it has never seen."""
    run_it = student.load("experiment").selected

    def accuracy(run):
        data, hidden = draw_digits(run.rng)
        scores, _ = student.kept(run_it, student.search, student.train, student.run_forward, GRID, data, 71)
        return measure("accuracy", scores, hidden, n_classes=2)

    hint = (
        "The picked network is right on {percent} of 100 digits. Do several settings end at different "
        "validation accuracies, and does training lower the loss?"
    )
    calibrated("accuracy", accuracy, hint=hint)
