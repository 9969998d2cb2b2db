"""Searches over settings: a study is a file, each of its trials an ordinary job.

specification  a study as data
plan           a study on data at a scale: from parameters to jobs
plans          either kind of plan, from the settings of a command
journal        the storage in a file, which outlives commands that die
storage        the Optuna study, with a slot for each trial of the budget
leases         which command runs which trial, and what becomes of a dead one's
running        a command's part in a study: claims, trials, what the storage is told
trial          how a trial ends, and what of its job it is judged by
job_trials     trials as jobs of the scheduler, and the pruner
inference/     thresholds on what a network said, without training
study_folder   OUT/studies/NAME, which is of one study
records        trials as plain values, for everything that shows them
results        what a study leaves: the best settings, pictures, a page
"""
