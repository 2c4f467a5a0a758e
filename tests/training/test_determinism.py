import os
import subprocess
import sys

import pytest
import tensorflow as tf

from remedis import compat
from remedis.training import determinism

# Allocates and frees 64 MB in each step; prints the pages that the system handed out.
STEPS = """
import resource
import tensorflow as tf
from remedis.training.determinism import prepare_process
prepare_process()

@tf.function(autograph=False)
def step(x):
    return tf.reduce_max(tf.fill([2**24], x) + x)

step(tf.constant(1.0)).numpy()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step(tf.constant(1.0)).numpy()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(**variables: str) -> int:
    """Returns the pages that 20 steps of a prepared process asked the system for.

    Without oneDNN, whose own allocator would keep memory whatever the other one does.
    """
    run = subprocess.run(
        [sys.executable, "-c", STEPS],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0"} | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(run.stdout.splitlines()[-1])


@pytest.mark.guarantee
def test_memory_is_kept_unless_the_user_has_said_otherwise():
    # A factor, since pages may be small or huge.
    assert 10 * pages() < pages(TF_CPU_ALLOCATOR_USE_BFC="0")


def test_after_a_prepared_block_tensorflow_is_as_before():
    """A notebook that has trained goes on with Keras, whose initializers have no seed."""
    optimizer = tf.config.optimizer.get_experimental_options()

    def fail():
        assert compat.op_determinism()
        assert not compat.stack_traces()
        assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"]
        raise KeyError

    with pytest.raises(KeyError), determinism.prepared():
        fail()
    assert not compat.op_determinism()
    assert compat.stack_traces()
    after = tf.config.optimizer.get_experimental_options()
    assert after == {"disable_meta_optimizer": False, **optimizer}
