"""The words a grader author uses about tensors."""

from tensorgrade.checks.closeness import assert_close, assert_shape, unpack_tensors

__all__ = ["assert_close", "assert_shape", "unpack_tensors"]
