"""Where jobs run.

base        what the scheduler asks of an executor
in_process  in this process, one after the other
local       in processes of this machine
slurm       on a cluster, by submitit
task        what runs on a node of the cluster
queue       what SLURM says of its jobs
ending      why a process without a result ended
options     what the user chose

A process that runs one job is `python -m benchmarks.run.worker`, wherever it is.
"""
