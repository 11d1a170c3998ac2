# sources and tests of src/operations
