"""Label names of the data sets in one vocabulary, and policies for uncertain and unknown values."""

from collections.abc import Mapping, Sequence

import numpy as np

from remedis.data.label_names import CAMELYON as CAMELYON
from remedis.data.label_names import CHESTXRAY14 as CHESTXRAY14
from remedis.data.label_names import CHEXPERT as CHEXPERT
from remedis.data.label_names import FIVE_CONDITIONS as FIVE_CONDITIONS
from remedis.data.label_names import MEDMNIST as MEDMNIST
from remedis.data.label_names import MIMIC_CXR as MIMIC_CXR
from remedis.data.label_names import OPENI as OPENI
from remedis.data.label_names import PADCHEST as PADCHEST
from remedis.data.label_names import VINDR_CXR as VINDR_CXR
from remedis.data.manifest import Manifest, check_labels
from remedis.errors import UnknownLabel, UserError, unknown_choice
from remedis.options import pairs

POLICIES = ("ignore", "zeros", "ones", "keep")
Policy = str | Mapping[str, str]


def choose_labels(labels: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Returns the labels asked for, or all labels of a data set.

    Args:
      labels: in the order wanted; all of `known` if None.
      known: the labels that the data set has.

    Raises:
      UserError: a label is not among `known`, or is listed twice.
    """
    if labels is None:
        return tuple(known)
    check_labels(labels)
    for label in labels:
        if label not in known:
            error = UnknownLabel(*unknown_choice("label", label, known).args)
            error.known = tuple(known)
            raise error
    return tuple(labels)


def apply_policies(
    manifest: Manifest, uncertain: Policy, unmentioned: Policy, unlabelled: Policy | None = None
) -> Manifest:
    """Returns a manifest whose uncertain (-1) and empty (NaN) labels follow policies.

    All kinds of values are located before any is replaced: an uncertain label that is ignored does
    not become negative because unmentioned labels do. The manifest records the policies.

    Args:
      manifest: labels of 1, 0, -1 and NaN.
      uncertain: policy for -1, one for all labels or one per label: `ignore` makes it unknown (NaN,
        left out of losses and metrics), `zeros` negative, `ones` positive, `keep` leaves it.
      unmentioned: the same for NaN, where `ignore` and `keep` have the same effect.
      unlabelled: the same for NaN of an image that has no label at all (see `without_labels`), for
        which nobody looked for findings; that of `unmentioned` if None.

    Raises:
      UserError: a policy or label is unknown, a label has no policy, or an earlier policy has
        replaced values of a label, so that the original ones are lost.
    """
    refuse_decided(manifest)
    decided = {}
    record = dict(manifest.policies)
    texts = {"uncertain": uncertain, "unmentioned": unmentioned}
    if unlabelled is not None:
        texts["unlabelled"] = unlabelled
    chosen = {kind: _per_label(text, manifest.labels, kind) for kind, text in texts.items()}
    nothing = without_labels(manifest) & (unlabelled is not None)
    for label in manifest.labels:
        values = manifest.table[label].to_numpy(copy=True)
        empty = np.isnan(values)
        masks = {
            "uncertain": values == -1,
            "unmentioned": empty & ~nothing,
            "unlabelled": empty & nothing,
        }
        for kind, policy in chosen.items():
            _replace(values, masks[kind], policy[label])
        decided[label] = values
        record[label] = {kind: policy[label] for kind, policy in chosen.items()}
    return manifest.with_columns(decided, policies=record)


def refuse_decided(manifest: Manifest) -> None:
    """Raises a `UserError` if a policy has replaced values of a label."""
    for label in manifest.labels:
        if any(policy != "keep" for policy in manifest.policies.get(label, {}).values()):
            raise UserError(
                f"Label {label!r} has had a policy already ({dict(manifest.policies[label])}); "
                "apply policies to the manifest as its source loads it."
            )


def without_labels(manifest: Manifest) -> np.ndarray:
    """Returns which images have no label at all, [rows] bool, before any policy.

    The column `any_label` says so where a source fills it, since `labels` may be some of a data
    set's only. Elsewhere the label columns do.
    """
    has_any = (~np.isnan(manifest.targets())).any(axis=1)
    if "any_label" in manifest.table:
        known = manifest.table["any_label"].to_numpy()
        has_any = np.where(np.isnan(known), has_any, known == 1)
    return ~has_any


def policies(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """Returns one policy per label from text such as `zeros` or `zeros; Edema=ones`.

    The first item is the policy of all labels; the others are exceptions. An exception for a label
    that is not in `names` is ignored.

    Raises:
      UserError: the text cannot be parsed.
    """
    chosen = dict.fromkeys(names, text.partition(";")[0].strip())
    return chosen | {label: policy for label, policy in exceptions(text) if label in names}


def exceptions(text: str) -> list[tuple[str, str]]:
    """Returns the labels that such a text names, with their policies.

    Raises:
      UserError: the text cannot be parsed.
    """
    expected = "LABEL=POLICY after the first ';', as in 'zeros; Edema=ones'"
    return pairs(text.partition(";")[2], what=f"The policy {text!r}", expected=expected)


def _replace(values: np.ndarray, mask: np.ndarray, policy: str) -> None:
    replacement = {"ignore": np.nan, "zeros": 0.0, "ones": 1.0}
    if policy != "keep":
        values[mask] = replacement[policy]


def _per_label(policy: Policy, labels: tuple[str, ...], kind: str) -> dict[str, str]:
    per_label = dict.fromkeys(labels, policy) if isinstance(policy, str) else dict(policy)
    for label, name in per_label.items():
        if label not in labels:
            raise unknown_choice(f"label in the policy for {kind} values", label, labels)
        if name not in POLICIES:
            raise unknown_choice(f"policy for {kind} values", name, POLICIES)
    if missing := [label for label in labels if label not in per_label]:
        raise UserError(
            f"No policy for {kind} values of {missing[0]!r}; name one for every label, "
            f"or one for all. Choose from: {', '.join(POLICIES)}."
        )
    return {label: str(per_label[label]) for label in labels}
