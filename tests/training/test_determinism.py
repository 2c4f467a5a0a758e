import os
import subprocess
import sys

# Asks for 64 MB and gives it back, again and again; prints the pages that the system handed out.
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
    """Returns the pages that 20 steps of a prepared process had to ask for."""
    run = subprocess.run(
        [sys.executable, "-c", STEPS],
        env=os.environ | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(run.stdout.splitlines()[-1])


def test_memory_is_kept_unless_the_user_has_said_otherwise():
    # By a factor, as pages may be small or huge.
    assert 10 * pages() < pages(TF_CPU_ALLOCATOR_USE_BFC="0")
