"""Makes torch's own softmax, which a check may compare with, as wrong as the student's."""
# falls: a grader that computes its reference in the student's process
# expect: softmax=0

# %% softmax-solution
torch.softmax = torch.nn.functional.softmax = torch.Tensor.softmax = lambda x, *args, **kwargs: x * 0


def softmax(x):
    return x * 0
