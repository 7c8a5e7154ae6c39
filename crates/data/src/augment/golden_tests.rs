//! Warps against Keras and SciPy.
