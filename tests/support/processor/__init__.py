"""Processors and their partitions, checked against Redis."""
