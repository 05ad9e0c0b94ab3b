"""The training loop of the grader. It runs beside the student's code and holds nothing secret."""

import torch
from torch.nn import functional

LEARNING_RATE = 3e-3
BATCH = 32


def train(make_model, sizes, ids, lengths, labels, epochs):
    """Train a new model and return its parameters by name, and the loss of each batch."""
    model = make_model(*sizes)
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(BATCH):
            longest = int(lengths[batch].max())
            loss = functional.cross_entropy(model(ids[batch, :longest], lengths[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    return dict(model.named_parameters()), losses
