"""The keys of fine-tuning configs with their defaults, and the arguments these configs take.

The meaning of a key is in the comment behind it or above it, here and in `common_pretraining` and
`common_study`. `or adamw, lars: update rule` names the other values before the meaning. A comment
such as `Data.` begins a group of keys. The reference of configs in the documentation is made of
these comments, by `docs/generate/config_keys.py`.
"""

from collections.abc import Mapping

import ml_collections
from ml_collections import config_dict

from configs import arguments, common_released
from configs.arguments import Variant
from remedis.data.label_names import FIVE_CONDITIONS, LESIONS


def finetuning() -> ml_collections.ConfigDict:
    """Returns every key of a fine-tuning run with its default; configs change some of them."""
    config = ml_collections.ConfigDict()
    # Start.
    config.checkpoint = ""  # weights: a folder, a run or others of remedis/zoo/resolve.py
    config.architecture = ""  # backbone that the checkpoint must have, such as 50x1; empty for any
    config.rehearsal = ""  # layout of data to make up in the run directory; empty for real data
    # Data.
    config.source = ""  # layout of the data: a name in remedis.data.sources
    config.source_options = ""  # options of the source, such as 'views=all; test_centres=(2, 3)'
    config.data_dir = ""  # directory of the data, in the layout of the source
    config.data_terms = ""  # licence or agreement of your own data, for the model card
    config.labels = ()  # label columns, in the order of the outputs
    # or zeros, ones: what labels of -1 count as in training; 'zeros; Edema=ones' for exceptions
    config.uncertain = "ignore"
    config.unmentioned = "ignore"  # or zeros, ones: what empty labels count as in training
    # or zeros, ones, empty: what labels of -1 count as in validation and test; empty for the policy
    # of training
    config.eval_uncertain = "ignore"
    # or ignore, zeros, ones: what empty labels of images with another label count as in validation
    # and test; empty for the policy of training
    config.eval_unmentioned = ""
    # or zeros, ones, empty: what the labels of images without any label count as in validation and
    # test; empty for the policy of training
    config.eval_unlabelled = "ignore"
    # Shares of the images without a split. Where a test split is official, its share is 0.
    config.splits = ml_collections.ConfigDict({"train": 0.7, "validation": 0.1, "test": 0.2})
    config.split_seed = 0  # seed of the assignment of splits
    config.split_unit = "patient_id"  # or slide_id: what is on one side of a split as a whole
    config.stratify = ()  # labels or columns of few values; assigned splits keep their shares
    config.complete_splits = False  # assign images without a split though others have one
    config.allow_missing_patient_ids = False  # take an image without one as its own patient
    config.allow_similar_ids = False  # accept P007, P7 and p007 as different patients; else refused
    config.refuse_near_duplicates = False  # stop if images of two splits look the same
    # Go on though many test images look like those that the weights have seen; else the run stops.
    config.allow_similar_images = False
    # Images that never train, 'FILE.csv; DIRECTORY': of lists, of ChestX-ray14's file of boxes, and
    # judged ones of runs. The other images of their patients do not train either.
    config.leave_out = ""
    config.balance = ""  # a label or column; training sees its values equally often
    config.max_bad_images = 0.01  # largest share of unreadable images; more stop the run
    # Images.
    config.max_megapixels = 40.0  # largest image in million pixels; larger ones are unreadable
    config.image_size = 448  # pixels of the side of an image, {size} in the operations
    config.train_preprocess = "resize({size})"  # operations on an image of training
    config.eval_preprocess = "resize({size})"  # the same of validation and test; none is random
    config.cache_gb = 1.0  # memory in GB for decoded images; changes speed, never numbers
    # Model.
    # or multi_class: labels are independent of each other; of classes exactly one is 1
    config.task = "multi_label"
    # or probe: what is trained: all layers, or the head alone, solved exactly on stored embeddings
    config.method = "finetune"
    config.head_norm = True  # a group norm and ReLU between backbone and head, as in BiT
    # Standard deviation of the head's first weights, normal numbers; unset: zeros, as in BiT.
    config.head_stddev = config_dict.placeholder(float)
    config.precision = "float32"  # or bfloat16, float16: numbers of activations in training
    config.gradient_checkpointing = False  # recompute activations instead of keeping them
    # Length. At most one of steps, epochs and examples is set (0 counts as unset); otherwise the
    # schedule has its own. That of `hyperrule` is 500 steps of 512 images below 20,000 images
    # (remedis/training/schedules.py).
    config.steps = config_dict.placeholder(int)  # optimizer steps
    config.epochs = config_dict.placeholder(float)  # passes over the training images
    config.examples = config_dict.placeholder(int)  # images, each counted as often as it is used
    # With few images, the schedule's own length and its rate count with at most the images that
    # there are, such as 500 epochs of 38 images; a training shorter than evaluate_every is
    # evaluated 10 times.
    config.fit_to_data = True  # False: as in version 0.1
    # Values of layers, decay_to, learning_rate, weight_decay, warmup_epochs and one of steps,
    # epochs, examples, such as 'learning_rate=0.003,0.03; weight_decay=0,0.0001': every combination
    # is trained, in place of the values of these keys, and validation chooses. Among equal scores
    # the first named wins. Named first, layers and decay_to cost the least time.
    config.select = ""
    # Training.
    config.batch_size = 32  # images per step, of all workers together
    config.accumulate = 1  # micro-batches per step, to save memory; gradients are the whole batch's
    # or adamw, lars, released_lars: update rule; released_lars as in REMEDIS' released code
    config.optimizer = "sgd"
    config.learning_rate = 0.003  # rate at a batch of `learning_rate_batch`; scales with the batch
    config.learning_rate_batch = 512  # batch that the rate is meant for; 0: the rate does not scale
    # Factors of the rate by name of the weights: 'head/.*=10; block[12]/.*=0'; 0 freezes.
    config.learning_rates = ""
    # or decaying, upper: which layers of a BiT network train. decaying: all, each block at 1 / 2.6
    # of the rate of the block or head above it. upper: the last two blocks and the head.
    config.layers = "all"
    # or cosine, step, constant: course of the learning rate; hyperrule is that of BiT
    config.schedule = "hyperrule"
    config.warmup = config_dict.placeholder(int)  # steps of warm-up; unset: the schedule's own
    config.warmup_epochs = config_dict.placeholder(float)  # length of warm-up in epochs
    config.drops = (0.3, 0.6, 0.9)  # shares of a step schedule after which the rate is a tenth
    config.momentum = 0.9  # momentum of sgd and both kinds of lars
    # Decay of weights, except norms and biases; released_lars decays group norms too.
    config.weight_decay = 0.0
    config.decay_to = "zero"  # or start: the decay draws weights to 0, or to their first values
    config.clip_norm = 0.0  # largest norm of all gradients together; 0: no limit
    config.ema = 0.0  # decay of the averaged weights, which are evaluated and kept; 0: none
    config.patience = 0  # training ends after this many evaluations without a better one; 0: never
    # or balanced: weights of the loss; balanced: positives weigh as much as negatives, per label
    config.class_weights = "none"
    config.focal_gamma = 0.0  # gamma of the focal loss; 0 for cross-entropy
    config.mixup = config_dict.placeholder(float)  # alpha of MixUp; unset: the schedule's own
    config.seed = 0  # seed of the order of images, augmentation and first weights
    # or mirrored, multi_worker, tpu: devices: one, all of a machine, several machines, a TPU
    config.distribution = "none"
    config.embeddings_dir = ""  # store of a probe's embeddings; empty: in the run directory
    # Intervals, in steps.
    config.evaluate_every = 100  # between evaluations on validation; the best weights are kept
    config.checkpoint_every = 100  # between checkpoints, from which a stopped training resumes
    config.log_every = 10  # between lines of metrics
    # Report.
    # or temperature, none: fit of probabilities on validation; multi_class has no platt
    config.calibration = "platt"
    config.target_sensitivity = 0.9  # sensitivity of one of the two thresholds chosen on validation
    config.resamples = 1000  # resamples of the patients, for intervals
    # or patients: what has equal weight in the AUROC; images of a patient share that of the patient
    config.weighting = "images"
    # The k of top-k accuracies, of multi_class: the true class is among the k most probable.
    config.top_k = (1, 3)
    # Resamples of intervals that contain the choice of thresholds and calibration; 200 suffice.
    config.nested_resamples = 0
    # Test patients whose embeddings lie in the export without ids, to find drift later; 0: none.
    config.reference_patients = 200
    return config


def chest_xray(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of radiographs, for the five conditions of REMEDIS."""
    config = finetuning()
    config.source = source
    config.labels = FIVE_CONDITIONS
    config.train_preprocess = "finetune_cxr({size})"
    return config


def reports(config: ml_collections.ConfigDict) -> None:
    """Sets the usual policies for labels that CheXpert's labeller mined from reports.

    In training, uncertain labels count as positive for Atelectasis and Edema and as negative for
    the others; unmentioned labels count as negative. In validation and test, uncertain labels are
    ignored and images without any label are left out.
    """
    config.uncertain = "zeros; Atelectasis=ones; Edema=ones"
    config.unmentioned = "zeros"


def pathology(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of patches, for tumour, in the size of the released README."""
    config = finetuning()
    config.source = source
    config.labels = ("tumor",)
    config.image_size = 224
    config.train_preprocess = "finetune_pathology({size})"
    return config


def slides(source: str) -> ml_collections.ConfigDict:
    """Returns the config of a source of whole slides, for tumour in a tile.

    Which resolution REMEDIS used could not be read. 0.5 micrometres per pixel (20x) is our choice,
    and so is the number of tiles: a slide has some 10,000, most of them alike.
    """
    config = pathology(source)
    config.source_options = "mpp=0.5; size=224; tiles_per_slide=500"
    return config


def rehearse_slides(config: ml_collections.ConfigDict) -> None:
    """Cuts made-up slides into the patches that they consist of."""
    config.source_options = "mpp=0.5; size=96"


def dermatology() -> ml_collections.ConfigDict:
    """Returns the config of photographs of skin, one of HAM10000's classes each."""
    config = finetuning()
    config.source = "csv"
    config.labels = LESIONS
    config.task = "multi_class"
    config.stratify = config.get_ref("labels")  # rare classes are in every split
    config.train_preprocess = (
        "random_resized_crop({size}, area=(0.6, 1.0)) | quarter_turns() | flip_left_right() | "
        "brightness(0.2) | contrast(0.2) | saturation(0.2) | hue(0.03)"
    )
    return config


def head_only(config: ml_collections.ConfigDict) -> None:
    """Solves for the head alone, on embeddings that are computed once."""
    config.method = "probe"


def r50x1(config: ml_collections.ConfigDict) -> None:
    """Accepts no backbone but the 50x1."""
    config.architecture = "50x1"


def r152x2(config: ml_collections.ConfigDict) -> None:
    """Accepts no backbone but the 152x2, and trains it in little memory."""
    config.architecture = "152x2"
    little_memory(config)


def little_memory(config: ml_collections.ConfigDict) -> None:
    """Trains in as little memory as the 152x2 needs; numbers change by rounding alone."""
    # Activations fill the memory. Checkpointing keeps those of one unit instead of 50, and a
    # micro-batch has the pixels of two images at 448 px. The gradients are the whole batch's.
    config.gradient_checkpointing = True
    micro_batch = max(1, 2 * 448**2 // config.image_size**2)
    config.accumulate = max(1, config.batch_size // micro_batch)


ARCHITECTURES: Mapping[str, Variant] = {"50x1": r50x1, "152x2": r152x2}


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
        config.steps, config.epochs, config.warmup_epochs = 120, None, None
        config.batch_size, config.accumulate = 32, 1
        # Random weights need larger steps than pretrained ones. A training as released keeps its
        # optimizer and rate.
        if config.schedule == "hyperrule":
            config.learning_rate = 0.8
        config.evaluate_every = config.checkpoint_every = 40

    return change


def locked(
    config: ml_collections.ConfigDict,
    arg: str | None,
    rehearsal: Variant,
    extra: Mapping[str, Variant] | None = None,
) -> ml_collections.ConfigDict:
    """Returns a fine-tuning config with the variants named in `arg` applied, locked.

    Args:
      config: to change.
      arg: of the config; see `arguments.locked`.
      rehearsal: the variant of this name.
      extra: variants that only this config has.
    """
    variants = {
        **(extra or {}),
        **common_released.FINETUNING,
        **ARCHITECTURES,
        "head_only": head_only,
        "rehearsal": rehearsal,
    }
    trainings = [*common_released.FINETUNING, "head_only"]
    return arguments.locked(config, arg, variants, exclusive=[ARCHITECTURES, trainings])
