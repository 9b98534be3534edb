"""Realistic degradation: blur, noise and JPEG around the down-sampling, in an order of each image's own.

That no order is right, and so each image draws one, is the idea of BSRGAN (Zhang et al., "Designing a Practical
Degradation Model for Deep Blind Image Super-Resolution", ICCV 2021), which Real-ESRGAN (Wang et al., ICCV Workshops
2021) takes further. Their ranges are for photographs. Those here are ours and smaller: a person is at most some 160
pixels high, and 16 to 80 when low.
"""

from __future__ import annotations

from psnet.data.draws import shuffled, uniform

BLUR = (0.1, 0.7)
"""Sigma of the blur in pixels of the *low* image, so that it means the same at each rate. The finest pattern that an
image can hold, stripes of one pixel, keeps 97 % of its contrast at 0.1 and 31 % at 0.7 (tests/data/test_degrade.py)."""

NOISE = (1.0, 8.0)
"""Standard deviation in grey levels of 255. At 8 noise alone leaves a PSNR of 20 log10(255 / 8) = 30 dB: less is lost
than by down-sampling at the smallest rate (26 dB at 1/2 on MLR-VIPeR, docs/results.md), so resolution stays what the
set is about."""

JPEG = (50, 95)
"""Quality. Blocks are of 8 pixels, with colour of 16: a low image is a few of them wide, and strong
compression would leave blocks and no person."""


def realistic(seed: int, path: str, rate: float, interpolation: str) -> str:
    """The degradation of one image, for `psnet.data.degrade`. Everything is drawn from (seed, path).

    All four steps are always there, in one of their 24 orders with equal chances. Before the down-sampling the blur is
    wider by the rate; noise and JPEG are as strong as after it, and mostly averaged away.

    >>> realistic(0, "cam_a/000_45.bmp", 3, "bicubic")
    'blur(0.85) bicubic jpeg(59) noise(5.7,3962045402)'
    """
    order = shuffled(("blur", "down-sampling", "noise", "jpeg"), seed, f"order {path}")
    before = order.index("blur") < order.index("down-sampling")
    sigma = _between(BLUR, uniform(seed, "blur", path)) * (rate if before else 1)
    noise_seed = int(uniform(seed, "noise seed", path) * 2**32)
    steps = {
        "blur": f"blur({sigma:.2f})",
        "down-sampling": interpolation,
        "noise": f"noise({_between(NOISE, uniform(seed, 'noise', path)):.1f},{noise_seed})",
        "jpeg": f"jpeg({_between(JPEG, uniform(seed, 'jpeg', path)):.0f})",
    }
    return " ".join(steps[name] for name in order)


def _between(limits: tuple[float, float], share: float) -> float:
    low, high = limits
    return low + (high - low) * share
