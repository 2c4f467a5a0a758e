"""Forms of weight specifications, known without TensorFlow; `resolve` reads what they name."""

FORMS = {
    "bit": "bit:FILE.npz",
    "release": "release:DIR",
    "random": "random:SEED",
    "scratch": "scratch:50x1",
    "keras": "keras:DenseNet121:FILE",
}
OLD_FOLDER = "checkpoint"  # scheme of a folder in version 0.1
EXPECTED = f"a checkpoint folder, a run, {', '.join(FORMS.values())}"
