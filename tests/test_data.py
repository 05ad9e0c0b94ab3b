"""The room `data`: what a generator promises about its reviews."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits as sklearn_digits

from tensorgrade.data import PAD, draw_reviews, load_digits, load_photo
from tensorgrade.data.negation import BAD, GOOD, LENGTH, NEGATORS, VOCABULARY


def seeded(number: int) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(number)


def mood(text: str) -> int:
    """The sum over the adjectives of a review, each turned around by a negator before it."""
    words = text.split()
    signs = {**dict.fromkeys(GOOD, 1), **dict.fromkeys(BAD, -1)}
    return sum(
        signs[word] * (-1 if words[place - 1] in NEGATORS else 1) for place, word in enumerate(words) if word in signs
    )


def test_labels_are_the_sign_of_the_sum() -> None:
    """Read again from the text, every label is right, and both occur about equally often."""
    reviews = draw_reviews(300, 0.3, seeded(1))
    assert [int(mood(reviews.text(row)) > 0) for row in range(300)] == reviews.labels.tolist()
    assert all(mood(reviews.text(row)) != 0 for row in range(300))
    assert 0.4 < reviews.labels.double().mean() < 0.6


def test_pads_follow_the_words() -> None:
    """Each row holds its words, then pads only, and no review is longer than the table is wide."""
    reviews = draw_reviews(100, 0.9, seeded(2))
    place = torch.arange(LENGTH)
    assert reviews.ids.shape == (100, LENGTH)
    assert torch.equal(reviews.ids == PAD, place >= reviews.lengths[:, None])
    assert len(set(VOCABULARY)) == len(VOCABULARY)


@pytest.mark.parametrize(("negation", "low", "high"), [(0.0, 0.0, 0.0), (0.3, 0.25, 0.35), (1.0, 1.0, 1.0)])
def test_negation_is_the_share_of_negated_clauses(negation: float, low: float, high: float) -> None:
    """The share of adjectives with a negator before them is the given probability."""
    reviews = draw_reviews(400, negation, seeded(3))
    words = [word for row in range(400) for word in reviews.text(row).split()]
    adjectives = sum(word in GOOD + BAD for word in words)
    assert low <= sum(word in NEGATORS for word in words) / adjectives <= high


def test_same_seed_same_reviews() -> None:
    """A generator in the same state gives the same reviews."""
    first, again, other = (draw_reviews(20, 0.3, seeded(seed)) for seed in (4, 4, 5))
    assert torch.equal(first.ids, again.ids)
    assert not torch.equal(first.ids, other.ids)


def test_renamed_reviews_say_the_same() -> None:
    """Other ids stand for the same words; the pad stays the pad."""
    reviews = draw_reviews(20, 0.3, seeded(6))
    renamed = reviews.renamed(seeded(7))
    assert [renamed.text(row) for row in range(20)] == [reviews.text(row) for row in range(20)]
    assert torch.equal(renamed.ids == PAD, reviews.ids == PAD)
    assert not torch.equal(renamed.ids, reviews.ids)
    assert renamed.part(5, 8).text(0) == reviews.text(5)


def test_photo_is_a_grey_picture(tmp_path: Path) -> None:
    """The photograph has grey values from 0 to 1 and its own proportions, also one of the reader's own."""
    photo = load_photo()
    assert photo.shape == (150, 128)
    assert photo.dtype == torch.float32
    assert 0 <= photo.min() < 0.1 < 0.9 < photo.max() <= 1
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "red.png")
    own = load_photo(tmp_path / "red.png", height=10)
    # 0.299 red: the luma of ITU-R 601, which Pillow's documentation names.
    assert torch.equal(own, torch.full((10, 20), 76 / 255))


def test_shipped_digits_can_be_told_apart() -> None:
    """Ten classes of about 180 pictures each; the nearest mean picture names 9 of 10 digits."""
    digits = load_digits()
    assert digits.images.shape == (1797, 8, 8)
    assert (digits.images.dtype, digits.labels.dtype) == (torch.float32, torch.int64)
    assert (digits.images.min(), digits.images.max()) == (0, 1)
    assert all(170 <= count <= 185 for count in digits.labels.bincount(minlength=10).tolist())
    means = torch.stack([digits.images[digits.labels == digit].mean(0) for digit in range(10)])
    nearest = torch.cdist(digits.images.flatten(1), means.flatten(1)).argmin(1)
    assert (nearest == digits.labels).double().mean() > 0.9


def test_shipped_digits_are_those_of_scikit_learn() -> None:
    """Its own loader gives the same pictures and labels, and it need not be imported to read them."""
    digits, theirs = load_digits(), sklearn_digits()
    assert torch.equal(digits.images * 16, torch.from_numpy(theirs.images).float())
    assert torch.equal(digits.labels, torch.from_numpy(theirs.target))
    command = "import sys; from tensorgrade.data import load_digits; load_digits(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_digits_of_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one folder of pictures per class goes the way that a data set of the hub goes."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for name, grey in (("dark", 51), ("light", 204)):
        (tmp_path / "own" / name).mkdir(parents=True)
        Image.new("RGB", (28, 28), (grey, grey, grey)).save(tmp_path / "own" / name / "one.png")
    digits = load_digits(str(tmp_path / "own"), size=4)
    assert digits.labels.tolist() == [0, 1]
    assert torch.equal(digits.images, torch.tensor([51 / 255, 204 / 255])[:, None, None].expand(2, 4, 4))


def test_data_set_without_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of texts is refused, with the columns that it has."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train.csv").write_text("text,mood\ngood,1\n")
    with pytest.raises(ValueError, match="has the columns text, mood"):
        load_digits(str(tmp_path / "own"))
