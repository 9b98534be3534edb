"""One data set, read, verified, made an MLR set and checked, before anything else is started."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from psnet.data.manifest import Manifest, posix
from psnet.data.manifest_file import check_sources, read_manifest
from psnet.data.protocol import MLRProtocol, variants_of
from psnet.data.readers import describe
from psnet.data.roles import build_manifest
from psnet.data.samples import NO_CAMERA, DataError, SampleSet
from psnet.data.verify import verify_images

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MLRSource:
    """A reader, a protocol, and what to do about images and people that do not fit.

    Args:
        reader: called without arguments, returns the set.
        protocol: makes it an MLR set.
        manifest: use this manifest (written by `psnet build-mlr` or kept with a run) instead of drawing one.
        camera_rule: a query's gallery leaves out images of the same person by the same camera.
        on_unreadable: "error", or "skip" to leave such images out and say how many.
        singletons: training identities with one image: "error", "drop", or "keep" (their positive is the image
            itself under another augmentation).
        unmatched_queries: query images without a gallery match: "error", or "skip" (counted in each result).
    """

    reader: Callable[[], SampleSet]
    protocol: MLRProtocol = field(default_factory=MLRProtocol)
    manifest: str | None = None
    camera_rule: bool = True
    on_unreadable: str = "error"
    singletons: str = "error"
    unmatched_queries: str = "error"

    def __post_init__(self) -> None:
        choices = {"on_unreadable": ("error", "skip"), "singletons": ("error", "drop", "keep")}
        for name, allowed in {**choices, "unmatched_queries": ("error", "skip")}.items():
            if getattr(self, name) not in allowed:
                raise DataError(f"dataset.source.{name}={getattr(self, name)!r} must be one of {', '.join(allowed)}")

    def prepare(self) -> Manifest:
        """The checked manifest.

        Raises:
            DataError: anything that would stop or spoil a training later.
        """
        found = self.reader()
        sizes, sha256, skipped = verify_images(found, on_unreadable=self.on_unreadable)
        log.info("%s", describe(found, sizes))
        if skipped:
            log.warning("%s: %d unreadable images are left out, the first is %s", found.name, len(skipped), skipped[0])
        if self.manifest is not None:
            self._check_unused()
            manifest = read_manifest(Path(self.manifest), {found.name: found.root})
            check_sources(manifest, {posix(path): digest for path, digest in sha256.items()})
        else:
            manifest = build_manifest(found, self.protocol, sha256)
        manifest = self._without_singletons(manifest)
        self._check_matches(manifest)
        return manifest

    def _check_unused(self) -> None:
        variants = variants_of(asdict(self.protocol))
        if variants:
            text = ", ".join(f"{name}={value}" for name, value in variants.items())
            raise DataError(
                f"{text} would change nothing: dataset.source.manifest={self.manifest} makes exactly that set, "
                "whatever the protocol says; leave the variant out, or say dataset.source.manifest=null"
            )
        if self.protocol.split:
            log.warning(
                "dataset.source.manifest=%s makes exactly that set; split=%d is its name alone",
                self.manifest,
                self.protocol.split,
            )

    def _without_singletons(self, manifest: Manifest) -> Manifest:
        counts = Counter(row.pid for row in manifest.split("train"))
        single = {pid for pid, count in counts.items() if count == 1}
        if not single or self.singletons == "keep":
            return manifest
        if self.singletons == "error":
            raise DataError(
                f"{len(single)} training identities have one image only, e.g. pid {min(single)}: they have no positive "
                "pair. Add images, or say dataset.source.singletons=drop or =keep"
            )
        log.warning("%d training identities with one image are left out", len(single))
        rows = tuple(row for row in manifest.rows if row.split != "train" or row.pid not in single)
        return replace(manifest, rows=rows)

    def _check_matches(self, manifest: Manifest) -> None:
        for split, need in (
            ("train", "to train on"),
            ("query", "to search for"),
            ("gallery", "to search in"),
        ):
            if not manifest.split(split):
                raise DataError(
                    f"no image is left {need} (split {split!r}); look at dataset.source.protocol "
                    "and at the splits of the set"
                )
        query, gallery = manifest.split("query"), manifest.split("gallery")
        if self.camera_rule and any(row.camid == NO_CAMERA for row in query + gallery):
            raise DataError(
                "some images have no camera, so the same-camera rule cannot be applied; "
                "name the cameras, or say dataset.source.camera_rule=false"
            )
        seen = {(row.pid, row.camid) for row in gallery}
        cameras_of: dict[int, set[int]] = {}
        for pid, camid in seen:
            cameras_of.setdefault(pid, set()).add(camid)
        lost = [row for row in query if not self._has_match(row.camid, cameras_of.get(row.pid, set()))]
        if not lost:
            return
        people = sorted({row.pid for row in lost})
        text = (
            f"{len(lost)} of {len(query)} query images, of {len(people)} identities (e.g. pid {people[0]}, "
            f"{lost[0].path}), have no match in the gallery" + (" from another camera" if self.camera_rule else "")
        )
        if self.unmatched_queries == "error" or len(lost) == len(query):
            raise DataError(
                f"{text}. Add gallery images of them, set dataset.source.camera_rule=false if all images come from one "
                "camera, or, if some have one, say dataset.source.unmatched_queries=skip to count and leave them out"
            )
        log.warning("%s; they are counted and left out of every score", text)

    def _has_match(self, camid: int, cameras: set[int]) -> bool:
        return bool(cameras - {camid}) if self.camera_rule else bool(cameras)
