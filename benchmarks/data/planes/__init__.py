"""One plane of an image file as microscopes write them: channels, depth and times that the user chooses from.

choice      what the user chose, and taking it from what a file holds
tiff        stacks in TIFF, OME-TIFF and ImageJ's files, without further packages
microscope  ND2, LIF, OME-Zarr and CZI, by packages that are optional
pixel_size  how large a pixel is, where a file says so
reading     any image file, by the one of these that it takes
"""
