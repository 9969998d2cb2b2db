"""Running many jobs in processes of their own, here or on a cluster.

options   what the user chose
request   a job as a file, for the process that runs it
progress  how far a job is, as a file, for whoever shows it
pace      rates, and doing things now and then
pool      which job is started when, and what its end means
ending    why a process without a result ended
devices   accelerators and threads, divided
local     processes on this machine
slurm     jobs of a SLURM cluster, by submitit
queue     what SLURM says of them
task      what runs on a node of the cluster

A process that runs one job is `python -m benchmarks.run.worker`, wherever it is.
"""
