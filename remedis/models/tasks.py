"""Names of the two kinds of classification; without TensorFlow, since metrics use them too."""

TASKS = MULTI_LABEL, MULTI_CLASS = ("multi_label", "multi_class")
