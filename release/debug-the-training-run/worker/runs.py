"""Feeds the script with the grader's data. It runs beside the student's code and holds nothing secret."""

import contextlib

import torch


@contextlib.contextmanager
def reading(read_data, data):
    """While this lasts, the notebook's read_data gives other data."""
    names = read_data.__globals__  # those of the notebook
    own = names["read_data"]
    names["read_data"] = lambda: tuple((images.clone(), labels.clone()) for images, labels in data)
    try:
        yield
    finally:
        names["read_data"] = own


def passes(make_sets, read_data, data, seed, number, disturbed=0):
    """For training, validation and test: the batches of each of several passes over the loader.

    Between the making of the loaders and the first pass torch's global generator is put into a state of its own.
    """
    with reading(read_data, data):
        sets = make_sets(seed)
        torch.manual_seed(disturbed)
        return [[[tuple(batch) for batch in loader] for _ in range(number)] for loader in sets]


def run(functions, data, seed, changes):
    """A whole run as main does it; returns its history, the logits of the test part, and its labels as they came.

    Args:
        functions: make_sets, Net, train, config and read_data of the notebook.
        data: what read_data shall give.
        seed: of the run.
        changes: of the settings.
    """
    make_sets, net, train, config, read_data = functions
    with reading(read_data, data):
        torch.manual_seed(seed)
        tr, va, te = make_sets(seed)
        model = net(10)
        history = train(model, tr, va, {**config(), **changes})
        model.eval()
        with torch.no_grad():
            answers = [(model(images), labels) for images, labels in te]
    return history, torch.cat([logits for logits, _ in answers]), torch.cat([labels for _, labels in answers])
