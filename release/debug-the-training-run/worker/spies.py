"""Models and loaders that note how they are used. They run beside the student's code and hold nothing secret."""

import weakref

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

KEPT_WEIGHTS = 8


class Loader:
    """Batches, with something that happens after each pass."""

    def __init__(self, batches, after=lambda: None):
        self.batches, self.after = batches, after

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for images, labels in self.batches:
            yield images.clone(), labels.clone()
        self.after()


class Token:
    """Lives as long as the piece of a graph that holds it."""


class Marked(torch.autograd.Function):
    """Changes nothing; leaves a token in the graph."""

    @staticmethod
    def forward(ctx, x, living):
        """The same values; `living` gets a token of this graph."""
        ctx.token = Token()
        living.add(ctx.token)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        """The same gradient."""
        return gradient, None


class Spy(nn.Module):
    """A small classifier, images (N, 1, 8, 8) to logits (N, n_classes), that notes how it is used.

    Attributes:
        forwards: of each call, the first pixel, whether it records a graph, whether the spy was in training mode,
            and how many earlier graphs live.
        weights: before each of the first calls that record a graph, all parameters by name.
        logit_gradients: the gradient of the loss with respect to the logits, of each backward pass.
        gradients: of each backward pass and parameter, its name, what was added to .grad, and what is there then.
    """

    def __init__(self, n_classes, drop=0.0):
        super().__init__()
        self.first, self.drop, self.second = nn.Linear(64, 12), nn.Dropout(drop), nn.Linear(12, n_classes)
        self.forwards, self.weights, self.logit_gradients, self.gradients = [], [], [], []
        self.living = weakref.WeakSet()

    def forward(self, images):
        """The logits."""
        learning = torch.is_grad_enabled()
        self.forwards.append((float(images[0, 0, 0, 0]), learning, self.training, len(self.living)))
        if learning and len(self.weights) < KEPT_WEIGHTS:
            self.weights.append(self.copied())
        logits = self.second(self.drop(self.first(images.flatten(1)).tanh()))
        if logits.requires_grad:
            logits = Marked.apply(logits, self.living)
            logits.register_hook(lambda gradient: self.logit_gradients.append(gradient.clone()))
        return logits

    def copied(self):
        """The parameters as they are now."""
        return {name: one.detach().clone() for name, one in self.named_parameters()}

    def note_gradients(self):
        """Note from now on what each backward pass adds to .grad, and what is there then."""
        for name, parameter in self.named_parameters():
            added = []
            parameter.register_hook(lambda gradient, added=added: added.append(gradient.clone()))
            parameter.register_post_accumulate_grad_hook(
                lambda one, name=name, added=added: self.gradients.append((name, added[-1], one.grad.clone()))
            )


def watch(functions, changes, training, validation):
    """Train a spy; returns the history, what the spy has noted, its weights at the end, and how it evaluates then.

    After each pass over the validation batches the spy is in evaluation mode, whoever made the pass.
    """
    train, evaluate, config = functions
    torch.manual_seed(0)
    model = Spy(3)
    model.note_gradients()
    history = train(model, Loader(training), Loader(validation, model.eval), {**config(), **changes})
    return {
        "history": history,
        "evaluated": evaluate(model, Loader(validation)),
        "forwards": model.forwards,
        "weights": [*model.weights, model.copied()],
        "logit_gradients": model.logit_gradients,
        "gradients": model.gradients,
    }


class Elsewhere(torch.overrides.TorchFunctionMode):
    """Treats the device "meta", which has no values, as if it had: it refuses tensors of two devices, as a GPU does.

    What is read from it is 0.
    """

    reading = ("item", "__float__", "__int__", "__bool__", "__index__", "tolist", "numpy", "cpu")
    moving = ("to", "cpu", "cuda", "copy_", "__getitem__", "__setitem__", "__get__", "__set__", "load_state_dict")

    def __init__(self):
        super().__init__()
        self.refused = None

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = func.__name__
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        devices = {one.device.type for one in tensors if one.dim() > 0}
        if len(devices) > 1 and name not in self.moving:
            self.refused = name
            raise RuntimeError(f"expected all tensors to be on the same device, found {sorted(devices)}")
        if tensors and tensors[0].device.type == "meta":
            if name in self.reading:
                zeros = torch.zeros(tensors[0].shape, dtype=tensors[0].dtype)
                return func(zeros, *args[1:], **(kwargs or {}))
            if name == "to" and any(str(one) == "cpu" for one in (*args[1:], *(kwargs or {}).values())):
                return torch.zeros(tensors[0].shape, dtype=tensors[0].dtype)
        return func(*args, **(kwargs or {}))


def elsewhere(work):
    """Run something under that mode; returns which function refused, if one did."""
    with Elsewhere() as mode:
        try:
            work()
        except RuntimeError:
            if mode.refused is None:
                raise
    return mode.refused


def train_elsewhere(train, config, changes, training, validation):
    """Train a model that lives on "meta"; the validation batches are there already."""
    there = [(images.to("meta"), labels.to("meta")) for images, labels in validation]
    model = Spy(3).to("meta")
    return elsewhere(lambda: train(model, Loader(training), Loader(there), {**config(), **changes}))


def evaluate_elsewhere(evaluate, batches):
    """Evaluate a model that lives on "meta"."""
    model = Spy(3).to("meta")
    return elsewhere(lambda: evaluate(model, Loader(batches)))


class Restless(nn.Module):
    """A classifier with dropout and batch norm, images (N, 1, 8, 8) to logits (N, n_classes)."""

    def __init__(self, n_classes):
        super().__init__()
        self.norm, self.drop, self.out = nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, n_classes)

    def forward(self, images):
        """The logits."""
        return self.out(self.drop(self.norm(images.flatten(1))))


def evaluate_often(evaluate, batches, number):
    """Evaluate one model several times; returns the results, and its weights and buffers before and after."""
    torch.manual_seed(0)
    model = Restless(3).train()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    results = []
    for _ in range(number):
        results.append(evaluate(model, Loader(batches)))
        model.train()
    return results, before, model.state_dict()


class Planted(nn.Module):
    """Its logits stand in the first pixels of each image."""

    def __init__(self, n_classes):
        super().__init__()
        self.n_classes = n_classes
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        """The logits."""
        return images.flatten(1)[:, : self.n_classes] * self.scale


def evaluate_planted(evaluate, batches, n_classes):
    """Evaluate predictions that are known."""
    return evaluate(Planted(n_classes), Loader(batches))
