"""Names of the engines of a server, for commands that do not load one."""

SAVED_MODEL, FROZEN, OPENVINO = "savedmodel", "frozen", "openvino"
# The SavedModel itself, and the formats of `remedis export` that have an engine worth serving.
ENGINES = (SAVED_MODEL, FROZEN, "onnx", OPENVINO)
AUTO = "auto"  # the format of an export; of a SavedModel the fastest engine that is installed
