# convert: written with its target
