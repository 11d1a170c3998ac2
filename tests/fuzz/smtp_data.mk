# smtp_data: written with its target
