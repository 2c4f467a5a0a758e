import numpy as np
import pytest

from remedis.finetuning.finetune import finetune
from remedis.zoo import checkpoint, save_classifier

SHORT = {"steps": 4, "evaluate_every": 2, "checkpoint_every": 4, "weight_decay": 0.1}


@pytest.mark.guarantee
def test_upper_layers_train_alone(configured, tiny_checkpoint, tmp_path):
    finetune(configured(**SHORT, layers="upper", decay_to="start"), tmp_path / "run")
    trained = save_classifier.load(tmp_path / "run" / "export")[0].backbone.named_variables()
    before = checkpoint.load_backbone(str(tiny_checkpoint)).named_variables()
    frozen = ("root_block/", "block1/", "block2/")
    for name, variable in before.items():
        if name.endswith("kernel"):
            same = np.array_equal(variable, trained[name])
            assert same == name.startswith(frozen), name
            # A few small steps: it is still the network that the training started from.
            assert np.corrcoef(np.ravel(variable), np.ravel(trained[name]))[0, 1] > 0.9, name


@pytest.mark.guarantee
def test_a_candidate_trains_as_it_does_alone(configured, tmp_path):
    several = "layers=upper,all; decay_to=start; learning_rate=0.02"
    found = finetune(configured(**SHORT, select=several), tmp_path / "several")["tuning"]
    scores = dict(zip(found["names"], found["scores"], strict=True))
    name = "layers=all, decay_to=start, learning_rate=0.02"
    alone = configured(**SHORT, select=name.replace(", ", "; "))
    assert finetune(alone, tmp_path / "alone")["tuning"]["scores"] == [scores[name]]
