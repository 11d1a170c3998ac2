# frame: written with its target
