"""The identity in the place of a super-resolution network."""

from __future__ import annotations

import torch

from psnet.models import NoRestoration


def test_it_leaves_the_image_alone():
    image = torch.rand(2, 3, 8, 4)
    network = NoRestoration()
    assert torch.equal(network(image), image)
    assert not list(network.parameters())
    assert not network.state_dict()
