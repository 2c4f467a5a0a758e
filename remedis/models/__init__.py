"""Networks: the BiT backbone, networks of Keras as backbones, and the classifier on top."""
