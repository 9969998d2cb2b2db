"""Searches over settings: a study is a file, each of its trials an ordinary job.

specs        a study as data
plan         a study on data at a scale: from parameters to jobs
storage      the Optuna study, with a slot for each trial of the budget
claims       which process runs which trial, and what becomes of a dead one's
trial        one trial: its job, then the figure on the validation split
worker       a process that runs trials
conductor    the process that starts workers and watches them
records      trials as plain values, for everything that shows them
inference/   thresholds on what a network said, without training
documents    JSON files with the version of their form
results      what a study leaves: the best settings, pictures, a page
"""
