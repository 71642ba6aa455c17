"""The compiled inner loops: float32, single thread, without the GIL, kept compiled on disk.

fastmath is limited to contraction: reassociation would make a sum depend on how a loop was vectorised, and the same
scan must get the same answer in any batch.

Edited kernels: ``runtime/kernel_cache.py``.
"""
