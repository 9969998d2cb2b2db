"""How fast: every figure comes from timed steps.

step      a training step as jobs take it, and the seconds of anything that is repeated
estimate  how long a plan will take
speed/    what each part of a step, inference, metrics and the harness cost, now and then
scaling/  time and memory of one step against size
"""
