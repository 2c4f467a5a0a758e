"""The YAML front matter of a model card, with the keys of Hugging Face's model cards.

Keys: huggingface.co/docs/hub/model-cards; form of `model-index`: `huggingface_hub.EvalResult`.
Names may come from elsewhere: every text is written as a JSON string, which is a YAML scalar in
double quotes, and has no control characters and no line breaks.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from remedis.errors import counted
from remedis.visible_text import visible
from remedis.zoo import licences, names
from remedis.zoo.provenance import SELF_SUPERVISION, Provenance

BEGIN = END = "---\n"
# Names of metrics at huggingface.co/metrics where there is one; others have our names.
METRICS = {
    "auroc": "roc_auc",
    "average_precision": "average_precision",
    "sensitivity": "recall",
    "specificity": "specificity",
    "brier": "brier_score",
    "calibration_slope": "calibration_slope",
    "calibration_intercept": "calibration_intercept",
}
_TITLES = {"auroc": "AUROC", "brier": "Brier score"}
_TASK = {"type": "image-classification", "name": "Image classification"}
_BIT_FILE = re.compile(r"(BiT-[SM]-R\d+x\d)(?:-\w+)?\.npz")


def text(description: Mapping[str, Any]) -> str:
    """Returns the front matter, with the lines of `---` around it, for a `remedis.json`."""
    return BEGIN + "".join(f"{line}\n" for line in _block(values(description))) + END


def without(card: str) -> str:
    """Returns a card without its front matter; cards of earlier versions have none."""
    if not card.startswith(BEGIN) or f"\n{END}" not in card:
        return card
    return card.partition(f"\n{END}")[2].lstrip("\n")


def values(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the front matter as plain values; keys that do not apply are left out."""
    provenance = Provenance.from_json(description["provenance"])
    classifies = description["kind"] == "classifier"
    links = description.get("licences") or licences.chain(provenance)
    found: dict[str, Any] = {
        "library_name": "tensorflow",
        "pipeline_tag": "image-classification" if classifies else "image-feature-extraction",
        "tags": _tags(description, provenance),
        **_licence(provenance),
    }
    if base := _base_model(provenance):
        found["base_model"] = base
    published = (link["source"] for link in links if link.get("source"))
    if datasets := list(dict.fromkeys(published)):
        found["datasets"] = datasets
    # Random weights claim no results, even where a rehearsal measured some.
    results = [] if provenance.random else _results(description)
    if results:
        found["metrics"] = list(dict.fromkeys(metric["type"] for metric in results))
        found["model-index"] = [
            {
                "name": description["name"],
                "results": [
                    {"task": _TASK, "dataset": _dataset(description), "metrics": results},
                ],
            }
        ]
    return found


def _tags(description: Mapping[str, Any], provenance: Provenance) -> list[str]:
    tags = ["tensorflow", "saved-model", "medical-imaging", "research-only"]
    lineage = list(_lineage(provenance))
    record = description.get("record")
    if record:
        tags.append("chest-x-ray" if record["name"].startswith("cxr") else "pathology")
    if any(step.origin in (SELF_SUPERVISION, "release") for step in lineage):
        tags.append("self-supervised")
    if provenance.random or lineage[-1].origin == "random":
        tags.append("random-weights" if provenance.random else "began-as-random-weights")
    return tags


def _lineage(provenance: Provenance) -> Iterator[Provenance]:
    step: Provenance | None = provenance
    while step is not None:
        yield step
        step = step.parent


def _licence(provenance: Provenance) -> dict[str, str]:
    """Returns the keys of the licence: that of the weights that it all came from.

    The Hub takes `other` with a name and an address, and `unknown`.
    """
    origins = {step.origin for step in _lineage(provenance)}
    for origin, name, link in (
        (
            "release",
            "medical-ai-foundations-checkpoints-additional-terms-of-service",
            licences.RELEASE["where"],
        ),
        (
            "bit",
            "not-checked-see-licences-below",
            "https://github.com/google-research/big_transfer",
        ),
        ("keras", "not-checked-see-licences-below", "https://keras.io/api/applications/"),
    ):
        if origin in origins:
            return {"license": "other", "license_name": name, "license_link": link}
    return {"license": "unknown"}


def _base_model(provenance: Provenance) -> str:
    """Returns the published checkpoint that the weights came from; empty for none and unknown."""
    for step in _lineage(provenance):
        file = step.file or ""
        if step.origin == "release" and file in names.NAMES:
            return file
        if step.origin == "bit" and (match := _BIT_FILE.fullmatch(file)):
            return match[1]
    return ""


def _dataset(description: Mapping[str, Any]) -> dict[str, str]:
    """Returns the data of the results; only published ones have a type that says which."""
    measured = description["performance"]
    return {"name": measured["data"], "type": measured.get("source") or "private"}


def _results(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns one metric per label, and the means, each with its interval in its name and args."""
    measured = description.get("performance")
    if not measured:
        return []
    found = []
    rows = list(measured["labels"].items())
    if len(rows) > 1:
        averaged = counted(len(measured["averaged"]), "label")
        rows.append((f"mean of {averaged}", measured["mean"]))
    for label, metrics in rows:
        for key, estimate in metrics.items():
            kind, _, rate = key.rpartition("/")
            if estimate["value"] is None or rate not in METRICS:
                continue
            title = _TITLES.get(rate, rate.replace("_", " "))
            at = f" at the threshold {kind}" if kind else ""
            interval = f"95 % interval {estimate['low']:.3f} to {estimate['high']:.3f}"
            found.append(
                {
                    "type": METRICS[rate],
                    "name": f"{title}, {label}{at} ({interval})",
                    "value": estimate["value"],
                    "args": {
                        "interval_95": [estimate["low"], estimate["high"]],
                        "patients": estimate["patients"],
                        "positives": estimate["positives"],
                    },
                }
            )
    return found


def _block(value: Any, indent: str = "") -> Iterator[str]:
    """Yields the lines of a mapping or a sequence in YAML's block style."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if _is_flat(item):
                yield f"{indent}{key}: {_scalar(item)}"
            else:
                yield f"{indent}{key}:"
                yield from _block(item, indent + "  ")
    else:
        for item in value:
            first, *rest = [_scalar(item)] if _is_flat(item) else _block(item)
            yield f"{indent}- {first}"
            yield from (f"{indent}  {line}" for line in rest)


def _is_flat(value: Any) -> bool:
    """Returns whether a value stands on the line of its key: a scalar, or numbers in brackets."""
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return True
    return isinstance(value, Sequence) and all(isinstance(v, int | float) for v in value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # Escapes of JSON for characters beyond 16 bits are two, which YAML does not join.
        return json.dumps(visible(value), ensure_ascii=False)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_scalar, value))}]"
    number = json.dumps(value, allow_nan=False)
    # YAML 1.1 reads `1e-05` as text.
    return number.replace("e", ".0e") if re.fullmatch(r"-?\d+e.*", number) else number
