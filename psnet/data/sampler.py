"""Which images meet in a batch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch.utils.data import Sampler

from psnet.data.samples import DataError

Draw = tuple[int, int]
"""(index of a row, seed of what is random about it)"""


def rank_and_world() -> tuple[int, int]:
    """This process's number and how many there are: (0, 1) outside of distributed training."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class PKBatchSampler(Sampler[list[Draw]]):
    """Batches of P identities x K images, as batch-hard triplets need them.

    Specification:

    - An epoch has ceil(N / (P K)) batches, N being the number of images, rounded down to a multiple of the number
      of processes, so that all have equally many; at least one each.
    - No identity is twice in a batch. Identities are dealt from a shuffled deck; a new deck is shuffled when it is
      empty, so that over time each identity appears equally often.
    - Images of an identity are dealt from a deck of its own that outlives the batch, none twice in a batch. Only an
      identity with fewer than K images gives some of them more than once (each with another augmentation).
    - Everything follows from (seed, epoch). The processes compute the same batches and take every world-th.
    - It yields (index, seed) pairs: the seed decides the augmentation of that image, so neither the number of
      workers nor of processes changes what is drawn.
    - Lightning does not call `set_epoch` of a custom batch sampler unless it finds it as `batch_sampler.sampler`:
      `sampler` is this object itself.

    Args:
        labels: identity of each row.
        identities: P. images: K.

    Raises:
        DataError: fewer identities than P, which would never fill a batch.
    """

    def __init__(self, labels: Sequence[int], identities: int, images: int, seed: int = 0) -> None:
        self.by_label: dict[int, list[int]] = defaultdict(list)
        for index, label in enumerate(labels):
            self.by_label[label].append(index)
        if len(self.by_label) < identities:
            raise DataError(
                f"a batch needs {identities} identities, the training set has {len(self.by_label)}; "
                "give a smaller model.recipe.batch.identities, or more training identities"
            )
        self.identities, self.images, self.seed, self.epoch = identities, images, seed, 0
        self.batches = math.ceil(len(labels) / (identities * images))
        self.sampler = self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return max(1, self.batches // rank_and_world()[1])

    def __iter__(self) -> Iterator[list[Draw]]:
        rank, world = rank_and_world()
        deal = self._deal()
        for number in range(len(self) * world):
            batch = next(deal)
            if number % world == rank:
                yield batch

    def _deal(self) -> Iterator[list[Draw]]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        people: list[int] = []
        decks: dict[int, list[int]] = {label: [] for label in self.by_label}
        while True:
            batch: list[Draw] = []
            for label in _draw(people, list(self.by_label), self.identities, random):
                for index in _draw(decks[label], self.by_label[label], self.images, random):
                    batch.append((index, int(torch.randint(2**62, (), generator=random))))
            yield batch


def _draw(deck: list[int], items: Sequence[int], number: int, random: torch.Generator) -> list[int]:
    """The next `number` from the top of a deck, which is shuffled anew when empty; none twice if there are others."""
    hand: list[int] = []
    while len(hand) < number:
        if not deck:
            deck += _shuffled(items, random)
        others = [item for item in deck if item not in hand]
        hand.append((others or deck)[-1])
        deck.remove(hand[-1])
    return hand


class ShardSampler(Sampler[int]):
    """Each image once over all processes: this one takes rank, rank + world, rank + 2 world, ... without padding."""

    def __init__(self, length: int) -> None:
        self.length = length

    def _range(self) -> range:
        rank, world = rank_and_world()
        return range(rank, self.length, world)

    def __len__(self) -> int:
        return len(self._range())

    def __iter__(self) -> Iterator[int]:
        return iter(self._range())


def _shuffled(items: Sequence[int], random: torch.Generator) -> list[int]:
    return [items[i] for i in torch.randperm(len(items), generator=random).tolist()]
