# smtp_command: written with its target
