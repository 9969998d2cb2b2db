"""How fast: every figure comes from timed steps.

estimate  how long a plan will take
speed/    rates of training, testing and figures, each against a baseline in the same run
scaling/  time and memory of one step against size
"""
