"""`python -m benchmarks.cli`, where the console script is not installed."""

from benchmarks.cli import main

main()
