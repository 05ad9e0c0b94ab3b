"""Labelled wrong answers, to measure how often a diagnosis names the true cause.

A wrong answer is a pair of tensors that come from the right and the wrong code of a student's task.
The corpus has two parts with different tasks: with `development` hypotheses may be written and tuned;
the held-out part is for measuring alone.
"""
