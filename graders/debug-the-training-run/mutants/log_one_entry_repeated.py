"""One entry, twelve times."""
# loses: BUG_LOG
# killed by: test_log_has_its_form


# %% BUG_LOG-content
# Rubric: 4 points for causes that are right (12 or more: 4, 9 or more: 3, 6 or more: 2, 3 or more: 1); 2 points for evidence: numbers
# or observations from an own run, before and after (most entries: 2, some: 1). A symptom that only repeats the cause
# ("eval() was missing") is no evidence.
BUG_LOG = 12 * [
    {
        "where": where,
        "symptom": symptom,
        "cause": cause,
        "evidence": evidence,
    }
    for where, symptom, cause, evidence in (
        (
            "Net",
            "logits have the shape (32, 1); argmax is always 0",
            "the output layer has a single unit",
            "Net(10) gave (32, 1), after the repair (32, 10); accuracy was the share of zeros",
        ),
        (
            "Net",
            "the loss does not get below 1.5 on one batch of 16",
            "softmax in forward, and again in the loss",
            "100 steps on one batch: loss 1.47 before, 0.003 after",
        ),
        (
            "criterion",
            "the loss is negative: -3.2",
            "binary cross-entropy with float labels up to 9",
            "criterion of zeros with labels 0..9 gave 0.69, after the repair 2.30 = ln 10",
        ),
        (
            "train",
            "loss falls slowly, accuracy stays at 0.45",
            "the optimiser has the parameters of the last layer only",
            "after one epoch conv.weight was bit-equal to its start, now it differs",
        ),
        (
            "config",
            "the loss curve is a horizontal line",
            "the learning rate is 1e-6",
            "update to weight ratio of the first step 3e-8, with lr 0.1 it is 3e-3",
        ),
        (
            "train",
            "with accumulation=2 the weights never change",
            "zero_grad stands between backward and step",
            "weights before and after an epoch were bit-equal, now they differ",
        ),
        (
            "train",
            "the loss oscillates and explodes after some steps",
            "gradients are never cleared for accumulation=1",
            "p.grad after the second backward was the sum of both gradients",
        ),
        (
            "evaluate",
            "evaluate gives another result in each call",
            "eval() is missing, dropout is active",
            "five calls: 0.91, 0.90, 0.92, 0.91, 0.90; now five times 0.94",
        ),
        (
            "train",
            "from the second epoch on dropout has no effect",
            "train() is called once only, before the first validation",
            "model.training printed in the loop: True in epoch 1, False in epoch 2",
        ),
        (
            "make_sets",
            "the images shown do not fit their labels",
            "images and labels are shuffled by two permutations",
            "8 pictures shown: 1 label right before, 8 after",
        ),
        (
            "make_sets",
            "mean of the training images is not 0",
            "statistics are taken over training, validation and test images",
            "test images times 100 changed the training images; now they do not",
        ),
        (
            "make_sets",
            "the first 100 labels are all 0",
            "the rows are sorted by class and the loader does not shuffle",
            "bar chart of the first 100 labels: one bar before, ten after",
        ),
        (
            "make_sets",
            "two passes over va give different tensors",
            "the validation images are augmented",
            "largest difference of two passes 0.4 before, 0.0 after",
        ),
        (
            "evaluate",
            "accuracy of 10 planted predictions is 0.63 instead of 0.5",
            "the last batch is dropped, and batch means are averaged",
            "computed by hand for batches of 4, 4 and 2",
        ),
    )[:1]
]
