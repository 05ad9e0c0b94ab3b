"""What the grader asks of a function beside its result. It runs beside the student's code and holds nothing secret."""


def input_after_change(function, x, *others):
    """The input as it is after a call whose result was then filled with another number."""
    function(x, *others).fill_(7)
    return x


def of_view(function, x, *others):
    """The result for the same input, whose numbers do not lie in memory in their order."""
    return function(x.mT.contiguous().mT, *others)
