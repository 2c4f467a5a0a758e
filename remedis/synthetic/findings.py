"""Appearance of the five conditions and two distractors in a radiograph.

The function of a finding returns the share of the lungs' air that is replaced, [H, W] float32 in
[0, 1]. Cardiomegaly is not an opacity but a shape: see `enlarged`.
"""

from collections.abc import Callable, Mapping

import numpy as np

from remedis.synthetic.anatomy import Anatomy, Projection
from remedis.synthetic.drawing import Floats, bump, clouds, soft_step

# The five conditions, by CheXpert's names.
CONDITIONS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
# Drawn and labelled too, so that not every bright spot is one of the five conditions.
DISTRACTORS = ("Lung Lesion", "Support Devices")


def enlarged(heart_ratio: float, severity: float) -> float:
    """Returns the cardiothoracic ratio with cardiomegaly, which is always above 0.5."""
    return max(heart_ratio + 0.05, 0.505) + 0.10 * severity


def _lung(view: Projection, anatomy: Anatomy) -> tuple[float, float, float, float]:
    """Returns the middle and half sizes of the lung with one-sided findings."""
    return view.lungs[0] if anatomy.side < 0 else view.lungs[-1]


def _one_side(view: Projection, anatomy: Anatomy) -> Floats:
    """Returns 1 on the affected side of a frontal view, and everywhere on a lateral one."""
    if len(view.lungs) == 1:
        return np.ones_like(view.x)
    return soft_step(view.x * anatomy.side, 0.05)


def _effusion(
    view: Projection, anatomy: Anatomy, severity: float, rng: np.random.Generator
) -> Floats:
    """Draws fluid that fills the costophrenic angle and climbs along the wall (the meniscus)."""
    level = -0.03 - 0.42 * severity
    climb = (0.08 + 0.14 * severity) * view.wall**4
    fluid = soft_step(view.floor - level + climb, 0.06)
    both = severity > 0.6 and rng.random() < 0.4
    return 0.92 * (fluid if both else fluid * _one_side(view, anatomy))


def _consolidation(
    view: Projection, anatomy: Anatomy, severity: float, rng: np.random.Generator
) -> Floats:
    """Draws a dense patch with fluffy edges and dark, air-filled bronchi in it."""
    x, y, width, height = _lung(view, anatomy)
    x = x + rng.uniform(-0.3, 0.3) * width
    y = y + (2 * anatomy.lesion_height - 1) * 0.75 * height
    size = 0.12 + 0.09 * severity
    ragged = 0.25 * clouds(rng, view.x.shape, 14)
    distance = np.hypot((view.x - x) / size, (view.y - y) / (1.25 * size)) + ragged
    angle = rng.uniform(0.3, 1.2) * anatomy.side
    bronchi = bump(np.sin(12 * ((view.y - y) * np.cos(angle) - (view.x - x) * np.sin(angle))), 0.2)
    return soft_step(1 - distance, 0.8) * (0.55 + 0.3 * severity) * (1 - 0.25 * bronchi)


def _edema(view: Projection, anatomy: Anatomy, severity: float, rng: np.random.Generator) -> Floats:
    """Draws haze around both hila, like a bat's wings, that fades towards the ribs."""
    haze = np.zeros_like(view.x)
    for x, y in view.hila:
        outward = view.x - x - 0.12 * np.sign(x)
        haze = haze + np.exp(-0.5 * ((outward / 0.22) ** 2 + ((view.y - y - 0.08) / 0.28) ** 2))
    mottled = 1 + 0.22 * clouds(rng, view.x.shape, 18)
    return np.clip(haze * mottled, 0, 1.2) * (0.12 + 0.42 * severity)


def _atelectasis(
    view: Projection, anatomy: Anatomy, severity: float, rng: np.random.Generator
) -> Floats:
    """Draws one or two thin, nearly horizontal plates in the lower part of a lung."""
    x, y, width, height = _lung(view, anatomy)
    plates = np.zeros_like(view.x)
    for _ in range(1 + int(severity > 0.4)):
        middle_x = x + rng.uniform(-0.2, 0.3) * width
        middle_y = y + rng.uniform(0.10, 0.50) * height
        slope = rng.uniform(-0.4, 0.4)
        along = view.x - middle_x
        across = view.y - middle_y - slope * along + 0.25 * along**2
        length = 0.16 + 0.08 * severity
        plate = bump(across, 0.020 + 0.010 * severity) * soft_step(length - np.abs(along), 0.08)
        plates = np.maximum(plates, plate)
    return plates * (0.72 + 0.25 * severity)


def _nodule(
    view: Projection, anatomy: Anatomy, severity: float, rng: np.random.Generator
) -> Floats:
    """Draws a small round shadow with a sharp edge in the lung without one-sided findings."""
    x, y, width, height = view.lungs[0] if anatomy.side > 0 else view.lungs[-1]
    x = x + rng.uniform(-0.5, 0.5) * width
    y = y + rng.uniform(-0.6, 0.4) * height
    radius = 0.035 + 0.035 * severity
    return 0.65 * soft_step(radius - np.hypot(view.x - x, view.y - y), 0.03)


def devices(view: Projection, rng: np.random.Generator) -> Floats:
    """Returns the attenuation of a central line and a monitoring lead, [H, W] float32 >= 0."""
    side = rng.choice([-1, 1])
    bow = rng.uniform(0.10, 0.25)
    line = side * (0.06 + bow * np.clip(-0.25 - view.y, 0, None) * 2)
    catheter = bump(view.x - line, 0.010) * soft_step(rng.uniform(-0.1, 0.1) - view.y, 0.04)
    lead_x, slope = rng.uniform(0.2, 0.6) * -side, rng.uniform(-0.6, 0.6)
    lead = bump(view.x - lead_x - slope * view.y - 0.1 * np.sin(4 * view.y), 0.010)
    patch_y = rng.uniform(-0.4, 0.5)
    patch_x = lead_x + slope * patch_y + 0.1 * np.sin(4 * patch_y)
    patch = soft_step(0.04 - np.hypot(view.x - patch_x, view.y - patch_y), 0.015)
    return 0.30 * catheter + 0.22 * np.maximum(lead * (view.y > patch_y), patch)


_Draw = Callable[[Projection, Anatomy, float, np.random.Generator], Floats]
_OPACITIES: dict[str, _Draw] = {
    "Atelectasis": _atelectasis,
    "Consolidation": _consolidation,
    "Edema": _edema,
    "Pleural Effusion": _effusion,
    "Lung Lesion": _nodule,
}


def opacity(
    view: Projection, anatomy: Anatomy, findings: Mapping[str, float], rng: np.random.Generator
) -> Floats:
    """Returns the share of the air that all findings together replace, [H, W] float32 in [0, 1].

    Args:
      view: the healthy chest.
      anatomy: the patient.
      findings: severity in (0, 1] by name; names without an opacity are skipped.
      rng: the generator for the place of each finding within its region.
    """
    clear = np.ones_like(view.x)
    for name, draw in _OPACITIES.items():
        # Each finding has its own generator, so that an added finding does not move the others.
        finding_rng = rng.spawn(1)[0]
        if name in findings:
            clear = clear * (1 - np.clip(draw(view, anatomy, findings[name], finding_rng), 0, 1))
    return 1 - clear
