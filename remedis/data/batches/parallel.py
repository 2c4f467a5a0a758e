"""Elements of `tf.data` computed in parallel."""

import os
from collections.abc import Callable

import tensorflow as tf

# Images processed in parallel, by as many threads: with one per core, cores would wait for files.
PARALLEL = 2 * (os.cpu_count() or 1)


def mapped(
    data: tf.data.Dataset, function: Callable[[tf.Tensor], dict[str, tf.Tensor]]
) -> tf.data.Dataset:
    """Returns what a function makes of every element, in their order, computed in parallel.

    TensorFlow does not choose the numbers itself (AUTOTUNE). It would begin with one image at a
    time and need hundreds to find its number, as many as a small data set has. The thread that
    looks for it sleeps 10 ms, and each time twice as long as before. Its last sleep, up to half of
    a pass, would often have to end before the pass does.
    """
    # AutoGraph would take seconds to search for Python control flow over tensors; there is none. It
    # also writes Python files, which a killed process leaves behind.
    function = tf.autograph.experimental.do_not_convert(function)
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    # TensorFlow's own threads, one per core, are fewer than the images in work.
    options.threading.private_threadpool_size = PARALLEL
    return data.map(function, PARALLEL, deterministic=True).with_options(options)
