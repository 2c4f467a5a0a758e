"""TensorFlow settings for the process of a job: determinism and memory."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from remedis import compat

# Limit of the allocator below, MiB: in effect none. TensorFlow's default, 64 GiB, is less than the
# memory of a large machine.
LIMIT = 1 << 24


def prepare_process() -> None:
    """Makes TensorFlow bitwise reproducible on this machine, and lets it use less memory.

    Call it before anything is computed, in a process that does nothing else: every unseeded random
    operation becomes an error. Jobs use `prepared`, which takes that back.
    """
    _make_repeatable()
    _keep_memory()
    compat.set_stack_traces(False)


@contextlib.contextmanager
def prepared() -> Iterator[None]:
    """Prepares the process for the block alone; TensorFlow is as before afterwards.

    The allocator stays: TensorFlow chooses it once.
    """
    determinism, stack_traces = compat.op_determinism(), compat.stack_traces()
    optimizer = tf.config.optimizer.get_experimental_options()
    prepare_process()
    try:
        yield
    finally:
        compat.set_op_determinism(determinism)
        compat.set_stack_traces(stack_traces)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **optimizer})


def _make_repeatable() -> None:
    """Makes two processes compute the same bits.

    Op determinism alone is not enough, not even on a CPU: the graph optimizer orders the sums that
    it rewrites differently in each process. The gradients of the 50x1 backbone then differ between
    two processes in the last bit from the first steps on, and visibly some ten steps later. Without
    the graph optimizer they are equal, and a training step takes the same time.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _keep_memory() -> None:
    """Keeps memory that a step frees on a CPU for the next step, as a GPU's allocator does.

    Otherwise large tensors go back to the system after each step, and the system fills new pages
    with zeros, which takes processor time: compare `benchmarks/simclr_step.py --size=64 --batch=64
    --steps=8` with and without TF_CPU_ALLOCATOR_USE_BFC=0. Where oneDNN is on, its allocator keeps
    memory anyway. Variables that the user has set stay as they are.
    """
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
    os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(LIMIT))
