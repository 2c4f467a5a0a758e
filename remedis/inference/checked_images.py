"""The images that a classifier can score: readable, with resolved labels, compared with its own."""

import dataclasses
import logging
from collections.abc import Mapping

import pandas as pd

from remedis import files
from remedis.data import label_policies
from remedis.data.fingerprints import Fingerprints
from remedis.data.label_policies import LabelPolicies, Meaning
from remedis.data.manifest import Manifest
from remedis.data.splits import of_split
from remedis.inference import run_policies
from remedis.inference.embed import readable_images
from remedis.inference.exported import ExportedClassifier, seen_by

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CheckedImages:
    """Images that a classifier can score.

    Attributes:
      manifest: the images that can be read, with labels of 1, 0 or unknown.
      scanned: rows of their scan, in the same order.
      warning: a sentence if the classifier has seen some of them, or may have; else empty.
      fingerprints: what recognises the images, in the same order.
      meaning: what labels other than 1 and 0 count as.
      label_notes: sentences about it, and about how it differs from that of the classifier's run.
    """

    manifest: Manifest
    scanned: pd.DataFrame
    warning: str
    fingerprints: Fingerprints
    meaning: Meaning
    label_notes: tuple[str, ...]


def check(
    exported: ExportedClassifier,
    manifest: Manifest,
    out: files.Path,
    *,
    source: str = "csv",
    policies: Mapping[str, str] | None = None,
    split: str | None = None,
    max_bad_images: float = 0.01,
) -> CheckedImages:
    """Returns the readable images; warns if the classifier has seen some of them.

    Args:
      exported: the classifier.
      manifest: its labels are some of the classifier's.
      out: directory for the scan and the list of bad images.
      source: name of the source of the data, which decides what is inherited.
      policies: of `uncertain`, `unmentioned` and `unlabelled` labels, as texts of a config. Those
        that are not named are inherited from the classifier's run, see `RunPolicies.for_source`.
      split: the images of this split alone.
      max_bad_images: largest share of unreadable images that is accepted.

    Raises:
      UserError: a label is not the classifier's, there are no images, or too many are bad.
    """
    exported.check_labels(manifest.labels)
    run = run_policies.of_model(exported.folder)
    inherited = (run.for_source(source) if run else LabelPolicies()).evaluation
    meaning = dataclasses.replace(inherited, **(policies or {}))
    manifest = meaning.apply(manifest)
    label_policies.refuse_uncertain(manifest, "uncertain")
    if split is not None:
        manifest = of_split(manifest, split)
    manifest, scanned = readable_images(manifest, out, max_bad_images)
    images = Fingerprints.from_manifest(manifest, scanned.set_index("path"))
    warning = seen_by(exported, manifest, images)
    if warning:
        _LOG.warning(warning)
    notes = [*label_policies.notes(manifest, meaning)]
    if differs := run_policies.difference(meaning, run, manifest):
        notes.append(differs)
    return CheckedImages(manifest, scanned, warning, images, meaning, tuple(notes))
