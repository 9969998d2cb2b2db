"""Results where people work: what other programs open, made from label maps.

outlines       exact polygons of objects
imagej_rois    ROI zips of ImageJ and Fiji
imagej_labels  label maps with the size of a pixel
geojson        objects for QuPath
coco           all images as one COCO file
micrometres    measurements in micrometres
choice         what `--export` names
writing        which files an image has, and when they go
"""
