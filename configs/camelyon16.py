r"""Camelyon16: tumour in tiles of whole slides, official test slides, all layers, BiT's HyperRule.

    python finetune/finetune.py --config=configs/camelyon16.py --workdir=runs/camelyon16 \
        --config.checkpoint=saved_models/path-50x1-remedis-m --config.data_dir=/data/CAMELYON16

The directory is the download as it is, its zip files unpacked: slides, outlines and
`reference.csv` (`remedis/data/sources/camelyon16.py`). Validation is a fifth of the training
slides. Tiles are read from the slides, with the extra `slides`. Packed once, they are read faster:

    remedis prepare /data/CAMELYON16 --source=camelyon16 --option=tiles_per_slide=500 \
        --preprocess='resize(224)' --out=packed --name=camelyon16

and then `--config.data_dir=packed --config.source=tfds --config.source_options=''`.

Tiles have 224 pixels, as in the released README, at 0.5 micrometres per pixel; at most 500 positive
and 500 negative tiles per slide are used. Resolution and number are our choices: those of the paper
could not be read. Others: `--config.source_options='mpp=1.0; size=224'`. Positive tiles are
more frequent among these than on the slides, so that precision does not carry over to slides.

Arguments, several as `:rehearsal,head_only`: `:50x1`, `:152x2` (accept this backbone only; the
second trains in little memory), `:head_only` (the head alone, solved on stored embeddings),
`:released` (trained as by REMEDIS' released code), `:notebook` (the head alone, trained as in its
notebook; `configs/common_released.py` has numbers and sources of both), `:rehearsal` (made-up
slides, random weights, minutes on 2 cores).

Expected on Camelyon16: not measured here. Every slide counts as a patient.
"""

import ml_collections

from configs import common


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config; `arg` as above."""
    config = common.slides("camelyon16")
    config.splits = ml_collections.ConfigDict({"train": 0.8, "validation": 0.2, "test": 0.0})
    config.stratify = ("tumor", "site")

    def rehearsal(config: ml_collections.ConfigDict) -> None:
        common.rehearsal("camelyon16", config.labels)(config)
        common.rehearse_slides(config)
        # Few slides: an interval needs five with tumour in validation.
        config.splits = ml_collections.ConfigDict({"train": 0.5, "validation": 0.5, "test": 0.0})

    return common.locked(config, arg, rehearsal)
