"""Drawing of chest radiographs: the findings of an imaginary patient on the film of a hospital."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from remedis.errors import unknown_choice
from remedis.synthetic import findings as finding
from remedis.synthetic.anatomy import Anatomy, Projection, frontal, lateral
from remedis.synthetic.drawing import Floats, clouds, soft_step

VIEWS = ("PA", "AP", "Lateral")


@dataclasses.dataclass(frozen=True)
class HospitalStyle:
    """The look of the films of one hospital, and the prevalence of disease among its patients.

    Attributes:
      name: of the hospital.
      exposure: brightness of the film; 1 = abdomen just white.
      exposure_spread: standard deviation of the logarithm of the exposure between films.
      contrast: gamma of the film; higher = darker lungs.
      noise: standard deviation of the quantum noise, as a share of white.
      blur: standard deviation of the blur, in thousandths of the short side.
      zoom: mean magnification; higher = narrower field of view around the lungs.
      zoom_spread: standard deviation of the magnification.
      height: distance of the patient above the middle of the film, in half short sides.
      centring: standard deviation of the patient's position on the film, in half short sides.
      tilt: standard deviation of the rotation, in degrees.
      collimation: width of the widest dark border, as a share of the film's side.
      marker: letter of the side marker, "L" or "R".
      marker_height: height of the marker, 0 = top to 1 = bottom.
      share_ap: share of frontal films taken in bed from the front (AP) without a severe finding.
      ap_sick: rise of this share with the severity of the severest finding. If sick patients are
        examined in bed, the look of a bedside film predicts disease.
      prevalence: share of patients with each condition, by name.
    """

    name: str
    exposure: float
    exposure_spread: float
    contrast: float
    noise: float
    blur: float
    zoom: float
    zoom_spread: float
    height: float
    centring: float
    tilt: float
    collimation: float
    marker: str
    marker_height: float
    share_ap: float
    ap_sick: float
    prevalence: Mapping[str, float]


# Prevalences are higher than in a real hospital, so that a few hundred patients include enough
# patients with each condition.
HOSPITAL_A = HospitalStyle(
    name="hospital A",
    exposure=0.95,
    exposure_spread=0.05,
    contrast=1.2,
    noise=0.015,
    blur=4,
    zoom=1.0,
    zoom_spread=0.04,
    height=0.0,
    centring=0.03,
    tilt=2,
    collimation=0.04,
    marker="L",
    marker_height=0.08,
    share_ap=0.15,
    ap_sick=0.7,
    prevalence={
        "Atelectasis": 0.26,
        "Cardiomegaly": 0.24,
        "Consolidation": 0.20,
        "Edema": 0.24,
        "Pleural Effusion": 0.32,
    },
)
HOSPITAL_B = HospitalStyle(
    name="hospital B",
    exposure=0.80,
    exposure_spread=0.12,
    contrast=0.80,
    noise=0.04,
    blur=9,
    zoom=1.18,
    zoom_spread=0.10,
    height=0.07,
    centring=0.06,
    tilt=5,
    collimation=0.10,
    marker="R",
    marker_height=0.85,
    share_ap=0.45,
    ap_sick=0.0,
    prevalence={
        "Atelectasis": 0.20,
        "Cardiomegaly": 0.12,
        "Consolidation": 0.14,
        "Edema": 0.12,
        "Pleural Effusion": 0.22,
    },
)


def draw_chest(
    anatomy: Anatomy,
    findings: Mapping[str, float],
    style: HospitalStyle,
    view: str,
    rng: np.random.Generator,
    shape: tuple[int, int] = (128, 128),
) -> NDArray[np.uint8]:
    """Draws one radiograph.

    Args:
      anatomy: the patient, the same in all studies.
      findings: severity in (0, 1] by name (`findings.CONDITIONS`, `findings.DISTRACTORS`).
      style: the hospital.
      view: "PA" or "AP" for a frontal film, "Lateral" for a lateral one.
      rng: the generator of the image, for the position of the patient, the places of the findings
        and the noise.
      shape: height and width in pixels.

    Returns:
      [H, W] uint8, bright where little radiation passes through.

    Raises:
      UserError: the view or a finding is unknown.
    """
    if view not in VIEWS:
        raise unknown_choice("view", view, VIEWS)
    for name in findings:
        if name not in finding.CONDITIONS + finding.DISTRACTORS:
            raise unknown_choice("finding", name, finding.CONDITIONS + finding.DISTRACTORS)
    x, y = _film(shape, style, rng)
    heart_ratio = anatomy.heart_ratio
    if "Cardiomegaly" in findings:
        heart_ratio = finding.enlarged(heart_ratio, findings["Cardiomegaly"])
    # In bed the heart is farther from the film, and the patient inhales less deeply.
    in_bed = view == "AP"
    heart_ratio *= 1.08 if in_bed else 1.0
    lift = rng.uniform(0, 0.06) + (rng.uniform(0, 0.10) if in_bed else 0)
    project = lateral if view == "Lateral" else frontal
    chest = project(anatomy, x, y, heart_ratio, lift)

    opacity = finding.opacity(chest, anatomy, findings, rng)
    air = chest.air * (1 - opacity) * (1 - _vessels(chest, anatomy))
    attenuation = chest.tissue - air + 0.02 * clouds(rng, shape, 5)
    if "Support Devices" in findings:
        attenuation = attenuation + finding.devices(chest, rng)
    return _develop(attenuation, style, in_bed, rng)


def _film(
    shape: tuple[int, int], style: HospitalStyle, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Returns x and y of the pixels, [H, W] each, for a random position of the patient."""
    height, width = shape
    short = min(height, width)
    rows = (np.arange(height, dtype=np.float32) - (height - 1) / 2) * 2 / short
    columns = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * 2 / short
    y, x = np.meshgrid(rows, columns, indexing="ij")
    zoom = max(rng.normal(style.zoom, style.zoom_spread), 0.8)
    angle = np.deg2rad(rng.normal(0, style.tilt))
    shift_x, shift_y = rng.normal((0, -style.height), style.centring)
    turned_x = (np.cos(angle) * x - np.sin(angle) * y) / zoom - shift_x
    turned_y = (np.sin(angle) * x + np.cos(angle) * y) / zoom - shift_y
    return turned_x.astype(np.float32), turned_y.astype(np.float32)


def _vessels(view: Projection, anatomy: Anatomy) -> Floats:
    """Returns the share of air replaced by vessels, [H, W]: rays that fade away from the hila."""
    share = np.zeros_like(view.x)
    count = len(anatomy.vessels)
    for x, y in view.hila:
        right, down = view.x - x, view.y - y
        distance = np.hypot(right, down)
        # A slight spiral bends the rays.
        turn = (np.arctan2(down, right) / (2 * np.pi) + 0.06 * distance) % 1
        rays = np.interp(turn * count, np.arange(count), anatomy.vessels)
        share = share + np.clip(2 * rays - 0.8, 0, 1) * np.exp(-distance / 0.22)
        share = share + 0.5 * np.exp(-0.5 * (distance / 0.07) ** 2)
    return np.clip(0.5 * share, 0, 0.8)


def _develop(
    attenuation: Floats, style: HospitalStyle, in_bed: bool, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Turns attenuation into the hospital's film, [H, W] uint8."""
    height, width = attenuation.shape
    short = min(height, width)
    exposure = style.exposure * np.exp(rng.normal(0, style.exposure_spread))
    blur = style.blur * (1.5 if in_bed else 1.0) * short / 1000
    blurred = ndimage.gaussian_filter(attenuation, blur)
    film = np.clip(exposure * blurred, 0, 1) ** style.contrast
    # Fewer quanta arrive where the film is bright, which gives more noise there.
    noise = rng.standard_normal(attenuation.shape, dtype=np.float32)
    film = film + style.noise * (0.4 + film) * noise
    film = film * _collimator(height, width, style, rng)
    image = np.clip(255 * film, 0, 255).astype(np.uint8)
    return _mark(image, style, in_bed)


def _collimator(height: int, width: int, style: HospitalStyle, rng: np.random.Generator) -> Floats:
    """Returns [H, W] float32: 1 in the beam, 0.04 in the shadow of the shutters."""
    rows = np.linspace(0, 1, height, dtype=np.float32)
    columns = np.linspace(0, 1, width, dtype=np.float32)
    top, bottom, left, right = rng.uniform(-0.02, style.collimation, 4)
    upright = soft_step(np.minimum(rows - top, 1 - bottom - rows), 0.01)
    across = soft_step(np.minimum(columns - left, 1 - right - columns), 0.01)
    return 0.04 + 0.96 * upright[:, None] * across[None, :]


def _mark(image: NDArray[np.uint8], style: HospitalStyle, in_bed: bool) -> NDArray[np.uint8]:
    """Draws the letter of the side marker, with a bar below it on bedside films."""
    height, width = image.shape
    size = max(6, round(0.07 * min(height, width)))
    # The patient's right is on the viewer's left.
    left = 0.06 if style.marker == "R" else 0.88
    x, y = round(left * width), round(style.marker_height * height)
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    stroke = max(1, size // 6)
    draw.line([(x, y), (x, y + size)], fill=250, width=stroke)
    if style.marker == "L":
        draw.line([(x, y + size), (x + size // 2, y + size)], fill=250, width=stroke)
    else:
        half = y + size // 2
        outline = [(x, y), (x + size // 2, y), (x + size // 2, half), (x, half)]
        draw.line([*outline, (x + size // 2, y + size)], fill=250, width=stroke)
    if in_bed:
        draw.line([(x, y + size + 3), (x + size, y + size + 3)], fill=250, width=stroke)
    return np.asarray(picture)
