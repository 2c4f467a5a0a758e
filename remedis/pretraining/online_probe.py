"""What tells whether a pretraining gets anywhere: a probe on labelled images, every so often."""

import dataclasses
from collections.abc import Sequence

import ml_collections
import numpy as np
import tensorflow as tf

from remedis import files, options
from remedis.data.batches.cache import ImageCache
from remedis.errors import UserError
from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.linear_probe import linear_probe
from remedis.evaluation.nearest_neighbours import knn
from remedis.finetuning import data
from remedis.finetuning.settings import DataSettings
from remedis.inference import predict
from remedis.models.bit import BiTResNet
from remedis.preprocess import Preprocess
from remedis.pretraining import objective
from remedis.pretraining.leave_out import LeftOut
from remedis.training import checks
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

_CACHE_BYTES = 2**28  # of decoded images, for each of the two splits; more are decoded again


@dataclasses.dataclass(frozen=True)
class OnlineProbe:
    """Frozen features of a few labelled images, and how well a linear probe reads them.

    The labels choose the checkpoint that is kept and how long to train, and train nothing.

    Attributes:
      parts: the labelled images; the probe is fitted on `train` and judged on `validation`.
      preprocess: the evaluation part.
      batch_size: images at a time.
    """

    parts: data.RunData
    preprocess: Preprocess
    batch_size: int

    @classmethod
    def of(
        cls, config: ml_collections.ConfigDict, run: RunDirectory, left_out: Sequence[LeftOut]
    ) -> "OnlineProbe | None":
        """Returns the probe `config.probe` asks for; None if it names no source.

        Args:
          config: of the pretraining.
          run: its directory.
          left_out: whose labels must not choose the checkpoint; left out of the probe, too.

        Raises:
          UserError: its data cannot be had, splits share patients or images, or none are left.
        """
        if not config.probe.source:
            return None
        print("Probe:", flush=True)
        within = RunDirectory(run.path / "probe", config.probe.to_dict())
        operations = checks.operations(
            config.probe.eval_preprocess,
            config.image_size,
            "probe.eval_preprocess",
            deterministic=True,
        )
        settings = options.settings(DataSettings, config.probe)
        prepared = data.prepare(settings, config.probe.task, within)
        parts = _without(prepared, left_out, within)
        # What fits into memory while training does here.
        together = max(1, config.batch_size // config.accumulate)
        return cls(parts, operations, together)

    def scorer(self, backbone: BiTResNet, distribution: Distribution) -> "Scorer":
        """Returns what scores a backbone as it is, again and again."""
        return Scorer(self, backbone, distribution)


def _without(parts: data.RunData, left_out: Sequence[LeftOut], run: RunDirectory) -> data.RunData:
    """Returns a probe's images without those that must not be seen, and says how many they are."""
    kept, dropped = {}, {}
    for split in ("train", "validation"):
        part = getattr(parts, split)
        named = np.zeros(len(part), dtype=bool)
        for one in left_out:
            named |= one.among(part, parts.hashes)
        kept[split], dropped[split] = part.subset(~named), int(named.sum())
        if named.all():
            raise UserError(
                f"config.leave_out names all {len(part):,} images of the {split} split of "
                "config.probe; probe with other images, by which nothing is judged later."
            )
    files.write_json(run / "left_out.json", dropped)
    if any(dropped.values()):
        print(
            f"  Left out, since config.leave_out names them: {dropped['train']:,} images of train "
            f"and {dropped['validation']:,} of validation.",
            flush=True,
        )
    return dataclasses.replace(parts, **kept)


class Scorer:
    """Scores one backbone."""

    def __init__(
        self, online_probe: OnlineProbe, backbone: BiTResNet, distribution: Distribution
    ) -> None:
        self._online_probe, self._distribution = online_probe, distribution
        self._caches = tuple(ImageCache(_CACHE_BYTES) for _ in range(2))
        self._features = tf.function(
            lambda images: objective.features(backbone, images, training=False),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)],
            autograph=False,
        )

    def __call__(self) -> tuple[float, dict[str, float | None]]:
        """Returns the mean AUROC of the probe on validation, and what to log.

        The probe's penalty is chosen on validation too, a choice of one number; k-NN chooses none.

        Raises:
          UserError: validation has no label with both classes.
        """
        online_probe = self._online_probe
        features, targets = [], []
        for part, cache in zip(
            (online_probe.parts.train, online_probe.parts.validation), self._caches, strict=True
        ):
            own = part.subset(np.isin(np.arange(len(part)), self._distribution.rows(len(part))))
            found = predict.predict(
                self._features, own, online_probe.preprocess, online_probe.batch_size, cache=cache
            )
            features.append(self._distribution.gathered(found))
            targets.append(part.targets())
        (x, vx), (y, vy) = features, targets
        linear = mean_auroc(vy, linear_probe(x, y, vx, vy).logits(vx))
        if linear is None:
            raise UserError(
                "The validation split of config.probe has no label with positive and negative "
                "images; give it a larger share in config.probe.splits."
            )
        nearest = mean_auroc(vy, knn(x, y, vx))
        return linear, {"probe/linear_auroc": linear, "probe/knn_auroc": nearest}
