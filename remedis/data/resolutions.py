"""Plausible resolutions of histology, in micrometres per pixel."""

# The strongest objective, 100x, images the pixels of a common camera, 6.5 micrometres wide, as
# 0.065 micrometres; finer pixels show nothing more, since light of 550 nm is resolved to 0.2 (Abbe:
# wavelength / (2 x numerical aperture 1.4)). Slide scanners have 0.1 to 1 at their finest level.
FINEST = 0.06
# A cell is about 10 micrometres wide: coarser pixels show no cells.
COARSEST = 20.0
# Scanners' own pixels lie within these limits.
_SCANNED = (0.1, 1.1)
EXPECTED = f"{FINEST:g} to {COARSEST:g} micrometres per pixel"


def is_plausible(mpp: float) -> bool:
    """Returns whether a number can be the micrometres per pixel of an image through a microscope.

    False for what is not finite. Most scanners have 0.25 (40x) or 0.5 (20x).
    """
    return FINEST <= mpp <= COARSEST


def remark(mpp: float) -> str:
    """Returns what an implausible resolution may stand for, as the end of a sentence, or nothing.

    Errors by powers of ten come from units (pixels per centimetre and per millimetre) and points.
    """
    for factor in (10, 100, 1000, 10_000):
        for meant in (mpp * factor, mpp / factor):
            if _SCANNED[0] <= meant <= _SCANNED[1]:
                return f" (is {meant:.4g} meant?)"
    return ""
