"""A trainer that is gone leaves nothing behind: a study makes one after the other."""

import gc
import weakref

import tensorflow as tf

from remedis import compat
from remedis.finetuning.losses import SupervisedLoss
from remedis.finetuning.supervised_objective import SupervisedObjective
from remedis.models.classifier import Classifier
from remedis.training import optimizers, schedules
from remedis.training.distribution import Distribution
from remedis.training.step import Learner, Trainer
from remedis.zoo import checkpoint, resolve


def test_its_graphs_and_gradients_are_released():
    weights = resolve.read_weights("scratch:1-1-1-1x0.5", seed=0)
    classifier = Classifier(checkpoint.build_backbone(weights), ("a", "b"))
    trained = {name: v for name, v in classifier.named_variables().items() if v.trainable}
    objective = SupervisedObjective(classifier, SupervisedLoss("multi_label"), mixup=0.0, seed=0)
    batch = {"image": tf.zeros([2, 32, 32, 3]), "label": tf.eye(2)}

    def train():
        rate = schedules.Rate(schedules.Schedule("constant", 1, 0, 0.1))
        optimizer = optimizers.make("sgd", rate, {}, momentum=0.9, weight_decay=0.0)
        trainer = Trainer(
            Learner(trained, {}, optimizer, objective), Distribution.from_name("none")
        )
        trainer.begin()
        trainer.step(batch, 1)
        graph = trainer._function.get_concrete_function(batch, tf.constant(1, tf.int64)).graph
        return weakref.ref(trainer), weakref.ref(graph)

    left = set()
    with compat.noting_gradients(left):
        references = train()
        gc.collect()
    assert left == set()
    gc.collect()  # what the gradients referred to
    assert [reference() for reference in references] == [None, None]
