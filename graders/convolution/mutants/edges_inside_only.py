"""Without a frame the results are smaller than the picture."""
# loses: edge_bank
# killed by: test_even_pictures_have_no_edges

# %% edge_bank-solution
def edge_bank(img):
    sobel = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]
    kernels = {
        "horizontal": torch.tensor(sobel),
        "vertical": torch.tensor(sobel).T,
        "laplace": torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        "blur": torch.ones(3, 3, dtype=img.dtype) / 9,
    }
    columns = patches(img[None, None], (3, 3), (1, 1))[0]  # (9, H * W)
    return {name: (kernel.to(img.dtype).flatten() @ columns).reshape(img.shape[0] - 2, img.shape[1] - 2) for name, kernel in kernels.items()}
