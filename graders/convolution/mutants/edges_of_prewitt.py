"""The middle column of the first kernel has weight 1 instead of 2."""
# loses: edge_bank
# killed by: test_bank_matches_its_kernels[horizontal], test_even_pictures_have_no_edges

# %% edge_bank-solution
def edge_bank(img):
    sobel = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
    kernels = {
        "horizontal": torch.tensor(sobel),
        "vertical": torch.tensor(sobel).T,
        "laplace": torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        "blur": torch.ones(3, 3, dtype=img.dtype) / 9,
    }
    columns = patches(frame(img[None, None], (1, 1)), (3, 3), (1, 1))[0]  # (9, H * W)
    return {name: (kernel.to(img.dtype).flatten() @ columns).reshape(img.shape) for name, kernel in kernels.items()}
