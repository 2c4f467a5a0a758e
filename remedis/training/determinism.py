"""What the process of a job asks TensorFlow for, before it computes anything."""

import os

import tensorflow as tf

# Of the allocator below: none, as without it. TensorFlow's own, 64 GiB, is less than a large
# machine has.
LIMIT = 1 << 24  # MiB


def prepare_process() -> None:
    """Makes TensorFlow compute the same bits in every process of this machine, and keep memory.

    Call it before anything is computed. It is the job's to call and not the library's: every
    unseeded random operation of the process becomes an error.
    """
    _make_repeatable()
    _keep_memory()


def _make_repeatable() -> None:
    """Has two processes compute the same bits.

    Op determinism alone is not enough, not even on a CPU: the graph optimizer orders the sums it
    rewrites otherwise in each process, so that the gradients of the 50x1 backbone differ in the
    last bit between two processes from the first steps on, and visibly some ten steps later.
    Without the optimizer they do not, and a step of training takes as long as with it.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _keep_memory() -> None:
    """Has what a step frees on a CPU kept for the next one, as it is on a GPU.

    Otherwise large tensors go back to the system each time and come again as pages of zeros, which
    takes processor time: compare that of `benchmarks/simclr_step.py measure 64 64 8` (size, batch,
    steps) with TF_CPU_ALLOCATOR_USE_BFC=0. Whoever has set the variables, or has computed
    something, has decided for themselves.
    """
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
    os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(LIMIT))
