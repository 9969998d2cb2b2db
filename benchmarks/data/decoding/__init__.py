"""Image files to arrays, by one rule for all formats.

files          any file: what it is, by its first bytes
raster         photometric interpretation, palette, orientation, alpha: decided here and nowhere else
tiff           TIFF, its axes and planes
tiff_segments  strips and tiles of a TIFF, checked before they are decoded
png_jpeg       PNG and JPEG
limits         how much a file may make this program hold
"""
