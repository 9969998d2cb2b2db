"""Doing it: many jobs, and one job from its training to `result.json`.

scheduler     which job is started when
executors/    where jobs run: here, in processes, on a cluster
worker        the process that runs one job
planned       one planned job in this process: data, progress, failures
execution     one job: train, choose thresholds, predict, score
training      training the job's model, in one process or several
thresholds    the choice of thresholds on validation images
evidence      many thresholds, the network run once
prediction    label maps of a split, stored before they are scored
validation    the whole validation split, for studies
cost          parameters and FLOPs
recording     how far a job is, written while it runs
failures      failures on record
rescoring     metrics that came later, from stored predictions
input_images  `predict`: the files that a user names
user_images   `predict`: a user's own images
measurements  `predict`: one row an object
"""
