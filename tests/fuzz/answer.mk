# answer: written with its target
