"""The live view: what is seen of a dataset while it is still being written."""
