"""Benchmarks that users of Fujie can repeat; what they measured stands in docs/benchmarks.md."""
