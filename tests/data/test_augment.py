"""The published augmentations, as conf/augment has them, against images whose every pixel says where it was."""

from __future__ import annotations

import numpy as np
import torch
from torchvision import tv_tensors

from psnet.configuration import build
from psnet.data.dataset import Augmentation
from tests.composed import composed
from tests.tasks.tiny import released

HEIGHT, WIDTH = 256, 128
BORDER = 10


def augmented(augment: Augmentation, *images: np.ndarray, seed: int) -> list[np.ndarray]:
    torch.manual_seed(seed)
    return [image.numpy() for image in augment(tv_tensors.Image(torch.from_numpy(np.stack(images))))]


def found_in(result: np.ndarray, source: np.ndarray) -> tuple[bool, int, int]:
    """(mirrored, row, column) of the crop that the result is of the source with 10 black pixels around it."""
    places = []
    for mirrored in (False, True):
        padded = np.zeros((3, HEIGHT + 2 * BORDER, WIDTH + 2 * BORDER), np.uint8)
        padded[:, BORDER:-BORDER, BORDER:-BORDER] = source[:, :, ::-1] if mirrored else source
        for row in range(2 * BORDER + 1):
            for column in range(2 * BORDER + 1):
                if np.array_equal(result, padded[:, row : row + HEIGHT, column : column + WIDTH]):
                    places.append((mirrored, row, column))
    (place,) = places
    return place


def test_phase_2_pads_with_black_and_crops_both_images_alike():
    random = np.random.default_rng(0)
    low, high = random.integers(1, 256, (2, 3, HEIGHT, WIDTH), dtype=np.uint8)
    augment = released("phase2").augment
    places = []
    for seed in range(40):
        first, second = augmented(augment, low, high, seed=seed)
        places.append(found_in(first, low))
        assert found_in(second, high) == places[-1]
    mirrored = sum(place[0] for place in places)
    assert 8 <= mirrored <= 32  # 20 expected, within 4 standard deviations
    for axis in (1, 2):
        offsets = {place[axis] for place in places}
        assert min(offsets) < 5
        assert max(offsets) > 15


def test_phase_1_mirrors_and_varies_light_by_a_tenth():
    """Left half of grey 90, right half of grey 150. Whichever comes first, light changes the mean by b and contrast the
    difference by b * c; saturation changes no grey."""
    pixels = np.full((3, HEIGHT, WIDTH), 90, np.uint8)
    pixels[:, :, WIDTH // 2 :] = 150
    augment = released("phase1").augment
    mirrored, light, contrast = [], [], []
    for seed in range(60):
        (result, _) = augmented(augment, pixels, pixels, seed=seed)
        assert result.shape == pixels.shape
        left, right = result[:, :, 0].astype(float), result[:, :, -1].astype(float)
        assert np.ptp(left) == np.ptp(right) == 0  # grey stays grey, and nothing is padded or cropped
        assert np.array_equal(result[0, :, 0], result[0, :, WIDTH // 2 - 1])
        mirrored.append(left[0, 0] > right[0, 0])
        light.append((left[0, 0] + right[0, 0]) / 2 / 120)
        contrast.append(abs(right[0, 0] - left[0, 0]) / 60 / light[-1])
    assert 14 <= sum(mirrored) <= 46
    for factors, rounding in ((light, 0.02), (contrast, 0.05)):
        assert 0.9 - rounding <= min(factors) < 0.93 + rounding
        assert 1.07 - rounding < max(factors) <= 1.1 + rounding


def test_phase_1_leaves_the_hue():
    """Saturation moves all channels towards their common grey and back: their order and relative place stay."""
    colour = np.array([200, 120, 60], np.uint8)
    pixels = np.broadcast_to(colour[:, None, None], (3, HEIGHT, WIDTH)).copy()
    augment = released("phase1").augment
    spreads = []
    for seed in range(60):
        red, green, blue = augmented(augment, pixels, pixels, seed=seed)[0][:, 0, 0].astype(float)
        assert abs((green - blue) / (red - blue) - 60 / 140) < 0.02
        spreads.append((red - blue) / 140)
    assert min(spreads) >= 0.9**3 - 0.02  # light, contrast and saturation at their least
    assert max(spreads) <= 1.1**3 + 0.02
    assert min(spreads) < 0.93
    assert max(spreads) > 1.07


def test_strong_hides_the_same_part_of_both_images():
    """A light pair: what is hidden is black. The crop's black border is at most 5 wide, so it is left out."""
    low, high = np.full((2, 3, 128, 64), 200, np.uint8)
    augment = build(composed("+recipe@x=small", "augment@x.augment=strong").x).augment
    hidden = []
    for seed in range(60):
        first, second = augmented(augment, low, high, seed=seed)
        assert np.array_equal(first, second)
        hidden.append((first[:, 6:-6, 6:-6] == 0).mean())
    shown = np.array(hidden)
    assert 10 <= (shown > 0).sum() <= 40  # 24 expected
    assert shown.max() < 0.4


def test_erasing_hides_the_same_place_of_both_images():
    """Half of the pairs; a rectangle of 2 to 40 % of the image, black."""
    random = np.random.default_rng(0)
    pair = torch.from_numpy(random.integers(1, 256, (2, 3, HEIGHT, WIDTH), dtype=np.uint8))
    erasing = build(composed("+recipe@x=phase2", "augment@x.augment=erasing").x).augment.transforms[-1]
    shares = []
    for seed in range(200):
        torch.manual_seed(seed)
        hidden = (erasing(pair) == 0).all(dim=1)
        assert torch.equal(hidden[0], hidden[1])
        shares.append(hidden[0].float().mean().item())
        rows, columns = hidden[0].any(1).sum(), hidden[0].any(0).sum()
        assert hidden[0].sum() == rows * columns
    erased = [share for share in shares if share]
    assert 72 <= len(erased) <= 128  # 100 expected, within 4 standard deviations
    assert 0.01 < min(erased) < 0.1 < 0.3 < max(erased) < 0.41
