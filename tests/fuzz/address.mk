# address: written with its target
