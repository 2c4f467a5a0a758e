"""What a process must ask TensorFlow for, so that two runs give the same bits."""

import tensorflow as tf


def make_process_repeatable() -> None:
    """Makes TensorFlow compute the same bits in every process on the same machine.

    Call it before anything is computed. It is the job's to call and not the library's: every
    unseeded random operation of the process becomes an error.

    Op determinism alone is not enough, not even on a CPU: the graph optimizer orders the sums it
    rewrites otherwise in each process, so that the gradients of the 50x1 trunk differ in the last
    bit between two processes from the first steps on, and visibly some ten steps later. Without
    the optimizer they do not, and a step of training takes as long as with it.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
