# config: written with its target
