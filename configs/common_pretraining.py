"""The keys of pretraining configs with their defaults, the methods, and the rehearsals."""

from collections.abc import Iterable, Mapping
from typing import Any

import ml_collections
from ml_collections import config_dict

from configs import arguments, common_ablation, common_released
from configs.arguments import Variant
from configs.common import finetuning, r50x1, r152x2

# Keys of a fine-tuning run that the online probe of a pretraining has too, with the same defaults.
PROBE = (
    "source",
    "source_options",
    "data_dir",
    "labels",
    "task",
    "uncertain",
    "unmentioned",
    "eval_uncertain",
    "eval_unmentioned",
    "eval_unlabelled",
    "splits",
    "split_seed",
    "split_unit",
    "stratify",
    "complete_splits",
    "allow_missing_patient_ids",
    "allow_similar_ids",
    "refuse_near_duplicates",
    "allow_similar_images",
    "max_bad_images",
    "eval_preprocess",
)


def pretraining() -> ml_collections.ConfigDict:
    """Returns every key of a self-supervised pretraining with its default.

    The numbers are the defaults of REMEDIS' released code (run.py:34-61, 188-225): SimCLR with LARS
    at a rate of 0.3 per 256 images, a decay of 1e-6, batches of 512 for 100 epochs, of which 10
    warm up. The views and LARS itself are ours; `:released` has the release's. The article's own
    numbers were not read for this package.
    """
    config = ml_collections.ConfigDict()
    # Start.
    config.checkpoint = ""  # weights: bit:FILE.npz, a folder or others of remedis/zoo/resolve.py
    config.architecture = ""  # backbone that the checkpoint must have, such as 50x1; empty for any
    config.rehearsal = ""  # layout of images to make up in the run directory; empty for real ones
    # Images. Their labels are not used.
    config.data = ""  # a directory per source: 'csv=/data/mine; chestxray14=/data/ChestX-ray14'
    config.data_terms = ""  # licence or agreement of your own data, for the model card
    config.source_options = ""  # options by source, such as 'chexpert: views=all'
    # Images to leave out, 'FILE.csv; DIRECTORY': of lists, and judged ones of runs or studies.
    config.leave_out = ""
    config.leave_out_splits = ("validation", "test")  # splits to leave out, where a source has any
    config.allow_missing_patient_ids = False  # take an image without one as its own patient
    config.allow_similar_ids = False  # accept P007, P7 and p007 as different patients; else refused
    config.max_bad_images = 0.01  # largest share of unreadable images; more stop the run
    config.max_megapixels = 40.0  # largest image in million pixels; larger ones are unreadable
    config.image_size = 224  # pixels of the side of a view, {size} in the operations
    config.preprocess = "contrastive_cxr({size})"  # operations on each of the two views
    config.cache_gb = 1.0  # memory in GB for decoded images; changes speed, never numbers
    # Method.
    # or micle, moco, relic, barlow_twins: self-supervision (remedis/pretraining/methods)
    config.method = "simclr"
    config.method_options = ""  # of the method, such as 'temperature=0.2; widths=(512, 128)'
    config.partners = "patient_id"  # or study_id: what MICLe's two images share
    config.precision = "float32"  # or bfloat16, float16: numbers of activations in training
    config.gradient_checkpointing = False  # recompute activations instead of keeping them
    # Length. Exactly one of steps, epochs and examples is set; 0 counts as unset.
    config.steps = config_dict.placeholder(int)  # optimizer steps
    config.epochs = config_dict.placeholder(float)  # passes over the images
    config.examples = config_dict.placeholder(int)  # images, each counted as often as it is used
    # Training.
    config.batch_size = 512  # images per step, of all workers together
    config.accumulate = 1  # micro-batches per step; every image still meets all others
    # or released_lars, sgd, adamw: update rule; released_lars as in REMEDIS' released code
    config.optimizer = "lars"
    config.learning_rate = 0.3  # rate at a batch of `learning_rate_batch`; scales with the batch
    config.learning_rate_batch = 256  # batch that the rate is meant for; 0: the rate does not scale
    # Factors of the rate by name of the weights: 'projection/.*=10; block[12]/.*=0'; 0 freezes.
    config.learning_rates = ""
    config.schedule = "cosine"  # or constant: course of the learning rate
    config.warmup = config_dict.placeholder(int)  # steps of warm-up
    config.warmup_epochs = config_dict.placeholder(float)  # length of warm-up in epochs
    config.momentum = 0.9  # momentum of sgd and both kinds of lars
    # Decay of weights, except norms and biases; released_lars decays group norms too.
    config.weight_decay = 1e-6
    config.clip_norm = 0.0  # largest norm of all gradients together; 0: no limit
    config.seed = 0  # seed of the order of images, views and first weights
    # or mirrored, multi_worker, tpu: devices: one, all of a machine, several machines, a TPU
    config.distribution = "none"
    config.stop_on_collapse = True  # end the run if embeddings of all images become alike
    # Intervals, in steps.
    config.evaluate_every = 500  # between evaluations by the online probe
    config.checkpoint_every = 500  # between checkpoints, from which a stopped training resumes
    config.log_every = 10  # between lines of metrics
    config.fit_to_data = True  # a training shorter than evaluate_every has 10 probes, or fewer
    # Online probe. A linear probe on labelled images chooses the checkpoint that is kept. Without
    # config.probe.source there is no probe, and the last checkpoint is kept.
    defaults = finetuning()
    # Labelled images of the probe; the keys of fine-tuning with the same names.
    config.probe = ml_collections.ConfigDict({key: defaults[key] for key in PROBE})
    # Export.
    # Name of the checkpoint, such as cxr-50x1-remedis-m; empty for that of the run's directory.
    config.name = ""
    return config


def lars(config: ml_collections.ConfigDict) -> None:
    """Trains with the released code's defaults: LARS, for 100 epochs of which 10 warm up."""
    config.epochs, config.warmup_epochs = 100.0, 10.0


def moco(config: ml_collections.ConfigDict) -> None:
    """Trains as MoCo-v2 (arXiv 2003.04297) does: SGD on batches of 256 for 200 epochs."""
    config.epochs, config.warmup = 200.0, 0
    config.batch_size = config.learning_rate_batch = 256
    config.optimizer, config.learning_rate, config.weight_decay = "sgd", 0.03, 1e-4


def relic(config: ml_collections.ConfigDict) -> None:
    """Trains as RELIC (arXiv 2010.07922) does: LARS with a weight decay of 1.5e-6."""
    lars(config)
    config.weight_decay = 1.5e-6


def barlow_twins(config: ml_collections.ConfigDict) -> None:
    """Trains as Barlow Twins (arXiv 2103.03230) do: LARS, norms and biases at a rate of 0.0048."""
    lars(config)
    config.learning_rate = 0.2
    config.learning_rates = f".*/(gamma|beta|bias)={0.0048 / config.learning_rate:g}"


def _of_method(name: str, train: Variant) -> Variant:
    def change(config: ml_collections.ConfigDict) -> None:
        config.method = name
        train(config)

    return change


# The training of each method; its own settings are the defaults of `remedis.pretraining.methods`.
METHODS: Mapping[str, Variant] = {
    name: _of_method(name, train)
    for name, train in (
        ("simclr", lars),
        ("micle", lars),
        ("moco", moco),
        ("relic", relic),
        ("barlow_twins", barlow_twins),
    )
}


def r152x2_of_two_views(config: ml_collections.ConfigDict) -> None:
    """Accepts no backbone but the 152x2; a micro-batch has half as many images, of two views."""
    r152x2(config)
    config.accumulate = min(config.batch_size, 2 * config.accumulate)


ARCHITECTURES: Mapping[str, Variant] = {"50x1": r50x1, "152x2": r152x2_of_two_views}


# Settings of a rehearsal: a temperature for small batches, a queue and heads for few images, a
# teacher that follows in few steps, a small rate for Barlow Twins, whose loss is a sum.
REHEARSED: Mapping[str, Mapping[str, Any]] = {
    "simclr": {"method_options": "temperature=0.2"},
    "micle": {"method_options": "temperature=0.2"},
    "moco": {"method_options": "queue=256; momentum=0.99; temperature=0.07"},
    "relic": {"method_options": "temperature=0.2; widths=(512, 128)"},
    "barlow_twins": {"method_options": "widths=(256, 256, 256)", "learning_rate": 0.003},
}


def pretraining_rehearsal(layout: str, labels: tuple[str, ...], preprocess: str) -> Variant:
    """Returns a variant for made-up images and a narrow backbone from random weights: minutes.

    Args:
      layout: of the images, as in `remedis.finetuning.rehearsal`; the probe has the same.
      labels: those that the made-up images show.
      preprocess: of each view: milder than for real images, of which there are many more.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.accumulate = 1
        config.rehearsal = config.probe.source = layout
        config.probe.labels = labels
        config.probe.splits = ml_collections.ConfigDict(
            {"train": 0.5, "validation": 0.3, "test": 0.2}
        )
        config.checkpoint = f"scratch:{config.architecture or '50x0.5'}"
        config.image_size = 48
        config.preprocess = preprocess
        config.epochs, config.warmup, config.warmup_epochs = 10.0, None, 1.0
        config.batch_size = 32
        if config.optimizer != "released_lars":
            # As in benchmarks/pretraining.py: from random weights AdamW takes more steps.
            config.optimizer, config.learning_rate, config.learning_rates = "sgd", 0.1, ""
            config.learning_rate_batch = 0
        options = config.method_options
        config.update(REHEARSED[config.method])
        if options:
            config.method_options += f"; {options}"
        config.evaluate_every = config.checkpoint_every = 40

    return change


def locked_pretraining(
    config: ml_collections.ConfigDict,
    arg: str | None,
    rehearsal: Variant,
    ablations: Iterable[str],
) -> ml_collections.ConfigDict:
    """Returns a pretraining config with the variants named in `arg` applied, locked.

    Args:
      config: to change; its `method` holds if `arg` names none.
      arg: of the config; see `arguments.locked`.
      rehearsal: the variant of this name. Views that other arguments changed are rehearsed as they
        are, not replaced by its milder ones.
      ablations: arguments that leave out operations; see `common_ablation`.
    """
    recipe = config.preprocess

    def rehearsed(config: ml_collections.ConfigDict) -> None:
        chosen = config.preprocess
        rehearsal(config)
        if chosen != recipe:
            config.preprocess = chosen

    variants = {
        **METHODS,
        "released": common_released.pretraining,
        **common_ablation.variants(ablations),
        **ARCHITECTURES,
        "rehearsal": rehearsed,
    }
    others = [("released", method) for method in METHODS if method != "simclr"]
    exclusive = [METHODS, ARCHITECTURES, *others]
    return arguments.locked(config, arg, variants, exclusive, defaults=[config.method])
