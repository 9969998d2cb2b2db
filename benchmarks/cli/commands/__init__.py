"""The commands; what several of them share is beside this folder."""
