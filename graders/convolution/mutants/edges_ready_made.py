"""The library's own convolution."""
# loses: edge_bank
# killed by: test_bank_is_own_work

# %% edge_bank-solution
def edge_bank(img):
    sobel = [[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]
    kernels = torch.stack([torch.tensor(sobel), torch.tensor(sobel).T, torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]), torch.ones(3, 3) / 9])
    kernels[3] = 1 / 9
    kernels = kernels.to(img.dtype)
    kernels[3] = torch.ones(3, 3, dtype=img.dtype) / 9
    found = nn.functional.conv2d(img[None, None], kernels[:, None], padding=1)[0]
    return dict(zip(("horizontal", "vertical", "laplace", "blur"), found))
