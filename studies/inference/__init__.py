"""Thresholds of a finished model, searched on stored mask logits: the network sees each image once.

logits      what the network says of each image, on disk
plan        the study on a model and data
final_look  the best thresholds on the test split, once
"""
