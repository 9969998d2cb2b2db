"""Thresholds of a finished model, searched on its stored evidence: the network sees each image once.

evidence    what the network says of each image, on disk
plan        the study on a model and data
final_look  the best thresholds on the test split, once
"""
