"""B10 is left: images and labels are shuffled by two permutations."""
# loses: make_sets
# killed by: test_images_keep_their_labels, test_nearest_mean_picture
# measured by: test_run_learns_the_digits


# %% make_sets-solution
BATCH = 32


class Batches:
    """A loader: images and their labels, batch by batch.

    Args:
        images: shape (n, 1, 8, 8).
        labels: shape (n,).
        shuffle: a torch.Generator that draws a new order for each pass; None: always the same order.
        augmented: whether the images get other grain in each pass.
    """

    def __init__(self, images, labels, shuffle=None, augmented=False):
        self.images, self.labels = images, labels
        self.shuffle, self.augmented = shuffle, augmented

    def __iter__(self):
        rows = torch.arange(len(self.labels))
        if self.shuffle is not None:
            rows = torch.randperm(len(self.labels), generator=self.shuffle)
        for batch in rows.split(BATCH):
            images = self.images[batch]
            yield (augment(images) if self.augmented else images), self.labels[batch]


def make_sets(seed):
    """Make the loaders of a run: training, validation, test."""
    (images, labels), (test_images, test_labels) = read_data()
    generator = torch.Generator().manual_seed(seed)

    # Chance decides what is held out.
    images = images[torch.randperm(len(images), generator=generator)]
    labels = labels[torch.randperm(len(labels), generator=generator)]

    # Sorted by class, every fifth is for validation: so each class has its share in both parts.
    by_class = labels.argsort(stable=True)
    images, labels = images[by_class], labels[by_class]
    held = torch.arange(len(labels)) % 5 == 4

    # Mean 0 and standard deviation 1.
    pixels = images[~held]
    mean, std = pixels.mean(), pixels.std()
    images, test_images = (images - mean) / std, (test_images - mean) / std

    tr = Batches(images[~held], labels[~held], shuffle=generator, augmented=True)
    va = Batches(images[held], labels[held])
    te = Batches(test_images, test_labels)
    return tr, va, te
