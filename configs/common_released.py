"""Training as in REMEDIS' released code, and as in its notebook: variants of the configs.

The released code is google-research/medical-ai-research-foundations at its last commit; files and
lines below are its. The methods section of REMEDIS' article (Azizi et al. 2023, arXiv 2205.09723)
was not read for this package: what it says of fine-tuning may differ. Rates, decays and lengths can
be tuned on validation by a grid of yours (`config.select`), for example

    --config.select='learning_rate=0.03,0.1,0.3,1; weight_decay=0,0.000001,0.0001; epochs=25,100'
"""

from collections.abc import Mapping

import ml_collections

from configs.arguments import Variant

# The released recipe for each of ours. Other configs get the same operations.
FINETUNING_RECIPES = {
    "finetune_cxr({size})": "released_finetune_cxr({size})",
    "finetune_pathology({size})": "released_finetune_pathology({size})",
}
CONTRASTIVE_RECIPES = {"contrastive_cxr({size})": "released_contrastive_cxr({size})"}


def _lars(config: ml_collections.ConfigDict) -> None:
    """Sets what the release's flags are by default, in pretraining and fine-tuning alike.

    LARS at 0.3 x batch / 256, momentum 0.9, decay 1e-6, batches of 512, a cosine over 100 epochs
    after a warm-up of 10 (run.py:34-61, 188-192, model_util.py:43-61). LARS' decay and adaptation
    leave out biases and batch norms, not group norms (model.py:176-182).
    """
    config.optimizer, config.momentum, config.weight_decay = "released_lars", 0.9, 1e-6
    config.learning_rate, config.learning_rate_batch, config.batch_size = 0.3, 256, 512
    config.schedule, config.warmup, config.warmup_epochs = "cosine", None, 10.0
    config.steps, config.epochs, config.examples = None, 100.0, None


def finetuning(config: ml_collections.ConfigDict) -> None:
    """Trains all layers as the released training code does with `train_mode=finetune`.

    Random crops and flips, no colour and no blur (see `released_finetune_cxr`), evaluation on the
    central 0.875 of the shorter side, a linear layer on BiT's `pre_logits`, which are pooled after
    its final norm, from normal numbers of 0.01 (bit.py:71-73, model_util.py:87-89, 136-143), no
    MixUp, no class weights. (LARS moves a kernel by a share of its norm. A head that starts from
    zeros, as ours do otherwise, would take its pace from the first and smallest step of the
    warm-up.) What differs:

    - The image size is that of the README and the notebook, 448 for radiographs and 224 for patches
      (README "Example Usage"); the flag is 224 by default (run.py:241).
    - The loss of independent labels (`multi_label`) is a sigmoid cross-entropy. The release has a
      softmax over classes alone (objective.py:28-30), which is that of `multi_class`.
    - The release's SavedModels lack the final norm; a fresh one takes its place.
    - The last checkpoint is kept in the release; here it is the best one on validation.

    Where the activations of 512 images do not fit into memory, `--config.accumulate=32` trains 16
    at a time. The gradients are the whole batch's.
    """
    _lars(config)
    config.train_preprocess = FINETUNING_RECIPES.get(
        config.train_preprocess, "released_random_crop({size}) | flip_left_right()"
    )
    config.eval_preprocess = "released_evaluation({size})"
    config.head_norm, config.head_stddev, config.mixup = True, 0.01, 0.0


def notebook(config: ml_collections.ConfigDict) -> None:
    """Trains the head alone as the released notebook does (REMEDIS_finetuning_example.ipynb).

    A frozen backbone, its map pooled without a norm, a sigmoid cross-entropy, LARS at a constant
    rate of 0.1, momentum 0.9, no decay, batches of 64, the central crop in training too (cells 8
    and 9). The notebook's LARS leaves out names with `head_supervised` from its adaptation, and it
    trains no others: what remains is SGD with momentum, so that the optimizer here is `sgd`.

    What differs: the notebook shows 5 steps without shuffling; the length here, 10 epochs, is ours.
    It has the mean of two sigmoids on the one-hot label of one task. Here it is the mean of one
    sigmoid per label, so that one label learns at twice the notebook's rate and five at two fifths
    of it; classes of a `multi_class` task have a softmax. Its head starts from Glorot's uniform
    numbers, here from zeros.
    """
    config.optimizer, config.momentum, config.weight_decay = "sgd", 0.9, 0.0
    config.learning_rate, config.learning_rate_batch, config.batch_size = 0.1, 0, 64
    config.learning_rates = "head/.*=1; .*=0"
    config.schedule, config.warmup, config.warmup_epochs = "constant", 0, None
    config.steps, config.epochs, config.examples = None, 10.0, None
    config.train_preprocess = config.eval_preprocess = "released_evaluation({size})"
    config.head_norm, config.head_stddev, config.mixup = False, None, 0.0


def pretraining(config: ml_collections.ConfigDict) -> None:
    """Trains as the released code does by default, with the flag for equalisation on radiographs.

    The defaults of `configs/common_pretraining.py` have the same numbers: the rate, the batch, the
    length, the decay, the temperature and the head. What this changes: the views
    (`released_contrastive_cxr`, `released_contrastive_pathology`), LARS as released, which decays
    and adapts group norms, and a loss that is the sum of both views' means (objective.py:81-85),
    twice ours.
    """
    _lars(config)
    config.preprocess = CONTRASTIVE_RECIPES.get(
        config.preprocess, "released_contrastive_pathology({size})"
    )
    config.method_options = "sum_of_views=True"


FINETUNING: Mapping[str, Variant] = {"released": finetuning, "notebook": notebook}
