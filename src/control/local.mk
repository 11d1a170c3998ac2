# sources and tests of src/control
