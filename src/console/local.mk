# sources and tests of src/console
