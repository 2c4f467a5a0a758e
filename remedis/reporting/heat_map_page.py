"""The page of heat maps: the judgement by boxes, the sanity check, and a gallery."""

import base64
import dataclasses
from collections.abc import Sequence

from remedis.errors import counted
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.localisation import MAPS, Localisation
from remedis.inference.heat_maps import HeatMap
from remedis.inference.weight_randomisation import Step
from remedis.models.activation_maps import CAM
from remedis.reporting import page_template
from remedis.reporting.figures import RED
from remedis.reporting.notes import RANDOM_WEIGHTS, RESEARCH_USE
from remedis.reporting.overlay import AGAINST, FOR
from remedis.reporting.page_content import Table

MOST_CARDS = 60
LONGEST = 360  # pixels of a picture on the page
# A rank correlation beyond this is not near 0: the maps have kept part of their order.
KEPT = 0.2

_METHODS = {
    "cam": "CAM: exact for this network, whose head is linear on the mean of its last map. The "
    "mean of the map over its cells, plus the bias, is the logit; values are in its units.",
    "grad_cam": "Grad-CAM: channels weighted by the mean gradient of the logit, rectified.",
    "grad_cam++": "Grad-CAM++: channels weighted by positive gradients of the logit, rectified.",
}
_READING = (
    "A map shows what moved the number, not what the finding is. A cell of the map has seen far "
    "more of the image than it covers.",
    "Colours are scaled per picture: compare numbers below pictures, not colours between them.",
)


@dataclasses.dataclass(frozen=True)
class Card:
    """One picture of the gallery.

    Attributes:
      name: of the image.
      label: that is explained.
      logit: raw.
      low: value of the map at the lower end of its colours.
      high: at the upper end.
      picture: a PNG file.
      note: on the boxes, if there are any.
    """

    name: str
    label: str
    logit: float
    low: float
    high: float
    picture: bytes
    note: str = ""


def page(
    *,
    model: str,
    kind: HeatMap,
    cards: Sequence[Card],
    pictures: int,
    localisation: Sequence[Localisation],
    curve: Sequence[Step],
    notes: Sequence[str],
    random_weights: bool,
) -> str:
    """Returns the page: self-contained HTML without scripts, also well-formed as XML.

    Args:
      model: name of the model.
      kind: of the maps.
      cards: the pictures to show.
      pictures: their number with those that are files only.
      localisation: the judgement by boxes; empty without.
      curve: of the sanity check; empty without.
      notes: sentences on the data.
      random_weights: whether the weights are random.
    """
    shown = f"The first {len(cards)} of {pictures:,}" if pictures > len(cards) else "All"
    where = "" if kind.method == CAM else f" At {kind.endpoint}."
    rendered = (
        page_template.environment()
        .get_template("heat_maps.html.jinja")
        .render(
            red=RED,
            colours=(AGAINST, FOR),
            signed=kind.signed,
            research_use=RESEARCH_USE,
            title=f"Heat maps of {model}",
            method=_METHODS[kind.method] + where,
            warnings=[f"{RANDOM_WEIGHTS}."] if random_weights else [],
            reading=_READING,
            notes=notes,
            answer=[
                *(answer(each) for each in localisation[-1:]),
                *([sanity_sentence(curve)] if curve else []),
            ],
            tables=localisation_tables(localisation),
            curve=curve_table(curve) if curve else None,
            gallery=f"{shown} pictures; each is a file in overlays/ at the image's own size.",
            cards=[
                {
                    "card": card,
                    "range": f"{card.low:.3g} to {card.high:.3g}",
                    "source": f"data:image/png;base64,{base64.b64encode(card.picture).decode()}",
                }
                for card in cards
            ],
        )
    )
    return page_template.unbroken(rendered)


def answer(judged: Localisation) -> str:
    """Returns whether the maps point better than the floors, in words."""
    pointing = judged.pointing[MAPS]
    if not pointing.estimable:
        return (
            "How often the largest value of the map is in a box is not estimable from "
            f"{counted(judged.cases, 'case')}: {pointing.reason}."
        )
    better: list[str] = []
    not_better: list[str] = []
    for name, gain in judged.pointing_gain.items():
        (better if gain.low is not None and gain.low > 0 else not_better).append(name)
    found = (
        "The largest value of the map is in a box, or as near as the tolerance, in a share of "
        f"{pointing.interval} of {counted(judged.cases, 'case')}."
    )
    if better:
        found += f" This is more than: {', '.join(better)}."
    if not_better:
        found += f" It is not shown to be more than: {', '.join(not_better)}."
    return found


def sanity_sentence(curve: Sequence[Step]) -> str:
    """Returns whether the maps depend on what the network has learnt, in words.

    Args:
      curve: of the sanity check, from the trained weights to those that are shuffled everywhere.
    """
    left = curve[-1].rank_correlation
    found = (
        "With all weights shuffled, the rank correlation to the trained network's maps is "
        f"{left:.2f}: "
    )
    if abs(left) <= KEPT:
        return found + "the maps show what the network has learnt."
    return (
        f"{found}not near 0, so that the maps show in part what any network sees in these images, "
        "and not what this one has learnt."
    )


def localisation_tables(localisation: Sequence[Localisation]) -> list[Table]:
    """Returns the tables of the pointing game and of the IoU."""
    if not localisation:
        return []
    tables = []
    for caption, kind in (
        ("Pointing game: share of cases whose largest value is in a box", "pointing"),
        ("Pointing game: heat maps minus each of the others, paired by case", "pointing_gain"),
        ("IoU of the map's largest values with the boxes", "iou"),
        ("IoU: heat maps minus each of the others, paired by case", "iou_gain"),
    ):
        names = list(getattr(localisation[0], kind))
        rows = [
            [judged.label or "all findings", f"{judged.cases:,}"]
            + [_interval(getattr(judged, kind)[name]) for name in names]
            for judged in localisation
        ]
        header = ["finding", "cases", *names]
        tables.append(Table(f"{caption}; 95 % intervals by patient.", header, rows, "estimates"))
    return tables


def curve_table(curve: Sequence[Step]) -> Table:
    """Returns the table of the sanity check."""
    return Table(
        "Similarity to the maps of the trained weights, as weights are shuffled from the head down "
        "(Adebayo et al. 2018). The rank correlation must fall to about 0, the SSIM to that of "
        "maps with nothing in common, 0.1 to 0.2 for coarse ones.",
        ["weights shuffled down to", "rank correlation", "SSIM"],
        [[step.randomised, f"{step.rank_correlation:.2f}", f"{step.ssim:.2f}"] for step in curve],
        "numbers",
    )


def _interval(estimate: Estimate) -> str:
    return f"{estimate.interval} ({estimate.reason})" if estimate.reason else estimate.interval
