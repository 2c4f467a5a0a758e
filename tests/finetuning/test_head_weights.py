"""The head's first weights: zeros, or normal numbers as in the released code."""

import numpy as np
import pytest
import tensorflow as tf

from configs import chexpert
from remedis.finetuning import model
from remedis.finetuning.settings import FinetuneSettings


def kernel(checkpoint, **changes) -> np.ndarray:
    config = chexpert.get_config()
    config.update(checkpoint=str(checkpoint), **changes)
    settings = FinetuneSettings.from_config(config)
    return model.build(settings, tf.distribute.get_strategy()).classifier.head.dense.kernel.numpy()


def test_the_head_starts_from_zeros_or_from_normal_numbers_of_the_seed(tiny_checkpoint):
    assert not kernel(tiny_checkpoint).any()
    assert not kernel(tiny_checkpoint, head_stddev=0.0).any()
    drawn = kernel(tiny_checkpoint, head_stddev=0.01)
    assert drawn.std() == pytest.approx(0.01, rel=0.05)
    assert abs(drawn.mean()) < 0.001
    np.testing.assert_array_equal(drawn, kernel(tiny_checkpoint, head_stddev=0.01))
    assert (drawn != kernel(tiny_checkpoint, head_stddev=0.01, seed=1)).all()
