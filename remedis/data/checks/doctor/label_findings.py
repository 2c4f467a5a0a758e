"""Findings about labels: too few patients to learn them, uncertain and unknown values."""

from collections.abc import Mapping, Sequence

from remedis.data import label_policies
from remedis.data.checks.doctor.diagnosis import ERROR, NOTE, WARNING, Finding, Rows
from remedis.data.label_policies import LabelPolicies
from remedis.data.manifest import Manifest
from remedis.errors import counted, some
from remedis.options import spelled

POLICY = "ignore"  # the default of the configs for fine-tuning


def with_policies(
    manifest: Manifest,
    uncertain: str | None,
    unmentioned: str | None,
    evaluation: Mapping[str, str],
) -> Manifest:
    """Returns the manifest with the labels that training and evaluation would read.

    Args:
      manifest: the images, as their source loads them, with splits if they can have any.
      uncertain: policy for uncertain labels, as text of a config; they are ignored if None.
      unmentioned: the same for unknown labels.
      evaluation: policies of validation and test by key of the config; for others, its default.

    Raises:
      UserError: a policy is wrong, or is given for labels with an earlier policy.
    """
    named = uncertain is not None or unmentioned is not None
    decided = any(p != "keep" for policy in manifest.policies.values() for p in policy.values())
    if decided and not named:  # packed with policies: the labels are final
        return manifest
    policies = LabelPolicies(
        POLICY if uncertain is None else uncertain,
        POLICY if unmentioned is None else unmentioned,
        **evaluation,
    )
    found = label_policies.keep_found(manifest)
    return label_policies.decide_by_split(label_policies.decide(found, policies.training), policies)


def left_out(
    decided: Manifest, unmentioned: str | None, evaluation: Mapping[str, str]
) -> list[Finding]:
    """Returns a note if validation or test leave out images whose labels training would read.

    Args:
      decided: of `with_policies`.
      unmentioned: as for `with_policies`.
      evaluation: as for `with_policies`.
    """
    policies = LabelPolicies(POLICY, unmentioned or POLICY, **evaluation)
    if policies.training.unlabelled == policies.evaluation.unlabelled:
        return []
    judged = decided.subset(decided.table["split"].isin(label_policies.JUDGED).to_numpy(dtype=bool))
    if f"{label_policies.FOUND}{decided.labels[0]}" not in decided.table or not len(judged):
        return []
    count = label_policies.left_out(judged, policies.evaluation)
    if not count["images"]:
        return []
    return [
        Finding(
            NOTE,
            "left_out",
            f"Validation and test leave out {counted(count['images'], 'image')} of "
            f"{counted(count['patients'], 'patient')} without any label "
            f"({spelled('eval_unlabelled')}). If their findings are all absent, name the policy "
            "'zeros'.",
        )
    ]


def findings(
    names: Sequence[str],
    before: Rows,
    after: Rows,
    min_patients: int,
    undecided: Sequence[str],
) -> list[Finding]:
    """Returns findings about labels, from their counts before and after the policies.

    Args:
      names: names of the labels.
      before: counts by label and split before the policies.
      after: the same after the policies.
      min_patients: number of positive, and of negative, patients that an estimate needs.
      undecided: `uncertain`, `unmentioned`: the values without a named policy.
    """
    return _unlearnable(names, before, after, min_patients, undecided) + _notes(names, before)


def _unlearnable(
    names: Sequence[str],
    before: Rows,
    after: Rows,
    min_patients: int,
    undecided: Sequence[str],
) -> list[Finding]:
    """Returns findings about labels that cannot be learned or estimated; see `findings`."""
    result = []
    for label in names:
        rows = [row for row in after if row["label"] == label]
        train = [row for row in before if row["label"] == label and row["split"] == "train"]
        # Values that a policy may still turn into the missing ones.
        options = [
            f"{sum(row[value] for row in train):,} {value} ({spelled(kind)})"
            for value, kind in (("uncertain", "uncertain"), ("unknown", "unmentioned"))
            if kind in undecided and any(row[value] for row in train)
        ]
        if kept := sum(row["uncertain"] for row in rows if row["split"] == "train"):
            result.append(
                Finding(
                    ERROR,
                    "kept_uncertain",
                    f"Label {label!r} still has {kept:,} uncertain values (-1) in train, which "
                    f"cannot be trained on; set {spelled('uncertain')} to ignore, zeros or ones.",
                )
            )
        for kind, policy in (("positive", "ones"), ("negative", "zeros")):
            if any(row[kind] == 0 and row["split"] == "train" for row in rows):
                sentence = f"Label {label!r} has no {kind} image in train"
                if options:
                    sentence += (
                        f", as long as others are ignored: {' and '.join(options)}. If these are "
                        f"{kind}, name the policy {policy!r}; else leave the label out."
                    )
                else:
                    sentence += (
                        "; leave it out, or check the data and the policy for unmentioned labels."
                    )
                result.append(Finding(WARNING if options else ERROR, "unlearnable", sentence))
                continue
            patients = {row["split"]: row[f"{kind}_patients"] for row in rows}
            if few := [f"{split} {n}" for split, n in patients.items() if n < min_patients]:
                result.append(
                    Finding(
                        WARNING,
                        "few_patients",
                        f"Label {label!r} has too few {kind} patients ({', '.join(few)}; "
                        f"{min_patients} are needed to estimate anything): use more data, give "
                        "that split a larger share, or leave the label out.",
                    )
                )
    return result


def _notes(names: Sequence[str], label_counts: Rows) -> list[Finding]:
    """Returns notes about uncertain and unknown labels."""
    result = []
    for value, name in (("uncertain", "uncertain (-1)"), ("unknown", "unknown")):
        totals = dict.fromkeys(names, 0)
        for row in label_counts:
            totals[row["label"]] += row[value]
        if listed := [f"{label}: {counted(n, 'image')}" for label, n in totals.items() if n]:
            policy = spelled("uncertain" if value == "uncertain" else "unmentioned")
            result.append(
                Finding(
                    NOTE,
                    value,
                    f"Labels are {name} for {some(listed)}; the policy {policy} decides "
                    "how they count.",
                )
            )
    return result
