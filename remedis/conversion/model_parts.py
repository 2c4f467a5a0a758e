"""What a model has beside its network, which an export holds or leaves behind."""

PREPROCESSING, CALIBRATION, THRESHOLDS, LABELS = (
    "preprocessing",
    "calibration",
    "thresholds",
    "labels",
)
PARTS = (PREPROCESSING, CALIBRATION, THRESHOLDS, LABELS)
