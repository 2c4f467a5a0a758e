"""The model card of an exported folder: YAML front matter, then Markdown.

Names and sentences of the description may come from elsewhere: they are text without markup here
(`markdown_text`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from remedis.errors import counted
from remedis.evaluation.choice_sentences import calibration_sentence, fits, thresholds_sentence
from remedis.evaluation.evaluation_result import images_of_patients
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.thresholds import KINDS
from remedis.models.architectures import Architecture
from remedis.zoo import card_front_matter, licences, markdown_text
from remedis.zoo.markdown_text import code, row
from remedis.zoo.provenance import Provenance

NOT_A_DEVICE = "Research software, not a diagnostic device: no output of it may guide care."
ANY_PIXELS = "no pixel value is refused, right or wrong"
# The meaning of a probability, per method of calibration.
_METHODS = {
    "platt": (
        "scale and offset were fitted. Among images like those of the fit, with the same "
        "prevalence of the label, about three in ten of those with a probability of 0.3 have the "
        "label. Where the label is rarer or more common, or images are made in another way, the "
        "share differs: calibrate on images of that place."
    ),
    "temperature": (
        "a scale was fitted, and no offset. A scale changes the confidence of probabilities, and "
        "does not correct probabilities that are all too high or all too low. They are so after "
        "training with class weights or balanced drawing, and where a label is rarer or more "
        "common than in training. The share of positives among images with a probability of 0.3 "
        "may differ from three in ten."
    ),
    "none": (
        "they follow the definition and the prevalence of the training labels, and may all be too "
        "high or too low."
    ),
}


# The content of `seen_images.FILE`, for those to whom the folder is given.
_SEEN_TITLE = "## The images it has seen"
_SEEN = (
    "`seen.json` lets whoever has it find out whether an image file, a copy of an image, or a "
    "patient id was among the images that the model was trained, chosen or calibrated on. Checks "
    "for leaks need it. The ids are hashed with a salt that stands in the file, so that short ids "
    "can be found by trying all of them. Delete the file before the folder is given to others if "
    "that is too much, or give them the archive of `remedis pack`, which leaves it out; the model "
    "works without it."
)


def text(description: dict[str, Any], with_seen_images: bool = False) -> str:
    """Returns the card for the content of a `remedis.json`.

    Args:
      description: the content.
      with_seen_images: whether the folder has a `seen.json`.
    """
    provenance = description["provenance"]
    sections = [
        card_front_matter.text(description) + f"\n# {markdown_text.text(description['name'])}",
        _warning(provenance),
        f"> {NOT_A_DEVICE}",
        "## Weights\n\n" + _origin(provenance),
        "## Use\n\n" + _use(description),
    ]
    if description["kind"] == "classifier":
        sections.append("## Performance\n\n" + _performance(description))
        sections.append("## What the numbers mean\n\n" + _meaning(description))
    if record := description["record"]:
        sections.append(
            "## The published checkpoint of this name\n\n" + _record(record, provenance)
        )
    sections.append("## Licences\n\n" + _licences(description))
    if with_seen_images:
        sections.append(f"{_SEEN_TITLE}\n\n{_SEEN}")
    versions = ", ".join(f"{name} {version}" for name, version in description["software"].items())
    sections.append(f"Written by {versions}; the same facts as data: `remedis.json`.")
    return "\n\n".join(section for section in sections if section) + "\n"


def without_seen_images(card: str) -> str:
    """Returns a card, which may have been edited, without the section on `seen.json`."""
    return re.sub(rf"^{_SEEN_TITLE}\n\n[^\n]*\n\n", "", card, count=1, flags=re.MULTILINE)


def _licences(description: Mapping[str, Any]) -> str:
    """Returns the licence chain: one line per link, newest first."""
    chain = description.get("licences") or licences.chain(
        Provenance.from_json(description["provenance"])
    )
    lines = [f"- {link['kind']}: {markdown_text.text(licences.sentence(link))}" for link in chain]
    return "\n".join(
        [
            "The terms of every link bind whoever uses or shares this model. What is not checked "
            "must be read before.",
            "",
            *lines,
        ]
    )


def _lineage(provenance: dict[str, Any]) -> list[dict[str, Any]]:
    parent = provenance.get("parent")
    return [provenance, *(_lineage(parent) if parent else [])]


def _warning(provenance: dict[str, Any]) -> str:
    if provenance["origin"] == "random":
        return "> **RANDOM WEIGHTS.** Nothing here was pretrained: for rehearsal or as baseline."
    if Provenance.from_json(provenance).random:
        return "> **Started from RANDOM WEIGHTS**: no pretrained checkpoint went into this model."
    if _lineage(provenance)[-1]["origin"] == "random":
        return (
            "> **Began as RANDOM WEIGHTS**: everything was learnt from the unlabelled images below "
            "and from the data that came after them."
        )
    return ""


def _origin(provenance: dict[str, Any]) -> str:
    lines = []
    for step in _lineage(provenance):
        lines.append(f"- {markdown_text.text(step['description'])}")
        if step.get("sha256"):
            lines.append(f"  - read from {code(step['file'])}, SHA-256 {code(step['sha256'])}")
        if step.get("command"):
            lines.append(f"  - made by {code(step['command'])}")
    return "\n".join(lines)


def _use(description: dict[str, Any]) -> str:
    low, high = description["value_range"]
    lines = [
        f"`hub.load(folder)` or `tf.saved_model.load(folder)`; images float32 [N, H, W, 3] in "
        f"[{low:g}, {high:g}], any H and W.",
        "",
    ]
    if description["trunk_range"] is not None:
        low, high = description["trunk_range"]
        lines.append(f"- The graph maps that range to [{low:g}, {high:g}] itself.")
    if description.get("pixel_range") == "any":
        lines.append(f"- Built with --any-pixel-range: {ANY_PIXELS}.")
    if description["kind"] == "trunk":
        lines += [
            "- `m(images)`: the unpooled map [N, ceil(H/32), ceil(W/32), C].",
            "- `m.embed(images)`: its average [N, C]; `m.endpoints(images)`: the named stages.",
        ]
    else:
        lines += [
            "- `m(images)`: `probabilities`, `logits` [N, labels] and `embedding` [N, C].",
            f"- Labels, in order: {', '.join(map(markdown_text.text, description['labels']))}.",
            "- Batch norms, if there are any, use their averages, also with `training=True`.",
        ]
    if description["preprocess"] is not None:
        how = "for this size" if description["kind"] == "trunk" else "as in training"
        lines += [
            "- `m.preprocess(image)`: decoded images [H, W, channels] or [N, H, W, channels], "
            f"uint8 or uint16, to [N, S, S, 3], {how}: {code(description['preprocess'])}.",
            f"- `m.serve_bytes(image_bytes)`: JPEG or PNG files{_up_to(description)}, [N] strings, "
            "prepared in the same way, to "
            + ("`map` and `embedding`." if description["kind"] == "trunk" else "these outputs."),
        ]
    lines.append(f"- Signatures: {', '.join(map(code, description['signatures']))}.")
    if description["backbone"]:
        lines.append(f"- Backbone: {markdown_text.text(description['backbone'])}.")
    return "\n".join([*lines, f"- Parameters: {parameters(description)}."])


def _up_to(description: Mapping[str, Any]) -> str:
    """Returns the size of the files that `serve_bytes` decodes, if it has a limit."""
    most = description.get("max_pixels")
    return "" if most is None else f" of up to {most / 1e6:g} megapixels"


def parameters(description: Mapping[str, Any]) -> str:
    """Returns the number of parameters, and that of the release if a final norm makes them differ.

    The map does not depend on BiT's final norm, which the published checkpoints lack.
    """
    count = f"{description['parameters']:,} in {description['tensors']} tensors"
    if description["kind"] != "classifier" and description["final_norm"]:
        without = Architecture(tuple(description["units"]), description["width"])
        count += (
            f"; {without.parameters(False):,} in {len(without.shapes(False))} without the final "
            "norm, which the map does not need and the published checkpoints lack"
        )
    return count


def _performance(description: dict[str, Any]) -> str:
    """Returns a table of AUROC and operating points with intervals, and what it was measured on."""
    measured = description.get("performance")
    if not measured:
        return (
            "No performance is recorded for this model as it is: measure it on images that neither "
            "trained nor calibrated it, with `remedis evaluate FOLDER DATA --out=DIR`."
        )
    columns = {
        "auroc": "AUROC",
        "average_precision": "average precision",
        **{
            f"{kind}/{rate}": f"{rate} ({kind})"
            for kind in KINDS
            for rate in ("sensitivity", "specificity")
        },
    }
    columns = {key: name for key, name in columns.items() if key in measured["mean"]}

    def cells(of: Mapping[str, Any]) -> list[str]:
        return [Estimate.from_json(of[key]).interval for key in columns]

    rows = [
        row(
            markdown_text.text(label),
            *cells(of),
            f"{of['auroc']['patients']:,}",
            f"{of['auroc']['positives']:,}",
        )
        for label, of in measured["labels"].items()
    ]
    if len(measured["labels"]) > 1:
        rows.append(row(f"mean of {len(measured['averaged'])}", *cells(measured["mean"]), "", ""))
    reasons = [
        markdown_text.text(f"{label}: {of['auroc']['reason']}")
        for label, of in measured["labels"].items()
        if of["auroc"].get("reason")
    ]
    patients = counted(measured["patients"], "patient")
    labelled = measured.get("labelled_images")
    behind = images_of_patients(measured["images"], labelled, patients)
    lines = [
        f"On {markdown_text.text(measured['data'])}: {behind}, with 95 % intervals by patient. The "
        "patient numbers of a row are those with a known and with a positive label.",
        "",
        row("label", *columns.values(), "patients", "positive"),
        row("---", *("---:" for _ in columns), "---:", "---:"),
        *rows,
        "",
        *([f"Not estimable: {'; '.join(reasons)}.", ""] if reasons else []),
        *(f"**{markdown_text.text(warning)}**\n" for warning in measured["warnings"]),
        markdown_text.text(measured["note"]),
    ]
    return "\n".join(lines)


def _meaning(description: dict[str, Any]) -> str:
    """Returns the meaning of a classifier's probabilities and thresholds."""
    lines = [
        "Exactly one label of an image is 1. The probabilities of all labels add up to 1."
        if description["task"] == "multi_class"
        else "Each label is 1 or 0 independently. Its probability is the probability of 1."
    ]
    fit_of_label = fits(description["calibration"], description["labels"])
    methods = {fit["method"] for fit in fit_of_label.values()}
    calibrated = calibration_sentence(description["calibration"], description["labels"])
    lines.append(markdown_text.text(calibrated))
    if methods == {"none"}:
        lines[-1] += f" {_METHODS['none'][0].upper()}{_METHODS['none'][1:]}"
    else:
        lines += ["`logits` are raw.", "", *_table_of_fits(fit_of_label), ""]
        lines += [f"- {name}: {meaning}" for name, meaning in _METHODS.items() if name in methods]
    if chosen := description["thresholds"]:
        lines += ["", markdown_text.text(thresholds_sentence(chosen, description["labels"]))]
        lines += ["", *_thresholds(chosen, description["labels"]), ""]
        lines.append(
            "An image whose probability reaches the threshold counts as positive. A threshold "
            "suits the prevalence and the images that it was chosen on: sensitivity and "
            "specificity measured on these look better than they are. `m.thresholds()` gives the "
            "thresholds, NaN for none."
        )
        if "log_odds" in chosen:
            lines.append(
                "Probabilities above 0.99999997 round to 1. Where such images must be told apart, "
                "compare the log odds of the probability, computed from `logits`, with "
                "`thresholds.log_odds` in `remedis.json`, as the reported sensitivity does."
            )
    lines.append(f"\n{NOT_A_DEVICE}")
    return "\n".join(lines)


def _cases(fit: Mapping[str, Any]) -> str:
    return f"{fit['cases']:,} cases of {fit['data']}" if "cases" in fit else str(fit["data"])


def _table_of_fits(fit_of_label: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a table of the fits, one row per label."""
    names = ("label", "method", "fitted on", "positive", "negative", "prevalence")
    rows = []
    for label, fit in fit_of_label.items():
        share = fit.get("prevalence")
        cells = [
            label,
            fit["method"],
            "nothing" if fit["method"] == "none" else _cases(fit),
            *(f"{fit[key]:,}" if key in fit else "" for key in ("positives", "negatives")),
            "" if share is None else f"{share:.1%}",
        ]
        rows.append(row(*map(markdown_text.text, cells)))
    return [row(*names), row(*("---" for _ in names)), *rows]


def _thresholds(chosen: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """Returns a table of the thresholds, one row per label."""
    kinds = [kind for kind in KINDS if kind in chosen]

    def number(value: float | None) -> str:
        return "none" if value is None else f"{value:.4g}"

    rows = [
        row(markdown_text.text(label), *(number(chosen[kind][label]) for kind in kinds))
        for label in labels
    ]
    note = ["", f"(target: {chosen['target']})"] if "target" in chosen else []
    return [row("label", *kinds), row("---", *("---:" for _ in kinds)), *rows, *note]


def _record(record: dict[str, Any], provenance: dict[str, Any]) -> str:
    lines = []
    if provenance["origin"] != "release":
        lines.append("**This folder does not hold its weights** (see above). For reference:\n")
    for key in ("initialised_from", "pretrained_on", "terms", "where", "citation"):
        lines.append(f"- {key.replace('_', ' ')}: {markdown_text.text(record[key])}")
    return "\n".join(lines)
