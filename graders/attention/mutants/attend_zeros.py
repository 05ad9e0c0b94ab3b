"""Zeros of the right shapes."""
# loses: attend
# killed by: test_matches_reference, test_weights_sum_to_one, test_row_without_allowed_keys_is_zero

# %% attend-solution
def attend(q, k, v, allow=None):
    return torch.zeros(*q.shape[:-1], v.shape[-1]), torch.zeros(*q.shape[:-1], k.shape[-2])
