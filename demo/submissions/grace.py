"""Handed in the release as it was."""
# expect: attend=0 masks=0 positions=0 heads=0 layer=0 reviews=0
