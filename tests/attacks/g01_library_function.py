"""Calls the function that the task asks students to write."""
# expect: softmax=0 double=4
# staff: calls torch.softmax, which is forbidden

# %% softmax-solution
def softmax(x):
    return torch.softmax(x, -1)
