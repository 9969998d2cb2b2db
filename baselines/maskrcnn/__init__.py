"""Mask R-CNN (He et al., ICCV 2017) of torchvision, an optional extra, behind the contract of the harness.

Nothing is imported here: configurations are read where torchvision is not installed.
"""
