"""Anatomy of an imaginary patient, and its attenuation of X-rays in two projections.

The unit of length is half the short side of the film. x runs to the viewer's right (the patient's
left), y downwards, and (0, 0) is the middle. The unit of attenuation is the one that leaves the
film unexposed: air is 0, abdomen about 1.
"""

import dataclasses

import numpy as np

from remedis.synthetic.drawing import Floats, bump, soft_step


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """The shape of one patient, the same in all radiographs.

    Attributes:
      chest: half the inner width of the rib cage.
      apex: y of the lung apices.
      base: y of the costophrenic angles.
      dome: height of the domes of the diaphragm above these angles.
      heart_ratio: cardiothoracic ratio without cardiomegaly; 0.5 is the textbook's upper limit.
      rib_spacing: distance between neighbouring ribs.
      rib_density: attenuation of a rib.
      tissue: thickness of the soft tissue over the chest wall, 1 = average.
      breasts: attenuation of the breasts, 0 in men.
      aorta: radius of the aortic knob, which widens with age.
      bend: sideways bend of the spine.
      stomach: whether the stomach contains visible air.
      side: the lung with one-sided findings: -1 the patient's right, 1 the left. Disease keeps its
        place from one study to the next.
      lesion_height: height of a consolidation in the lung, 0 = apex to 1 = base.
      vessels: [24] float32, thickness of the lung vessels by direction around the hilum.
    """

    chest: float
    apex: float
    base: float
    dome: float
    heart_ratio: float
    rib_spacing: float
    rib_density: float
    tissue: float
    breasts: float
    aorta: float
    bend: float
    stomach: bool
    side: int
    lesion_height: float
    vessels: Floats


def draw_anatomy(rng: np.random.Generator, sex: str, age: int) -> Anatomy:
    """Draws a random patient.

    Args:
      rng: the patient's generator.
      sex: "F" or "M"; other values are drawn as "M".
      age: in years; the aorta and the heart grow with it.
    """
    female = sex == "F"
    return Anatomy(
        chest=rng.uniform(0.60, 0.72) - 0.03 * female,
        apex=rng.uniform(-0.80, -0.68),
        base=rng.uniform(0.42, 0.58),
        dome=rng.uniform(0.14, 0.24),
        heart_ratio=float(np.clip(rng.normal(0.43 + 0.0005 * (age - 50), 0.025), 0.36, 0.49)),
        rib_spacing=rng.uniform(0.135, 0.165),
        rib_density=rng.uniform(0.06, 0.11),
        tissue=rng.uniform(0.8, 1.3),
        breasts=rng.uniform(0.05, 0.18) * female,
        aorta=0.07 + 0.0006 * age + rng.uniform(0, 0.02),
        bend=rng.normal(0, 0.02),
        stomach=bool(rng.random() < 0.5),
        side=int(rng.choice([-1, 1])),
        lesion_height=rng.uniform(0.25, 0.85),
        vessels=rng.uniform(0, 1, 24).astype(np.float32),
    )


@dataclasses.dataclass(frozen=True)
class Projection:
    """A healthy chest in one projection, without findings.

    Attributes:
      x: [H, W] float32 position of each pixel, to the right.
      y: [H, W] float32 position of each pixel, downwards.
      tissue: [H, W] float32 attenuation of everything except the air in the lungs.
      air: [H, W] float32, the reduction of attenuation by the air in the lungs.
      lungs: middle, half width and half height of each lung: (x, y, w, h).
      hila: x, y of the hilum of each lung, where its vessels begin.
      wall: [H, W] float32, 0 in the middle of the chest to 1 at the inner side of the ribs, where
        pleural fluid climbs.
      floor: [H, W] float32 depth below the level of the costophrenic angle (negative above it).
    """

    x: Floats
    y: Floats
    tissue: Floats
    air: Floats
    lungs: tuple[tuple[float, float, float, float], ...]
    hila: tuple[tuple[float, float], ...]
    wall: Floats
    floor: Floats


def _heart(x: Floats, y: Floats, left: float, right: float, middle: float) -> Floats:
    """Returns the heart's mask: two half ellipses, the apex to the patient's left and lower."""
    half_width = np.where(x > 0, left, right)
    height = 0.16 + 0.36 * (left + right)
    tilted = y - middle - 0.28 * x
    inside = 1 - np.hypot(x / half_width, tilted / height)
    return soft_step(inside * (left + right) / 2, 0.035)


def frontal(anatomy: Anatomy, x: Floats, y: Floats, heart_ratio: float, lift: float) -> Projection:
    """Projects the chest from the front.

    Args:
      anatomy: the patient.
      x: [H, W] float32 position of each pixel.
      y: [H, W] float32.
      heart_ratio: width of the heart over that of the chest, as projected on the film.
      lift: height of the diaphragm above its position at full inspiration.
    """
    side = np.sign(x)
    away = np.abs(x)
    chest, apex = anatomy.chest, anatomy.apex
    base = anatomy.base - lift
    down = np.clip((y - apex) / (base - apex), 0, 1)
    cage = chest * (1 - 0.68 * (1 - down) ** 2.6)
    # The liver lifts the right dome over the left.
    diaphragm = base - 0.02 + 0.02 * side
    arc = ((away - 0.4 * chest) / (0.6 * chest)) ** 2
    diaphragm = diaphragm - anatomy.dome * (1 - np.clip(arc, 0, 1.2))
    top = apex + 1.4 * (away - 0.38 * chest) ** 2
    depth = np.minimum.reduce([cage - away, away - 0.10, y - top, diaphragm - y])
    # A lung is thick in its middle and thin at its border.
    lung = soft_step(depth, 0.04) * (0.72 + 0.28 * np.clip(depth / 0.22, 0, 1))

    width = 2 * chest * heart_ratio
    middle = base - anatomy.dome - 0.09
    heart = _heart(x, y, 0.66 * width, 0.34 * width, middle)
    great_vessels = soft_step(0.15 - 0.05 * y - away, 0.05) * soft_step(y + 0.55, 0.3)
    knob = soft_step(anatomy.aorta - np.hypot(x - 0.12, y + 0.30), 0.03)
    solid = np.maximum.reduce([0.9 * heart, 0.75 * great_vessels, 0.8 * knob])
    # The organs below the diaphragm are as dense as the heart and hide its lower outline. Below the
    # chest wall the transition is gradual.
    abdomen = soft_step(y - diaphragm, 0.05 + 0.9 * np.clip(away - 0.85 * chest, 0, None))

    spine_x = x - anatomy.bend * np.sin(3 * y)
    spine = soft_step(0.085 - np.abs(spine_x), 0.03) * (0.07 + 0.02 * np.cos(2 * np.pi * y / 0.11))
    windpipe = bump(x - anatomy.bend, 0.03) * soft_step(-0.28 - y, 0.08)

    inside_cage = soft_step(cage + 0.02 - away, 0.03) * soft_step(y - apex, 0.05)
    behind = np.cos(2 * np.pi * (y - 0.45 * away + 0.5 * away**2) / anatomy.rib_spacing)
    front = np.cos(2 * np.pi * (y + 0.9 * away - 0.5 * away**2) / anatomy.rib_spacing)
    ribs = np.clip(behind, 0, 1) ** 1.5 + 0.6 * np.clip(front - 0.2, 0, 1) * (away > 0.3 * chest)
    ribs = inside_cage * ribs * (1 - 0.8 * abdomen)
    chest_wall = bump(away - cage - 0.02, 0.025) * soft_step(y - apex, 0.1)
    chest_wall = chest_wall * soft_step(base + 0.1 - y, 0.2)
    collar_y = apex + 0.13 - 0.16 * away + 0.09 * np.sin(4.5 * away)
    collar = bump(y - collar_y, 0.022) * soft_step(away - 0.08, 0.04) * soft_step(0.85 - away, 0.1)
    blade = bump(away - 0.80 * chest - 0.25 * (y + 0.2), 0.09) * bump(y + 0.42, 0.2)

    torso = chest + 0.16 + 0.06 * anatomy.tissue + 0.04 * y
    shoulders = 0.24 + 1.5 * np.clip(y - apex + 0.10, 0, None) ** 0.7
    body = soft_step(np.minimum(torso, shoulders) - away, 0.08)
    arms = soft_step(shoulders - away, 0.08) * soft_step(away - 0.9 - 0.3 * (y + 0.4), 0.06)
    flesh = np.maximum(body * (0.70 + 0.08 * anatomy.tissue), 0.5 * arms)
    # The lung apices have little soft tissue over them.
    flesh = flesh * (1 - 0.2 * soft_step(-0.45 - y, 0.5))
    breast_y = base - 0.12
    breast = np.clip(1 - np.hypot((away - 0.62 * chest) / 0.30, (y - breast_y) / 0.26), 0, 1) ** 0.5

    tissue = flesh + 0.20 * np.maximum(solid, abdomen) * body + spine - 0.14 * windpipe
    bones = anatomy.rib_density * (ribs + chest_wall + blade) + 0.12 * collar
    tissue = tissue + bones
    tissue = tissue + anatomy.breasts * breast
    if anatomy.stomach:
        bubble = 1 - np.hypot((x - 0.32) / 0.13, (y - diaphragm - 0.09) / 0.06)
        tissue = tissue - 0.22 * soft_step(bubble * 0.1, 0.04)
    hila = ((-0.17, -0.08), (0.19, -0.12))
    middle_y = (apex + base) / 2
    half = (base - apex) / 2
    return Projection(
        x=x,
        y=y,
        tissue=tissue.astype(np.float32),
        air=(0.60 * lung * (1 - 0.85 * solid)).astype(np.float32),
        lungs=tuple((s * 0.55 * chest, middle_y, 0.40 * chest, half) for s in (-1, 1)),
        hila=hila,
        wall=np.clip(away / chest, 0, 1.1),
        floor=y - base,
    )


def lateral(anatomy: Anatomy, x: Floats, y: Floats, heart_ratio: float, lift: float) -> Projection:
    """Projects the chest from the side, the patient facing to the viewer's left; see `frontal`."""
    apex = anatomy.apex
    base = anatomy.base + 0.12 - lift
    down = np.clip((y - apex) / (base - apex), 0, 1)
    breastbone = -0.26 - 0.26 * down**0.7
    back = 0.40 + 0.16 * np.sin(np.pi * (0.15 + 0.7 * down))
    # The diaphragm descends from the front to the posterior angle.
    diaphragm = base - 1.3 * anatomy.dome + 1.1 * (x + 0.15) ** 2
    top = apex + 1.2 * (x - 0.05) ** 2
    depth = np.minimum.reduce([x - breastbone, back - x, y - top, diaphragm - y])
    lung = soft_step(depth, 0.05) * (0.65 + 0.35 * np.clip(depth / 0.25, 0, 1))
    size = 0.55 * heart_ratio
    heart = np.hypot((x + 0.20) / size, (y - base + anatomy.dome + 0.20 + 0.3 * x) / (1.25 * size))
    heart = soft_step((1 - heart) * size, 0.12)
    arch = bump(np.hypot(x - 0.08, y + 0.30) - 0.16, 0.05) * soft_step(-0.18 - y, 0.2)
    spine = soft_step(0.07 - np.abs(x - back + 0.08), 0.04)
    spine = spine * (0.13 + 0.05 * np.cos(2 * np.pi * y / 0.14))
    windpipe = bump(x - 0.02 - 0.12 * (y + 0.5), 0.035) * soft_step(-0.22 - y, 0.1)
    ribs = lung * np.clip(np.cos(2 * np.pi * (y - 0.6 * x) / anatomy.rib_spacing), 0, 1) ** 2
    abdomen = soft_step(y - diaphragm, 0.06)
    outline = np.minimum(x - breastbone + 0.10 * anatomy.tissue, back + 0.16 - x)
    body = soft_step(outline, 0.06)
    arm = soft_step(-0.62 - y + 0.3 * np.abs(x), 0.2)
    tissue = body * (0.74 + 0.08 * anatomy.tissue + 0.1 * arm) + spine - 0.1 * windpipe
    tissue = tissue + 0.12 * np.maximum(heart, abdomen) * body + 0.05 * arch
    tissue = tissue + 0.6 * anatomy.rib_density * ribs
    return Projection(
        x=x,
        y=y,
        tissue=tissue.astype(np.float32),
        air=(0.56 * lung * (1 - 0.7 * heart)).astype(np.float32),
        lungs=((0.05, (apex + base) / 2, 0.32, (base - apex) / 2),),
        hila=((0.04, -0.06),),
        wall=np.clip((x + 0.3) / 0.85, 0, 1.1),
        floor=y - base,
    )
