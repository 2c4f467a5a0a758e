"""Heat maps of a small trained network find lesions whose place is known; shuffled weights do not.

Lesions differ from as many distractors by their texture alone, and lie anywhere in the lungs.
"""

import pytest

import remedis
from remedis import synthetic
from remedis.evaluation.localisation import AVERAGE_BOX, CENTRE, MAPS
from remedis.inference import weight_randomisation
from remedis.synthetic.lesion_boxes import BOXES, LESION
from remedis.zoo import save_classifier

pytestmark = pytest.mark.guarantee
SIZE, STEPS = 96, 220


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The run of a network trained on made-up films, and films of other patients with boxes."""
    root = tmp_path_factory.mktemp("lesions")
    train = synthetic.write_lesion_boxes(root / "train", patients=700, image_size=SIZE)
    test = synthetic.write_lesion_boxes(root / "test", patients=160, seed=1, image_size=SIZE)
    config = remedis.load_config(
        "own_data",
        checkpoint="scratch:1-1-1-1x0.5",
        data_dir=train,
        labels=[LESION],
        image_size=SIZE,
        train_preprocess="resize({size})",
        splits={"train": 0.9, "validation": 0.05, "test": 0.05},
        batch_size=16,
        steps=STEPS,
        optimizer="adamw",
        learning_rate=0.001,
        learning_rate_batch=0,
        schedule="constant",
        mixup=0.0,
        head_stddev=0.01,
        evaluate_every=STEPS,
        checkpoint_every=STEPS,
        resamples=40,
    )
    remedis.finetune(config, root / "run")
    return root / "run", test


def explained(folders, out, **options):
    model, test = folders
    return remedis.explain(model, test, out, boxes=test / BOXES, resamples=400, **options)


def test_maps_of_trained_weights_beat_both_floors_and_randomised_weights(folders, tmp_path):
    done = explained(folders, tmp_path / "out", method="grad_cam", endpoint="block2")
    (judged,) = done.localisation
    assert judged.cases == 80
    assert judged.pointing[MAPS].low > 0.6
    for name, gain in (*judged.pointing_gain.items(), *judged.iou_gain.items()):
        assert gain.low > 0, name
    floor = max(judged.pointing[name].high for name in (CENTRE, AVERAGE_BOX))
    assert judged.pointing[MAPS].low > floor
    # The sanity check: nothing remains of the maps once every weight is shuffled.
    assert done.curve[0].rank_correlation == pytest.approx(1)
    assert abs(done.curve[-1].rank_correlation) < 0.35
    assert done.curve[-1].ssim < 0.5


def test_coarse_exact_maps_beat_both_floors_too(folders, tmp_path):
    (judged,) = explained(folders, tmp_path / "out", sanity_images=0).localisation
    assert judged.iou_gain[AVERAGE_BOX].low > 0
    for name in (CENTRE, AVERAGE_BOX):
        assert judged.pointing_gain[name].value > 0, name


def test_maps_of_randomised_weights_do_not(folders, tmp_path):
    run, test = folders
    classifier, preprocess, description = save_classifier.load(run / "export")
    list(weight_randomisation.cascade(classifier, 0))
    save_classifier.save(
        classifier,
        preprocess,
        name="shuffled",
        provenance=description.provenance,
        directory=tmp_path / "shuffled",
    )
    done = explained(
        (tmp_path / "shuffled", test),
        tmp_path / "out",
        method="grad_cam",
        endpoint="block2",
        sanity_images=0,
    )
    (judged,) = done.localisation
    assert judged.pointing_gain[AVERAGE_BOX].low <= 0
    assert judged.pointing[MAPS].high < 0.4
