"""What was done: everything in a results folder, and its schemas.

job_folder   OUT/jobs/KEY: the names of its files, reading and writing them
result       result.json, error.json, thresholds.json
run_file     OUT/runs/<table>.json: which jobs stand for which row
several_data OUT/data_sets.json: which folders below OUT are results folders, one a data set
request      a job that is asked for
progress     how far a job is
pace         rates and times for people
saved_model  a trained model
scores       scores of label maps, as CSV
overlays     label maps as pictures
documents    JSON files of one model, some with a seal
checksums    SHA-256 of files, and which of them are no longer as they were
"""
