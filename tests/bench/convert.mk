# The microbenchmark of convert, listed here by its folder.
