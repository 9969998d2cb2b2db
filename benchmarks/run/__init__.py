"""Doing it: a job from its training to `result.json`, and many jobs.

execution     one job: train, choose thresholds, predict, score
training      training the job's model, in one process or several
thresholds    the choice of thresholds on validation images
evidence      many thresholds, the network run once
prediction    label maps of a split, stored before they are scored
cost          parameters and FLOPs
running       jobs in this process, one after the other
worker        the process that runs one job
executors/    local processes and SLURM
user_images   `predict`: a user's own images
measurements  `predict`: one row an object
"""
