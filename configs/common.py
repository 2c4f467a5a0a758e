"""What the configs of fine-tuning share: their keys, and the arguments they take."""

from collections.abc import Callable, Mapping

import ml_collections
from ml_collections import config_dict

from remedis.data.labels import FIVE_CONDITIONS
from remedis.errors import UserError, unknown_choice

Variant = Callable[[ml_collections.ConfigDict], None]


def finetuning() -> ml_collections.ConfigDict:
    """Returns every key of a fine-tuning run with its default; configs set what is theirs."""
    config = ml_collections.ConfigDict()
    # What from.
    config.checkpoint = ""  # a folder, a run, or another form of remedis/zoo/resolve.py
    config.architecture = ""  # such as 50x1: what the checkpoint must be; empty for any
    config.rehearsal = ""  # layout of data to make up in the run directory; none for real data
    # Data.
    config.source = ""  # a name in remedis.data.sources
    config.source_options = ""  # such as 'views=all; test_centres=(2, 3)'; see the source's file
    config.data_dir = ""
    config.labels = ()
    config.uncertain = "ignore"  # ignore, zeros or ones; 'zeros; Edema=ones' for exceptions
    config.unmentioned = "ignore"
    config.splits = ml_collections.ConfigDict({"train": 0.7, "validation": 0.1, "test": 0.2})
    config.split_seed = 0
    config.split_unit = "patient_id"  # or slide_id
    config.stratify = ()  # labels or columns of few values whose shares assigned splits shall have
    config.complete_splits = False  # assign images without a split though others have one
    config.allow_missing_patient_ids = False
    config.refuse_near_duplicates = False  # stop if images of two splits look the same
    config.balance = ""  # a label or column whose values training shall see equally often
    config.max_bad_images = 0.01  # share of unreadable images a run goes on with
    # Images.
    config.image_size = 448
    config.train_preprocess = "resize({size})"
    config.eval_preprocess = "resize({size})"
    config.cache_gb = 1.0  # memory for decoded images; changes speed, never numbers
    # Model.
    config.task = "multi_label"  # or multi_class: exactly one of the labels is 1
    config.method = "finetune"  # or probe: the head alone, solved exactly on stored embeddings
    config.head_norm = True
    config.precision = "float32"  # or bfloat16, float16: of the activations while training
    config.gradient_checkpointing = False  # compute activations twice instead of keeping them
    # How long, of these at most one (0: none); none for the schedule's own length.
    config.steps = config_dict.placeholder(int)
    config.epochs = config_dict.placeholder(float)
    config.examples = config_dict.placeholder(int)
    # Training.
    config.batch_size = 32  # of all workers together
    config.accumulate = 1  # parts a batch is worked on in, one after the other
    config.optimizer = "sgd"  # or adamw, lars
    config.learning_rate = 0.003  # at a batch of `learning_rate_batch`, in proportion to the batch
    config.learning_rate_batch = 512  # 0: the rate is taken as it is
    config.learning_rates = ""  # factors by name: 'head/.*=10; block[12]/.*=0'; 0 freezes
    config.schedule = "hyperrule"  # or cosine, step, constant
    config.warmup = config_dict.placeholder(int)  # steps; none for the schedule's own
    config.drops = (0.3, 0.6, 0.9)  # shares of a step schedule after which the rate is a tenth
    config.momentum = 0.9
    config.weight_decay = 0.0  # norms and biases are left out
    config.clip_norm = 0.0  # largest norm of all gradients together; 0 for none
    config.ema = 0.0  # decay of the average of the weights that is evaluated and kept; 0 for none
    config.patience = 0  # evaluations in a row without a better one that end training; 0: none do
    config.class_weights = "none"  # or balanced: positives weigh as much as negatives
    config.focal_gamma = 0.0  # of the focal loss; 0 for cross-entropy
    config.mixup = config_dict.placeholder(float)  # alpha; none for the schedule's own
    config.seed = 0
    config.distribution = "none"  # or mirrored, multi_worker, tpu
    config.embeddings_dir = ""  # store of a probe's embeddings; empty for one in the run directory
    # When to look.
    config.evaluate_every = 100
    config.checkpoint_every = 100
    config.log_every = 10
    # What is reported.
    config.calibration = "platt"  # or temperature, none; multi_class has temperature for platt
    config.target_sensitivity = 0.9  # of one of the two thresholds chosen on validation
    config.resamples = 1000  # of the patients, for intervals
    return config


def chest_xray(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of radiographs, for the five conditions of REMEDIS."""
    config = finetuning()
    config.source = source
    config.labels = FIVE_CONDITIONS
    config.train_preprocess = "finetune_cxr({size})"
    return config


def reports(config: ml_collections.ConfigDict) -> None:
    """Sets what is widely done with labels mined from reports by CheXpert's labeller.

    What is uncertain counts as positive for Atelectasis and Edema and as negative for the others;
    what is not mentioned counts as negative.
    """
    config.uncertain = "zeros; Atelectasis=ones; Edema=ones"
    config.unmentioned = "zeros"


def pathology(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of patches, for tumour, in REMEDIS' size for pathology."""
    config = finetuning()
    config.source = source
    config.labels = ("tumor",)
    config.image_size = 224
    config.train_preprocess = "finetune_pathology({size})"
    return config


def head_only(config: ml_collections.ConfigDict) -> None:
    """Solves for the head alone, on embeddings that are computed once."""
    config.method = "probe"


def r50x1(config: ml_collections.ConfigDict) -> None:
    """Takes no backbone but the 50x1."""
    config.architecture = "50x1"


def r152x2(config: ml_collections.ConfigDict) -> None:
    """Takes no backbone but the 152x2, and trains it in little memory."""
    if config.architecture:
        raise UserError(f"The config arguments {config.architecture} and 152x2 exclude each other.")
    config.architecture = "152x2"
    # Activations are what fills the memory: of one unit at a time, instead of 50, and of a part of
    # the batch with the pixels of two images at 448 px. The gradients are those of the whole batch.
    config.gradient_checkpointing = True
    part = max(1, 2 * 448**2 // config.image_size**2)
    config.accumulate = max(1, config.batch_size // part)


def rehearsal(layout: str, labels: tuple[str, ...]) -> Variant:
    """Returns a variant for made-up data of a layout and random weights: minutes on 2 cores.

    Args:
      layout: of the data, as in `remedis.finetuning.rehearsal`.
      labels: those that the made-up images show.
    """

    def change(config: ml_collections.ConfigDict) -> None:
        config.rehearsal = layout
        config.labels = labels
        config.image_size = 32
        config.steps = 120
        # Random weights need larger steps than pretrained ones.
        config.learning_rate = 0.8
        config.evaluate_every = config.checkpoint_every = 40

    return change


def locked(
    config: ml_collections.ConfigDict,
    arg: str | None,
    rehearsal: Variant,
    own: Mapping[str, Variant] | None = None,
) -> ml_collections.ConfigDict:
    """Returns the config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: names of variants, `a` or `a,b` in any order.
      rehearsal: what `rehearsal` does; it has the last word.
      own: variants that only this config has.

    Raises:
      UserError: an argument is not among the variants, or two exclude each other.
    """
    variants = {
        **(own or {}),
        "50x1": r50x1,
        "152x2": r152x2,
        "head_only": head_only,
        "rehearsal": rehearsal,
    }
    asked = [name.strip() for name in (arg or "").split(",") if name.strip()]
    for name in asked:
        if name not in variants:
            raise unknown_choice("config argument", name, variants)
    for name, change in variants.items():
        if name in asked:
            change(config)
    return config.lock()
