"""Calls the operator below the forbidden function, which has another name."""
# expect: double=4
# staff: uses torch.ops.aten._softmax, which can call anything

# %% softmax-solution
def softmax(x):
    return torch.ops.aten._softmax(x, -1, False)
