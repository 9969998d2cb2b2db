"""Label maps as others write them: a reader a format, all behind one contract.

contract    what a reader is given and what it returns
finding     the files of a folder by image, each with its reader
painting    objects that may overlap become a label map, which holds one id a pixel; what that costs is counted
polygons    outlines become pixels
cellpose    `_cp_masks` and `_seg.npy`; `unpickling` reads the latter without running anything of it
geojson     QuPath's GeoJSON
imagej      ImageJ's ROIs
coco        COCO's JSON; `rle` its run lengths
json_text   JSON that somebody else wrote
"""
