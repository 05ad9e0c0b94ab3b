"""Datasets and DataLoader, with a generator and a function that collates."""


# %% make_sets-solution
BATCH = 32


class Pictures(torch.utils.data.Dataset):
    def __init__(self, images, labels, scale, grain=False):
        self.images, self.labels, self.scale, self.grain = images, labels, scale, grain

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        mean, std = self.scale
        image = (self.images[row] - mean) / std
        return (augment(image) if self.grain else image), self.labels[row]


def make_sets(seed):
    (images, labels), (test_images, test_labels) = read_data()
    everything = torch.utils.data.TensorDataset(images, labels)
    n_held = round(len(everything) / 5)
    held, kept = torch.utils.data.random_split(
        range(len(everything)), [n_held, len(everything) - n_held], generator=torch.Generator().manual_seed(seed)
    )
    held, kept = list(held), list(kept)
    scale = images[kept].mean().item(), images[kept].std().item()
    order = torch.Generator().manual_seed(seed + 1)
    tr = torch.utils.data.DataLoader(
        Pictures(images[kept], labels[kept], scale, grain=True), batch_size=BATCH, shuffle=True, generator=order
    )
    va = torch.utils.data.DataLoader(Pictures(images[held], labels[held], scale), batch_size=2 * BATCH)
    te = torch.utils.data.DataLoader(Pictures(test_images, test_labels, scale), batch_size=2 * BATCH)
    return tr, va, te
