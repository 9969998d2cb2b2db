"""What was done: a job's folder and everything in it.

request      a job that is asked for
progress     how far a job is
pace         rates and times for people
saved_model  a trained model
scores       scores of label maps, as CSV
overlays     label maps as pictures
"""
