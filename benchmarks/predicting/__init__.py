"""Objects of a user's own images by a saved model: `pctrans-bench predict`.

user_images   image by image into a folder, going on where an earlier call stopped
options       what a user may choose
segmenting    one image of any magnification to its objects
small_images  images that networks would fill up with black
strays        pieces far from the object that they are marked as
measurements  a row of numbers for each object
input_images  the files that a user names
napari_widget the same, in napari
"""
