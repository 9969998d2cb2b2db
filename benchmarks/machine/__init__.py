"""What the code runs on: devices, threads, memory, child processes.

devices      accelerators, cores and memory, divided among processes
threads      how many CPU threads compute
allocator    freed memory: kept or given back
children     Python processes that this one starts
terminal     a live display, where there is a terminal
environment  versions and hardware, as a result records them
"""
