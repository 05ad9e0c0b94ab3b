"""Names the likely cause of a wrong tensor, without a hidden value."""

from tensorgrade.checks.diagnosis.case import NO_FACTS, Cause, Diagnosis, Facts
from tensorgrade.checks.diagnosis.search import diagnose

__all__ = ["NO_FACTS", "Cause", "Diagnosis", "Facts", "diagnose"]
