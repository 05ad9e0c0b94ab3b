"""NumPy draws the split and the order, and computes the statistics; scaled after the batch is drawn."""


# %% make_sets-solution
import numpy as np

BATCH = 32


class NumpyBatches:
    def __init__(self, images, labels, mean, std, order=None):
        self.images, self.labels, self.mean, self.std, self.order = images, labels, mean, std, order

    def __len__(self):
        return (len(self.labels) + 24) // 25

    def __iter__(self):
        n = len(self.labels)
        rows = np.arange(n) if self.order is None else self.order.permutation(n)
        for start in range(0, n, 25):
            batch = rows[start : start + 25]
            images = torch.from_numpy((self.images[batch] - self.mean) / self.std).float()
            if self.order is not None:
                images = augment(images)
            yield images, torch.from_numpy(self.labels[batch])


def make_sets(seed):
    (images, labels), (test_images, test_labels) = read_data()
    rng = np.random.default_rng(seed)
    images, labels = images.numpy(), labels.numpy()
    rows = rng.permutation(len(labels))
    held, kept = np.split(rows, [len(rows) // 5])
    mean, std = images[kept].mean(), images[kept].std()
    return (
        NumpyBatches(images[kept], labels[kept], mean, std, rng),
        NumpyBatches(images[held], labels[held], mean, std),
        NumpyBatches(test_images.numpy(), test_labels.numpy(), mean, std),
    )
