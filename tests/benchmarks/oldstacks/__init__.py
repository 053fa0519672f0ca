"""The stacks for which the classic recipes were written: Keras 2 on TensorFlow 1 and on Theano."""
