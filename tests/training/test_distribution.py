"""Training by several workers gives the numbers of one."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from job_processes import metric_rows, run_alone_and_together

from remedis.errors import UserError
from remedis.training.distribution import Distribution, WorkerLost


@pytest.mark.guarantee
def test_two_workers_train_as_one_does(configured, tmp_path):
    # Everything that could depend on the division of a batch: unknown labels, MixUp, clipping, EMA.
    config = configured(
        steps=6, log_every=1, evaluate_every=6, mixup=0.3, clip_norm=1.0, ema=0.9, accumulate=2
    )
    alone, together = run_alone_and_together("finetune", config, tmp_path)
    assert len(metric_rows(alone)) == 7
    losses = [row["train/loss"] for row in metric_rows(alone) if "train/loss" in row]
    assert max(losses) - min(losses) > 0.01
    one, two = (pd.read_parquet(run / "predictions.parquet") for run in (alone, together))
    pd.testing.assert_frame_equal(one, two, check_exact=False, rtol=0, atol=1e-4)
    # Only the chief writes; the other worker has a scratch directory.
    visible = {path.name for path in together.iterdir()}
    assert visible == {path.name for path in alone.iterdir()} | {".worker-1"}
    scratch = {path.name for path in (together / ".worker-1").iterdir()}
    assert not scratch & {"checkpoints", "export", "results.json", "predictions.parquet"}


def test_shares_and_gathering_of_one_worker_are_the_whole():
    one = Distribution.from_name("none")
    assert one.chief
    assert one.replicas == 1
    np.testing.assert_array_equal(one.rows(5), np.arange(5))
    values = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(one.gathered(values), values)
    batch = {"image": tf.zeros([4, 2, 2, 3])}
    assert one.spread(batch) is batch


def test_the_shares_of_all_workers_are_every_row_once():
    strategy = tf.distribute.get_strategy()
    shares = [Distribution(strategy, i, 3).rows(10) for i in range(3)]
    np.testing.assert_array_equal(np.concatenate(shares), np.arange(10))


@pytest.mark.slow
def test_rows_are_gathered_once_with_several_replicas_a_worker():
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["[[0.0],", "[1.0],", "[2.0]]", "[4,", "2]"], done.stderr[-2000:]


TWO_DEVICES = """
import tensorflow as tf
import numpy as np
devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from remedis.training.distribution import Distribution, WorkerLost, gather
distribution = Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), 0, 1)
values = np.arange(3, dtype=np.float32)[:, None]
print(gather(distribution.strategy, values, 2).tolist())
spread = distribution.spread({"image": tf.zeros([4, 2])})
run = distribution.strategy.run(lambda batch: tf.shape(batch["image"])[0], args=(spread,))
print([4, int(distribution.strategy.experimental_local_results(run)[0])])
"""


def test_a_batch_that_cannot_be_shared_is_refused():
    one = Distribution.from_name("none")
    one.check_batch(8, 4)
    with pytest.raises(UserError) as caught:
        one.check_batch(8, 3)
    assert str(caught.value) == (
        "config.batch_size is 8, which config.accumulate=3 micro-batches cannot share evenly; "
        "expected a multiple of 3."
    )
    with pytest.raises(UserError, match=r"config.accumulate is 0; expected at least 1\."):
        one.check_batch(8, 0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "config.distribution is 'multi_worker', which needs the environment variable"),
        ("{", "config.distribution is 'multi_worker', which needs the environment variable"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "TF_CONFIG"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "TF_CONFIG says"),
    ],
)
def test_a_missing_or_wrong_tf_config_is_a_sentence(monkeypatch, config, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError) as caught:
        Distribution.from_name("multi_worker")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_distribution_gets_the_choices():
    with pytest.raises(UserError, match="Choose from: none, mirrored, multi_worker, tpu"):
        Distribution.from_name("mirorred")


def test_no_tpu_is_a_sentence():
    with pytest.raises(UserError, match=r"config\.distribution is 'tpu', and TensorFlow finds"):
        Distribution.from_name("tpu")


def test_only_the_others_leaving_is_a_lost_worker():
    alone = Distribution.from_name("none")
    with pytest.raises(tf.errors.UnavailableError), alone.raising_worker_lost():
        raise tf.errors.UnavailableError(None, None, "gone")
    two = Distribution(tf.distribute.get_strategy(), 0, 2)
    lost = pytest.raises(WorkerLost, match="Worker 0 of 2 has lost another one")
    with lost, two.raising_worker_lost():
        raise tf.errors.UnavailableError(None, None, "gone")
    with pytest.raises(UserError, match="mine"), two.raising_worker_lost():
        raise UserError("mine")
