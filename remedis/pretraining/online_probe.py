"""The online probe of a pretraining: linear probe and k-NN on features of labelled images."""

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from remedis import files
from remedis.data import canonical_ids
from remedis.data.batches.cache import ImageCache
from remedis.data.leave_out import LeftOut
from remedis.errors import UserError
from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.linear_probe import linear_probe
from remedis.evaluation.nearest_neighbours import knn
from remedis.finetuning import data
from remedis.inference import predict
from remedis.models.bit import BiTResNet
from remedis.preprocess import Preprocess
from remedis.pretraining import two_view_objective
from remedis.pretraining.settings import ProbeSettings
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)

_CACHE_BYTES = 2**28  # of decoded images, per split; images beyond it are decoded again


@dataclasses.dataclass(frozen=True)
class OnlineProbe:
    """Labelled images on which the features are evaluated during training.

    The labels choose the checkpoint that is exported; no weight of the backbone is trained on them.

    Attributes:
      splits: the labelled images; the probe is fitted on `train` and evaluated on `validation`.
      preprocess: the evaluation's operations.
      batch_size: number of images per forward pass.
    """

    splits: data.RunData
    preprocess: Preprocess
    batch_size: int

    @property
    def images(self) -> int:
        """Number of images of an evaluation."""
        return len(self.splits.train) + len(self.splits.validation)

    @classmethod
    def from_settings(
        cls, settings: ProbeSettings, run: RunDirectory, left_out: Sequence[LeftOut]
    ) -> "OnlineProbe":
        """Returns the probe with its data; writes `probe/` in the run's directory.

        Args:
          settings: of the probe.
          run: directory of the pretraining.
          left_out: images and patients whose labels must not select the checkpoint; the probe
            excludes them.

        Raises:
          UserError: the data are not as expected, splits share patients or images, or a split has
            no image besides those left out.
        """
        _LOG.info("Probe:")
        operations = settings.operations()
        directory = RunDirectory(run.path / "probe", settings.to_dict())
        labelled = data.prepare(settings.data.as_begun(directory), settings.task, directory)
        if not settings.data.allow_similar_ids:
            _refuse_similar_ids(labelled, left_out)
        return cls(_without(labelled, left_out, directory), operations, settings.batch_size)

    def scorer(self, backbone: BiTResNet, distribution: Distribution) -> "Scorer":
        """Returns a function that evaluates the current weights of a backbone."""
        return Scorer(self, backbone, distribution)


def _refuse_similar_ids(labelled: data.RunData, left_out: Sequence[LeftOut]) -> None:
    """Raises a UserError if the probe may use a left-out patient under another spelling."""
    for listed in left_out:
        for images in (labelled.train, labelled.validation):
            if listed.knows(images.root):
                canonical_ids.refuse_alike(
                    images.table["patient_id"].dropna(),
                    listed.patients,
                    "patient_id",
                    "write each id in one way, or set config.probe.allow_similar_ids if they are "
                    "different patients",
                )


def _without(
    labelled: data.RunData, left_out: Sequence[LeftOut], directory: RunDirectory
) -> data.RunData:
    """Returns a probe's data without what is left out; writes how many images those are."""
    splits, dropped = {}, {}
    for split in ("train", "validation"):
        images = getattr(labelled, split)
        is_left_out = np.zeros(len(images), dtype=bool)
        for listed in left_out:
            is_left_out |= listed.among(images, labelled.fingerprints(split))
        splits[split], dropped[split] = images.subset(~is_left_out), int(is_left_out.sum())
        if is_left_out.all():
            raise UserError(
                f"config.leave_out names all {len(images):,} images of the {split} split of "
                "config.probe; use other images for the probe, which no run or study judges."
            )
    files.write_json(directory / "left_out.json", dropped)
    if any(dropped.values()):
        _LOG.info(
            f"  Left out, since config.leave_out names them: {dropped['train']:,} images of train "
            f"and {dropped['validation']:,} of validation."
        )
    return dataclasses.replace(labelled, **splits)


class Scorer:
    """Evaluation of the current weights of a backbone by an online probe."""

    def __init__(
        self, online_probe: OnlineProbe, backbone: BiTResNet, distribution: Distribution
    ) -> None:
        self._online_probe, self._distribution = online_probe, distribution
        self._caches = tuple(ImageCache(_CACHE_BYTES) for _ in range(2))
        self._features = tf.function(
            lambda images: two_view_objective.features(backbone, images, training=False),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        )

    def __call__(self) -> tuple[float, dict[str, float | None]]:
        """Returns the linear probe's mean AUROC on validation, and the values to log by name.

        The penalty of the linear probe, a single number, is chosen on validation too; k-NN has
        nothing to choose.

        Raises:
          UserError: no label has both classes in validation.
        """
        online_probe = self._online_probe
        features, targets = [], []
        for images, cache in zip(
            (online_probe.splits.train, online_probe.splits.validation), self._caches, strict=True
        ):
            rows = self._distribution.rows(len(images))
            share = images.subset(np.isin(np.arange(len(images)), rows))
            local = predict.predict(
                self._features, share, online_probe.preprocess, online_probe.batch_size, cache=cache
            )
            features.append(self._distribution.gathered(local))
            targets.append(images.targets())
        (x, vx), (y, vy) = features, targets
        linear = mean_auroc(vy, linear_probe(x, y, vx, vy).logits(vx))
        if linear is None:
            raise UserError(
                "The validation split of config.probe has no label with positive and negative "
                "images; give it a larger share in config.probe.splits."
            )
        nearest = mean_auroc(vy, knn(x, y, vx))
        return linear, {"probe/linear_auroc": linear, "probe/knn_auroc": nearest}
